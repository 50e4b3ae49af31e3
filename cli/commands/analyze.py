"""`rushes analyze`: files and folders, to be searched afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.progress import track

from cli import completing
from cli.api_client import Refused
from cli.following import finish, follow_to_the_end
from cli.media_arguments import CacheOption, cache_dir
from cli.media_files import MediaFiles, listed, media_files
from cli.remote import Remote, remote
from shared.errors import BadInput
from shared.media import MediaType

EPILOG = """Examples:

rushes analyze /footage/day1 --cache /footage/.rushes

rushes analyze A001.mov --faces --collection "Season 1"

find /footage -newer mark -print0 | rushes analyze --from0 -"""
_WHAT, _HOW = "What is analyzed", "How"
_PROBED_AT_ONCE = 32
_PROBE_S = 600.0


class OnBusy(StrEnum):
    """What becomes of an analysis that runs already."""

    REFUSE = "refuse"
    QUEUE = "queue"
    REPLACE = "replace"


@remote
def analyze(
    server: Remote,
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Media files, and folders of them; `-`: read them from stdin, one a line."
        ),
    ],
    cache: CacheOption = "",
    visual: Annotated[
        bool, typer.Option(help="Pictures, for search.", rich_help_panel=_WHAT)
    ] = True,
    speech: Annotated[
        bool, typer.Option(help="Transcripts of what has sound.", rich_help_panel=_WHAT)
    ] = True,
    language: Annotated[
        str,
        typer.Option(
            help="Of the speech, such as english or en. Default: detected.",
            rich_help_panel=_WHAT,
            show_default=False,
        ),
    ] = "",
    faces: Annotated[
        bool, typer.Option("--faces", help="Faces, into --collection.", rich_help_panel=_WHAT)
    ] = False,
    collection: Annotated[
        str,
        typer.Option(
            help="Collection that receives the faces.",
            rich_help_panel=_WHAT,
            show_default=False,
            autocompletion=completing.collections,
        ),
    ] = "",
    exclude: Annotated[
        list[str],
        typer.Option(
            help="Leave out what this glob matches: a name, or a path below a folder. Repeatable.",
            rich_help_panel=_WHAT,
            show_default=False,
        ),
    ] = [],  # noqa: B006
    from0: Annotated[
        bool,
        typer.Option("--from0", help="Paths on stdin end with NUL.", rich_help_panel=_WHAT),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Redo what is done.", rich_help_panel=_HOW)
    ] = False,
    on_busy: Annotated[
        OnBusy,
        typer.Option(
            help="While another analysis runs: give up, wait for its end, or stop it.",
            rich_help_panel=_HOW,
        ),
    ] = OnBusy.REFUSE,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Return as soon as it is accepted.", rich_help_panel=_HOW),
    ] = False,
    visual_model: Annotated[
        str,
        typer.Option(
            help="Default: the active one.",
            rich_help_panel=_HOW,
            show_default=False,
            autocompletion=completing.visual_models,
        ),
    ] = "",
    speech_model: Annotated[
        str,
        typer.Option(
            help="Default: the active one.",
            rich_help_panel=_HOW,
            show_default=False,
            autocompletion=completing.speech_models,
        ),
    ] = "",
    face_model: Annotated[
        str,
        typer.Option(
            help="Default: the active one.",
            rich_help_panel=_HOW,
            show_default=False,
            autocompletion=completing.face_models,
        ),
    ] = "",
) -> None:
    """Analyze media files, and the media files in folders. What is done already is skipped."""
    if faces and not collection:
        raise BadInput("--faces needs --collection NAME: the collection that receives them.")
    where = cache_dir(cache)
    found = media_files(listed(paths, from0), exclude, where)
    _say_left_out(server, found)
    pictures = found.of(MediaType.VIDEO, MediaType.IMAGE)
    heard = _with_sound(server, found) if speech else []
    work: dict[str, Any] = {
        "visual_media_paths": pictures if visual else [],
        "transcription_jobs": [{"path": path, "language": language or None} for path in heard],
        "face_media_paths": pictures if collection else [],
    }
    if not any(work.values()):
        raise BadInput(_nothing(found))
    _say_what(server, found, work)
    more = {
        "cluster_job_name": collection or None,
        "visual_model_key": visual_model or None,
        "speech_model_key": speech_model or None,
        "face_model_key": face_model or None,
    }
    answer = _submit(
        server, {"cache_dir": where, "force": force, "on_busy": on_busy.value, **work, **more}
    )
    if not detach:
        finish(server, follow_to_the_end(server, answer["task_id"]))
    elif not server.out.document(answer):
        server.out.line(answer["task_id"])
        server.out.hint(f"Follow it with `rushes tasks follow {answer['task_id']}`.")


def _submit(server: Remote, body: dict[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = server.api.post("/analyze", body)
    except Refused as error:
        if error.status != 409:
            raise
        raise Refused(
            error.status,
            error.label,
            f"{error.message} To wait for its end: --on-busy queue. To stop it: --on-busy replace.",
        ) from error
    return answer


def _with_sound(server: Remote, found: MediaFiles) -> list[str]:
    """Sound files, and videos with a sound track, as the server sees them.

    A video that it cannot open stays: the analysis says why.
    """
    videos = found.of(MediaType.VIDEO)
    silent = {
        item["media_path"]
        for items in track(
            _probed(server, videos),
            "looking for sound",
            total=-(-len(videos) // _PROBED_AT_ONCE),
            console=server.out.aside,
            transient=True,
            disable=not videos or server.out.as_json or not server.out.aside.is_terminal,
        )
        for item in items
        if not item["has_audio"] and not item["error"]
    }
    return [path for path in found.of(MediaType.VIDEO, MediaType.AUDIO) if path not in silent]


def _probed(server: Remote, paths: list[str]) -> Iterator[list[dict[str, Any]]]:
    for at in range(0, len(paths), _PROBED_AT_ONCE):
        body = {"media_paths": paths[at : at + _PROBED_AT_ONCE]}
        yield server.api.post("/media/metadata", body, timeout_s=_PROBE_S)["media"]


def _say_left_out(server: Remote, found: MediaFiles) -> None:
    if found.left_out:
        parts = [f"{what} ({count:,})" for what, count in found.left_out.items()]
        server.out.hint(f"Left out: {'; '.join(parts)}.")


def _say_what(server: Remote, found: MediaFiles, work: dict[str, list[Any]]) -> None:
    pictures, heard, faces = (len(paths) for paths in work.values())
    parts = [
        f"{count:,} for {what}"
        for count, what in ((pictures, "pictures"), (heard, "speech"), (faces, "faces"))
        if count
    ]
    server.out.hint(f"{found.counted()}: {', '.join(parts)}")


def _nothing(found: MediaFiles) -> str:
    if not found.paths:
        return "There is no media file in what was named: nothing is sent."
    return f"There is nothing to do for {found.counted()} with these options: nothing is sent."
