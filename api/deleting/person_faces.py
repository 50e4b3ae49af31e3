"""The faces and voices of a person in a cache folder, and the artefacts without them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.deleting.data_routes import media_folder
from shared.cache import cache_files, limits, publishing, speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFiles
from shared.cache.faces import (
    FaceRows,
    centres_of,
    face_keys,
    first_key,
    parse_face_id,
    read_faces,
    seconds_of,
    write_faces,
)
from shared.cache.frame_packs import PackReader, PackWriter
from shared.cache.speakers import SpeakerTurns, parse_voice_id
from shared.cache.spoken_by import SpeakingTimes, speaking_times
from shared.domain import Manifest, Stage
from shared.errors import BadInput, CacheError
from shared.people.clustering import NO_CLUSTER, Clustering, Memory, VoiceGrouping, slices_of, take
from shared.people.edits import FaceMove, Modify, Names, NewEdit
from shared.people.names import spoken
from shared.people.state import PeopleState
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
_GONE = -1
_NEAR = 0.1  # of the picture: as far as a face may have moved that is detected anew (FaceIndex)
Keys = NDArray[np.uint64]  # of faces of one MediaFile, ascending
_NONE = np.zeros(0, np.uint64)


@dataclass(frozen=True, slots=True)
class PersonFaces:
    """Keys of a person's faces by MediaFile, and of the others in the same groupings."""

    keys: Mapping[str, Keys]
    others: Mapping[str, Keys] = field(default_factory=dict)

    def among(self, hash_str: str, keys: Keys) -> NDArray[np.bool_]:
        """[n] which of these keys are the person's.

        The same keys are the same faces. Where there are others, too, the faces were detected
        anew or by another model: there a face is whose known one is nearest in that second.
        """
        mine, others = self.keys.get(hash_str, _NONE), self.others.get(hash_str, _NONE)
        found = np.isin(keys, mine)
        known = np.union1d(mine, others)
        if not len(mine) or np.isin(keys, known).all():
            return found
        for second in np.unique(seconds_of(mine)).tolist():
            start, end = np.searchsorted(keys, [first_key(second), first_key(second + 1)])
            first, last = np.searchsorted(known, [first_key(second), first_key(second + 1)])
            at = _nearest(keys[start:end], known[first:last])
            found[start:end] |= (at >= 0) & np.isin(known[first:last][at], mine)
        return found

    def has(self, face_id: str) -> bool:
        """Whether this id is one of the person's faces."""
        with contextlib.suppress(BadInput):
            hash_str, key = parse_face_id(face_id)
            return bool(np.isin(np.uint64(key), self.keys.get(hash_str, _NONE)))
        return False


def _nearest(keys: Keys, known: Keys) -> NDArray[np.intp]:
    """[n] index of the known face that each one is, -1: of none; each known one is one face."""
    at = np.full(len(keys), -1, np.intp)
    far = np.linalg.norm(centres_of(keys)[:, None] - centres_of(known)[None], axis=2)
    for pair in np.argsort(far, axis=None, kind="stable").tolist():
        face, place = divmod(pair, len(known))
        if far[face, place] > _NEAR:
            break
        if at[face] < 0 and place not in at:
            at[face] = place
    return at


def delete_faces(
    cache: CacheDir, person: PersonFaces, hash_str: str, is_over: Callable[[str], bool]
) -> int:
    """Publish all faces of a MediaFile without the person's, and leave no file that has them.

    Results that were deleted before and could be brought back go as well. Artefacts that are
    damaged go as a whole; returns how many. `is_over`: whether a lease is known and no longer
    held. Raises CacheError; asked again it goes on.
    """
    with cache_files.clear_errors(cache.root):
        damaged = [
            manifest
            for manifest in cache.manifests(hash_str)
            if manifest.stage is Stage.FACES
            and not _is_rewritten(cache, person, hash_str, manifest)
        ]
    return clean_up(cache, hash_str, Stage.FACES, damaged, is_over)


