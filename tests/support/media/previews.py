"""Segments of previews, made without a worker, and what a player makes of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from shared.paths import Roots
from shared.query.messages import SEGMENT_S, MakePreview
from workers.preview.segment import make_segment


@dataclass(frozen=True)
class Shown:
    """A picture of a segment, by the time of the file."""

    seconds: Fraction
    rgb: NDArray[np.uint8]


def segment(
    path: Path, number: int, length: float, *, picture: bool = True, sound: bool = False
) -> bytes:
    """One of a file of that length."""
    begins = number * SEGMENT_S
    asked = MakePreview(
        path=str(path),
        begins=begins,
        ends=min(begins + SEGMENT_S, length),
        has_picture=picture,
        has_sound=sound,
    )
    return make_segment(Roots.only(path.parent), asked)


def pictures(mp4: bytes, number: int) -> list[Shown]:
    """What segment `number` shows."""
    with av.open(io.BytesIO(mp4)) as opened:
        base = opened.streams.video[0].time_base
        return [
            Shown(frame.pts * base + number * SEGMENT_S, frame.to_ndarray(format="rgb24"))
            for frame in opened.decode(video=0)
        ]


def sound(segments: Iterable[bytes]) -> tuple[NDArray[np.float32], list[int]]:
    """[2, samples] of segments one after the other through one decoder, and each packet's time.

    So does a player; times are in samples since the file's time 0.
    """
    decoder, heard, times = None, [], []
    for number, mp4 in enumerate(segments):
        with av.open(io.BytesIO(mp4)) as opened:
            stream = opened.streams.audio[0]
            if decoder is None:
                decoder = av.CodecContext.create("aac", "r")
                decoder.extradata = stream.codec_context.extradata
            for packet in opened.demux(stream):
                if packet.size:
                    times.append(packet.pts + number * SEGMENT_S * 48_000)
                    heard += [f.to_ndarray() for f in decoder.decode(av.Packet(bytes(packet)))]
    return np.concatenate(heard, axis=1), times
