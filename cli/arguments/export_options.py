"""Options of `rushes export` that are typed otherwise than the API's fields."""

from __future__ import annotations

from typing import Annotated

from cli.options import option

_SEQUENCE = "The timeline"

DetachOption = Annotated[bool, option("Do not wait for the clips.", "--detach")]
LocalFileOption = Annotated[str, option("File on this machine. Default: print it.", metavar="FILE")]
SizeOption = Annotated[
    str | None,
    option("In pixels. Default: as the first clip.", panel=_SEQUENCE, metavar="WIDTHxHEIGHT"),
]
PathMapOption = Annotated[
    list[str] | None,
    option(
        "How the editing system calls a folder; may be repeated.",
        panel=_SEQUENCE,
        metavar="FROM=TO",
    ),
]
AnalyzedOption = Annotated[
    str,
    option(
        "Folder with the analysis data: files that are away are laid out as known there.",
        "--cache",
        envvar="RUSHES_CACHE_DIR",
    ),
]
HandlesOption = Annotated[
    float, option("Added before and after each clip.", metavar="SECONDS", min=0.0)
]
