"""Which faces are seen while which voices speak, and not at other times.

How well the two fit is the correlation (phi) of "it speaks" and "it is seen" over the seconds in
which anybody speaks: 1 where each is there exactly while the other is, 0 by chance. A face that is
always in the picture correlates with nobody. It is taken over the files in which the voice speaks,
and over all, as a voice may be alone in its file; the higher one counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

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
        """Where one cluster is."""
        row = np.searchsorted(self.ids, cluster)
        first, end = np.searchsorted(self.rows, [row, row + 1]).tolist()
        return self.at[first:end]


def fits(
    faces: Presence, voices: Presence, may_be_one: Callable[[int, int], bool] = lambda *_: True
) -> list[Fit]:
    """Faces and voices that are clearly of one person, the surest first.

    `may_be_one`: whether those of two clusters may be; what may not is nobody's rival.
    """
    spoken = _once(voices.moments)
    heard, seen = _places(voices, spoken), _places(faces, spoken)
    files = np.cumsum(np.diff(spoken >> FILE_BITS, prepend=spoken[:1] >> FILE_BITS) != 0)
    found = [one for one in _rated(seen, heard, files) if may_be_one(one.face, one.voice)]
    rivals = _Rivals(found, _files_of(seen, files), _files_of(heard, files))
    clear = [
        one._replace(moments=spoken[np.intersect1d(seen.of(one.face), heard.of(one.voice), True)])
        for one in found
        if one.fit >= MIN_FIT and one.seconds >= MIN_SECONDS and not rivals.has(one)
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


class _Rivals:
    """Other faces of a voice, and other voices of a face.

    Those of other files are none: one person may have several clusters.
    """

    def __init__(
        self,
        found: Iterable[Fit],
        files_of_faces: Mapping[int, set[int]],
        files_of_voices: Mapping[int, set[int]],
    ) -> None:
        self._of_faces, self._of_voices = files_of_faces, files_of_voices
        self._by_face: dict[int, list[Fit]] = defaultdict(list)
        self._by_voice: dict[int, list[Fit]] = defaultdict(list)
        for one in found:
            self._by_face[one.face].append(one)
            self._by_voice[one.voice].append(one)

    def has(self, one: Fit) -> bool:
        """Whether another one is nearly as good."""
        faces = (
            other
            for other in self._by_voice[one.voice]
            if other.face != one.face
            and not self._of_faces[one.face].isdisjoint(self._of_faces[other.face])
        )
        voices = (
            other
            for other in self._by_face[one.face]
            if other.voice != one.voice
            and not self._of_voices[one.voice].isdisjoint(self._of_voices[other.voice])
        )
        return any(other.fit * CLEARLY > one.fit for some in (faces, voices) for other in some)
