"""The options of `rushes export`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

_ENCODING = "How clips are written"
_SEQUENCE = "The timeline"


class Mode(StrEnum):
    AUTO = "auto"
    COPY = "copy"
    ENCODE = "encode"


class Codec(StrEnum):
    H264 = "h264"
    HEVC = "hevc"
    PRORES = "prores"
    DNXHR = "dnxhr"


class Audio(StrEnum):
    ALL = "all"
    FIRST = "first"
    NONE = "none"


class OnExists(StrEnum):
    NUMBER = "number"
    SKIP = "skip"
    ERROR = "error"


class TimelineFormat(StrEnum):
    XMEML = "xmeml"
    FCPXML = "fcpxml"
    OTIO = "otio"
    EDL = "edl"


class Layout(StrEnum):
    SEQUENCE = "sequence"
    SUBCLIPS = "subclips"
    BOTH = "both"


HandlesOption = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.0, help="Added before and after each clip.")
]

ServerFolderOption = Annotated[
    str,
    typer.Option(metavar="FOLDER", help="Folder on the server that is there.", show_default=False),
]
ModeOption = Annotated[
    Mode,
    typer.Option(
        help="copy: the streams as they are; encode: anew, exact to the frame; auto: copy where "
        "that is exact.",
        rich_help_panel=_ENCODING,
    ),
]
CodecOption = Annotated[
    Codec | None,
    typer.Option(
        help="Of what is encoded. Default: h264, or what keeps the depth of the source.",
        rich_help_panel=_ENCODING,
    ),
]
QualityOption = Annotated[
    int | None, typer.Option(help="On the codec's own scale.", rich_help_panel=_ENCODING)
]
ContainerOption = Annotated[
    str | None, typer.Option(help="Extension, such as mov.", rich_help_panel=_ENCODING)
]
AudioOption = Annotated[
    Audio, typer.Option(help="Sound tracks taken along.", rich_help_panel=_ENCODING)
]
NamingOption = Annotated[
    str | None,
    typer.Option(
        help="Names of the files, of {stem}, {in_tc}, {out_tc} and {index}.",
        rich_help_panel=_ENCODING,
    ),
]
OnExistsOption = Annotated[
    OnExists,
    typer.Option(
        help="Where the name is taken; nothing is ever overwritten.", rich_help_panel=_ENCODING
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Plan, and write nothing.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Do not wait for the clips.")]

LocalFileOption = Annotated[
    str,
    typer.Option(
        metavar="FILE", help="File on this machine. Default: print it.", show_default=False
    ),
]
FormatOption = Annotated[
    TimelineFormat,
    typer.Option(
        "--format", help="xmeml: Premiere; fcpxml: Final Cut, Resolve; otio; edl: CMX 3600."
    ),
]
NameOption = Annotated[str | None, typer.Option(help="Of the timeline.", rich_help_panel=_SEQUENCE)]
FpsOption = Annotated[
    str | None,
    typer.Option(
        help="Such as 25 or 24000/1001. Default: as most clips.", rich_help_panel=_SEQUENCE
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
StartOption = Annotated[
    str | None, typer.Option(help="Timecode of its start.", rich_help_panel=_SEQUENCE)
]
LayoutOption = Annotated[Layout, typer.Option(help="xmeml only.", rich_help_panel=_SEQUENCE)]
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
