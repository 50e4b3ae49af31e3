"""Keeps the voices of a Collection grouped while files are analyzed, and when all is grouped.

Known voices stay in their clusters, new ones join where that is safe.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurns
from shared.cache.transcripts import LONGEST_S
from shared.domain import Manifest, Stage
from shared.errors import CacheError, RushesError
from shared.models import voice_model
from shared.people.addition_log import AdditionLog
from shared.people.clustering import (
    GONE,
    NO_CLUSTER,
    Clustering,
    VoiceGrouping,
    VoiceIndex,
    shapes_of,
    slices_of,
    take,
)
from shared.people.collection import Collection
from shared.people.edits import Modify
from shared.people.enrolment import NOBODY, References, enrolled_id
from shared.people.numbered_files import VOICES, stamps
from shared.people.state import PeopleState
from shared.process import traces
from shared.seeded_ids import seeded_id
from workers.context import Context
from workers.recluster.types import unit

# Cosine from which two voices may be one, and by which the nearest person is nearer than any other.
# With files of 267 people in several orders, each of one voice (3 s to 30 s of it: flite, read
# books, telephone prompts), nobody joined somebody else: clean, over noise 10 dB (16 people) and
# 5 dB below speech, over music 10 dB below it, and with all of these in one collection. Of voices
# whose person was there 67 %, 85 %, 86 %, 71 % and 31 % joined; of those of 12 s or more 89 % clean
# and 85 % over the louder noise. From 0.92 and 0.03, or 0.91 and 0.05, a few were wrong.
_NEAR, _MARGIN = 0.92, 0.05
_HEARD = _NEAR - _MARGIN - 1e-4  # whoever is farther away says nothing about anybody
_LEAST_S = 5.0  # of speech, of both voices: less tells too little
_AT_ONCE, _ROWS_AT_ONCE = 128, 16_384  # voices that ask, and that are asked

_Near = tuple[NDArray[np.intp], NDArray[np.float32]]  # voices, cosines


class VoiceJoining:
    """Clusters of voices, while new ones find theirs one file after another."""

    def __init__(
        self, draft: VoiceGrouping, state: PeopleState, known_at: NDArray[np.int32]
    ) -> None:
        """`known_at`: [draft] index of each voice in the state's grouping, or GONE."""
        self._draft = draft
        is_known = known_at != GONE
        self.labels = np.zeros(len(draft), np.int32)
        self.labels[is_known] = state.grouped_voices.labels[known_at[is_known]]
        # By users' edits: with merges, and the cluster that one who joins is given.
        self._roots = np.full(len(draft), NO_CLUSTER, np.int64)
        self._roots[is_known] = state.voices[known_at[is_known]]
        self._given = self.labels.copy()
        self._given[is_known] = state.voice_labels[known_at[is_known]]
        # Faces and voices are together by what users say alone, and as long as they say it.
        self._given[~np.isin(self._given, _ids_of_voices(state))] = NO_CLUSTER
        # Whoever was said to be nobody is like nobody else.
        nobody = np.flatnonzero(self._roots == NO_CLUSTER)
        self._roots[nobody] = -2 - nobody
        self._is_known = is_known
        self._new = np.flatnonzero(~is_known)
        tells = draft.is_there & (draft.seconds >= _LEAST_S) & (draft.rows != 0).any(axis=1)
        known = np.flatnonzero(tells & is_known)
        # Voices whose rows tell something: those known before, then the new ones in their order.
        self._telling = np.concatenate([known, self._new[tells[self._new]]])
        self._known_count = len(known)
        self._rows = np.zeros((0, 0), np.float32)  # of these
        self._taken: set[int] = {*state.known_ids}

    def join(self, checkpoint: Callable[[], None]) -> NDArray[np.int32]:
        """Give every new voice its cluster; the labels of all."""
        if len(self._new):
            self._rows = unit(self._draft.rows[self._telling].astype(np.float32))
        for voices in self._files():
            checkpoint()
            near = self._near(voices)
            starts = np.flatnonzero(np.diff(self._draft.media_of[voices])) + 1
            for of_file in np.split(voices, starts):
                self._place(of_file, near)
        return self.labels

    def _files(self) -> Iterator[NDArray[np.intp]]:
        """The new voices, some files at once."""
        media = self._draft.media_of[self._new]
        first = 0
        while first < len(media):
            last = media[min(first + _AT_ONCE, len(media)) - 1]
            end = int(np.searchsorted(media, last, "right"))
            yield self._new[first:end]
            first = end

    def _near(self, voices: NDArray[np.intp]) -> dict[int, _Near]:
        """For each of these new voices that tell something, who is near it up to the last one."""
        new = self._telling[self._known_count :]
        first, end = self._known_count + np.searchsorted(new, [voices[0], voices[-1] + 1])
        asking, rows = self._telling[first:end], self._rows[first:end]
        parts: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]] = []
        for start in range(0, int(end), _ROWS_AT_ONCE):
            cosines = rows @ self._rows[start : min(start + _ROWS_AT_ONCE, int(end))].T
            which, at = np.nonzero(cosines >= _HEARD)
            parts.append((which, self._telling[start + at], cosines[which, at]))
        if not len(asking):
            return {}
        which, others, cosines = (np.concatenate(part) for part in zip(*parts, strict=True))
        by_asking = np.argsort(which, kind="stable")
        bounds = np.searchsorted(which[by_asking], np.arange(1, len(asking)))
        each = zip(
            np.split(others[by_asking], bounds), np.split(cosines[by_asking], bounds), strict=True
        )
        return dict(zip(asking.tolist(), each, strict=True))

    def _place(self, voices: NDArray[np.intp], near: Mapping[int, _Near]) -> None:
        joined = self._joined(voices, near)
        for voice in voices.tolist():
            place = joined.get(voice)
            if place is None:
                label = root = seeded_id(self._draft.voice_id(voice), self._taken)
                self._taken.add(label)
            else:
                label, root = int(self._given[place]), int(self._roots[place])
            self.labels[voice] = self._given[voice] = label
            self._roots[voice] = root
        self._is_known[voices] = True

    def _joined(self, voices: NDArray[np.intp], near: Mapping[int, _Near]) -> dict[int, int]:
        """For each of them that joins somebody, a voice whose cluster it gets."""
        media = int(self._draft.media_of[voices[0]])
        here = slice(*np.searchsorted(self._draft.media_of, [media, media + 1]).tolist())
        is_in_file = self._is_known[here] & self._draft.is_there[here]
        given = set(self._roots[here][is_in_file].tolist())
        wishes = (self._wish(voice, near[voice]) for voice in voices.tolist() if voice in near)
        found: dict[int, int] = {}
        for _, voice, root, nearest in sorted(wish for wish in wishes if wish):
            if root not in given:
                given.add(root)
                found[voice] = nearest
        return found

    def _wish(self, voice: int, near: _Near) -> tuple[float, int, int, int] | None:
        """Whom a voice would join: (minus the cosine, the voice, root, whose cluster it gets)."""
        others, cosines = near
        counts = self._is_known[others]
        counts &= self._draft.media_of[others] != self._draft.media_of[voice]
        others, cosines = others[counts], cosines[counts]
        if not len(others):
            return None
        roots = self._roots[others]
        first = int(cosines.argmax())
        best, root = float(cosines[first]), int(roots[first])
        second = float(cosines[roots != root].max(initial=-1.0))
        if best < _NEAR or best - second < _MARGIN:
            return None
        theirs = np.flatnonzero((roots == root) & (self._given[others] > 0))
        if len(theirs):
            nearest = int(others[theirs[cosines[theirs].argmax()]])
        elif (found := self._nearest(voice, root)) is not None:
            nearest = found
        else:
            return None
        return -best, voice, root, nearest

    def _nearest(self, voice: int, root: int) -> int | None:
        """Of all voices of a person that have a cluster to give, the nearest one."""
        at = self._telling
        counts = self._is_known[at] & (self._roots[at] == root) & (self._given[at] > 0)
        counts &= self._draft.media_of[at] != self._draft.media_of[voice]
        if not counts.any():
            return None
        own = unit(self._draft.rows[[voice]].astype(np.float32))[0]
        return int(at[counts][(self._rows[counts] @ own).argmax()])


