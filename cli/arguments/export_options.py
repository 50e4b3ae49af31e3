"""Options of `rushes export` that are typed otherwise than the API's fields."""

from __future__ import annotations

from typing import Annotated

import typer

_SEQUENCE = "The timeline"

DetachOption = Annotated[bool, typer.Option("--detach", help="Do not wait for the clips.")]
LocalFileOption = Annotated[
    str,
    typer.Option(
        metavar="FILE", help="File on this machine. Default: print it.", show_default=False
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="WIDTHxHEIGHT",
        help="In pixels. Default: as the first clip.",
        rich_help_panel=_SEQUENCE,
    ),
]
PathMapOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FROM=TO",
        help="How the editing system calls a folder; may be repeated.",
        rich_help_panel=_SEQUENCE,
    ),
]
AnalyzedOption = Annotated[
    str,
    typer.Option(
        "--cache",
        envvar="RUSHES_CACHE_DIR",
        help="Folder with the analysis data: files that are away are laid out as known there.",
        show_default=False,
    ),
]
HandlesOption = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.0, help="Added before and after each clip.")
]
