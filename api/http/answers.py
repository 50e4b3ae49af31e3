"""Fields, and words, that answers of several features share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from shared.cache.captions import CaptionKind

Timestamp = Annotated[str, Meta(description="HH:MM:SS", examples=["00:01:07"])]
HashStr = Annotated[
    str,
    Meta(
        description="Id of the file by its content; the same under every path.",
        examples=["9ae0daaf81f5b2c3"],
    ),
]
Jpeg = Annotated[
    str, Meta(description="Bare base64 JPEG, no data: prefix.", examples=["/9j/4AAQSkZJRg=="])
]

Message = Annotated[str, Meta(description="A sentence for people.", examples=["Done."])]
Problem = (
    Annotated[
        str,
        Meta(description="What went wrong; null when fine.", examples=["The file does not exist."]),
    ]
    | None
)
ModelKey = Annotated[str, Meta(description="Id of a model.", examples=["conse-lite0"])]
KindOfCaptions = Annotated[
    CaptionKind,
    Meta(
        title="CaptionKind",
        description="Of words that are in the file itself: `captions` are for those who do not "
        "hear and tell sounds too. Left out of what was heard.",
        examples=["subtitles"],
    ),
]
ClientPath = Annotated[
    str,
    Meta(description="The file's path, in the client's form.", examples=["/footage/day1/A001.mov"]),
]
Moment = Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]
Count = Annotated[int, Meta(ge=0, description="How many.", examples=[12])]


class MatchPlace(Struct, kw_only=True, omit_defaults=True):
    """A path where content was seen."""

    path: ClientPath
    online: Annotated[bool, Meta(examples=[True])] | None = None
    """It opens and holds the content still. `false`: gone, changed or away. Left out: that takes
    too long to find out."""


def counted(number: int, thing: str) -> str:
    """How many, in words: "1 file", "12 files"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")
