"""Voices of a Collection's files in clusters: known ones stay, new ones join where that is safe."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.models import voice_model
from shared.people.state import PeopleState
from shared.people.voices import VoiceGrouping, VoiceIndex
from workers.recluster.voices.joining import VoiceJoining, unit_rows

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
    known_at = VoiceIndex(old).same([draft.media[n] for n in draft.media_of], draft.ids.tolist())
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
    has_rows = len(old) and _is_same_model(old)
    return {
        "hashes": hashes[old.media_of[at]],
        "ids": old.ids[at],
        "numbers": old.numbers[at],
        "rows": old.rows[at] if has_rows else np.zeros((len(at), DIM), np.float16),
        "seconds": old.seconds[at],
        "excerpts": old.excerpts[at],
        "is_there": old.is_there[at],
    }


def _now(old: VoiceGrouping, files: Sequence[FileVoices]) -> dict[str, NDArray[Any]]:
    """The voices of these files, and what is remembered of those that they had."""
    voices: list[HeardVoice] = []
    hashes: list[str] = []
    is_there: list[bool] = []
    for file in files:
        there = {voice.id for voice in file.voices}
        gone = sorted(_had(old, file.hash_str) - there - file.deleted)
        voices += [*file.voices, *(HeardVoice(id_, 0, (), 0.0, (0.0, 0.0)) for id_ in gone)]
        hashes += [file.hash_str] * (len(there) + len(gone))
        is_there += [True] * len(there) + [False] * len(gone)
    rows = np.zeros((len(voices), DIM), np.float16)
    for n, voice in enumerate(voices):
        with np.errstate(over="ignore"):
            row = np.array([voice.row], np.float32)
        if row.shape[1] == DIM and np.isfinite(row).all():
            rows[n] = unit_rows(row)[0]
    return {
        "hashes": np.array(hashes, "S16"),
        "ids": np.array([voice.id for voice in voices], np.uint32),
        "numbers": np.array([voice.number for voice in voices], np.int32),
        "rows": rows,
        "seconds": np.array([voice.seconds for voice in voices], np.float32),
        "excerpts": np.array([voice.excerpt for voice in voices], np.float32).reshape(-1, 2),
        "is_there": np.array(is_there, np.bool_),
    }


def _had(old: VoiceGrouping, hash_str: str) -> set[int]:
    at = bisect_left(old.media, hash_str)
    if old.media[at : at + 1] != (hash_str,):
        return set()
    first, end = np.searchsorted(old.media_of, [at, at + 1]).tolist()
    return set(old.ids[first:end].tolist())
