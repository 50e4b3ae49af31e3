"""Faces and voices of a Collection that may be one person, as they are seen and heard together."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.cache.caches import LruCache
from api.folders import quick_map
from api.http.answers import counted
from api.people.snapshot import CollectionSnapshot
from shared.cache import cache_files, speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import seconds_of
from shared.domain import Manifest
from shared.errors import CacheError, NotAllowed
from shared.opening import RootedPath
from shared.people.clustering import NO_CLUSTER, slices_of
from shared.people.names import spoken
from shared.people.state import PeopleState

MIN_SECONDS = 10  # together, and in which others speak without the face
MIN_TIMES = 3  # together: one shot tells little
_BETWEEN_S = 3  # what is nearer is one time
MIN_FIT = 0.35
CLEARLY = 1.5  # times as good as each rival
FILE_BITS = 32
_BLOCK = 1_000_000  # pairs that are laid out at once

Whole = TypeVar("Whole", np.int32, np.int64)
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_NONE: Ints = np.zeros(0, np.int64)


class Presence(NamedTuple):
    """Where clusters are: one row for each and each second in which it is, in any order."""

    clusters: NDArray[np.int32]
    moments: Ints  # number of the file << FILE_BITS | grid second


class Fit(NamedTuple):
    """A face and a voice that are seen and heard together."""

    face: int
    voice: int
    seconds: int  # together
    spoken: int  # in which the voice speaks
    fit: float
    moments: Ints  # of them together, ascending


class _Places(NamedTuple):
    """Where clusters are among the spoken seconds: each pair once, by cluster."""

    ids: NDArray[np.int32]
    rows: Ints  # [n] place in `ids`
    at: Ints  # [n] place among the spoken seconds

    @property
    def counts(self) -> Ints:
        return np.bincount(self.rows, minlength=len(self.ids))

    def of(self, cluster: int) -> Ints:
        row = np.searchsorted(self.ids, cluster)
        first, end = np.searchsorted(self.rows, [row, row + 1]).tolist()
        return self.at[first:end]


def fits(
    faces: Presence, voices: Presence, may_be_one: Callable[[int, int], bool] = lambda *_: True
) -> list[Fit]:
    """Faces and voices that are clearly of one person, the surest first.

    How well the two fit is the correlation (phi) of "it speaks" and "it is seen" over the seconds
    in which anybody speaks: 1 where each is there exactly while the other is, 0 by chance. A face
    that is always in the picture correlates with nobody. It is taken over the files in which the
    voice speaks, and over all, as a voice may be alone in its file; the higher one counts.

    `may_be_one`: whether those of two clusters may be; what may not is nobody's rival.
    """
    spoken = _once(voices.moments)
    heard, seen = _places(voices, spoken), _places(faces, spoken)
    files = np.cumsum(np.diff(spoken >> FILE_BITS, prepend=spoken[:1] >> FILE_BITS) != 0)
    found = [one for one in _rated(seen, heard, files) if may_be_one(one.face, one.voice)]
    clear = [
        one._replace(moments=spoken[np.intersect1d(seen.of(one.face), heard.of(one.voice), True)])
        for one in _without_rivals(found, _files_of(seen, files), _files_of(heard, files))
        if one.fit >= MIN_FIT and one.seconds >= MIN_SECONDS
    ]
    clear = [one for one in clear if (np.diff(one.moments) > _BETWEEN_S).sum() + 1 >= MIN_TIMES]
    return sorted(clear, key=lambda one: (-one.fit, -one.seconds, one.face, one.voice))


def _once(values: NDArray[Whole]) -> NDArray[Whole]:
    """Each value once, ascending. np.unique hashes, which takes far longer."""
    values = np.sort(values, kind="stable")  # quick where much is in order
    return values[_is_new(values)]


def _is_new(values: NDArray[Whole]) -> NDArray[np.bool_]:
    """Of ascending values, whether each is another one than that before it."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _summed(keys: Ints, amounts: Ints) -> tuple[Ints, Ints]:
    """Each key once, ascending, and the sum of its amounts."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    firsts = np.flatnonzero(_is_new(keys))
    return keys[firsts], np.add.reduceat(amounts[order], firsts)


def _places(presence: Presence, spoken: Ints) -> _Places:
    """Where clusters are; what is not while somebody speaks is left out."""
    at = np.searchsorted(spoken, presence.moments)
    is_spoken = np.append(spoken, -1)[at] == presence.moments
    clusters = presence.clusters[is_spoken]
    ids = _once(clusters)
    pairs = _once(np.searchsorted(ids, clusters) * len(spoken) + at[is_spoken])
    return _Places(ids, *np.divmod(pairs, max(len(spoken), 1)))


def _rated(seen: _Places, heard: _Places, files: Ints) -> list[Fit]:
    """All pairs that could be one person, or a rival of such a pair."""
    every = len(seen.ids)
    pairs, together = _joined(heard.rows, heard.at, seen.rows, seen.at, every)
    voices, faces = np.divmod(pairs, max(every, 1))
    overall = _phi(
        np.full(len(pairs), len(files)), heard.counts[voices], seen.counts[faces], together
    )
    spoken, shown = _in_files_of(seen, heard, files, pairs)
    near = _phi(spoken[voices], heard.counts[voices], shown, together)
    fit = np.maximum(overall, near)
    is_one = (fit >= MIN_FIT) & (together >= MIN_SECONDS)
    is_near = np.isin(voices, voices[is_one]) | np.isin(faces, faces[is_one])
    counts = (fit * CLEARLY >= MIN_FIT) & is_near
    return [
        Fit(
            int(seen.ids[faces[n]]),
            int(heard.ids[voices[n]]),
            int(together[n]),
            int(heard.counts[voices[n]]),
            float(fit[n]),
            _NONE,
        )
        for n in np.flatnonzero(counts).tolist()
    ]


def _in_files_of(seen: _Places, heard: _Places, files: Ints, pairs: Ints) -> tuple[Ints, Ints]:
    """Of the files of a voice: spoken seconds, by voice, and those with the face, by pair."""
    width = int(files.max(initial=-1)) + 1
    of_voices = _once(heard.rows * width + files[heard.at])
    of_faces, shown = _summed(seen.rows * width + files[seen.at], np.ones_like(seen.at))
    voices, their_files = np.divmod(of_voices, max(width, 1))
    in_file = np.bincount(files, minlength=width)
    spoken = np.bincount(voices, in_file[their_files], minlength=len(heard.ids)).astype(np.int64)
    faces, at = np.divmod(of_faces, max(width, 1))
    keys, sums = _joined(voices, their_files, faces, at, len(seen.ids), shown)
    return spoken, sums[np.searchsorted(keys, pairs)]


def _joined(
    left: Ints, left_at: Ints, right: Ints, right_at: Ints, every: int, weights: Ints | None = None
) -> tuple[Ints, Ints]:
    """Keys `left * every + right` of rows that are at one place, and in how many, or the weight."""
    order = np.argsort(right_at, kind="stable")
    right, right_at = right[order], right_at[order]
    of_each = np.ones_like(right) if weights is None else weights[order]
    firsts = np.searchsorted(right_at, left_at)
    counts = np.searchsorted(right_at, left_at, side="right") - firsts
    ends = np.cumsum(counts)
    # In blocks: the pairs of all rows take far more memory than the rows.
    bounds = np.searchsorted(ends, np.arange(_BLOCK, int(ends[-1]) if len(ends) else 0, _BLOCK))
    found = [(_NONE, _NONE)]
    for start, end in pairwise([0, *bounds.tolist(), len(left)]):
        some = counts[start:end]
        within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        chosen = np.repeat(firsts[start:end], some) + within
        keys = np.repeat(left[start:end], some) * every + right[chosen]
        found.append(_summed(keys, of_each[chosen]))
    all_keys, sums = zip(*found, strict=True)
    return _summed(np.concatenate(all_keys), np.concatenate(sums))


def _phi(spoken: Ints, heard: Ints, seen: Ints, together: Ints) -> Floats:
    """The correlation of each pair; 0 where others hardly speak without the face."""
    n, v, f, both = (part.astype(np.float64) for part in (spoken, heard, seen, together))
    spread = v * f * (n - v) * (n - f)
    is_told = (spread > 0) & (n - v - f + both >= MIN_SECONDS)
    over = np.sqrt(np.where(is_told, spread, 1.0))
    return np.where(is_told, (n * both - v * f) / over, 0.0)


def _files_of(places: _Places, files: Ints) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    width = int(files.max(initial=0)) + 1
    for pair in _once(places.rows * width + files[places.at]).tolist():
        found[int(places.ids[pair // width])].add(pair % width)
    return found


def _without_rivals(
    found: Collection[Fit], of_faces: Mapping[int, set[int]], of_voices: Mapping[int, set[int]]
) -> Iterator[Fit]:
    """Fits of which no other face of the voice, and no other voice of the face, is nearly as good.

    Those of other files are no rivals: one person may have several clusters. `of_faces`,
    `of_voices`: the files of each.
    """
    by_face: dict[int, list[Fit]] = defaultdict(list)
    by_voice: dict[int, list[Fit]] = defaultdict(list)
    for one in found:
        by_face[one.face].append(one)
        by_voice[one.voice].append(one)
    for one in found:
        near = [o for o in by_voice[one.voice] if of_faces[o.face] & of_faces[one.face]]
        near += [o for o in by_face[one.face] if of_voices[o.voice] & of_voices[one.voice]]
        if not any(other is not one and other.fit * CLEARLY > one.fit for other in near):
            yield one


_log = logging.getLogger(__name__)
_KEPT_BYTES = 64 << 20  # an hour of talk takes some 10 kB
_AT_ONCE = 64  # between two looks at the clock


class VoiceTurns(NamedTuple):
    """The turns of a file of which nobody doubts who speaks, those that hold frames of the grid."""

    ids: NDArray[np.uint32]  # [n] of the speakers
    firsts: NDArray[np.int32]  # [n] the first frame of the grid in each
    ends: NDArray[np.int32]  # [n] the one behind its last

    @property
    def frames(self) -> int:
        return int((self.ends - self.firsts).sum(dtype=np.int64))


class HeardTurns:
    """The turns of many files, for one process; safe for threads."""

    def __init__(self) -> None:
        self._kept: LruCache[tuple[str, str, str], VoiceTurns] = LruCache(
            _KEPT_BYTES, lambda turns: sum(column.nbytes for column in turns)
        )

    def of(
        self,
        cache: CacheDir,
        files: Sequence[tuple[str, str]],
        pool: Executor,
        within_s: float,
    ) -> dict[str, VoiceTurns | None]:
        """Turns by hash_str of (hash_str, name of its speakers artefact), in order.

        None: they cannot be read. Files that were not come to in time are left out.
        """
        until = time.monotonic() + within_s
        found: dict[str, VoiceTurns | None] = {}
        for at in range(0, len(files), _AT_ONCE):
            some = files[at : at + _AT_ONCE]
            turns = quick_map(pool, lambda file: self._turns(cache, *file), some)
            found.update(zip((hash_str for hash_str, _ in some), turns, strict=True))
            if time.monotonic() > until:
                break
        return found

    def _turns(self, cache: CacheDir, hash_str: str, file: str) -> VoiceTurns | None:
        """Turns of the speakers artefact of this name, else of the one that counts.

        Ids are handed on from one artefact of a file to the next.
        """
        place = str(cache.root), hash_str
        found = self._kept.peek((*place, file))
        if found is None:
            try:
                with cache_files.clear_errors(cache.root):
                    manifest = speakers.newest(cache, hash_str)
                if manifest is None:
                    return None
                file = manifest.file
                found = self._kept.peek((*place, file)) or _read(cache, hash_str, manifest)
            except CacheError as error:
                _log.warning("%s: %s", hash_str, error)
                return None
        kept = found
        return self._kept.get((*place, file), lambda: kept)


def _read(cache: CacheDir, hash_str: str, manifest: Manifest) -> VoiceTurns:
    try:
        found = speakers.read(cache, hash_str, manifest)
    except NotAllowed as error:  # a link in it leads elsewhere
        raise CacheError(error.message) from error
    turns = {  # once each: very many may hold the same frames
        (found.speakers[turn.speaker].id, math.ceil(turn.start), math.ceil(turn.end))
        for turn in found.turns
        if not turn.doubtful
    }
    told = sorted((first, end, id_) for id_, first, end in turns if end > first)
    return VoiceTurns(
        np.array([id_ for *_, id_ in told], np.uint32),
        np.array([first for first, *_ in told], np.int32),
        np.array([end for _, end, _ in told], np.int32),
    )


MOST_PROPOSALS = 100
MOST_FILES = 2_000  # that are looked at: those in which is spoken longest
# In all of them; what is beyond is left out, a file at a time: up to 500 MB for a moment.
_MOST_FRAMES = 3_000_000  # in which voices speak
_MOST_FACES = 6_000_000
_MOST_MEETINGS = 12_000_000  # of a voice and a face in one frame
_MOST_PAIRS = 500_000  # of a person heard and one seen in one file
_SHOWN_FILES = 5
_NOWHERE = Presence(np.zeros(0, np.int32), np.zeros(0, np.int64))


class Proposal(NamedTuple):
    """A face and a voice that may be one person, with the files that say so most, by hash_str."""

    fit: Fit
    files: tuple[str, ...]


def files_to_hear(snapshot: CollectionSnapshot) -> list[tuple[str, str]]:
    """Files with faces and voices, those in which is spoken longest first.

    Each with the name of its speakers artefact.
    """
    grouped = snapshot.state.grouped_voices
    there = grouped.is_there & (snapshot.state.voices != NO_CLUSTER)
    seconds = np.bincount(
        grouped.media_of[there], grouped.seconds[there], minlength=len(grouped.media)
    )
    with_faces = set(snapshot.clustering.media)
    order = sorted(range(len(grouped.media)), key=lambda n: (-seconds[n], grouped.media[n]))
    return [
        (grouped.media[n], grouped.media_files[n])
        for n in order
        if seconds[n] and grouped.media[n] in with_faces
    ]


def proposals(
    snapshot: CollectionSnapshot, turns: Mapping[str, VoiceTurns | None]
) -> tuple[list[Proposal], int]:
    """Best first, none that users have decided on; and how many files were too much."""
    state = snapshot.state
    media, faces, voices = _together(snapshot, turns)
    found = fits(faces, voices, lambda face, voice: _may_be_one(state, face, voice))
    undecided = [one for one in found if one.face != one.voice]
    beyond = sum(of_file is not None for of_file in turns.values()) - len(media)
    best = []
    for fit in undecided[:MOST_PROPOSALS]:
        counts = Counter((fit.moments >> FILE_BITS).tolist()).most_common(_SHOWN_FILES)
        best.append(Proposal(fit, tuple(media[n] for n, _ in counts)))
    return best, beyond


def _together(
    snapshot: CollectionSnapshot, turns: Mapping[str, VoiceTurns | None]
) -> tuple[list[str], Presence, Presence]:
    """Files that are looked at, and where clusters of faces and of voices are in them."""
    grouped = snapshot.state.grouped_voices
    of_faces, of_voices = slices_of(snapshot.clustering), slices_of(grouped)
    media: list[str] = []
    seen, heard = [_NOWHERE], [_NOWHERE]
    left = np.array([_MOST_FRAMES, _MOST_FACES, _MOST_MEETINGS, _MOST_PAIRS])
    for hash_str, of_file in turns.items():
        if of_file is None or of_file.frames > left[0]:
            continue
        faces = _seen(snapshot, of_faces.get(hash_str, slice(0)))
        told = of_voices.get(hash_str, slice(0))
        clusters = snapshot.state.voices[told].tolist()
        ids = dict(zip(grouped.ids[told].tolist(), clusters, strict=True))
        voices = _heard(of_file, ids)
        pairs = len(np.unique(faces.clusters)) * len(np.unique(voices.clusters))
        # How often a voice and a face are in one second.
        ends = np.searchsorted(faces.moments, voices.moments, side="right")
        meetings = int((ends - np.searchsorted(faces.moments, voices.moments)).sum())
        cost = of_file.frames, len(faces.moments), meetings, pairs
        if (left >= cost).all():
            left -= cost
            for all_files, here in ((seen, faces), (heard, voices)):
                moments = len(media) << FILE_BITS | here.moments
                all_files.append(Presence(here.clusters, moments))
            media.append(hash_str)
    return media, _all(seen), _all(heard)


def _seen(snapshot: CollectionSnapshot, here: slice) -> Presence:
    """Where clusters of faces are seen in a file, whose faces are `here`, in order of time."""
    faces = snapshot.state.faces[here]
    is_somebody = faces != NO_CLUSTER
    seconds = seconds_of(snapshot.clustering.keys[here][is_somebody]).astype(np.int64)
    return Presence(faces[is_somebody], seconds)


def _heard(turns: VoiceTurns, ids: Mapping[int, int]) -> Presence:
    """Where clusters of voices speak in a file; those of nobody are somebody, too."""
    who = np.array([ids.get(id_, NO_CLUSTER) for id_ in turns.ids.tolist()], np.int32)
    counts = (turns.ends - turns.firsts).astype(np.int64)
    ends = np.cumsum(counts)
    within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
    return Presence(np.repeat(who, counts), np.repeat(turns.firsts, counts) + within)


def _all(found: Sequence[Presence]) -> Presence:
    clusters, moments = zip(*found, strict=True)
    return Presence(np.concatenate(clusters), np.concatenate(moments))


def _may_be_one(state: PeopleState, face: int, voice: int) -> bool:
    """Whether nobody has said that they are two people."""
    if voice == NO_CLUSTER or (min(face, voice), max(face, voice)) in state.apart:
        return False
    names = state.names.get(face), state.voice_names.get(voice)
    return None in names or spoken(names[0] or "") == spoken(names[1] or "")


_CAPACITY = 8  # Collections
_WITHIN_S = 5.0  # for reading what was not read before


class Proposed(NamedTuple):
    """What is proposed, and why files with faces and voices were not looked at."""

    found: list[Proposal]
    warnings: list[str]


class Proposing:
    """Finds proposals, for one process; safe for threads."""

    def __init__(self) -> None:
        self._turns = HeardTurns()
        self._kept: LruCache[RootedPath, _KeptProposals] = LruCache(_CAPACITY)

    def of(self, snapshot: CollectionSnapshot, pool: Executor) -> Proposed:
        """As of a snapshot. `pool`: threads for small reads in its folder."""
        kept = self._kept.get(snapshot.collection.folder, _KeptProposals)
        with kept.lock:
            if kept.found is not None and kept.found[0] is snapshot.state:
                return kept.found[1]
            files = files_to_hear(snapshot)
            asked = files[:MOST_FILES]
            turns = self._turns.of(snapshot.cache, asked, pool, _WITHIN_S)
            found, beyond = proposals(snapshot, turns)
            beyond += len(files) - len(asked)
            unread = sum(of_file is None for of_file in turns.values())
            told = Proposed(found, _warnings(len(files), len(asked) - len(turns), unread, beyond))
            # The next look goes on from there. A file that is made readable is another one.
            kept.found = (snapshot.state, told) if len(turns) == len(asked) else None
            return told


def _warnings(files: int, later: int, unread: int, beyond: int) -> list[str]:
    """Why some of these files were not looked at, of those that have faces and voices."""
    reasons = (
        (later, "could not be looked at in time. Ask again shortly for more of them."),
        (unread, "could not be looked at: who speaks in them cannot be read. Transcribe them "
         "again with force."),
        (beyond, f"were left out: at most {MOST_FILES:,} are looked at, those in which is spoken "
         "longest, and of very many faces and turns fewer."),
    )  # fmt: skip
    return [
        f"{counted(count, 'file')} of {files:,} with faces and voices {why}"
        for count, why in reasons
        if count
    ]


class _KeptProposals:
    """Proposals of one Collection. While one request finds them, others wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: tuple[PeopleState, Proposed] | None = None
