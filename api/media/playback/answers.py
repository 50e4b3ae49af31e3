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
    type: Annotated[
        str,
        Meta(
            description="MIME type with codecs, for `canPlayType`; application/octet-stream where "
            "no browser plays it.",
            examples=['video/mp4; codecs="avc1.64002A, mp4a.40.2"'],
        ),
    ]


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
    type: Annotated[
        str,
        Meta(
            description="MIME type with codecs, for `addSourceBuffer`.",
            examples=['video/mp4; codecs="avc1.640028, mp4a.40.2"'],
        ),
    ]
    segment_seconds: Annotated[int, Meta(description="Length of a piece.", examples=[4])]
    segments: Annotated[int, Meta(description="How many there are.", examples=[4])]


class Playback(Struct, kw_only=True):
    """How a file is played. Times count from its first picture, or its first sound."""

    media_path: ClientPath
    online: Annotated[
        bool, Meta(description="The file is there. If not, only stored pictures can be shown.")
    ]
    kind: Annotated[
        Literal["video", "audio", "still"],
        Meta(title="PlaybackKind", description="What there is to see or hear."),
    ]
    duration_seconds: Annotated[float, Meta(description="Length.", examples=[12.5])] | None = None
    rate: Annotated[Rate | None, Meta(description="Frames a second.")] = None
    width: (
        Annotated[int, Meta(description="Upright, with square pixels.", examples=[1920])] | None
    ) = None
    height: (
        Annotated[int, Meta(description="Upright, with square pixels.", examples=[1080])] | None
    ) = None
    original: Annotated[OriginalStream | None, Meta(description="Null: the file is not there.")] = (
        None
    )
    preview: Annotated[
        PreviewStream | None,
        Meta(description="Null: the file is a still, is not there, or does not tell its length."),
    ] = None
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
