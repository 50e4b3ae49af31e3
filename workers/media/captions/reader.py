"""Reads the captions of a media file in one pass, without decoding a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from shared.cache.captions import CaptionTrack
from shared.errors import MediaUnreadable
from shared.opening import OpenedFile
from workers.media.budget import ALWAYS_SEEN_S, longest_s
from workers.media.captions import sources, words
from workers.media.captions.sources import (
    CaptionSource,
    CaptionTrackSource,
    PictureSource,
    TextSource,
)
from workers.media.captions.words import CaptionRoom
from workers.media.containers import (
    ThrottledCheckpoint,
    open_container,
    origin_of,
    packets_of,
    reading_errors,
    shown_video_streams,
)

MOST_STREAMS = 64
LIMIT_S = 120.0  # for reading it,
LIMIT_S_A_BYTE = 1e-6  # and on a slow share more
_LINE21 = "eia_608"
_INDEXED = "mov"  # the family in which what is not wanted is never read
# What is wrong with the bytes themselves: reading them again tells no more.
_DAMAGE = (
    av.error.InvalidDataError,
    av.error.PatchWelcomeError,
    av.error.EOFError,
    av.error.BlockingIOError,  # of the MPEG-TS demuxer, where no more packet comes
)


@dataclass(frozen=True, slots=True)
class FoundCaptions:
    """Tracks that have words, and what could not be read."""

    tracks: tuple[CaptionTrack, ...]
    warnings: tuple[str, ...]


def read_captions(file: OpenedFile, checkpoint: Callable[[], None] = lambda: None) -> FoundCaptions:
    """All captions that are text. What is damaged becomes a warning.

    `checkpoint` is called about every 0.1 s; what it raises ends the reading. Raises
    MediaUnreadable where the file cannot be opened at all, the disk fails or it takes too long:
    another time there may be more.
    """
    container = open_container(file)
    try:
        return _Reading(container, checkpoint).do()
    finally:
        container.close()


class _Reading:
    """One pass over an opened container."""

    def __init__(self, container: InputContainer, checkpoint: Callable[[], None]) -> None:
        self._container = container
        self._checkpoint = ThrottledCheckpoint(checkpoint)
        self._room = CaptionRoom(longest_s(container.size, ALWAYS_SEEN_S))
        self._warnings: list[str] = []
        self._sources = {source.stream.index: source for source in self._found_sources()}
        self._pulse = self._found_pulse() if self._sources else None

    def do(self) -> FoundCaptions:
        for stream in self._container.streams:
            if stream.index not in self._sources and stream is not self._pulse:
                stream.discard = Discard.all
        if self._sources:
            self._read()
        tracks = self._without_doubles()
        for source in self._sources.values():
            self._warnings += source.warnings()
        if self._room.is_used_up:
            self._warnings.append("It has more captions than any film; the last ones are left out.")
        return FoundCaptions(tuple(tracks), tuple(self._warnings))

    def _found_sources(self) -> Iterator[CaptionSource]:
        container, room = self._container, self._room
        origin = origin_of(container, list(container.streams.audio))
        subtitles = container.streams.subtitles
        if len(subtitles) > MOST_STREAMS:
            self._warnings.append(f"Only the first {MOST_STREAMS} of its subtitle tracks are read.")
        for stream in subtitles[:MOST_STREAMS]:
            codec = stream.codec_context.codec.canonical_name if stream.codec_context else ""
            if codec == _LINE21:
                yield CaptionTrackSource(stream, origin, room)
            elif codec in words.CODECS:
                yield TextSource(stream, origin, room)
            elif not codec:
                self._warnings.append(
                    f"The subtitles in track {stream.index} are of a kind that is not known here."
                )
        for shown in shown_video_streams(container)[:1]:
            if shown.codec_context and shown.codec.canonical_name in sources.CODECS:
                yield PictureSource(shown, origin, room)

    def _found_pulse(self) -> Stream | None:
        """A stream with packets all along, so that none of few is sought in one native call."""
        streams = self._container.streams
        if _INDEXED in self._container.format.name.split(","):
            return None
        return next(iter([*streams.audio, *shown_video_streams(self._container)]), None)

    def _read(self) -> None:
        until = time.monotonic() + LIMIT_S + self._container.size * LIMIT_S_A_BYTE
        wanted = {source.stream.index: source.stream for source in self._sources.values()}
        if self._pulse is not None:
            wanted.setdefault(self._pulse.index, self._pulse)
        packets = packets_of(self._container, *wanted.values())
        while True:
            self._checkpoint()
            try:
                with reading_errors():
                    packet = next(packets, None)
            except MediaUnreadable as error:
                if not isinstance(error.__cause__, _DAMAGE):
                    raise
                self._warnings.append(f"Not all of its captions could be read. {error.message}")
                return
            if packet is None or self._room.is_used_up:
                return
            if time.monotonic() > until:
                raise MediaUnreadable("Reading its captions took too long.")
            if not self._feed(packet):
                return

    def _feed(self, packet: Packet[Stream]) -> bool:
        """Hand a packet on; whether more are needed."""
        source = self._sources.get(packet.stream.index)
        if source is None or not source.is_needed:
            return True
        source.feed(packet)
        if source.is_needed:
            return True
        if source.stream is not self._pulse:
            source.stream.discard = Discard.all
        return any(one.is_needed for one in self._sources.values())

    def _without_doubles(self) -> Iterator[CaptionTrack]:
        """Tracks with words; what lies in a track and beside the pictures too is told once."""
        told = set()
        for source in self._sources.values():
            for track in source.finish():
                texts = tuple(segment.text for segment in track.segments)
                if track.service is None or texts not in told:
                    yield track
                told.add(texts)