def clean_up(
    cache: CacheDir,
    hash_str: str,
    stage: Stage,
    damaged: Collection[Manifest],
    is_over: Callable[[str], bool],
) -> int:
    """Remove damaged artefacts of a stage, and all data of it that nothing names any more.

    Returns how many artefacts were damaged.
    """
    with cache_files.clear_errors(cache.root), media_folder(cache, hash_str) as folder:
        if folder is None:
            return len(damaged)
        for manifest in damaged:
            with contextlib.suppress(FileNotFoundError):
                folder.remove(cache_files.manifest_name(stage, manifest.model))
        names = folder.names()
        for name in names:
            if cache_files.is_deleted_manifest(name) and f".manifest.{stage}." in name:
                folder.remove(name)
        used: set[str] = set()
        for _, found in cache_files.manifests_in(folder, ArtefactFiles):
            if isinstance(found, CacheError):  # what it names is not known, and may be in use
                raise found
            used.update(found.names)
        for name in names:  # what was published since the listing stays
            is_data = cache_files.is_data(name) and name.startswith(f"{stage}.")
            if is_data and name not in used:
                with contextlib.suppress(FileNotFoundError):
                    folder.remove(name)
        folder.sync()
    publishing.remove_dead(cache.media_dir(hash_str), is_over)
    return len(damaged)


def _is_rewritten(cache: CacheDir, person: PersonFaces, hash_str: str, manifest: Manifest) -> bool:
    """Publish an artefact without the person, where the person is in it; False: it is damaged."""
    path = cache.data_path(hash_str, manifest)
    with contextlib.ExitStack() as at_end:
        try:
            rows = FaceRows(**read_faces(path))
            pack = path.parent / (manifest.pack or "")
            pictures = at_end.enter_context(PackReader(pack)) if manifest.pack else None
        except CacheError as error:
            note_damage(cache, hash_str, manifest, limits.FACES, error)
            return False
        keep = np.flatnonzero(~person.among(hash_str, rows.keys))
        if len(keep) < len(rows):
            _publish(cache, hash_str, manifest, rows.take(keep), keep, pictures)
    return True


def note_damage(
    cache: CacheDir, hash_str: str, manifest: Manifest, limit: int, damage: CacheError
) -> None:
    """Log that an artefact goes as a whole.

    Raises CacheError where its file cannot be read just now: that is no damage to it.
    """
    with (
        cache_files.clear_errors(cache.root),
        contextlib.suppress(FileNotFoundError, UnusableFile),
    ):
        cache_files.read(cache.data_path(hash_str, manifest), limit)
    what = manifest.stage.value
    _log.warning("%s: its %s are deleted as a whole: %s", hash_str, what, damage.message)


def _publish(
    cache: CacheDir,
    hash_str: str,
    manifest: Manifest,
    rows: FaceRows,
    kept: NDArray[np.intp],
    pictures: PackReader | None,
) -> None:
    with cache.draft(hash_str, Stage.FACES, manifest.model, "npz", "delete") as draft:
        write_faces(draft.file, rows)
        assert draft.pack is not None
        pack = PackWriter(draft.pack)
        for number, row in enumerate(kept.tolist()):
            if (jpeg := _picture(pictures, row)) is not None:
                pack.add(number, jpeg)
        pack.finish()
        draft.publish(
            rows=len(rows),
            first_frame=manifest.first_frame,
            seconds=manifest.seconds,
            dim=manifest.dim,
            task_id=manifest.task_id,
            worker=manifest.worker,
            warnings=manifest.warnings,
        )


def _picture(pictures: PackReader | None, row: int) -> bytes | None:
    try:
        return pictures.read(row) if pictures else None
    except CacheError:  # a damaged one is shown to nobody, and is not worth the others
        return None


