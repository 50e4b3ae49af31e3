"""Media files as pictures: the grid of one picture a second, and single pictures at any time."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from shared.domain import Probe
from shared.errors import BadInput, MediaUnreadable
from shared.media import MediaType
from shared.opening import OpenedFile
from workers.media.budget import ALWAYS_SEEN_S, overrun
from workers.media.containers import (
    ThrottledCheckpoint,
    first_picture,
    only,
    open_container,
    reading_errors,
    video_stream,
)
from workers.media.frame_search import go_before, searches, stretches
from workers.media.frames import Scaler, VideoPicture
from workers.media.gops import Misfit
from workers.media.grid import Shot, VideoSource, Way, sequential, smart, ways
from workers.media.pictures import GridFrame, Picture
from workers.media.probing.probe import is_film_still, probe_container, probe_still
from workers.media.ranges import GridRange, RangePlan, RangeReader, split
from workers.media.stills import StillPicture, open_still

log = logging.getLogger(__name__)

_REPAIR_S = 4  # so much is decoded whole around a picture that did not come out
_APART_S = 60  # misses closer than this mean that skipping does not fit the file
_STRIKES = 3
_SHORTFALL_S = 1.5  # a file that ends so much before its stated end is worth a warning


class MediaReader:
    """An open media file as pictures. `warnings` is complete once the grid was read to its end."""

    def __init__(
        self, file: OpenedFile, media_type: MediaType, checkpoint: Callable[[], None]
    ) -> None:
        self.warnings: list[str] = []
        self.probe: Probe
        self._file = file
        self._still: StillPicture | None = None
        self._source: VideoSource | None = None
        self._container: InputContainer | None = None
        self._scaler = Scaler()
        self._way: Way = sequential  # the cheapest one, once `ranges` has asked
        if media_type is MediaType.IMAGE and not is_film_still(file.path):
            self._still = open_still(file)
            self.probe = probe_still(self._still)
        else:
            self.probe = self._open(media_type, checkpoint)

    def close(self) -> None:
        """Give the decoder back; pictures already taken stay valid while the file is open."""
        if self._container is not None:
            self._container.close()
        self._container = self._source = self._still = None

    def grid(
        self,
        first: int = 0,
        last: int | None = None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> Iterator[GridFrame]:
        """The first picture of each second from `first` to before `last`, in order.

        What lies before `first` is passed over by a seek, where one is sure. A second in which no
        picture begins has no frame. `checkpoint` is called about every 0.1 s of work; what it
        raises ends the reading. Raises MediaUnreadable when the file has no picture at all;
        damage after the first picture becomes a warning.
        """
        if self._still is not None:
            checkpoint()
            if first == 0:
                yield GridFrame(0, 0.0, self._still)
            return
        count = 0
        with reading_errors():
            for second, seconds, frame in self._shots(first, last, ThrottledCheckpoint(checkpoint)):
                if why := overrun(second, self._file.status.st_size, ALWAYS_SEEN_S):
                    if not count:
                        raise MediaUnreadable(why)
                    self.warnings.append(f"{why} What comes so late is left out.")
                    break
                count += 1
                yield GridFrame(second, seconds, self._picture(frame))
        if not count and first == 0:
            raise MediaUnreadable("No picture in it could be decoded; the file is damaged.")
        self._warn(last)

    def ranges(
        self,
        first: int,
        last: int | None,
        plan: RangePlan,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> list[GridRange]:
        """Ranges that RangeReaders may read side by side, in order; they begin as `plan` says.

        None where grid() has to read the file in one go. Those who read ranges tell
        `ranges_were_read`, or call grid() where one of them disagrees.
        """
        stated = math.ceil(self.probe.duration_seconds or 0)
        end = stated if last is None else min(last, stated)
        if self._still is not None or self._source is None or first:
            return []
        if overrun(end, self._file.status.st_size, ALWAYS_SEEN_S):
            return []
        starts = plan(end)
        if not starts:
            return []
        with reading_errors():
            source = self._ready(ThrottledCheckpoint(checkpoint))
            self._way = ways(source)[0]
            return split(source, self._way, last, end, starts, checkpoint)

    def range_reader(self) -> RangeReader:
        """A reader of what `ranges` gave, for one thread; the caller closes it."""
        assert self._source is not None
        return RangeReader(self._file, self._way, self._source.clock)

    def ranges_were_read(self, last: int | None, last_seen: float) -> None:
        """Complete `warnings` as grid() does; `last_seen`: the largest of all range readers."""
        self._warn_of_end(last, last_seen)

    def shown_at(self, seconds: float) -> Picture:
        """Return the frame on screen at `seconds`. Raises BadInput for a time outside the file."""
        if self._still is not None:
            _check_time(seconds, 0.0)
            return self._still
        source = self._ready(lambda: None)
        estimated = self.probe.container in ("mpeg", "mpegts")  # by their last time stamps
        duration = self.probe.duration_seconds
        _check_time(seconds, duration, _SHORTFALL_S if estimated else 0.0)
        if duration is not None and not estimated:
            seconds = min(seconds, duration)
        with reading_errors():
            frame = self._shown(source, seconds)
        if frame is None:
            raise MediaUnreadable(f"No picture could be decoded at {seconds:g} s.")
        return self._picture(frame)

    def every(
        self, first: int, last: int, size: tuple[int, int]
    ) -> list[tuple[float, NDArray[np.uint8]]]:
        """Each picture from the first one of second `first` to that of `last`, with its seconds.

        As RGB of `size` (width, height). The last one is missing where the file ends before.
        """
        if self._still is not None:
            return [(0.0, self._still.rgb(*size))]
        for stretch in stretches(self._ready(lambda: None)):
            with contextlib.suppress(Misfit), reading_errors():
                source = self._ready(lambda: None)
                return [
                    (seconds, self._picture(frame).rgb(*size))
                    for seconds, frame in stretch(source, first, last)
                ]
        return []

    def _open(self, media_type: MediaType, checkpoint: Callable[[], None]) -> Probe:
        """(Re)open at the beginning. `checkpoint` is called wherever a native search has ended."""
        self.close()
        checkpoint()
        container = open_container(self._file)
        self._container = container
        try:
            checkpoint()
            with reading_errors():
                stream = video_stream(container)
                picture = None
                if stream is not None:
                    only(container, stream)
                    packets, picture = first_picture(container, stream, checkpoint)
                    self._source = VideoSource(container, stream, packets, picture)
                return probe_container(container, stream, picture, media_type)
        except BaseException:  # `__init__` calls it, and then nobody else could close the file
            self.close()
            raise

    def _ready(self, checkpoint: Callable[[], None]) -> VideoSource:
        """The video stream at its beginning."""
        if self._source is None or self._source.is_used:
            self._open(self.probe.media_type, checkpoint)
        if self._source is None:
            raise MediaUnreadable("It holds no video, only sound.")
        self._source.checkpoint = checkpoint
        return self._source

    def _shots(
        self, first: int, last: int | None, checkpoint: Callable[[], None]
    ) -> Iterator[Shot]:
        """Pictures by the cheapest way that fits; a slower one goes on where that one gave up."""
        due = first
        for way in ways(self._ready(checkpoint)):
            repaired, strikes = -_APART_S, 0
            while True:
                try:
                    for shot in way(self._begun(way, first, checkpoint), due, last):
                        if shot[0] >= due:  # damaged time stamps may lead backwards
                            due = shot[0] + 1
                            yield shot
                    return
                except Misfit as misfit:
                    log.info("%s: %s; reading on another way", self._file.path, misfit)
                strikes = strikes + 1 if due - repaired < _APART_S else 1
                if way is not smart or strikes > _STRIKES:
                    break
                repaired = due + _REPAIR_S
                yield from self._repair(due, last, checkpoint)
                due = repaired

    def _begun(self, way: Way, first: int, checkpoint: Callable[[], None]) -> VideoSource:
        """The video stream, not after second `first`: there, or at its beginning."""
        source = self._ready(checkpoint)
        if first and way in (smart, sequential):
            try:
                go_before(source, source.clock.first_pts(first))
            except Misfit:
                source = self._ready(checkpoint)
        return source

    def _repair(self, due: int, last: int | None, checkpoint: Callable[[], None]) -> Iterator[Shot]:
        """A few seconds by decoding everything: where a stream is damaged, nothing is skipped."""
        end = due + _REPAIR_S if last is None else min(last, due + _REPAIR_S)
        with contextlib.suppress(Misfit):
            yield from sequential(self._ready(checkpoint), due, end)

    def _shown(self, source: VideoSource, seconds: float) -> VideoFrame | None:
        for search in searches(source):
            with contextlib.suppress(Misfit):
                return search(self._ready(lambda: None), seconds)
        return None

    def _picture(self, frame: VideoFrame) -> VideoPicture:
        assert self._source is not None
        aspect = self._source.stream.sample_aspect_ratio or Fraction(1)
        return VideoPicture(frame, self._scaler, aspect)

    def _warn(self, last: int | None) -> None:
        source = self._source
        if source is None:
            return
        if source.errors or source.corrupt:
            self.warnings.append(
                f"The file is damaged: {source.errors + source.corrupt} packets could not be "
                f"decoded or are incomplete, {source.missed} seconds have no picture."
            )
        if source.broke_off:
            self.warnings.append(
                f"The file is damaged after {source.last_seen:.0f} s: {source.broke_off}."
            )
        else:
            self._warn_of_end(last, source.last_seen)

    def _warn_of_end(self, last: int | None, last_seen: float) -> None:
        stated = self.probe.duration_seconds
        if last is None and stated and last_seen < stated - _SHORTFALL_S:
            self.warnings.append(
                f"The pictures end at {last_seen:.0f} s of {stated:.0f} s; "
                "the file may be incomplete."
            )


@contextmanager
def open_media(
    file: OpenedFile, media_type: MediaType, checkpoint: Callable[[], None] = lambda: None
) -> Iterator[MediaReader]:
    """A reader for one reading of a file. Raises MediaUnreadable with a reason."""
    reader = MediaReader(file, media_type, checkpoint)
    try:
        yield reader
    finally:
        reader.close()


def grab_frame(file: OpenedFile, media_type: MediaType, seconds: float) -> Picture:
    """The picture shown at `seconds`: exact, by presentation time. Good while the file is open."""
    with open_media(file, media_type) as reader:
        return reader.shown_at(seconds)


def _check_time(seconds: float, duration: float | None, slack: float = 0.0) -> None:
    if not math.isfinite(seconds) or seconds < 0:
        raise BadInput("The time must be a number of seconds that is not negative.")
    # The end of the last scene is a whole second: it shows the last picture.
    if duration is not None and seconds > max(duration + slack, math.ceil(duration)):
        raise BadInput(f"The time {seconds:g} s is beyond the end of the file ({duration:g} s).")
