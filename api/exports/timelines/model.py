"""What is on a timeline. Frames are of the timeline's rate, seconds are exact."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Annotated

from msgspec import Meta, Struct

from shared.media import MediaType
from shared.timecode import Timecode


class Code(StrEnum):
    """What is on the timeline otherwise than asked for, or may surprise there."""

    RATE_CONFORMED = "rate_conformed"  # the source runs at another rate than the timeline
    ODD_RATE = "odd_rate"  # the format can only name a rate near to it
    VFR_SOURCE = "vfr_source"
    MISSING_MEDIA = "missing_media"
    OFFLINE_MEDIA = "offline_media"  # laid out as it was known before
    UNREADABLE_MEDIA = "unreadable_media"
    NOT_ALLOWED = "not_allowed"
    BAD_RANGE = "bad_range"  # the media has no such range: the clip is excluded
    CLAMPED_OUT = "clamped_out"
    CLAMPED_HANDLE = "clamped_handle"
    NAME_CLEANED = "name_cleaned"
    MARKER_OUTSIDE = "marker_outside"
    BAD_TIMECODE = "bad_timecode"
    CHANNELS_LEFT_OUT = "channels_left_out"


class TimelineWarning(Struct, frozen=True):
    """What is not as asked for, or may surprise."""

    index: Annotated[int | None, Meta(examples=[0])]
    """The clip's in the request; null: the whole."""
    code: Annotated[Code, Meta(examples=["rate_conformed"])]
    """What kind."""
    message: Annotated[str, Meta(examples=["The clip ends there."])]
    """For people."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound track of a file."""

    channels: int
    sample_rate: int = 48_000
    bits: int = 16


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How pictures lie on the screen: upright, before pixels are made square."""

    width: int
    height: int
    pixel_aspect: Fraction = Fraction(1)
    field_order: str = "none"  # of xmeml: "none", "upper", "lower"


@dataclass(frozen=True, slots=True)
class Media:
    """A source file. `rate`: whole, or 1000/1001 of whole; None where nothing moves.

    `seconds` is a whole number of frames of `rate`; None: not known, or a still.
    """

    path: str  # as the editing system calls it
    name: str
    kind: MediaType
    rate: Fraction | None = None
    seconds: Fraction | None = None
    picture: PictureFormat | None = None
    sounds: tuple[Sound, ...] = ()
    timecode: Timecode | None = None
    since_midnight: Fraction = Fraction(0)  # of its first sample, where no timecode counts it
    reel: str | None = None

    @property
    def is_still(self) -> bool:
        return self.kind is MediaType.IMAGE

    @property
    def channels(self) -> int:
        return sum(sound.channels for sound in self.sounds)

    @property
    def timecode_seconds(self) -> Fraction:
        """Time of the first picture since 00:00:00:00 of the source's timecode."""
        if self.timecode is None:
            return self.since_midnight
        return self.timecode.first_frame / self.timecode.rate

    def counted_in(self, rate: Fraction) -> Timecode:
        """The source's timecode; what has none is counted in frames of `rate`."""
        return self.timecode or Timecode(rate, False, rounded(self.since_midnight * rate))


@dataclass(frozen=True, slots=True)
class Marker:
    """A place in a clip, in seconds of its media (0: the first picture)."""

    seconds: Fraction
    name: str
    comment: str = ""
    length: Fraction | None = None  # None: a point


@dataclass(frozen=True, slots=True)
class Clip:
    """A range of a source on the timeline.

    `first` is the media frame it begins at, counted in the timeline's rate; `source_start` is the
    exact time of it, on a picture of the source.
    """

    index: int  # in the request
    media: Media
    name: str
    start: int
    first: int
    length: int
    media_frames: int  # all of the media, in the timeline's rate
    source_start: Fraction
    markers: tuple[Marker, ...] = ()

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Timeline:
    """Clips in a row."""

    name: str
    timecode: Timecode  # of its first frame; also its rate
    picture: PictureFormat
    clips: tuple[Clip, ...]

    @property
    def rate(self) -> Fraction:
        return self.timecode.rate

    @property
    def frames(self) -> int:
        return self.clips[-1].end if self.clips else 0


def rounded(value: Fraction) -> int:
    """The nearest whole number, half up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
