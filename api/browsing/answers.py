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

    visual: Annotated[PartState | None, Meta(description="Its pictures.")] = None
    speech: Annotated[PartState | None, Meta(description="What is said in it.")] = None
    faces: Annotated[PartState | None, Meta(description="Faces in it.")] = None


class ListedFolder(Struct, kw_only=True):
    """A folder in a folder."""

    path: FolderPath
    name: Name
    analyzed: Annotated[
        int | None,
        Meta(
            description="Media files below it of which something is analyzed in the cache folder; "
            "null: no cache folder was asked about.",
            examples=[12],
        ),
    ] = None
    online: Annotated[bool, Meta(description="It can be looked into.", examples=[True])] = True


class ListedFile(Struct, kw_only=True):
    """A media file in a folder."""

    path: ClientPath
    name: Name
    size: Bytes
    modified_at: Annotated[float, Meta(description="Unix seconds.", examples=[1_764_028_800.0])]
    media_type: Annotated[MediaType, Meta(description="By its name.", examples=["video"])]
    states: PartStates
    reason: (
        Annotated[
            str,
            Meta(
                description="Why it waits, failed or is left out.",
                examples=["The file is cut off."],
            ),
        ]
        | None
    ) = None


class FolderContent(Struct, kw_only=True):
    """What lies in a folder: folders first, then media files, each by name."""

    path: Annotated[FolderPath | None, Meta(description="The folder; null: where all begins.")]
    parent: Annotated[
        FolderPath | None,
        Meta(description="The folder that it lies in; null where that may not be looked into."),
    ]
    folders: Annotated[
        list[ListedFolder], Meta(description="Hidden ones and cache folders are left out.")
    ]
    files: Annotated[list[ListedFile], Meta(description="Media files.")]
    unsupported: Annotated[
        int,
        Meta(
            ge=0,
            description="Files here in camera formats that no decoder reads.",
            examples=[0],
        ),
    ]
    next: Annotated[
        str | None,
        Meta(
            description="Send this as `after` for more; null: that is all.",
            examples=["file:A002.mov"],
        ),
    ]
    warnings: Annotated[list[str], Meta(description="What could not be looked at, and why.")]


class FilesBelow(Struct, kw_only=True):
    """Media files below some folders, by path."""

    files: Annotated[list[ClientPath], Meta(description="In the form that /analyze takes.")]
    total_bytes: Annotated[int, Meta(ge=0, description="Of these files.", examples=[18_874_368])]
    next: Annotated[
        str | None,
        Meta(
            description="Send this as `after` for more; null: that is all.",
            examples=["/footage/day1/A002.mov"],
        ),
    ]
    is_partial: Annotated[
        bool, Meta(description="The look ended before all folders were seen; see `warnings`.")
    ]
    warnings: Annotated[list[str], Meta(description="What was not looked at, and why.")]


class EstimatedFiles(Struct, kw_only=True):
    """Media files by what an analysis would do with them."""

    total: Count
    new: Annotated[int, Meta(ge=0, description="There is work to do on them.", examples=[10])]
    analyzed: Annotated[int, Meta(ge=0, description="All that is asked is done.", examples=[2])]
    left_out: Annotated[
        int, Meta(ge=0, description="Watch folders pass them by; /analyze does not.", examples=[0])
    ]
    unsupported: Annotated[
        int,
        Meta(
            ge=0,
            description="Camera formats that no decoder reads, and what has none of the parts "
            "that are asked for, such as speech in stills; not in `total`.",
            examples=[0],
        ),
    ]


class Estimate(Struct, kw_only=True):
    """What an analysis would cost."""

    files: EstimatedFiles
    bytes: Annotated[int, Meta(ge=0, description="Of the new files.", examples=[188_743_680])]
    hours: Annotated[
        float | None,
        Meta(description="Length of the new ones; null: not known.", examples=[2.4]),
    ]
    hours_are: Annotated[
        Literal["known", "estimated"],
        Meta(
            title="HoursAre",
            description="`estimated`: from some of the files, by size.",
            examples=["estimated"],
        ),
    ]
    seconds: Annotated[
        float | None,
        Meta(
            description="Of work, with the workers that run now and without what is before it; "
            "null: not known.",
            examples=[212.0],
        ),
    ]
    disk_bytes: Annotated[
        int | None,
        Meta(description="That the results take, about; null: not known.", examples=[240_000_000]),
    ]
    basis: Annotated[
        str,
        Meta(
            description="What the estimate rests on, or why there is none.",
            examples=["Measured on this server: pictures 41 times as fast as the footage plays."],
        ),
    ]
    waits: Annotated[
        str | None,
        Meta(
            description="What is before it in line, or hinders it; null: nothing.",
            examples=["Another analysis runs; 2 more wait."],
        ),
    ]
    is_partial: Annotated[
        bool, Meta(description="The look ended before all folders were seen; see `warnings`.")
    ]
    warnings: Annotated[list[str], Meta(description="What was not looked at, and why.")]
