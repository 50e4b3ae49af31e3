"""The options of `rushes watch add` and `change`, and the API's fields that they mean."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer


class Polling(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Sequences(StrEnum):
    SKIP = "skip"
    STILLS = "stills"


_WHAT = "What is analyzed"
_WHICH = "Which files"
_WHEN = "When"
Visual = Annotated[
    bool | None, typer.Option("--visual/--no-visual", help="Pictures.", rich_help_panel=_WHAT)
]
Speech = Annotated[
    bool | None, typer.Option("--speech/--no-speech", help="Speech.", rich_help_panel=_WHAT)
]
Faces = Annotated[
    bool | None,
    typer.Option("--faces/--no-faces", help="Faces, into --collection.", rich_help_panel=_WHAT),
]
Collection = Annotated[
    str | None,
    typer.Option(
        help="Collection that receives the faces; with it --faces goes without saying.",
        rich_help_panel=_WHAT,
    ),
]
Language = Annotated[
    str | None,
    typer.Option(help='Of the speech, such as "english"; "": detect.', rich_help_panel=_WHAT),
]
Recursive = Annotated[
    bool | None,
    typer.Option(
        "--recursive/--no-recursive", help="Folders inside it too.", rich_help_panel=_WHICH
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help='File names to leave out, such as "proxy_*"; may be repeated; "": none.',
        rich_help_panel=_WHICH,
    ),
]
ExcludeExtension = Annotated[
    list[str] | None,
    typer.Option(
        metavar="EXT",
        help='Extensions to leave out, such as wav; may be repeated; "": none.',
        rich_help_panel=_WHICH,
    ),
]
ImageSequences = Annotated[
    Sequences | None,
    typer.Option(help="Of 24 or more numbered stills in a folder.", rich_help_panel=_WHICH),
]
PollingOption = Annotated[
    Polling | None, typer.Option(help="How new files are noticed.", rich_help_panel=_WHEN)
]
Settle = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0.0,
        help="A file is taken when it has not changed for so long.",
        rich_help_panel=_WHEN,
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="HH:MM-HH:MM",
        help='Hours in which it may be worked on, by the server\'s clock; "": always.',
        rich_help_panel=_WHEN,
    ),
]

_FIELDS = {
    "enabled": "enabled",
    "visual": "analyze_visual",
    "speech": "analyze_speech",
    "faces": "analyze_faces",
    "collection": "cluster_job_name",
    "language": "language",
    "recursive": "recursive",
    "exclude": "excluded_filename_globs",
    "exclude_extension": "excluded_extensions",
    "image_sequences": "image_sequences",
    "polling": "polling",
    "settle": "settle_seconds",
    "schedule": "schedule",
}
_LISTS = ("excluded_filename_globs", "excluded_extensions")
_MAY_BE_NONE = ("language", "cluster_job_name", "schedule")


def fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """The API's fields of the options that were given; an empty word resets one."""
    found = {
        field: options[name] for name, field in _FIELDS.items() if options.get(name) is not None
    }
    if found.get("cluster_job_name"):
        found.setdefault("analyze_faces", True)
    for name in _LISTS:
        if name in found:
            found[name] = [word for word in found[name] if word]
    for name in _MAY_BE_NONE:
        if found.get(name) == "":
            found[name] = None
    if found.get("schedule"):
        start, _, stop = found["schedule"].partition("-")
        found["schedule"] = {"start": start.strip(), "stop": stop.strip()}
    return found
