"""What is answered about media folders and about the cost of their analysis."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import ClientPath, Count
from shared.media import MediaType

FolderPath = Annotated[
    str, Meta(description="Of the folder, in the client's form.", examples=["/footage/day1"])
]
Name = Annotated[str, Meta(description="The last part of the path.", examples=["A001.mov"])]
PartState = Annotated[
    Literal["analyzed", "waiting", "failed", "left_out", "none"],
    Meta(
        title="PartState",
        description="`waiting`: in line or worked on. `left_out`: watch folders pass it by. "
        "`none`: none of that.",
        examples=["analyzed"],
    ),
]
Bytes = Annotated[int, Meta(ge=0, description="Bytes.", examples=[18_874_368])]


class PartStates(Struct, kw_only=True):
    """How far each part of a file's analysis is; null: it does not apply, or nobody asked."""

    visual: PartState | None = None
    """Its pictures."""
    speech: PartState | None = None
    """What is said in it."""
    faces: PartState | None = None
    """Faces in it."""


class ListedFolder(Struct, kw_only=True):
    """A folder in a folder."""

    path: FolderPath
    name: Name
    analyzed: Annotated[int | None, Meta(examples=[12])] = None
    """Media files below it of which something is analyzed in the cache folder; null: no cache
    folder was asked about."""
    online: Annotated[bool, Meta(examples=[True])] = True
    """It can be looked into."""


class ListedFile(Struct, kw_only=True):
    """A media file in a folder."""

    path: ClientPath
    name: Name
    size: Bytes
    modified_at: Annotated[float, Meta(examples=[1_764_028_800.0])]
    """Unix seconds."""
    media_type: Annotated[MediaType, Meta(examples=["video"])]
    """By its name."""
    states: PartStates
    reason: Annotated[str, Meta(examples=["The file is cut off."])] | None = None
    """Why it waits, failed or is left out."""


class FolderContent(Struct, kw_only=True):
    """What lies in a folder: folders first, then media files, each by name."""

    path: FolderPath | None
    """The folder; null: where all begins."""
    parent: FolderPath | None
    """The folder that it lies in; null where that may not be looked into."""
    folders: list[ListedFolder]
    """Hidden ones and cache folders are left out."""
    files: list[ListedFile]
    """Media files."""
    unsupported: Annotated[int, Meta(ge=0, examples=[0])]
    """Files here in camera formats that no decoder reads."""
    next: Annotated[str | None, Meta(examples=["file:A002.mov"])]
    """Send this as `after` for more; null: that is all."""
    warnings: list[str]
    """What could not be looked at, and why."""


class FilesBelow(Struct, kw_only=True):
    """Media files below some folders, by path."""

    files: list[ClientPath]
    """In the form that /analyze takes."""
    total_bytes: Annotated[int, Meta(ge=0, examples=[18_874_368])]
    """Of these files."""
    next: Annotated[str | None, Meta(examples=["/footage/day1/A002.mov"])]
    """Send this as `after` for more; null: that is all."""
    is_partial: bool
    """The look ended before all folders were seen; see `warnings`."""
    warnings: list[str]
    """What was not looked at, and why."""


class EstimatedFiles(Struct, kw_only=True):
    """Media files by what an analysis would do with them."""

    total: Count
    new: Annotated[int, Meta(ge=0, examples=[10])]
    """There is work to do on them."""
    analyzed: Annotated[int, Meta(ge=0, examples=[2])]
    """All that is asked is done."""
    left_out: Annotated[int, Meta(ge=0, examples=[0])]
    """Watch folders pass them by; /analyze does not."""
    unsupported: Annotated[int, Meta(ge=0, examples=[0])]
    """Camera formats that no decoder reads, and what has none of the parts that are asked for, such
    as speech in stills; not in `total`."""


class Estimate(Struct, kw_only=True):
    """What an analysis would cost."""

    files: EstimatedFiles
    bytes: Annotated[int, Meta(ge=0, examples=[188_743_680])]
    """Of the new files."""
    hours: Annotated[float | None, Meta(examples=[2.4])]
    """Length of the new ones; null: not known."""
    hours_are: Annotated[
        Literal["known", "estimated"], Meta(title="HoursAre", examples=["estimated"])
    ]
    """`estimated`: from some of the files, by size."""
    seconds: Annotated[float | None, Meta(examples=[212.0])]
    """Of work, with the workers that run now and without what is before it; null: not known."""
    disk_bytes: Annotated[int | None, Meta(examples=[240_000_000])]
    """That the results take, about; null: not known."""
    basis: Annotated[
        str,
        Meta(examples=["Measured on this server: pictures 41 times as fast as the footage plays."]),
    ]
    """What the estimate rests on, or why there is none."""
    waits: Annotated[str | None, Meta(examples=["Another analysis runs; 2 more wait."])]
    """What is before it in line, or hinders it; null: nothing."""
    is_partial: bool
    """The look ended before all folders were seen; see `warnings`."""
    warnings: list[str]
    """What was not looked at, and why."""
