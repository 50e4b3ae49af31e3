"""Voices of a Collection's files in clusters: known ones stay, new ones join where that is safe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.models import voice_model
from shared.people.clustering import NO_CLUSTER, VoiceGrouping, shapes_of, slices_of
from shared.people.edits import Modify
from shared.people.face_index import GONE, VoiceIndex
from shared.people.state import PeopleState
from shared.seeded_ids import seeded_id
from workers.recluster.types import unit

# Cosine from which two voices may be one, and by which the nearest person is nearer than any other.
# With files of 267 people in several orders, each of one voice (3 s to 30 s of it: flite, read
# books, telephone prompts), nobody joined somebody else: clean, over noise 10 dB (16 people) and
# 5 dB below speech, over music 10 dB below it, and with all of these in one collection. Of voices
# whose person was there 67 %, 85 %, 86 %, 71 % and 31 % joined; of those of 12 s or more 89 % clean
# and 85 % over the louder noise. From 0.92 and 0.03, or 0.91 and 0.05, a few were wrong.
_NEAR, _MARGIN = 0.92, 0.05
_LEAST_S = 5.0  # of speech, of both voices: less tells too little


class VoiceJoining:
    """Clusters of voices, while new ones find theirs one file after another."""

    def __init__(
        self, draft: VoiceGrouping, state: PeopleState, known_at: NDArray[np.int32]
    ) -> None:
        """`known_at`: [draft] index of each voice in the state's grouping, or GONE."""
        self._draft = draft
        self._is_known = is_known = known_at != GONE
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
        # Voices whose rows tell something.
        tells = draft.is_there & (draft.seconds >= _LEAST_S) & (draft.rows != 0).any(axis=1)
        self._telling = np.flatnonzero(tells)
        self._rows = unit(draft.rows[self._telling].astype(np.float32))
        self._taken: set[int] = {*state.known_ids}

    def join(self, checkpoint: Callable[[], None]) -> NDArray[np.int32]:
        """Give every new voice its cluster; the labels of all."""
        new = np.flatnonzero(~self._is_known)
        starts = np.flatnonzero(np.diff(self._draft.media_of[new])) + 1
        for of_file in np.split(new, starts) if len(new) else ():
            checkpoint()
            self._place(of_file)
        return self.labels

    def _place(self, voices: NDArray[np.intp]) -> None:
        """Give the new voices of a file their clusters; two of them never join one person."""
        media = int(self._draft.media_of[voices[0]])
        here = slice(*np.searchsorted(self._draft.media_of, [media, media + 1]).tolist())
        is_in_file = self._is_known[here] & self._draft.is_there[here]
        joined = set(self._roots[here][is_in_file].tolist())
        places: dict[int, int] = {}  # of each that joins somebody, a voice whose cluster it gets
        wishes = map(self._wish, np.intersect1d(voices, self._telling).tolist())
        for _, voice, root, nearest in sorted(wish for wish in wishes if wish):
            if root not in joined:
                joined.add(root)
                places[voice] = nearest
        for voice in voices.tolist():
            place = places.get(voice)
            if place is None:
                label = root = seeded_id(self._draft.voice_id(voice), self._taken)
                self._taken.add(label)
            else:
                label, root = int(self._given[place]), int(self._roots[place])
            self.labels[voice] = self._given[voice] = label
            self._roots[voice] = root
        self._is_known[voices] = True

    def _wish(self, voice: int) -> tuple[float, int, int, int] | None:
        """Whom a voice would join: (minus the cosine, the voice, root, whose cluster it gets)."""
        at = self._telling
        counts = self._is_known[at] & (self._draft.media_of[at] != self._draft.media_of[voice])
        own = self._rows[np.searchsorted(at, voice)]
        cosines = np.where(counts, self._rows @ own, -1.0)
        first, roots = int(cosines.argmax()), self._roots[at]
        best, root = float(cosines[first]), int(roots[first])
        second = float(cosines[roots != root].max(initial=-1.0))
        gives = counts & (roots == root) & (self._given[at] > 0)
        if best < _NEAR or best - second < _MARGIN or not gives.any():
            return None
        return -best, voice, root, int(at[np.where(gives, cosines, -2.0).argmax()])


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