def without_person(
    cache: CacheDir, clustering: Clustering, person: PersonFaces, clusters: Set[int]
) -> Clustering:
    """The clustering without the person's faces, and without `clusters`, who are the person.

    So go other clusters of which no face is left. Others that lose faces get a new mean.
    """
    theirs = faces_of_person(clustering, person)
    ids, is_theirs = clustering.cluster_ids, np.isin(clustering.cluster_ids, list(clusters))
    remembered = ~faces_of_person(clustering.memory, person)
    memory = clustering.memory if remembered.all() else take(clustering.memory, remembered)
    if not theirs.any() and not is_theirs.any():
        is_same = memory is clustering.memory
        return clustering if is_same else replace(clustering, memory=memory)
    at = np.cumsum(~theirs) - 1
    at[theirs] = _GONE
    at = np.append(at, _GONE)  # the last stands for "no face"
    labels = clustering.labels[~theirs]
    labels[np.isin(labels, list(clusters))] = NO_CLUSTER  # faces that were moved to others
    stays = np.isin(ids, labels) | ~np.isin(ids, clustering.labels)  # or had no faces before
    stays &= ~is_theirs
    found = take(take(clustering, ~theirs), stays, "c")
    found = take(found, at[clustering.loose] != _GONE, "l")
    samples = at[found.samples]
    best_first = np.argsort(samples == _GONE, axis=1, kind="stable")
    found = replace(
        found,
        grouped_faces=min(clustering.grouped_faces, len(found)),
        labels=labels,
        samples=np.take_along_axis(samples, best_first, axis=1).astype(np.int32),
        retired=np.union1d(clustering.retired, ids[~stays]).astype(np.int32),
        loose=at[found.loose].astype(np.int32),
        memory=memory,
    )
    return _with_new_means(cache, _as_stored(cache, found, person), clustering.labels[theirs])


def _as_stored(cache: CacheDir, clustering: Clustering, person: PersonFaces) -> Clustering:
    """Rows and names of the artefacts that were rewritten.

    Of a file whose faces were made anew the former name stays: so the next grouping reads them.
    """
    rows, files = clustering.rows.copy(), list(clustering.media_files)
    for number, (hash_str, here) in enumerate(slices_of(clustering).items()):
        if hash_str not in person.keys:
            continue
        if manifest := cache.manifest(hash_str, Stage.FACES, clustering.model):
            stored = read_faces(cache.data_path(hash_str, manifest), "seconds", "boxes")
            keys = face_keys(stored["seconds"], stored["boxes"])
            if np.array_equal(keys, clustering.keys[here]):
                rows[here], files[number] = np.arange(len(keys)), manifest.file
    return replace(clustering, rows=rows, media_files=tuple(files))


def _with_new_means(
    cache: CacheDir, clustering: Clustering, touched: NDArray[np.int32]
) -> Clustering:
    """Means and sizes of the clusters that lost faces, from those that they have left."""
    means, sizes = clustering.means.copy(), clustering.sizes.copy()
    for place in np.flatnonzero(np.isin(clustering.cluster_ids, touched)).tolist():
        faces = np.flatnonzero(clustering.labels == clustering.cluster_ids[place])
        rows = _embeddings(cache, clustering, faces)
        total = rows.sum(axis=0)
        if len(rows) and (length := float(np.linalg.norm(total))) > 0:
            means[place], sizes[place] = total / length, len(rows)
    return replace(clustering, means=means, sizes=sizes)


def _embeddings(
    cache: CacheDir, clustering: Clustering, faces: NDArray[np.intp]
) -> NDArray[np.float32]:
    """[m, dim] those of these faces that form clusters (else of all) and that can be read."""
    found, marks = [], []
    media = clustering.media_of[faces]
    for number in np.unique(media).tolist():
        hash_str = clustering.media[number]
        manifest = cache.manifest(hash_str, Stage.FACES, clustering.model)
        if manifest is None or manifest.file != clustering.media_files[number]:
            continue
        try:
            stored = read_faces(cache.data_path(hash_str, manifest), "embeddings", "marks")
        except CacheError:  # its faces have no say
            continue
        rows = clustering.rows[faces[media == number]]
        found.append(stored["embeddings"][rows].astype(np.float32))
        marks.append(stored["marks"][rows])
    if not found:
        return np.zeros((0, clustering.means.shape[1]), np.float32)
    rows, forms = np.concatenate(found), np.concatenate(marks) == 0
    return rows[forms] if forms.any() else rows


