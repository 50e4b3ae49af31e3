"""CMX 3600 edit decision list: one rate, eight characters a reel, four channels of sound."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from api.exports.timelines.model import Clip, Code, Media, Timeline, TimelineWarning, rounded
from shared.errors import BadInput
from shared.timecode import Timecode, has_drop_frame, rate_words

_REEL = 8  # characters
_MOST_CHANNELS = 4


def edl(timeline: Timeline) -> tuple[str, list[TimelineWarning]]:
    """Raises BadInput for a source of another rate: one list counts in one."""
    for clip in timeline.clips:
        rate = clip.media.rate
        if rate is not None and rate != timeline.rate:
            raise BadInput(
                f"clips[{clip.index}]: {clip.media.name} runs at {rate_words(rate)} frames a "
                f"second, the edit list at {rate_words(timeline.rate)}, and an EDL counts in one "
                "rate. Ask for xmeml, fcpxml or otio, or leave that clip out."
            )
    reels = _reels([clip.media for clip in timeline.clips])
    counting = "DROP FRAME" if timeline.timecode.drop_frame else "NON-DROP FRAME"
    remarks = []
    lines = [f"TITLE: {timeline.name}", f"FCM: {counting}", ""]
    for number, clip in enumerate(timeline.clips, 1):
        lines += [*_event(number, clip, timeline, reels[clip.media.path]), ""]
        channels = clip.media.channels
        if channels > _MOST_CHANNELS:
            said = f"{clip.media.name} has {channels} channels; an EDL names {_MOST_CHANNELS}."
            remarks.append(TimelineWarning(clip.index, Code.CHANNELS_LEFT_OUT, said))
    return "\n".join(lines), remarks


def _event(number: int, clip: Clip, timeline: Timeline, reel: str) -> Iterator[str]:
    media, rate = clip.media, timeline.rate
    source, record = _counter(media, rate), timeline.timecode
    times = (
        source.label(clip.first),
        source.label(clip.first + clip.length),
        record.label(clip.start),
        record.label(clip.end),
    )
    yield f"{number:03d}  {reel:<{_REEL}} {_channels(media):<5} C        {' '.join(times)}"
    if media.channels > 2:
        both = "   4" if media.channels >= _MOST_CHANNELS else ""
        yield f"AUD   3{both}"
    yield f"* FROM CLIP NAME: {clip.name}"
    yield f"* SOURCE FILE: {media.name}"
    for marker in clip.markers:
        at = record.label(clip.start + rounded(marker.seconds * rate) - clip.first)
        text = f"{marker.name} {marker.comment}".strip()
        yield f"* LOC: {at} RED     {text}"


def _counter(media: Media, rate: Fraction) -> Timecode:
    """The source's timecode in the list's rate."""
    if media.timecode is None:
        return media.counted_in(rate)
    drop_frame = media.timecode.drop_frame and has_drop_frame(rate)
    return Timecode(rate, drop_frame, rounded(media.timecode_seconds * rate))


def _channels(media: Media) -> str:
    """V, A, AA; with pictures B and AA/V; "NONE" where only the AUD line names channels."""
    sound = {0: "", 1: "A"}.get(media.channels, "AA")
    if media.picture is None:
        return sound
    return {"": "V", "A": "B", "AA": "AA/V"}[sound]


def _reels(medias: Sequence[Media]) -> dict[str, str]:
    """Reels by path: the file's own, else its name; two names that look alike get numbers."""
    found = {m.path: reel for m in medias if (reel := _plain(m.reel or ""))}
    taken = set(found.values())
    for media in medias:
        if media.path not in found:
            reel = plain = _plain(media.name.rpartition(".")[0] or media.name) or "REEL"
            number = 1
            while reel in taken:
                number += 1
                mark = f"_{number}"  # a digit alone would make another camera's reel of it
                reel = plain[: _REEL - len(mark)] + mark
            taken.add(reel)
            found[media.path] = reel
    return found


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "", text.replace(" ", "_").replace("-", "_"))[:_REEL]
