"""The file that a clip is written to: streams, tags, and errors that nothing may swallow."""

from __future__ import annotations

import contextlib
import errno
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Self, TypeAlias

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from shared.errors import RushesError
from shared.exports.clips import ClipCode
from workers.export.formats import Form

Timed: TypeAlias = "tuple[Fraction, Packet[Any]]"  # seconds of decoding since the clip's start

_TAGS_OF_STREAMS = ("language", "handler_name", "title", "reel_name", "vendor_id")
_OF_THE_MUXER = (errno.EINVAL, errno.ENOSYS, errno.ERANGE)
_LAST_OF_SYSTEMS = 4095  # greater error numbers are FFmpeg's own


class ClipFile:
    """The container that a clip is written to.

    Errors of the disk come as OSError, also those that show only at the end.
    """

    def __init__(self, path: str, form: Form, tags: dict[str, str], ticks: int) -> None:
        options = {}
        if form.family == "isom":
            options["movie_timescale"] = str(ticks)  # edit lists count in it
            if any("." in key for key in tags):  # keys of cameras, which it would drop
                options["movflags"] = "use_metadata_tags"
        with _clear():
            self.container: OutputContainer = av.open(
                f"file:{path}", "w", format=form.muxer, options=options
            )
        self.container.metadata.update(tags)

    def mux(self, packet: Packet[Any]) -> None:
        with _clear():
            self.container.mux_one(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            with _clear():
                self.container.close()
            return
        with contextlib.suppress(
            av.error.FFmpegError, OSError, ValueError
        ):  # the first error is the one to tell
            self.container.close()


def takes(form: Form, streams: Sequence[Stream]) -> bool:
    """Whether a container takes the packets of such streams as they are."""
    with av.open(io.BytesIO(), "w", format=form.muxer) as container:
        try:
            for stream in streams:
                container.add_stream_from_template(stream)
        except (ValueError, av.error.FFmpegError):
            return False
    return True


@contextlib.contextmanager
def _clear() -> Iterator[None]:
    try:
        yield
    except ClipFailed:
        raise
    except (av.error.FFmpegError, OSError) as error:
        reason = error.strerror or str(error)
        if error.errno in _OF_THE_MUXER or (error.errno or 0) > _LAST_OF_SYSTEMS:
            raise ClipFailed(
                ClipCode.UNREADABLE, f"What the source holds cannot be written to a clip: {reason}."
            ) from error
        raise OSError(error.errno, reason) from error  # of the disk that the clip goes to


class ClipFailed(RushesError):
    """The clip cannot be exported."""

    def __init__(self, code: ClipCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class WrittenClip:
    """What a clip holds, in seconds of presented time of the source."""

    start: Fraction
    end: Fraction
    frames: int | None
    warnings: tuple[str, ...]


def encoded(stream: Any, frame: Any) -> Iterator[Timed]:
    """Encode a frame of a stream; None asks for the packets that its encoder holds back.

    Raises ClipFailed.
    """
    try:
        packets = stream.encode(frame)
    except av.error.FFmpegError as error:
        reason = error.strerror or str(error)
        raise ClipFailed(ClipCode.INTERNAL, f"The encoder failed: {reason}.") from error
    for packet in packets:
        base = packet.time_base or stream.codec_context.time_base
        yield (packet.dts if packet.dts is not None else packet.pts or 0) * base, packet


def tag_stream(taken: Any, written: Any) -> None:
    """Copy language, names and role of a stream."""
    for key in _TAGS_OF_STREAMS:
        if value := taken.metadata.get(key):
            written.metadata[key] = value
    written.disposition = taken.disposition


def tag_start(written: Any, label: str | None, reel: str, form: Form) -> None:
    """Timecode of the clip's first picture, and the reel it comes from."""
    if label is not None and form.family != "mpegts":
        written.metadata["timecode"] = label
    if reel:
        written.metadata["reel_name"] = reel
