"""Request bodies about media folders; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import LONGEST_PATH, MOST_PATHS, AbsolutePath, CacheDir, Keyed, ListedPath
from shared.media import MediaType

MOST_LISTED = 10_000
_MOST_CHOSEN = 5_000  # folders and files that a walk begins with

After = Annotated[
    str,
    Meta(
        max_length=LONGEST_PATH + 10,
        description="The answer before said this in `next`; left out: from the start.",
        examples=["file:A002.mov"],
    ),
]
ChosenPaths = Annotated[
    list[ListedPath],
    Meta(
        min_length=1,
        max_length=_MOST_CHOSEN,
        description="Absolute paths of folders and of media files.",
        examples=[["/footage/day1"]],
    ),
]
Recursive = Annotated[bool, Meta(description="Folders in these folders count, too.")]


class FolderBody(Keyed, kw_only=True):
    """Which folder to look into."""

    path: Annotated[AbsolutePath, Meta(examples=["/footage/day1"])] | None = None
    """The folder. Left out: the folders in which everything begins, which are the media roots of
    the licence key, else of the server."""
    cache_dir: Annotated[AbsolutePath, Meta(examples=["/footage/.rushes"])] | None = None
    """With it, each file and folder says what of it is analyzed there."""
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = 1000
    """How many folders and files at most."""
    after: After | None = None


class FilesBelowBody(Keyed, kw_only=True):
    """Whose media files to name."""

    paths: ChosenPaths
    recursive: Recursive = True
    media_types: (
        Annotated[
            list[MediaType],
            Meta(min_length=1, max_length=len(MediaType), examples=[["video", "image"]]),
        ]
        | None
    ) = None
    """Only files of these kinds, by their names; left out: all. A page may hold fewer than `limit`
    then, or none, and there may be more all the same."""
    limit: Annotated[int, Meta(ge=1, le=MOST_PATHS)] = 10_000
    """How many files at most."""
    after: (
        Annotated[str, Meta(max_length=LONGEST_PATH, examples=["/footage/day1/A002.mov"])] | None
    ) = None
    """The answer before said this in `next`; left out: from the start."""


class EstimateBody(Keyed, kw_only=True):
    """What would be analyzed, and into which cache folder."""

    cache_dir: CacheDir
    paths: ChosenPaths
    recursive: Recursive = True
    visual: bool = True
    """Pictures are to be searchable."""
    speech: bool = True
    """Speech is to be transcribed."""
    faces: bool = False
    """Faces are to be found."""