def _ids_of_voices(state: PeopleState) -> NDArray[np.int64]:
    """Clusters that a voice may be given: no faces have them, had them or could have them again."""
    made: set[int] = set(state.grouped_voices.labels.tolist())
    seen: set[int] = set()
    moves = (m for edit in state.edits if isinstance(edit.what, Modify) for m in edit.what.moves)
    for move in moves:
        if move.face_ids:
            seen.add(move.target)
        elif move.is_new:
            made.add(move.target)
    made -= seen - set(state.grouped_voices.labels.tolist())
    made.difference_update(state.clustering.cluster_ids.tolist())
    made.difference_update(state.clustering.retired.tolist())
    return np.array(sorted(made), np.int64)


DIM = voice_model.SPEC.dim or 0  # of rows; those of another length tell nothing


@dataclass(frozen=True, slots=True)
class HeardVoice:
    """A speaker of a file, as the speakers artefact tells of one."""

    id: int
    number: int  # place among the speakers of the file
    row: Sequence[float] | NDArray[np.float32]
    seconds: float
    excerpt: tuple[float, float]


@dataclass(frozen=True, slots=True)
class FileVoices:
    """The voices of a file as they are now; none where nothing tells of them any more.

    Their rows are of the one model of voices.
    """

    hash_str: str
    file: str = ""  # name of the speakers artefact
    voices: Sequence[HeardVoice] = field(default=())
    deleted: frozenset[int] = frozenset()  # ids of which nothing is to be remembered


