"""What is answered about playing a file."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import ClientPath, HashStr
from api.media.answers import Rate

_HOUR = "Path on this server, signed: it holds for an hour, without a licence key."


class OriginalStream(Struct, frozen=True, kw_only=True):
    """The file itself."""

    url: Annotated[
        str,
        Meta(
            description=f"{_HOUR} Answers ranges.",
            examples=["/api/v1/media/original/WzE3NjQzNDk2MDAs…"],
        ),
    ]
    type: Annotated[str, Meta(examples=['video/mp4; codecs="avc1.64002A, mp4a.40.2"'])]
    """MIME type with codecs, for `canPlayType`; application/octet-stream where no browser plays
    it."""


class PreviewStream(Struct, frozen=True, kw_only=True):
    """The file in pieces that any browser plays, made when they are asked for."""

    url: Annotated[
        str,
        Meta(
            description=f"{_HOUR} `/N` behind it is piece N, from 0 on: a whole fragmented MP4, "
            "whose times begin at 0. For MediaSource with `timestampOffset = N * segment_seconds`.",
            examples=["/api/v1/media/preview/WzE3NjQzNDk2MDAs…"],
        ),
    ]
    type: Annotated[str, Meta(examples=['video/mp4; codecs="avc1.640028, mp4a.40.2"'])]
    """MIME type with codecs, for `addSourceBuffer`."""
    segment_seconds: Annotated[int, Meta(examples=[4])]
    """Length of a piece."""
    segments: Annotated[int, Meta(examples=[4])]
    """How many there are."""


class Playback(Struct, kw_only=True):
    """How a file is played. Times count from its first picture, or its first sound."""

    media_path: ClientPath
    online: Annotated[bool, Meta(examples=[True])]
    """The file is there. If not, only stored pictures can be shown."""
    kind: Annotated[
        Literal["video", "audio", "still"], Meta(title="PlaybackKind", examples=["video"])
    ]
    """What there is to see or hear."""
    duration_seconds: Annotated[float, Meta(examples=[12.5])] | None = None
    """Length."""
    rate: Rate | None = None
    """Frames a second."""
    width: Annotated[int, Meta(examples=[1920])] | None = None
    """Upright, with square pixels."""
    height: Annotated[int, Meta(examples=[1080])] | None = None
    """Upright, with square pixels."""
    original: OriginalStream | None = None
    """Null: the file is not there."""
    preview: PreviewStream | None = None
    """Null: the file is a still, is not there, or does not tell its length."""
    frames_url: (
        Annotated[
            str,
            Meta(
                description=f"{_HOUR} `?second=N` is the stored picture of second N. Null: none "
                "are stored, or no cache_dir was named.",
                examples=["/api/v1/frames/WzE3NjQzNDk2MDAs…"],
            ),
        ]
        | None
    ) = None
    hash_str: HashStr | None = None
