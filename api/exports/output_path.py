"""The `output_path` of an export: where the file is written that a client wants."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from api.exports.timelines.bodies import TimelineBody
from api.exports.transcripts.bodies import ExportTranscriptBody
from api.http.client_paths import ClientPaths
from shared.errors import BadInput, NotAllowed
from shared.exports.names import file_name
from shared.exports.writing import write_output
from shared.opening import open_folder
from shared.paths import Roots


def resolved_output_path(
    paths: ClientPaths,
    output_path: str | None,
    display_name: str,
    extension: str,
    extensions: Collection[str],
) -> str | None:
    """Our form of the path to write to; in a folder the file is called after `display_name`.

    None where no path is given. `extensions` are those of all formats: a name that ends in
    another one is refused. Raises BadInput and NotAllowed.
    """
    if output_path is None:
        return None
    found = paths.export(output_path)
    if output_path.endswith(("/", "\\")) or _is_folder(found, paths.export_roots):
        return os.path.join(found, file_name(display_name, extension))
    folder, name = os.path.split(found)
    others = set(extensions) - {extension}
    return os.path.join(folder, with_extension(name, extension, others, "output_path"))


def write_to(
    target: str, content: bytes, paths: ClientPaths, body: ExportTranscriptBody | TimelineBody
) -> str:
    """Write a file as its request says; return the path it got, in the client's form."""
    written = write_output(
        target,
        content,
        paths.export_roots,
        on_exists=body.on_exists,
        create_dir=body.create_dir,
    )
    return paths.back(written, body.output_path or target)


def _is_folder(path: str, roots: Roots) -> bool:
    try:
        with open_folder(path, roots):
            return True
    except NotAllowed as error:
        raise NotAllowed(f"output_path: {error.message}") from None
    except (OSError, UnicodeEncodeError):  # what is wrong with it shows when it is written to
        return False


def with_extension(name: str, extension: str, others: Iterable[str], field: str) -> str:
    """The name with `.extension`, added where it is missing.

    `others`: extensions of the formats that were not asked for. Raises BadInput for a name that
    ends in one of them; what follows the dot of any other name ("take.2") is a part of it.
    """
    own = name.rpartition(".")[2].lower() if "." in name else ""
    if own == extension:
        return name
    if own in others:
        raise BadInput(
            f"{field} ends in .{own}, but the format is {extension}. Change one of them, or leave "
            "the extension out."
        )
    return f"{name}.{extension}"