def without_mention(
    edit: NewEdit,
    faces: Set[str],
    clusters: Collection[int],
    names: Collection[str],
    voices: Set[str] = frozenset(),
) -> NewEdit:
    """An edit that says nothing of the person: no name, none of the faces and voices.

    `faces`, `voices`: ids; `names`: what the person is called, as `spoken` has it.
    """
    if isinstance(edit, Names):
        assignments = tuple(
            given
            for given in edit.assignments
            if given.cluster_id not in clusters and spoken(given.name) not in names
        )
        return Names(assignments) if assignments != edit.assignments else edit
    if isinstance(edit, Modify):
        moves = tuple(moved for move in edit.moves if (moved := _move(move, faces, voices)))
        return msgspec.structs.replace(edit, moves=moves) if moves != edit.moves else edit
    return edit


def _move(move: FaceMove, faces: Set[str], voices: Set[str]) -> FaceMove | None:
    stays = [n for n, face_id in enumerate(move.face_ids) if face_id not in faces]
    heard = tuple(voice_id for voice_id in move.voice_ids if voice_id not in voices)
    if not stays and not heard:
        return None
    others = tuple(move.face_ids[n] for n in stays)
    if len(move.sources) == len(move.face_ids):
        sources = tuple(move.sources[n] for n in stays)
    else:
        sources = move.sources if len(move.sources) == 1 else ()
    return msgspec.structs.replace(
        move,
        face_ids=others,
        sources=sources,
        voice_ids=heard,
        voice_sources=move.voice_sources if heard else (),
    )


def faces_of_person(faces: Clustering | Memory, person: PersonFaces) -> NDArray[np.bool_]:
    """[n] which faces are the person's."""
    found = np.zeros(len(faces.keys), np.bool_)
    for hash_str, here in slices_of(faces).items():
        if hash_str in person.keys:
            found[here] = person.among(hash_str, faces.keys[here])
    return found


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
    if known is None:
        return theirs
    turns = (turn for turn in artefacts[known].turns if turn.speaker in theirs[known])
    times = speaking_times([msgspec.structs.replace(turn, speaker=0) for turn in turns]).get(0)
    for at, found in enumerate(artefacts):
        if at != known and times is not None:
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
        artefacts = []
        for manifest in newest_first(cache.manifests(hash_str)):
            with contextlib.suppress(CacheError):  # it goes as a whole, or stops the deletion
                artefacts.append(speakers.read(cache, hash_str, manifest))
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


def _is_same(own: SpeakingTimes, times: SpeakingTimes) -> bool:
    """Whether a speaker is the person, or one part of them, by when both speak."""
    shared = times.shared(own)
    return shared > 0 and (shared >= _MOSTLY * own.seconds or own.may_be(times, shared))


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
        for hash_str, here in slices_of(grouping).items():
            found[here] = np.isin(grouping.ids[here], list(self.ids.get(hash_str, ())))
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
            try:
                artefacts.append((manifest, speakers.read(cache, hash_str, manifest)))
            except CacheError as error:
                note_damage(cache, hash_str, manifest, limits.TRANSCRIPT, error)
                damaged.append(manifest)
        theirs = numbers_of([found for _, found in artefacts], person.ids[hash_str])
        for (manifest, found), numbers in zip(artefacts, theirs, strict=True):
            _publish_without(cache, hash_str, manifest, found, numbers)
    return clean_up(cache, hash_str, Stage.SPEAKERS, damaged, is_over)


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
