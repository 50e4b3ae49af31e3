"""Body of /export/premiere-xml; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from api.exports.bodies import CreateDir, ExactCutsWanted
from api.exports.timelines.model import TimelineWarning
from api.http.bodies import (
    LONGEST_PATH,
    LONGEST_TEXT,
    LONGEST_TIME_S,
    LONGEST_WORD,
    AbsolutePath,
    CacheDir,
    Keyed,
    ListedPath,
    Text,
    Word,
)
from shared.exports.clips import OutputOnExists
from shared.fields import option

TimelineFormat = Literal["xmeml", "fcpxml", "otio", "edl"]
Layout = Literal["sequence", "subclips", "both"]
UrlStyle = Literal["localhost", "empty_host", "double_slash"]
_MOST_CLIPS = 10_000
_TIMELINE = "The timeline"  # a panel of the command line
_MOST_MARKERS = 10_000  # of one clip
_MOST_FOLDERS = 1_000  # of path_map
_SIZE = Meta(ge=16, le=32768, description="Pixels. Left out: as the first clip.", examples=[1920])
SourceTime = Annotated[
    float | Annotated[str, Meta(max_length=LONGEST_WORD)],
    Meta(
        description="Seconds from the first picture, HH:MM:SS[.mmm], or timecode of the source: "
        "HH:MM:SS:FF, with ; before the frames for drop-frame.",
        examples=[12.5],
    ),
]


class TimelineMarkerBody(Struct, kw_only=True):
    """A marker in a clip."""

    time: SourceTime
    name: Annotated[str, Meta(max_length=LONGEST_TEXT, examples=["Laughs"])]
    """What the marker says."""
    comment: Annotated[str, Meta(max_length=LONGEST_TEXT, examples=["Take this one."])] = ""
    """More about it."""
    duration: Annotated[float, Meta(ge=0, le=LONGEST_TIME_S, examples=[1.5])] | None = None
    """Seconds; left out: a point in time."""


class TimelineClipBody(Struct, kw_only=True):
    """A range of a file. A still lasts from start_time to end_time; where both are one, 5 s."""

    media_path: ListedPath
    start_time: SourceTime
    end_time: SourceTime
    name: Annotated[str, Meta(max_length=LONGEST_TEXT, examples=["Opening"])] | None = None
    """Name on the timeline; left out: the file's."""
    markers: Annotated[list[TimelineMarkerBody], Meta(max_length=_MOST_MARKERS, examples=[[]])] = []
    """Markers; their times count as start_time does."""
    handle_seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    """Seconds more on both sides, as far as the file has them."""


class PathPairBody(Struct, kw_only=True):
    """Where a folder lies for the editing system."""

    from_: Annotated[str, Meta(min_length=1, max_length=LONGEST_PATH, examples=["/mnt/nas"])] = (
        field(name="from")
    )
    """Beginning of media_path, as sent."""
    to: Annotated[str, Meta(min_length=1, max_length=LONGEST_PATH, examples=["Z:/"])]
    """What stands there instead: /Volumes/nas, Z:/ or \\\\nas\\share."""


class TimelineBody(Keyed, kw_only=True):
    """Clips to be laid one after the other on a timeline."""

    clips: Annotated[list[TimelineClipBody], Meta(min_length=1, max_length=_MOST_CLIPS)]
    """In the order of the timeline."""
    sequence_name: Annotated[Text, Meta(examples=["Selects"]), option("--name", _TIMELINE)] = (
        "Rushes Export"
    )
    """Name of the timeline."""
    fps: Annotated[float | Word, Meta(examples=["24000/1001"]), option(panel=_TIMELINE)] | None = (
        None
    )
    """Frame rate of the timeline, such as 25, 29.97 or 24000/1001. Left out: the commonest among
    the clips (25 for sound and stills alone)."""
    width: Annotated[int, _SIZE] | None = None
    height: Annotated[int, _SIZE] | None = None
    start_timecode: Annotated[
        Word, Meta(examples=["01:00:00:00"]), option("--start", _TIMELINE)
    ] = "00:00:00:00"
    """Timecode at which the timeline begins; ; before the frames makes it drop-frame."""
    format: Annotated[TimelineFormat, Meta(title="TimelineFormat"), option()] = "xmeml"
    """xmeml (version 4) for Premiere Pro, fcpxml (1.10) for Final Cut Pro and Resolve, otio for
    OpenTimelineIO, edl for CMX 3600."""
    layout: Annotated[Layout, Meta(title="TimelineLayout"), option(panel=_TIMELINE)] = "sequence"
    """xmeml only: a sequence, a bin with a clip for each range, or both."""
    path_map: Annotated[
        list[PathPairBody],
        Meta(max_length=_MOST_FOLDERS, examples=[[{"from": "/mnt/nas", "to": "Z:/"}]]),
    ] = []
    """How the editing system calls folders; the longest beginning wins."""
    pathurl_style: (
        Annotated[UrlStyle, Meta(title="PathurlStyle", examples=["localhost"])] | None
    ) = None
    """How the URL of a file begins: file://localhost/ (usual for xmeml), file:/// (usual for fcpxml
    and otio), or file://localhost// (double_slash)."""
    output_path: Annotated[AbsolutePath, Meta(examples=["/footage/exports/selects.xml"])] | None = (
        None
    )
    """Absolute path of a file, or a folder, to write to on the server, in RUSHES_EXPORT_ROOTS. The
    format's extension is added where there is none; what becomes of an existing file, `on_exists`
    says."""
    on_exists: Annotated[OutputOnExists, Meta(title="OutputOnExists")] = "number"
    """Where output_path is there: "number" the new file, "replace" that one in one step, or
    "refuse" with a 400."""
    create_dir: CreateDir = False
    exact_cuts: ExactCutsWanted = False
    strict: Annotated[bool, option()] = False
    """Refuse the request when a file is missing or away, or has no such range, instead of leaving
    it out or laying it out as it was."""
    cache_dir: CacheDir | None = None
    """Folder with the analysis data: a file that is away is laid out as it was when it was analyzed
    into it, with a warning. Without it such a file is left out."""


class SequenceFacts(Struct, kw_only=True):
    """The timeline as it was made."""

    fps: Annotated[str, Meta(examples=["24000/1001"])]
    """Exactly."""
    duration_frames: Annotated[int, Meta(examples=[207])]
    """Frames."""


class ExportedTimeline(Struct, kw_only=True):
    """The timeline, and where it was written."""

    xml: (
        Annotated[
            str, Meta(examples=['<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n…'])
        ]
        | None
    )
    """The file, for the formats xmeml and fcpxml."""
    text: Annotated[str, Meta(examples=["TITLE: A"])] | None
    """The file, for the formats otio and edl."""
    output_path: Annotated[str, Meta(examples=["/footage/exports/selects.xml"])] | None
    """Where it was written, in the client's form."""
    sequence: SequenceFacts
    warnings: list[TimelineWarning]
    """By clip, in request order; those of the whole come first."""
