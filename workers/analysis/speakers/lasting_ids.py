"""Ids of speakers that are kept when a file is analyzed anew: by when they speak."""

from __future__ import annotations

import msgspec

from shared.cache import speakers
from shared.cache.speakers import SpeakerTurns
from shared.cache.speaking_times import speaking_times


def with_lasting_ids(
    hash_str: str, found: SpeakerTurns, former: SpeakerTurns | None
) -> SpeakerTurns:
    """Who speaks when, each with the id of the former speaker who spoke at the same times.

    One has the id of one; those who share the most seconds come first. Others get new ids.
    """
    if former is None:
        return speakers.with_ids(hash_str, found)
    now, before = speaking_times(found.turns), speaking_times(former.turns)
    shared = sorted(
        (-seconds, one, other)
        for one, own in now.items()
        for other, theirs in before.items()
        if (seconds := own.shared(theirs)) > 0 and own.may_be(theirs, seconds)
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
