"""Media files as sound: one pass over the file, mono at 16 kHz, on the container's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Discard, Disposition
from numpy.typing import NDArray

from shared.domain import AudioStreams
from shared.errors import MediaSilent, MediaUnreadable, MediaUnsupported
from shared.opening import OpenedFile
from workers.media.budget import check_silence, overrun, plausible_sound
from workers.media.containers import (
    ThrottledCheckpoint,
    describe,
    duration_of,
    open_container,
    origin_of,
    packets_of,
)
from workers.media.sound.tracks import RATE, Mixer, SoundClock, Track

BLOCK = 5 * RATE  # samples of a block, but for the last one
_HELD = 60 * RATE  # samples of one stream that wait for those of the others
_SHORTFALL_S = 1.5  # sound that ends so much before its stated end is worth a warning
_MISSING_S = 0.5  # left out by time stamps, or because of them, and worth a warning
_USUAL_ERRORS = 3  # at the beginning of a recording that was cut out of a stream
# Containers that state the length of a stream rather than estimate it.
_STATED = frozenset(("mov,mp4,m4a,3gp,3g2,mj2", "wav", "w64", "aiff", "flac", "mxf"))
# Their time is counted packet by packet.
_STAMPLESS = frozenset(("mp3", "aac", "ac3", "eac3", "dts", "loas"))


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """Consecutive mono sound at 16 kHz; sample 0 is time 0 of the container's clock.

    That is where its first picture is shown, or, without pictures, where its sound begins.
    """

    stream: int | None  # number among the audio streams; None: all mixed, or the only one asked
    start: int  # number of the first sample
    pcm: NDArray[np.float32]  # [samples], -1 to 1, up to 5 s


class SoundReader:
    """An opened file. `warnings` is complete once the blocks have been read to their end.

    `duration_seconds` of a file that does not state it (a live recording) is None at first, then
    guessed from how far the file has been read.
    """

    def __init__(self, container: InputContainer) -> None:
        self.warnings: list[str] = []
        self._container = container
        self._streams = list(container.streams.audio)
        if not self._streams:
            raise MediaSilent
        self._plausible, why = plausible_sound(container, self._streams)
        if not self._plausible:
            raise MediaUnreadable(why)
        if why:
            self.warnings.append(f"One of its sound tracks is left out. {why}")
        self.duration_seconds = max(
            (s for s in (duration_of(container, stream) for stream in self._plausible) if s),
            default=None,
        )
        self._states_duration = self.duration_seconds is not None
        self._origin = origin_of(container, self._plausible)

    def blocks(
        self, streams: AudioStreams, checkpoint: Callable[[], None] = lambda: None
    ) -> Iterator[SoundBlock]:
        """All sound from time 0 on without gaps, in order of time. To be read once.

        "mix": one line of all streams. "first": the stream that is marked as the default, else
        the first. "each": every stream, its blocks tagged. `checkpoint` is called about every
        0.1 s of work; what it raises ends the reading. Raises MediaUnreadable when no sound at
        all can be decoded, and where it is silence for days by its time stamps; damage before or
        after sound becomes a warning and silence.
        """
        tracks = self._tracks(streams)
        mixer = Mixer(RATE)
        start = 0
        for end in self._ends(tracks, ThrottledCheckpoint(checkpoint)):
            if why := overrun(end / RATE, self._container.size):
                self.warnings.append(f"{why} What comes so late is left out.")
                break
            heard_s = sum(track.heard_s for track in tracks.values())
            check_silence(end / RATE * len(tracks) - heard_s, heard_s)
            rows = [track.line.take(end) for track in tracks.values()]
            if streams == "each":
                for number, row in zip(tracks, rows, strict=True):
                    yield SoundBlock(number, start, row)
            else:
                mixed = mixer.mix(np.stack(rows))
                yield SoundBlock(None, start, np.clip(mixed, -1, 1))
            start = end
        self._judge(list(tracks.values()))

    def _ends(self, tracks: dict[int, Track], checkpoint: ThrottledCheckpoint) -> Iterator[int]:
        """Reads on until a block is complete; where it ends."""
        lines = [track.line for track in tracks.values()]
        end = BLOCK
        for _ in self._decoded(tracks, checkpoint):
            while min(line.end for line in lines) >= end or max(x.held for x in lines) > _HELD:
                yield end
                checkpoint()
                end += BLOCK
        for track in tracks.values():
            track.finish()
        last = max(line.end for line in lines)
        while end - BLOCK < last:
            yield min(end, last)
            checkpoint()
            end += BLOCK

    def _decoded(self, tracks: dict[int, Track], checkpoint: ThrottledCheckpoint) -> Iterator[None]:
        """Feeds the tracks packet by packet; a broken rest of the file ends it with a warning."""
        by_index = {track.stream.index: track for track in tracks.values()}
        for stream in self._container.streams:
            if stream.index not in by_index:
                stream.discard = Discard.all
        try:
            streams = [track.stream for track in tracks.values()]
            for packet in packets_of(self._container, *streams):
                checkpoint()
                by_index[packet.stream.index].feed(packet)
                if not self._states_duration and packet.pos:
                    share = packet.pos / max(self._container.size, packet.pos)
                    heard = max(track.line.end for track in tracks.values()) / RATE
                    self.duration_seconds = heard / share
                yield
        except (av.error.InvalidDataError, av.error.PatchWelcomeError) as error:
            seconds = max(track.line.end for track in tracks.values()) / RATE
            self.warnings.append(
                f"The file is damaged after {seconds:.0f} s of sound: {error.strerror}."
            )
        except av.error.FFmpegError as error:
            raise MediaUnreadable(f"Reading the file failed: {describe(error)}.") from error

    def _tracks(self, streams: AudioStreams) -> dict[int, Track]:
        plausible = {stream.index for stream in self._plausible}
        numbered = {n: s for n, s in enumerate(self._streams) if s.index in plausible}
        if streams == "first":
            marked = (n for n, s in numbered.items() if s.disposition & Disposition.default)
            first = next(marked, min(numbered))
            numbered = {first: numbered[first]}
        known = {n: s for n, s in numbered.items() if s.codec_context is not None}
        if not known:
            raise MediaUnsupported("Its audio codec is not known to the decoder here.")
        if len(known) < len(numbered):
            self.warnings.append("One of its sound tracks has a codec that is not known here.")
        end = self._stated_end()
        for stream in known.values():
            stream.codec_context.thread_count = 1
        has_stamps = self._container.format.name not in _STAMPLESS
        return {
            n: Track(s, SoundClock(self._origin, end), has_stamps=has_stamps)
            for n, s in known.items()
        }

    def _stated_end(self) -> float | None:
        """Seconds from time 0 at which the file ends by its own account."""
        if not self._container.duration:
            return None
        end = self._container.duration + (self._container.start_time or 0)
        return end / av.time_base - self._origin

    def _judge(self, tracks: list[Track]) -> None:
        errors = sum(track.errors for track in tracks)
        if not any(track.frames for track in tracks):
            if errors or self.warnings:
                raise MediaUnreadable("No sound in it could be decoded; the file is damaged.")
            raise MediaUnreadable("Its sound track is empty.")
        usual = sum(t.early_errors for t in tracks if t.early_errors <= _USUAL_ERRORS)
        if errors > usual:
            self.warnings.append(
                f"The sound is damaged: {errors} packets could not be decoded or "
                "are incomplete; silence stands for what is missing."
            )
        missing = max(track.clock.missing for track in tracks)
        if missing > _MISSING_S:
            self.warnings.append(
                f"By its time stamps {missing:.1f} s of sound are missing in it; silence stands "
                "for them."
            )
        repeated = max(track.clock.repeated for track in tracks)
        if repeated > _MISSING_S:
            self.warnings.append(
                f"Its time stamps lead back over {repeated:.1f} s; what comes again is left out."
            )
        if any(track.clock.broken for track in tracks):
            self.warnings.append(
                "The sound's time stamps jump; times after the jump count on from before it."
            )
        self._warn_of_an_early_end(tracks)

    def _warn_of_an_early_end(self, tracks: list[Track]) -> None:
        if self._container.format.name not in _STATED:
            return
        lengths = (duration_of(self._container, track.stream) for track in tracks)
        stated = max((seconds for seconds in lengths if seconds), default=0.0)
        heard = max(track.line.end for track in tracks) / RATE
        if heard < stated - _SHORTFALL_S:
            self.warnings.append(
                f"The sound ends at {heard:.0f} s of {stated:.0f} s; the file may be incomplete."
            )


@contextmanager
def open_sound(file: OpenedFile) -> Iterator[SoundReader]:
    """A reader for one reading of a file's sound. Raises MediaUnreadable."""
    container = open_container(file)
    try:
        yield SoundReader(container)
    finally:
        container.close()
