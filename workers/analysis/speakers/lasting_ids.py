"""Ids of speakers that are kept when a file is analyzed anew: by when they speak."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from shared.cache import speakers
from shared.cache.speakers import SpeakerTurn, SpeakerTurns

_LEAST_SHARE = 0.5  # of the seconds of whoever of two speaks less
_LEAST_OF_LONGER = 0.2  # of the other's: a word within somebody's speech is no sign
_Times = list[tuple[float, float]]  # that do not overlap, ascending


def with_lasting_ids(
    hash_str: str, found: SpeakerTurns, former: SpeakerTurns | None
) -> SpeakerTurns:
    """Who speaks when, each with the id of the former speaker who spoke at the same times.

    One has the id of one; those who share the most seconds come first. Others get new ids.
    """
    if former is None:
        return speakers.with_ids(hash_str, found)
    now, before = _times(found.turns), _times(former.turns)
    shared = sorted(
        (-seconds, one, other)
        for one, own in now.items()
        for other, theirs in before.items()
        if (seconds := _shared(own, theirs)) > 0
        and _is_same(seconds, _length(own), _length(theirs))
    )
    ids: dict[int, int] = {}
    taken: set[int] = set()
    for _, one, other in shared:
        if one not in ids and other not in taken:
            taken.add(other)
            ids[one] = former.speakers[other].id
    kept = tuple(
        msgspec.structs.replace(speaker, id=ids.get(number, 0))
        for number, speaker in enumerate(found.speakers)
    )
    return speakers.with_ids(
        hash_str,
        msgspec.structs.replace(found, speakers=kept),
        [speaker.id for speaker in former.speakers],
    )


def _times(turns: Sequence[SpeakerTurn]) -> dict[int, _Times]:
    """When each one speaks, in whatever stream."""
    found: dict[int, _Times] = defaultdict(list)
    for turn in sorted(turns, key=lambda turn: (turn.start, turn.end)):
        times = found[turn.speaker]
        if times and turn.start <= times[-1][1]:
            times[-1] = (times[-1][0], max(times[-1][1], turn.end))
        else:
            times.append((turn.start, turn.end))
    return found


def _is_same(shared: float, one: float, other: float) -> bool:
    """Whether those who speak so long, at the same times for `shared` seconds, may be one."""
    return shared >= max(_LEAST_SHARE * min(one, other), _LEAST_OF_LONGER * max(one, other))


def _length(times: _Times) -> float:
    return sum(end - start for start, end in times)


def _shared(one: _Times, other: _Times) -> float:
    seconds, n, m = 0.0, 0, 0
    while n < len(one) and m < len(other):
        seconds += max(0.0, min(one[n][1], other[m][1]) - max(one[n][0], other[m][0]))
        if one[n][1] <= other[m][1]:
            n += 1
        else:
            m += 1
    return seconds
