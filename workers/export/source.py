"""A source of clips: an opened file, its streams and its clock."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from shared.errors import MediaError
from shared.exports.clips import ClipAudio, ClipCode
from shared.opening import OpenedFile
from shared.timecode import FASTEST, Timecode, has_drop_frame, label_of_tag, nominal_rate
from workers.export.formats import family_of
from workers.export.output import ClipFailed
from workers.media.budget import plausible_sound
from workers.media.containers import open_container, video_stream
from workers.media.probing.probe import frame_rate
from workers.media.probing.stream_facts import track_rate

# Containers whose presentation times are guesses: pictures are counted instead.
_GUESSED = frozenset(("avi", "h264", "hevc", "m4v", "mpegvideo", "vc1", "vvc", "obu", "mpeg"))
_DEFAULT_RATE = Fraction(25)


@dataclass(slots=True)
class ClipSource:
    """An opened source of clips.

    Times are seconds of presented time: 0 is the first shown picture or sample.
    """

    container: InputContainer
    size: int  # bytes of the file
    video: VideoStream | None
    sounds: list[AudioStream]

    origin: Fraction  # what the container's own clock shows at time 0, in seconds
    rate: Fraction  # of pictures; what a VFR stream is built on
    start_label: str | None  # timecode of the first picture
    unknown_sounds: int = 0  # tracks that cannot be read
    label_step: int = 1  # pictures to a label: timecode of 50p may count 25

    @property
    def is_timed(self) -> bool:
        """Whether time stamps of this container tell when each picture is shown."""
        return self.container.format.name not in _GUESSED

    @property
    def ticks(self) -> int:
        """Parts of a second in which all pictures of an even stream and milliseconds are whole."""
        return math.lcm(self.rate.numerator, 1000) if self.rate.numerator < 10**6 else 1000

    @property
    def timecode(self) -> Timecode | None:
        """Labels of the source, from midnight where none are written; None beyond its rates."""
        return timecode_of(self.rate / self.label_step, self.start_label)

    @property
    def clip_timecode(self) -> Timecode | None:
        """Labels of its pictures one by one, as clips have them; None where none are written."""
        own, label = self.timecode, self.start_label
        counted = timecode_of(self.rate, label)
        if label is None or own is None or own.number(label) is None or counted is None:
            return None
        return replace(counted, first_frame=own.first_frame * self.label_step)

    @property
    def reel(self) -> str:
        """The name of the tape or card, from the timecode track or the container."""
        places = [*(s.metadata for s in self.container.streams), self.container.metadata]
        return next((str(p["reel_name"]) for p in places if p.get("reel_name")), "")

    def presented(self, stamp: int) -> Fraction:
        """Return the presented time of a time stamp of the video, in seconds."""
        assert self.video is not None
        return (stamp - (self.video.start_time or 0)) * (self.video.time_base or Fraction(1))

    def only(self, streams: list[Stream]) -> None:
        """Let the reader drop everything but these streams, and decode in this thread alone."""
        kept = {stream.index for stream in streams}
        for stream in self.container.streams:
            if stream.index not in kept:
                stream.discard = Discard.all
            elif stream.codec_context is not None:
                stream.codec_context.thread_count = 1


def timecode_of(rate: Fraction, label: str | None) -> Timecode | None:
    """Timecode that begins at a label, or at midnight; None at rates that it does not count."""
    if rate < Fraction(1, 2) or nominal_rate(rate) > FASTEST:
        return None
    counted = Timecode(rate, label is not None and ";" in label and has_drop_frame(rate))
    return replace(counted, first_frame=counted.number(label or "") or 0)


@contextlib.contextmanager
def open_source(file: OpenedFile, audio: ClipAudio) -> Iterator[ClipSource]:
    """A source, read by itself. Raises ClipFailed where nothing in the file can be cut."""
    try:
        container = open_container(file)
    except MediaError as error:
        raise ClipFailed(ClipCode.UNREADABLE, error.message) from error
    try:
        yield _source(file, container, audio)
    finally:
        container.close()


def _source(file: OpenedFile, container: InputContainer, audio: ClipAudio) -> ClipSource:
    # Damaged headers, or a late begin, may tell nothing of a sound track.
    known = [s for s in container.streams.audio if s.codec_context and s.channels and s.sample_rate]
    sounds, why = plausible_sound(container, known)
    unknown = len(container.streams.audio) - len(sounds)
    if audio == "first":
        sounds = sounds[:1]
    elif audio == "none":
        sounds = []
    try:
        video = video_stream(container)
    except MediaError as error:
        raise ClipFailed(ClipCode.UNREADABLE, error.message) from error
    if video is None and not sounds:
        raise ClipFailed(ClipCode.UNREADABLE, why or "It holds neither video nor audio to export.")
    rate = (frame_rate(video) if video is not None else None) or _DEFAULT_RATE
    # Where there is no picture, the clock begins with the first sound.
    streams: list[VideoStream | AudioStream] = [video] if video is not None else [*sounds]
    origin = min((s.start_time or 0) * (s.time_base or Fraction(0)) for s in streams)
    label = _start_label(container)
    step = _label_step(file, container, rate) if label is not None else 1
    return ClipSource(
        container, file.status.st_size, video, sounds, origin, rate, label, unknown, step
    )


def _label_step(file: OpenedFile, container: InputContainer, rate: Fraction) -> int:
    """Pictures to a label: a timecode track has a rate of its own, such as 30 of 59.94p."""
    stated = track_rate(file) if family_of(container) == "isom" else None
    if not stated:
        return 1
    step, rest = divmod(round(rate), round(stated))
    return step if step > 1 and not rest else 1


def _start_label(container: InputContainer) -> str | None:
    streams = [s for kind in ("video", "data") for s in container.streams if s.type == kind]
    places = [*(stream.metadata for stream in streams), container.metadata]
    tags = (place.get(key, "") for place in places for key in ("timecode", "TIMECODE"))
    return next(filter(None, map(label_of_tag, tags)), None)
