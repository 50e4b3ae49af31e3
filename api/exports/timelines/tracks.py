"""Which sound goes on which track: pairs for stereo, single tracks for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.exports.timelines.model import Clip, Media

STEREO = 2


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """One channel of the timeline. `side` is 0 or 1 in a stereo pair, 0 on a mono track."""

    is_stereo: bool
    side: int


@dataclass(frozen=True, slots=True)
class PlacedChannel:
    """A channel of a source (from 1, counted across its streams) on a track (from 0)."""

    source_channel: int
    track: int


def sound_tracks(clips: Sequence[Clip]) -> tuple[SoundTrack, ...]:
    """Tracks for the clip with the most channels of each kind; pairs come first."""
    pairs = max((_pairs(clip.media) for clip in clips), default=0)
    singles = max((_singles(clip.media) for clip in clips), default=0)
    return (
        *(SoundTrack(True, side) for _ in range(pairs) for side in (0, 1)),
        *(SoundTrack(False, 0) for _ in range(singles)),
    )


def placed(media: Media, tracks: Sequence[SoundTrack]) -> list[PlacedChannel]:
    """Where each channel of a source goes."""
    found = []
    next_pair = 0
    next_single = sum(track.is_stereo for track in tracks)
    channel = 1
    for sound in media.sounds:
        for _ in range(sound.channels):
            if sound.channels == STEREO:
                found.append(PlacedChannel(channel, next_pair))
                next_pair += 1
            else:
                found.append(PlacedChannel(channel, next_single))
                next_single += 1
            channel += 1
    return found


def _pairs(media: Media) -> int:
    return sum(sound.channels == STEREO for sound in media.sounds)


def _singles(media: Media) -> int:
    return sum(sound.channels for sound in media.sounds if sound.channels != STEREO)
