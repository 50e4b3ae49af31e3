"""The start timecode of an opened file, and what its frames count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from av.container import InputContainer
from av.video.frame import VideoFrame

from shared.media_facts import StartTimecode

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d\d?)")


def cleaned(text: str) -> str | None:
    """HH:MM:SS:FF, with ";" for drop-frame; None for anything else."""
    found = _TIMECODE.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds, separator, frames = found.groups()
    return f"{hours}:{minutes}:{seconds}{';' if separator in ';.' else ':'}{frames}"


def written_timecode(
    container: InputContainer, picture: VideoFrame | None
) -> tuple[str, str] | None:
    """The first that is found, and its source: a track, the container, the first picture."""
    for source, text in _places(container, picture):
        if value := cleaned(text):
            return value, source
    return None


def start_timecode(
    written: tuple[str, str] | None, rate: Fraction | None, stated: Fraction | None = None
) -> StartTimecode | None:
    """With the rate that the file states for it, else with that of the pictures."""
    counted = stated or rate
    if written is None or counted is None:
        return None
    return StartTimecode(
        value=written[0],
        rate=f"{counted.numerator}/{counted.denominator}",
        drop_frame=";" in written[0],
        source=written[1],
        rate_source="track" if stated else "derived",
    )


def timecode_at(frame: int, rate: Fraction, drop_frame: bool) -> str:
    """The label of a frame since midnight; drop-frame leaves out numbers, never frames."""
    base = round(rate)
    if drop_frame:
        dropped, minute = base // 15, base * 60 - base // 15
        tens, rest = divmod(frame, minute * 10 + dropped)
        minutes = (rest - dropped) // minute if rest >= dropped else 0
        frame += dropped * (9 * tens + minutes)
    seconds, frames = divmod(frame, base)
    hours, minutes, seconds = seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{';' if drop_frame else ':'}{frames:02}"


def _places(container: InputContainer, picture: VideoFrame | None) -> Iterator[tuple[str, str]]:
    for kind in ("video", "data"):
        for stream in container.streams:
            if stream.type == kind:
                yield "track", stream.metadata.get("timecode", "")
    yield "container", container.metadata.get("timecode", "")
    for stream in container.streams.audio:
        yield "track", stream.metadata.get("timecode", "")
    if picture is not None:
        yield "picture", picture.metadata.get("timecode", "")
