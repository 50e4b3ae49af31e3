"""Who of the speakers of a file is a person, in each of its speakers artefacts.

There may be several, by the words of several models. The ids of an older one need not be those of
the newest; then it is the person who speaks at the same times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from shared.cache import speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurns
from shared.cache.spoken_by import SpeakingTimes, speaking_times
from shared.domain import Manifest, Stage
from shared.errors import CacheError

_MOSTLY = 0.5  # of what a speaker says


def newest_first(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Manifests of speakers; before all others the one that counts."""
    counting = speakers.newest_of(manifests)
    told = [manifest for manifest in manifests if manifest.stage is Stage.SPEAKERS]
    return sorted(told, key=lambda found: (found is counting, found.made_at), reverse=True)


def numbers_of(artefacts: Sequence[SpeakerTurns], ids: Collection[int]) -> list[set[int]]:
    """Numbers of the speakers in each artefact who have these ids, or speak when those do.

    When those speak, the first artefact that has one of them tells.
    """
    theirs = [
        {number for number, speaker in enumerate(found.speakers) if speaker.id in ids}
        for found in artefacts
    ]
    known = next((at for at, numbers in enumerate(theirs) if numbers), None)
    times = None if known is None else _times_of(artefacts[known], theirs[known])
    if times is not None:
        for at, found in enumerate(artefacts):
            if at != known:
                others = speaking_times(found.turns).items()
                theirs[at] |= {number for number, own in others if _is_same(own, times)}
    return theirs


def with_ids_elsewhere(
    cache: CacheDir, voices: Mapping[str, Collection[int]], go_on: Callable[[], None]
) -> dict[str, tuple[int, ...]]:
    """Ids of speakers by MediaFile, and with them those that the same ones have in other artefacts.

    Groupings may have been made of these.
    """
    found: dict[str, tuple[int, ...]] = {}
    for hash_str, ids in voices.items():
        go_on()
        artefacts = list(_readable(cache, hash_str))
        theirs = numbers_of(artefacts, ids)
        more = {
            artefact.speakers[number].id
            for artefact, numbers in zip(artefacts, theirs, strict=True)
            for number in numbers
        }
        # Nobody else in the artefact that counts, whatever an id meant in an older one.
        others = {
            speaker.id
            for artefact, numbers in zip(artefacts[:1], theirs[:1], strict=True)
            for number, speaker in enumerate(artefact.speakers)
            if number not in numbers
        }
        found[hash_str] = tuple(sorted({*ids, *(more - others)}))
    return found


def _readable(cache: CacheDir, hash_str: str) -> Iterable[SpeakerTurns]:
    for manifest in newest_first(cache.manifests(hash_str)):
        with contextlib.suppress(CacheError):  # it goes as a whole, or stops the deletion
            yield speakers.read(cache, hash_str, manifest)


def _times_of(found: SpeakerTurns, numbers: Collection[int]) -> SpeakingTimes | None:
    """When any of these speakers speaks; None: never."""
    turns = [msgspec.structs.replace(t, speaker=0) for t in found.turns if t.speaker in numbers]
    return speaking_times(turns).get(0)


def _is_same(own: SpeakingTimes, times: SpeakingTimes) -> bool:
    """Whether a speaker is the person, or one part of them, by when both speak."""
    shared = times.shared(own)
    return shared > 0 and (shared >= _MOSTLY * own.seconds or own.may_be(times, shared))
