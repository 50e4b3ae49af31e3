"""Request bodies of watch folders; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from api.http.bodies import (
    LONGEST_WORD,
    AbsolutePath,
    CacheDir,
    Keyed,
    Text,
    Vocabulary,
    Word,
)
from shared.watch.choices import ImageSequences, Polling
from shared.watch.folders import SETTLE_S

_MOST_NAMED = 1_000  # entries of one list of exclusions
_MOST_PATHS = 10_000  # of one retry
LONGEST_SETTLE_S = 3_600
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"  # for the document: api.watch.fields checks and explains

WatchedPath = Annotated[
    AbsolutePath,
    Meta(
        description="Folder to watch; an absolute path that the backend itself can open.",
        examples=["/footage/incoming"],
    ),
]
Enabled = Annotated[
    bool, Meta(description="False: nothing new is taken from it, all else is kept.")
]
Recursive = Annotated[
    bool, Meta(description="Folders inside it too, however deep.", examples=[True])
]
AnalyzeVisual = Annotated[
    bool, Meta(description="The pictures of videos and stills.", examples=[True])
]
AnalyzeSpeech = Annotated[
    bool, Meta(description="What is said in videos and sound files.", examples=[True])
]
Language = Annotated[
    Word,
    Meta(
        description='Of the speech: an English name such as "english", an ISO code, a tag, or '
        '"auto". Null and "auto": detect.',
        examples=["english"],
    ),
]
Speakers = Annotated[
    bool,
    Meta(
        description="Tell apart who speaks in new files; needs analyze_speech. Null, or left out: "
        "the setting RUSHES_SPEAKERS.",
        examples=[True],
    ),
]
AnalyzeFaces = Annotated[
    bool, Meta(description="Faces in videos and stills; needs cluster_job_name.", examples=[False])
]
ClusterJobName = Annotated[
    Text,
    Meta(
        description="Collection (1 to 200 characters) that receives the faces and voices, made "
        "when it is new; required with analyze_faces.",
        examples=["Season 1"],
    ),
]
ExcludedExtensions = Annotated[
    list[Word],
    Meta(
        max_length=_MOST_NAMED,
        description="Files with these extensions are left out; with or without dot, in any case.",
        examples=[[".wav", "JPG"]],
    ),
]
ExcludedGlobs = Annotated[
    list[Word],
    Meta(
        max_length=_MOST_NAMED,
        description="Files whose name matches one of these patterns (`*`, `?`, `[abc]`, `[!abc]`) "
        "are left out. They are compared with the file name only, never the path (one with a `/` "
        "matches nothing), without regard "
        "to case and to the Unicode form of accents.",
        examples=[["proxy_*", "*.tmp.mov"]],
    ),
]
HowPolled = Annotated[
    Polling,
    Meta(
        title="Polling",
        description="How new files are noticed: `auto` by events of the system where they work and "
        "by looking where they do not (network shares, bind mounts), `always` by looking, `never` "
        "by events alone. A periodic rescan comes on top in any case.",
        examples=["auto"],
    ),
]
SettleSeconds = Annotated[
    float,
    Meta(
        ge=0,
        le=LONGEST_SETTLE_S,
        description="A file is taken when its size and modification time have not changed for so "
        "long.",
        examples=[SETTLE_S],
    ),
]
Sequences = Annotated[
    ImageSequences,
    Meta(
        title="ImageSequences",
        description="Of 24 or more numbered stills in one folder: `skip` lists them as one skipped "
        "item, `stills` analyzes each.",
        examples=["skip"],
    ),
]


class ScheduleBody(Struct, kw_only=True):
    """Hours in which a folder may be worked on; may cross midnight."""

    start: Annotated[
        str, Meta(max_length=LONGEST_WORD, examples=["20:00"], extra_json_schema={"pattern": _TIME})
    ]
    """HH:MM by the server's clock."""
    stop: Annotated[
        str, Meta(max_length=LONGEST_WORD, examples=["06:00"], extra_json_schema={"pattern": _TIME})
    ]
    """HH:MM by the server's clock; another time than `start`."""


HOURS = Meta(
    description="Hours in which it may be worked on. Null: always.",
    examples=[{"start": "20:00", "stop": "06:00"}],
)


class WatchFolderBody(Keyed, kw_only=True):
    """A folder to watch. At least one of the three kinds of analysis must be asked for."""

    path: WatchedPath
    cache_dir: CacheDir
    enabled: Enabled = True
    recursive: Recursive = True
    analyze_visual: AnalyzeVisual = True
    analyze_speech: AnalyzeSpeech = False
    language: Language | None = None
    analyze_faces: AnalyzeFaces = False
    cluster_job_name: ClusterJobName | None = None
    excluded_extensions: ExcludedExtensions = field(default_factory=list)
    excluded_filename_globs: ExcludedGlobs = field(default_factory=list)
    polling: HowPolled = "auto"
    settle_seconds: SettleSeconds = SETTLE_S
    schedule: Annotated[ScheduleBody | None, HOURS] = None
    image_sequences: Sequences = "skip"
    vocabulary: Vocabulary | None = None
    speakers: Speakers | None = None


class WatchFolderChanges(Keyed, kw_only=True):
    """What to change; what is not given stays. The folder as a whole must be right afterwards.

    Null resets `language`, `schedule`, `cluster_job_name` and `speakers`; elsewhere it equals
    leaving it out.
    """

    path: WatchedPath | None = None
    cache_dir: CacheDir | None = None
    enabled: Enabled | None = None
    recursive: Recursive | None = None
    analyze_visual: AnalyzeVisual | None = None
    analyze_speech: AnalyzeSpeech | None = None
    language: Language | UnsetType | None = UNSET
    analyze_faces: AnalyzeFaces | None = None
    cluster_job_name: ClusterJobName | UnsetType | None = UNSET
    excluded_extensions: ExcludedExtensions | None = None
    excluded_filename_globs: ExcludedGlobs | None = None
    polling: HowPolled | None = None
    settle_seconds: SettleSeconds | None = None
    schedule: Annotated[ScheduleBody | UnsetType | None, HOURS] = UNSET
    image_sequences: Sequences | None = None
    vocabulary: Vocabulary | None = None
    speakers: Speakers | UnsetType | None = UNSET


class RetryBody(Keyed, kw_only=True):
    """Which failed files get new tries."""

    paths: (
        Annotated[
            list[AbsolutePath],
            Meta(max_length=_MOST_PATHS, examples=[["/footage/incoming/A002.mov"]]),
        ]
        | None
    ) = None
    """As `failures` and `/files` name them. Left out: all failed files."""


class NothingBody(Keyed, kw_only=True):
    """Nothing but the key, for clients that send it in the body."""