def regrouped(
    state: PeopleState,
    files: Sequence[FileVoices],
    checkpoint: Callable[[], None] = lambda: None,
) -> VoiceGrouping:
    """The grouping of a state with the voices of these files as they are now.

    Known voices keep their clusters, also such as come back. A new one joins the person who is
    near and clearly nearer than all others, in another file; else it has a cluster of its own. Two
    voices of one file never join each other, nor one person by this. Of the state's faces only the
    ids are asked: of clusters, and retired ones.
    """
    old = state.grouped_voices
    draft = _draft(old, files)
    known_at = VoiceIndex(old).same(draft)
    return replace(draft, labels=VoiceJoining(draft, state, known_at).join(checkpoint))


def _draft(old: VoiceGrouping, files: Sequence[FileVoices]) -> VoiceGrouping:
    """All voices in their order, without clusters: of these files as they are now."""
    now = {file.hash_str: file for file in files}
    parts = [_kept(old, now), _now(old, files)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    hashes = columns.pop("hashes")
    order = np.lexsort((columns["ids"], hashes))
    # What another model has made is read again when its file is looked at.
    is_same = _is_same_model(old)
    names = {h: name if is_same else "" for h, name in zip(old.media, old.media_files, strict=True)}
    names |= {hash_str: file.file for hash_str, file in now.items()}
    heard = {one.decode() for one in np.unique(hashes).tolist()}
    media = tuple(sorted(h for h, name in names.items() if name or h in heard))
    media_of = np.searchsorted(np.array(media, "S16"), hashes[order])
    return VoiceGrouping(
        number=old.number,
        model=voice_model.KEY,
        made_at=time.time(),
        media=media,
        media_files=tuple(names[hash_str] for hash_str in media),
        media_of=media_of.astype(np.int32),
        labels=np.zeros(len(order), np.int32),
        **{name: column[order] for name, column in columns.items()},
    )


def _is_same_model(old: VoiceGrouping) -> bool:
    return not len(old) or (old.model == voice_model.KEY and old.rows.shape[1] == DIM)


def _kept(old: VoiceGrouping, now: dict[str, FileVoices]) -> dict[str, NDArray[Any]]:
    """The voices of all other files. Rows of two models never meet."""
    stays = np.array([hash_str not in now for hash_str in old.media], np.bool_)
    at = np.flatnonzero(stays[old.media_of]) if len(old.media) else np.zeros(0, np.intp)
    hashes = np.array(old.media, "S16")
    columns = {"hashes": hashes[old.media_of[at]]}
    for name in shapes_of(VoiceGrouping).keys() - {"media_of", "labels"}:
        columns[name] = getattr(old, name)[at]
    if not len(old) or not _is_same_model(old):
        columns["rows"] = np.zeros((len(at), DIM), np.float16)
    return columns


def _now(old: VoiceGrouping, files: Sequence[FileVoices]) -> dict[str, NDArray[Any]]:
    """The voices of these files, and what is remembered of those that they had."""
    voices: list[HeardVoice] = []
    hashes: list[str] = []
    is_there: list[bool] = []
    of_files = slices_of(old)
    for file in files:
        there = {voice.id for voice in file.voices}
        had = set(old.ids[of_files.get(file.hash_str, slice(0))].tolist())
        gone = sorted(had - there - file.deleted)
        voices += [*file.voices, *(HeardVoice(id_, 0, (), 0.0, (0.0, 0.0)) for id_ in gone)]
        hashes += [file.hash_str] * (len(there) + len(gone))
        is_there += [True] * len(there) + [False] * len(gone)
    rows = np.zeros((len(voices), DIM), np.float16)
    for n, voice in enumerate(voices):
        with np.errstate(over="ignore"):
            row = np.array([voice.row], np.float32)
        if row.shape[1] == DIM and np.isfinite(row).all():
            rows[n] = unit(row)[0]
    return {
        "hashes": np.array(hashes, "S16"),
        "ids": np.array([voice.id for voice in voices], np.uint32),
        "numbers": np.array([voice.number for voice in voices], np.int32),
        "rows": rows,
        "seconds": np.array([voice.seconds for voice in voices], np.float32),
        "excerpts": np.array([voice.excerpt for voice in voices], np.float32).reshape(-1, 2),
        "is_there": np.array(is_there, np.bool_),
    }


def without_faces(cache: CacheDir, collection: Collection) -> Clustering:
    """The ids that faces have, without the faces: those of the newest clustering.

    As retired count also the ids that faces may get again, and those of enrolled people.
    """
    found = collection.clustering() or Clustering.empty()
    homes, none = found.memory.homes, np.zeros(0, np.intp)
    enrolled = [enrolled_id(name) for name in References(cache.root).names()]
    used = np.concatenate([found.retired, homes[homes > 0], np.array(enrolled, np.int32)])
    retired = np.setdiff1d(used, found.cluster_ids).astype(np.int32)
    found = replace(found, media=(), media_files=(), retired=retired)
    return take(take(found, none), none, "l")


log = logging.getLogger(__name__)

_EVERY_S = 30.0  # while more Items of the Task follow
_TRIES = 50  # somebody publishes each time that we do not
_EXCERPT_S = 10.0
_MANIFESTS = tuple(f"manifest.{stage}." for stage in (Stage.TRANSCRIPT, Stage.SPEAKERS))


def keep_voices_grouped(
    context: Context, cache: CacheDir, collection: Collection, hashes: Iterable[str]
) -> None:
    """Group the voices of these MediaFiles, and what others have left meanwhile.

    The last Item of a Task always does; earlier ones now and then, as with faces. Files of which
    nothing ever told who speaks cost nothing. Raises CacheError, and as `checkpoint` does.
    """
    told = _told(cache, hashes, context.checkpoint)
    with cache_files.clear_errors(cache.root):
        (grouped,) = stamps(collection.folder, VOICES.name)
    waiting = _waiting(cache, collection)
    if not told and not (grouped and waiting.names()):
        return
    age_s = time.time() - grouped[0].mtime_ns / 1e9 if grouped else _EVERY_S  # by two clocks
    if (abs(age_s) < _EVERY_S or not told) and context.others_will_follow():
        if told:
            waiting.append(_VoicesWait(told))
        return
    try:
        group_voices(cache, collection, told, context.checkpoint)
    except RushesError:
        if told:
            waiting.append(_VoicesWait(told))
        raise


@traces.stage("group voices")
def group_voices(
    cache: CacheDir, collection: Collection, hashes: Iterable[str], checkpoint: Callable[[], None]
) -> None:
    """Have the voices of these MediaFiles grouped as they are now; all others stay as they are.

    What waits is taken, too, and with the first grouping all members, which an earlier version has
    left. Files of which nothing tells who speaks take no part. Raises CacheError, and what
    `checkpoint` does.
    """
    wanted = set(hashes)
    waiting = _waiting(cache, collection)
    read: dict[str, FileVoices] = {}  # by name of the artefact
    holds_former = False
    for _ in range(_TRIES):
        number = collection.voice_files.next_number()
        old = collection.voices()
        if not old.number:
            wanted.update(collection.members().hashes)
        known = _names(old)
        left = {h: file for added in waiting.read() for h, file in added.what.files.items()}
        wanted.update(h for h, file in left.items() if file != known.get(h, ""))
        news = list(_news(cache, wanted, known, read, checkpoint))
        if not news:
            break
        state = PeopleState.of(without_faces(cache, collection), collection.edits(), NOBODY, old)
        found = replace(regrouped(state, news, checkpoint), number=number)
        if collection.voice_files.publish(found):
            log.info("%s: %d voices", collection.name, len(found))
            # A person may have been deleted after the files were read, and before this was there.
            wanted = {file.hash_str for file in news}
            if not any(_news(cache, wanted, _names(found), read, checkpoint)):
                break
            holds_former = True
        checkpoint()
    else:
        raise CacheError(f"Others always published voices of {collection.name} first. Try again.")
    if holds_former:
        collection.voice_files.rewrite(lambda same: same)  # nothing of before is kept


def _told(cache: CacheDir, hashes: Iterable[str], checkpoint: Callable[[], None]) -> dict[str, str]:
    """Names of the artefacts that tell who speaks; "" of files of which none counts any more."""
    told = {}
    for hash_str in sorted(set(hashes)):
        checkpoint()
        with contextlib.suppress(CacheError):  # looked at by the next grouping of everything
            manifests = _manifests(cache, hash_str)
            if any(manifest.stage is Stage.SPEAKERS for manifest in manifests):
                newest = speakers.newest_of(manifests)
                told[hash_str] = newest.file if newest else ""
    return told


def _names(grouping: VoiceGrouping) -> dict[str, str]:
    return dict(zip(grouping.media, grouping.media_files, strict=True))


def _news(
    cache: CacheDir,
    hashes: Iterable[str],
    known: Mapping[str, str],
    read: dict[str, FileVoices],
    checkpoint: Callable[[], None],
) -> Iterator[FileVoices]:
    """Of these MediaFiles those whose voices are not grouped as they are now.

    One that cannot be read, or is by another model of voices, stays as it was.
    """
    for hash_str in sorted(hashes):
        checkpoint()
        try:
            manifest = speakers.newest_of(_manifests(cache, hash_str))
            name = manifest.file if manifest else ""
            if name == known.get(hash_str, ""):
                continue
            if manifest is None:
                yield FileVoices(hash_str)
                continue
            if name not in read:
                read[name] = _read(cache, hash_str, manifest)
        except CacheError as error:
            log.warning("The voices of %s stay as they were: %s", hash_str, error.message)
            continue
        yield read[name]


def _manifests(cache: CacheDir, hash_str: str) -> list[Manifest]:
    """Manifests of a file's transcripts and speakers. Raises CacheError for an unreadable one."""

    def is_of_speech(name: str) -> bool:
        return name.startswith(_MANIFESTS) and cache_files.is_manifest(name)

    found = []
    with (
        cache_files.clear_errors(cache.root),
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        cache_files.folder(cache.media_dir(hash_str)) as folder,
    ):
        for _, manifest in cache_files.manifests_in(folder, Manifest, is_of_speech):
            if isinstance(manifest, CacheError):
                raise manifest
            found.append(manifest)
    return found


def _read(cache: CacheDir, hash_str: str, manifest: Manifest) -> FileVoices:
    """Who speaks in a file. Raises CacheError, also for what another model of voices made."""
    found = speakers.read(cache, hash_str, manifest)
    if found.model != voice_model.KEY:
        raise CacheError(
            f"{manifest.file} is by the model {found.model[:80]!r}, those here are by "
            f"{voice_model.KEY}; analyze the file again."
        )
    excerpts = _excerpts(found)
    voices = [
        HeardVoice(
            speaker.id,
            number,
            np.array(speaker.row, np.float32),
            min(max(speaker.seconds, 0.0), LONGEST_S),
            excerpts[number],
        )
        for number, speaker in enumerate(found.speakers)
        if speaker.row  # else the person was deleted
    ]
    deleted = frozenset(speaker.id for speaker in found.speakers if not speaker.row)
    return FileVoices(hash_str, manifest.file, voices, deleted)


def _excerpts(found: SpeakerTurns) -> list[tuple[float, float]]:
    """What is played of each: the longest turn of which there is no doubt, if there is one."""
    excerpts = [(0.0, 0.0)] * len(found.speakers)
    # The last one that is written counts; of equal ones the first.
    for turn in sorted(reversed(found.turns), key=lambda t: (not t.doubtful, t.end - t.start)):
        excerpts[turn.speaker] = turn.start, min(turn.end, turn.start + _EXCERPT_S)
    return excerpts


class _VoicesWait(msgspec.Struct, frozen=True):
    files: dict[str, str]  # hash_str -> name of the speakers artefact, "": none counts any more


def _waiting(cache: CacheDir, collection: Collection) -> AdditionLog[_VoicesWait]:
    """What Items have left to later ones. It holds no voices, and stays when they are grouped."""
    return AdditionLog(collection.folder / "waiting", _VoicesWait, cache.root)
