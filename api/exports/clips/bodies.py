"""Body of /export/clips; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.exports.bodies import CreateDir, ExactCutsWanted
from api.http.bodies import (
    LONGEST_TEXT,
    LONGEST_TIME_S,
    AbsolutePath,
    Keyed,
    ListedPath,
    Text,
    Word,
)
from api.http.times import TIME_PATTERN
from shared.exports.clips import ClipAudio, ClipCodec, ClipMode, OnExists
from shared.exports.names import NAMING_FIELDS, USUAL_NAMING
from shared.fields import option

MOST_CLIPS = 10_000
_ENCODING = option(panel="How clips are written")
_TIMECODE_PATTERN = r"^[0-9]{1,3}:[0-5]?[0-9]:[0-5]?[0-9][:;][0-9]{2,3}$"
CLIP_TIME_PATTERN = f"{TIME_PATTERN}|{_TIMECODE_PATTERN}"
_TIME_WORDS = "HH:MM:SS[.mmm], or a timecode of the source, HH:MM:SS:FF or HH:MM:SS;FF"

Container = Literal[
    "mp4",
    "m4v",
    "m4a",
    "mov",
    "mkv",
    "mka",
    "webm",
    "ts",
    "mts",
    "m2ts",
    "mxf",
    "wav",
    "flac",
    "mp3",
]
ClipTime = Annotated[
    Annotated[
        float,
        Meta(ge=0, le=LONGEST_TIME_S, description="A time in seconds.", examples=[12.5]),
    ]
    | Annotated[
        Word,
        Meta(
            description=_TIME_WORDS,
            examples=["10:00:12:12"],
            extra_json_schema={"pattern": CLIP_TIME_PATTERN},
        ),
    ],
    Meta(
        description=f"Seconds, {_TIME_WORDS}. Seconds count from the first picture that is shown.",
        examples=[12.5],
    ),
]


class ClipBody(Struct, kw_only=True):
    """One clip: a part of a media file, [start_time, end_time). An empty one fails alone."""

    media_path: ListedPath
    start_time: ClipTime
    end_time: ClipTime
    name: Annotated[str, Meta(max_length=LONGEST_TEXT, examples=["Interview Ada, take 2"])] = ""
    """Name of the file, without extension; goes before `naming`. What a file name may not hold
    becomes an underscore."""


class ExportClipsBody(Keyed, kw_only=True):
    """Clips to cut, and where to put them."""

    clips: Annotated[
        list[ClipBody],
        Meta(max_length=MOST_CLIPS, description=f"At least one, at most {MOST_CLIPS:,}."),
    ]
    output_dir: Annotated[
        AbsolutePath, Meta(examples=["/footage/exports"]), option("--to", metavar="FOLDER")
    ]
    """Absolute path of a folder on the server that is there, in RUSHES_EXPORT_ROOTS. Existing files
    are never overwritten."""
    create_dir: CreateDir = False
    exact_cuts: ExactCutsWanted = False
    cache_dir: Annotated[AbsolutePath, Meta(examples=["/footage/.rushes"])] | None = None
    """Folder with the analysis data, for `exact_cuts`."""
    mode: Annotated[ClipMode, Meta(title="ClipMode"), _ENCODING] = "auto"
    """"copy" takes the streams as they are, "encode" makes them anew and is exact to the frame,
    "auto" copies where that is exact and encodes elsewhere."""
    codec: Annotated[ClipCodec, Meta(title="ClipCodec", examples=["h264"]), _ENCODING] | None = None
    """Of the picture, where it is encoded. Left out: h264, or what keeps the depth of the
    source."""
    quality: Annotated[int, Meta(ge=0, le=100, examples=[18]), _ENCODING] | None = None
    """On the encoder's own scale (CRF of h264 and hevc). Left out: its usual value."""
    container: (
        Annotated[Container, Meta(title="ClipContainer", examples=["mp4"]), _ENCODING] | None
    ) = None
    """Extension. Left out: the source's family."""
    handle_seconds: Annotated[
        float, Meta(ge=0, le=3600, examples=[1]), option("--handles", metavar="SECONDS")
    ] = 0.0
    """Added before and after each clip, as far as the media goes."""
    audio: Annotated[ClipAudio, Meta(title="ClipAudio"), _ENCODING] = "all"
    """Which sound tracks are taken along."""
    naming: Annotated[
        Text,
        Meta(
            description="Names of clips that have none, without extension. Fields: "
            + ", ".join(f"{{{name}}}" for name in NAMING_FIELDS)
            + " (stem: the source's name; in_tc, out_tc: its timecode, or the time where it has "
            "none; index: place in the request, from 1).",
            examples=[USUAL_NAMING],
        ),
        option(
            panel="How clips are written",
            help="Names of the files, of {stem}, {in_tc}, {out_tc} and {index}.",
        ),
    ] = USUAL_NAMING
    on_exists: Annotated[OnExists, Meta(title="ClipOnExists"), _ENCODING] = "number"
    """Where a file of that name is there: "number" the new one, "skip" the clip (answered with
    `skipped` and the path of the file that is there), or "error": the clip fails."""
    dry_run: Annotated[bool, option()] = False
    """Plan everything and write nothing. Names are those that would be free now; `frames` is
    null."""
    background: bool = False
    """Answer 202 with a task_id at once; results in GET /tasks/{task_id}/exports. Better for clips
    that take minutes: what lies between may close a connection on which nothing is said for
    long."""
    download_urls: bool = False
    """Give each exported clip a `download_url`, signed, so that a browser can save it without a
    licence key."""
