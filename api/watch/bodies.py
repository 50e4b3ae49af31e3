"""Request bodies of watch folders; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.bodies import (
    LONGEST_WORD,
    AbsolutePath,
    CacheDir,
    Keyed,
    Text,
    Vocabulary,
    Word,
)
from api.watch.copied_fields import all_optional, with_fields_of
from shared.fields import option
from shared.watch.options import WHAT, WHICH, WatchOptions

_MOST_NAMED = 1_000  # entries of one list of exclusions
_MOST_PATHS = 10_000  # of one retry
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"  # for the document: api.watch.fields checks and explains


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


@with_fields_of(WatchOptions)
class WatchFolderBody(Keyed, kw_only=True):
    """A folder to watch. At least one of the three kinds of analysis must be asked for."""

    path: Annotated[AbsolutePath, Meta(examples=["/footage/incoming"])]
    """Folder to watch; an absolute path that the backend itself can open."""
    cache_dir: CacheDir
    language: Annotated[Word, Meta(examples=["english"]), option(panel=WHAT)] | None = None
    """Of the speech: an English name such as "english", an ISO code, a tag, or "auto". Null and
    "auto": detect."""
    cluster_job_name: (
        Annotated[
            Text,
            Meta(examples=["Season 1"]),
            option(
                "--collection",
                WHAT,
                help="Collection that receives the faces; with it --faces goes without saying.",
            ),
        ]
        | None
    ) = None
    """Collection (1 to 200 characters) that receives the faces and voices, made when it is new;
    required with analyze_faces."""
    excluded_extensions: Annotated[
        list[Word],
        Meta(max_length=_MOST_NAMED, examples=[[".wav", "JPG"]]),
        option(
            "--exclude-extension",
            WHICH,
            metavar="EXT",
            help='Extensions to leave out, such as wav; "": none.',
        ),
    ] = []
    """Files with these extensions are left out; with or without dot, in any case."""
    excluded_filename_globs: Annotated[
        list[Word],
        Meta(max_length=_MOST_NAMED, examples=[["proxy_*", "*.tmp.mov"]]),
        option(
            "--exclude",
            WHICH,
            metavar="GLOB",
            help='File names to leave out, such as "proxy_*"; "": none.',
        ),
    ] = []
    """Files whose name matches one of these patterns (`*`, `?`, `[abc]`, `[!abc]`) are left out.
    They are compared with the file name only, never the path (one with a `/` matches nothing),
    without regard to case and to the Unicode form of accents."""
    schedule: Annotated[ScheduleBody | None, HOURS] = None
    vocabulary: Vocabulary | None = None
    speakers: Annotated[bool, Meta(examples=[True]), option(panel=WHAT)] | None = None
    """Tell apart who speaks in new files; needs analyze_speech. Null, or left out: the setting
    RUSHES_SPEAKERS."""


@all_optional("language", "schedule", "cluster_job_name", "speakers", but=Keyed)
class WatchFolderChanges(WatchFolderBody, kw_only=True):
    """What to change; what is not given stays. The folder as a whole must be right afterwards.

    Null resets `language`, `schedule`, `cluster_job_name` and `speakers`; elsewhere it equals
    leaving it out.
    """


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
