"""The voices of a person in a cache folder, and what tells of speakers without them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.deleting.person_faces import check_readable, clean_up
from shared.cache import cache_files, limits, speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurns, parse_voice_id
from shared.cache.spoken_by import SpeakingTimes, speaking_times
from shared.domain import Manifest, Stage
from shared.errors import BadInput, CacheError
from shared.people.clustering import VoiceGrouping, take
from shared.people.edits import Modify, NewEdit
from shared.people.state import PeopleState

_MOSTLY = 0.5  # of what a speaker says


def newest_first(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Manifests of speakers; before all others the one that counts."""
    counting = speakers.newest_of(manifests)
    told = [manifest for manifest in manifests if manifest.stage is Stage.SPEAKERS]
    return sorted(told, key=lambda found: (found is counting, found.made_at), reverse=True)


def numbers_of(artefacts: Sequence[SpeakerTurns], ids: Collection[int]) -> list[set[int]]:
    """Numbers of the speakers in each artefact who have these ids, or speak when those do.

    A file has several by the words of several models, and ids of an older one may be others. When
    those speak, the first artefact that has one of them tells.
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


_log = logging.getLogger(__name__)


def voices_of_people(state: PeopleState, roots: Collection[int]) -> Iterable[tuple[str, int]]:
    """(hash_str, id of the speaker) of each voice of these clusters; also of such as are gone."""
    grouped = state.grouped_voices
    for voice in np.flatnonzero(np.isin(state.voices, list(roots))).tolist():
        yield grouped.media[int(grouped.media_of[voice])], int(grouped.ids[voice])


@dataclass(frozen=True, slots=True)
class PersonVoices:
    """Ids of the speakers by MediaFile who are the person."""

    ids: Mapping[str, Collection[int]]

    def among(self, grouping: VoiceGrouping) -> NDArray[np.bool_]:
        """[n] which voices are the person's."""
        found = np.zeros(len(grouping), np.bool_)
        for number, hash_str in enumerate(grouping.media):
            if hash_str in self.ids:
                here = grouping.media_of == number
                found |= here & np.isin(grouping.ids, list(self.ids[hash_str]))
        return found

    def without(self, grouping: VoiceGrouping) -> VoiceGrouping:
        """The grouping without the person's voices.

        It is another one also where they are not in it: so it is published, and a worker that has
        read the voices before they were deleted finds its number taken, and reads again.
        """
        if not self.ids:
            return grouping
        return take(grouping, np.flatnonzero(~self.among(grouping)))

    def mentioned(self, edits: Iterable[NewEdit]) -> set[str]:
        """Ids of the person's voices in moves."""
        moves = (move for what in edits if isinstance(what, Modify) for move in what.moves)
        return {text for move in moves for text in move.voice_ids if self._has(text)}

    def _has(self, text: str) -> bool:
        with contextlib.suppress(BadInput):
            hash_str, number = parse_voice_id(text)
            return number in self.ids.get(hash_str, ())
        return False


def delete_voices(
    cache: CacheDir, person: PersonVoices, hash_str: str, is_over: Callable[[str], bool]
) -> int:
    """Publish who speaks in a MediaFile without the row of the person's voice, and leave no other.

    When the person speaks stays with the transcript. As for faces, damaged artefacts go as a whole;
    returns how many. Raises CacheError; asked again it goes on.
    """
    artefacts, damaged = [], []
    with cache_files.clear_errors(cache.root):
        for manifest in newest_first(cache.manifests(hash_str)):
            if found := _read(cache, hash_str, manifest):
                artefacts.append((manifest, found))
            else:
                damaged.append(manifest)
        theirs = numbers_of([found for _, found in artefacts], person.ids[hash_str])
        for (manifest, found), numbers in zip(artefacts, theirs, strict=True):
            _publish_without(cache, hash_str, manifest, found, numbers)
    return clean_up(cache, hash_str, Stage.SPEAKERS, damaged, is_over)


def _read(cache: CacheDir, hash_str: str, manifest: Manifest) -> SpeakerTurns | None:
    """Who speaks when; None: it is damaged. Raises CacheError where it cannot be read just now."""
    try:
        return speakers.read(cache, hash_str, manifest)
    except CacheError as error:
        check_readable(cache, cache.data_path(hash_str, manifest), limits.TRANSCRIPT)
        _log.warning("%s: its speakers are deleted as a whole: %s", hash_str, error.message)
        return None


def _publish_without(
    cache: CacheDir, hash_str: str, manifest: Manifest, found: SpeakerTurns, numbers: Container[int]
) -> None:
    """Publish an artefact without the rows of these speakers, where it has one."""
    left = tuple(
        msgspec.structs.replace(speaker, row=()) if number in numbers else speaker
        for number, speaker in enumerate(found.speakers)
    )
    if left == found.speakers:
        return
    with cache.draft(hash_str, Stage.SPEAKERS, manifest.model, "json", "delete") as draft:
        draft.file.write(msgspec.json.encode(msgspec.structs.replace(found, speakers=left)))
        draft.publish(
            rows=manifest.rows,
            audio_streams=manifest.audio_streams,
            task_id=manifest.task_id,
            worker=manifest.worker,
            made_at=manifest.made_at,  # not older than the transcript
            warnings=manifest.warnings,
        )
