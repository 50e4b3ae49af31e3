"""The start timecode of an opened file, and what its frames count."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from av.container import InputContainer
from av.video.frame import VideoFrame

from shared.media_facts import StartTimecode
from shared.timecode import label_of_tag


def written_timecode(
    container: InputContainer, picture: VideoFrame | None
) -> tuple[str, str] | None:
    """The first that is found, and its source: a track, the container, the first picture."""
    for source, text in _places(container, picture):
        if value := label_of_tag(text):
            return value, source
    return None


def start_timecode(
    written: tuple[str, str] | None, rate: Fraction | None, stated: Fraction | None = None
) -> StartTimecode | None:
    """The written timecode, with the rate stated for it, else with that of the pictures."""
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
