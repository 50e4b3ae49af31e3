"""Voices of a Collection's files in clusters: known ones stay, new ones join where that is safe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import voice_id
from shared.people.clustering import NO_CLUSTER
from shared.people.face_index import GONE
from shared.people.state import PeopleState
from shared.people.voices import VoiceGrouping, VoiceIndex
from shared.seeded_ids import seeded_id

# Cosine from which two voices may be one, and by which the nearest person is nearer than any other.
# With files of 267 people in several orders, each of one voice (3 s to 30 s of it: flite, read
# books, telephone prompts), nobody joined somebody else: clean, over noise 10 dB (16 people) and
# 5 dB below speech, over music 10 dB below it, and with all of these in one collection. Of voices
# whose person was there 67 %, 85 %, 86 %, 71 % and 31 % joined; of those of 12 s or more 89 % clean
# and 85 % over the louder noise. From 0.92 and 0.03, or 0.91 and 0.05, a few were wrong.
_NEAR, _MARGIN = 0.92, 0.05
_LEAST_S = 5.0  # of speech, of both voices: less tells too little


@dataclass(frozen=True, slots=True)
class HeardVoice:
    """A speaker of a file, as the speakers artefact tells of one."""

    id: int
    number: int  # place among the speakers of the file
    row: tuple[float, ...]
    seconds: float
    excerpt: tuple[float, float]


@dataclass(frozen=True, slots=True)
class FileVoices:
    """The voices of a file as they are now; none where nothing tells of them any more."""

    hash_str: str
    file: str = ""  # name of the speakers artefact
    model: str = ""
    voices: Sequence[HeardVoice] = field(default=())


def regrouped(
    state: PeopleState,
    files: Sequence[FileVoices],
    checkpoint: Callable[[], None] = lambda: None,
) -> VoiceGrouping:
    """The grouping of a state with the voices of these files as they are now.

    Known voices keep their clusters, also such as come back. A new one joins the person who is
    near and clearly nearer than all others, in another file; else it has a cluster of its own. Two
    voices of one file never join each other, nor one person by this.
    """
    old = state.grouped_voices
    draft = _draft(old, files)
    known_at = VoiceIndex(old).same([draft.media[n] for n in draft.media_of], draft.ids.tolist())
    joining = _Joining(draft, state, known_at)
    is_new = known_at == GONE
    for media in np.unique(draft.media_of[is_new]).tolist():
        checkpoint()
        joining.place(np.flatnonzero(is_new & (draft.media_of == media)))
    return replace(draft, labels=joining.labels)


class _Joining:
    """Clusters of voices, while new ones find theirs one file after another."""

    def __init__(
        self, draft: VoiceGrouping, state: PeopleState, known_at: NDArray[np.int32]
    ) -> None:
        self._draft = draft
        self._rows = _unit(draft.rows)
        is_known = known_at != GONE
        self.labels = np.zeros(len(draft), np.int32)
        self.labels[is_known] = state.grouped_voices.labels[known_at[is_known]]
        # By users' edits: with merges, and the cluster that one who joins is given.
        self._roots = np.full(len(draft), NO_CLUSTER, np.int64)
        self._roots[is_known] = state.voices[known_at[is_known]]
        self._given = self.labels.copy()
        self._given[is_known] = state.voice_labels[known_at[is_known]]
        # Faces and voices are together by what users say alone, and as long as they say it.
        seen = state.clustering.cluster_ids
        self._given[np.isin(self._given, seen)] = NO_CLUSTER
        # Whoever was said to be nobody is like nobody else.
        nobody = np.flatnonzero(self._roots == NO_CLUSTER)
        self._roots[nobody] = -2 - nobody
        self._is_known = is_known
        self._tells = (
            draft.is_there & (draft.seconds >= _LEAST_S) & (np.abs(self._rows).sum(axis=1) > 0)
        )
        self._taken: set[int] = {*state.known_ids}

    def place(self, voices: NDArray[np.intp]) -> None:
        """Give these new voices of one file their clusters."""
        joined = self._joined(voices)
        for voice in voices.tolist():
            place = joined.get(voice)
            if place is None:
                name = voice_id(
                    self._draft.media[self._draft.media_of[voice]], int(self._draft.ids[voice])
                )
                label = root = seeded_id(name, self._taken)
                self._taken.add(label)
            else:
                label, root = int(self._given[place]), int(self._roots[place])
            self.labels[voice] = self._given[voice] = label
            self._roots[voice] = root
        self._is_known[voices] = True

    def _joined(self, voices: NDArray[np.intp]) -> dict[int, int]:
        """For each of them that joins somebody, a voice whose cluster it gets."""
        here = self._draft.media_of == self._draft.media_of[voices[0]]
        others = np.flatnonzero(self._tells & self._is_known & ~here)
        if not len(others):
            return {}
        in_file = set(self._roots[here & self._is_known & self._draft.is_there].tolist())
        roots, of_root = np.unique(self._roots[others], return_inverse=True)
        wishes: list[tuple[float, int, int, int]] = []
        for voice in voices[self._tells[voices]].tolist():
            cosines = (self._rows @ self._rows[voice])[others]
            best = np.full(len(roots), -1.0)
            np.maximum.at(best, of_root, cosines)
            first = int(best.argmax())
            second = float(np.delete(best, first).max(initial=-1.0))
            if best[first] < _NEAR or best[first] - second < _MARGIN:
                continue
            theirs = np.flatnonzero((of_root == first) & (self._given[others] > 0))
            if len(theirs) and int(roots[first]) not in in_file:
                nearest = int(others[theirs[cosines[theirs].argmax()]])
                wishes.append((-float(best[first]), voice, int(roots[first]), nearest))
        found: dict[int, int] = {}
        given: set[int] = set()
        for _, voice, root, nearest in sorted(wishes):
            if root not in given:
                given.add(root)
                found[voice] = nearest
        return found


def _draft(old: VoiceGrouping, files: Sequence[FileVoices]) -> VoiceGrouping:
    """All voices in their order, without clusters: of these files as they are now."""
    now = {file.hash_str: file for file in files}
    model = next((file.model for file in reversed(files) if file.voices), old.model)
    dim = _dim(old, files, model)
    parts = [_kept(old, now, model, dim), *(_of_file(old, file, model, dim) for file in files)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    hashes = columns.pop("hashes")
    order = np.lexsort((columns["ids"], hashes))
    names = dict(zip(old.media, old.media_files, strict=True))
    names |= {hash_str: file.file for hash_str, file in now.items()}
    heard = {one.decode() for one in np.unique(hashes).tolist()}
    media = tuple(sorted(h for h, name in names.items() if name or h in heard))
    media_of = np.searchsorted(np.array(media, "S16"), hashes[order])
    return VoiceGrouping(
        number=old.number,
        model=model,
        made_at=time.time(),
        media=media,
        media_files=tuple(names[hash_str] for hash_str in media),
        media_of=media_of.astype(np.int32),
        labels=np.zeros(len(order), np.int32),
        **{name: column[order] for name, column in columns.items()},
    )


def _dim(old: VoiceGrouping, files: Sequence[FileVoices], model: str) -> int:
    if len(old) and old.model == model:
        return int(old.rows.shape[1])
    lengths = [len(voice.row) for f in files if f.model == model for voice in f.voices]
    return max(lengths, default=0)


def _kept(
    old: VoiceGrouping, now: dict[str, FileVoices], model: str, dim: int
) -> dict[str, NDArray[Any]]:
    """The voices of all other files. Rows of two models never meet."""
    stays = np.array([hash_str not in now for hash_str in old.media], np.bool_)
    at = np.flatnonzero(stays[old.media_of]) if len(old.media) else np.zeros(0, np.intp)
    hashes = np.array(old.media, "S16")
    is_same = old.model == model
    return {
        "hashes": hashes[old.media_of[at]],
        "ids": old.ids[at],
        "numbers": old.numbers[at],
        "rows": old.rows[at] if is_same and len(old) else np.zeros((len(at), dim), np.float16),
        "seconds": old.seconds[at],
        "excerpts": old.excerpts[at],
        "is_there": old.is_there[at],
    }


def _of_file(old: VoiceGrouping, file: FileVoices, model: str, dim: int) -> dict[str, NDArray[Any]]:
    """The voices of a file, and what is remembered of those that it had."""
    there = {voice.id for voice in file.voices}
    had: list[int] = []
    if file.hash_str in old.media:
        had = old.ids[old.media_of == old.media.index(file.hash_str)].tolist()
    gone = [HeardVoice(id_, 0, (), 0.0, (0.0, 0.0)) for id_ in had if id_ not in there]
    voices = [*file.voices, *gone]
    rows = np.zeros((len(voices), dim), np.float16)
    for n, voice in enumerate(voices):
        if file.model == model and len(voice.row) == dim:
            rows[n] = _unit(np.array([voice.row], np.float64))[0]
    return {
        "hashes": np.full(len(voices), file.hash_str, "S16"),
        "ids": np.array([voice.id for voice in voices], np.uint32),
        "numbers": np.array([voice.number for voice in voices], np.int32),
        "rows": rows,
        "seconds": np.array([voice.seconds for voice in voices], np.float32),
        "excerpts": np.array([voice.excerpt for voice in voices], np.float32).reshape(-1, 2),
        "is_there": np.array([voice.id in there for voice in voices], np.bool_),
    }


def _unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows of length 1; zeros where there is none."""
    found = np.nan_to_num(rows.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(lengths > 0, lengths, 1), np.float32)
