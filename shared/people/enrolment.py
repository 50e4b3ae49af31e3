"""People enrolled from reference photos, in a whole cache folder: what they look like.

A log in CACHE_DIR/people, as edits are in each Collection: additions in files of their own, so any
number of machines may enroll.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.models.specs import FaceScale
from shared.opening import RootedPath
from shared.people.addition_log import AdditionLog
from shared.people.clustering import Clustering
from shared.people.names import spoken

# Of the scale's `person`: the power that makes the least likeness to a reference. Measured on
# made-up casts of 450 people and on photos (tests/quality/people/test_enrolment.py); means of
# clusters are nearer to everybody than single faces, and few references are nearer to nobody.
_POWER = 0.9


class Reference(msgspec.Struct, frozen=True):
    """The face on a reference photo as one face model sees it."""

    model: str
    vector: bytes  # little-endian float16, a unit row

    @classmethod
    def of(cls, model: str, row: NDArray[np.floating]) -> Reference:
        return cls(model, row.astype("<f2").tobytes())


class Enrolment(msgspec.Struct, frozen=True):
    """References of a person; several of one name are one person's. Without a name: forgotten."""

    name: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True, eq=False)
class KnownPeople:
    """The enrolled people of one face model. Immutable."""

    model: str
    names: tuple[str, ...]  # [p]
    rows: NDArray[np.float32]  # [r, dim] unit rows: references, and the mean of each one's
    starts: NDArray[np.intp]  # [p] first row of each person, ascending
    least: float  # the cosine from which on a face is that of a reference

    def likeness(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """[n, p] cosine of each row with the nearest row of each person."""
        cosines = rows.astype(np.float32) @ self.rows.T
        found: NDArray[np.float32] = np.maximum.reduceat(cosines, self.starts, axis=1)
        return found


NOBODY = KnownPeople("", (), np.zeros((0, 0), np.float32), np.zeros(0, np.intp), 1.0)


class References:
    """The reference photos of a cache folder. Safe for threads; keeps what it has read."""

    def __init__(self, cache_root: RootedPath) -> None:
        self._log: AdditionLog[Enrolment] = AdditionLog(
            cache_root / "people", Enrolment, cache_root
        )
        self._lock = threading.Lock()
        self._known: tuple[object, dict[str, KnownPeople]] = (None, {})

    def version(self) -> tuple[str, ...]:
        """Equal versions, equal references."""
        return self._log.names()

    def add(self, enrolment: Enrolment) -> None:
        """Keep references of a person durably."""
        self._log.append(enrolment)

    def of(self, name: str, model: str = "") -> list[Reference]:
        """References of a person, whatever the case of the letters; of all models, or of one."""
        wanted = spoken(name)
        entries = (added.what for added in self._log.read())
        found = [one for what in entries if spoken(what.name) == wanted for one in what.references]
        return [one for one in found if model in ("", one.model)]

    def names(self) -> tuple[str, ...]:
        """Everybody who is enrolled, as named last."""
        return tuple(name for name, _ in self.photos().values())

    def photos(self) -> dict[str, tuple[str, int]]:
        """By how a name is spoken: as it was written last, and how many photos it has.

        A photo has a reference by each model that saw it.
        """
        named: dict[str, str] = {}
        counts: dict[str, Counter[str]] = {}
        for added in self._log.read():
            if who := spoken(added.what.name):
                named[who] = added.what.name
                models = (reference.model for reference in added.what.references)
                counts.setdefault(who, Counter()).update(models)
        return {who: (name, max(counts[who].values(), default=0)) for who, name in named.items()}

    def forget(self, names: Collection[str]) -> None:
        """Leave no reference of these people (as `spoken` has them) in any file."""

        def without(what: Enrolment) -> Enrolment:
            return Enrolment("", ()) if spoken(what.name) in names else what

        if names:
            self._log.rewrite(without)

    def known(self, model: str, scale: FaceScale | None) -> KnownPeople:
        """Who is enrolled; the same object as long as nothing changes. Nobody without a scale."""
        if scale is None:
            return NOBODY
        log = self._log.read()
        with self._lock:
            if self._known[0] is not log:
                self._known = (log, {})
            kept = self._known[1]
            if model not in kept:
                kept[model] = _known(model, (added.what for added in log), scale)
            return kept[model]


def _known(model: str, enrolments: Iterable[Enrolment], scale: FaceScale) -> KnownPeople:
    names: dict[str, str] = {}  # as they were given last, by how they are spoken
    rows: dict[str, list[NDArray[np.float32]]] = {}
    dim = 0
    for what in enrolments:
        for reference in what.references:
            row = _row(reference)
            if reference.model != model or row is None or len(row) != (dim or len(row)):
                continue
            dim = len(row)
            names[spoken(what.name)] = what.name
            rows.setdefault(spoken(what.name), []).append(row)
    if not rows:
        return NOBODY
    of_each = [_with_mean(np.stack(own)) for own in rows.values()]
    starts = np.cumsum([0, *map(len, of_each)])[:-1].astype(np.intp)
    least = max(scale.person, 0.0) ** _POWER
    return KnownPeople(
        model, tuple(names[who] for who in rows), np.concatenate(of_each), starts, least
    )


def _row(reference: Reference) -> NDArray[np.float32] | None:
    """The unit row; None for what is none: anybody may write to a share."""
    if not reference.vector or len(reference.vector) % 2:
        return None
    row = np.frombuffer(reference.vector, "<f2").astype(np.float32)
    length = float(np.linalg.norm(row))
    return row / np.float32(length) if np.isfinite(length) and length > 0 else None


def _with_mean(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Several rows with their mean, which is nearer to a person than each of them."""
    total = rows.sum(axis=0)
    length = float(np.linalg.norm(total))
    return np.vstack([rows, total / np.float32(length)]) if len(rows) > 1 and length else rows


_FARTHER = 1.5  # than a person's nearest cluster another one may be; measured with `least`
_AT_ONCE = 8192  # rows
_HIGHEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Recognised:
    """Clusters and loose faces of one Clustering that are those of enrolled people."""

    known: KnownPeople = NOBODY
    clusters: Mapping[int, tuple[int, float]] = field(default_factory=dict)  # person, cosine
    # Faces in no cluster belong to people, too, however few they are.
    faces: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    at: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))  # in `loose`
    who: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    cosines: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    own_ids: Mapping[int, int] = field(default_factory=dict)  # of those people, by person


def recognise(clustering: Clustering, known: KnownPeople) -> Recognised:
    """Everybody whose references are near enough. Vectors of two models never meet."""
    dim = known.rows.shape[1]
    means = clustering.means if clustering.means.shape[1] == dim else np.zeros((0, dim), "f4")
    loose = clustering.loose_embeddings
    if not known.names or known.model != clustering.model or loose.shape[1] not in (0, dim):
        return Recognised()
    clusters = _clusters(clustering, known, means)
    who, cosines = np.full(len(loose), -1, np.intp), np.zeros(len(loose), np.float32)
    for start in range(0, len(loose), _AT_ONCE):
        likeness = known.likeness(loose[start : start + _AT_ONCE])
        nearest = likeness.argmax(axis=1)
        best = likeness[np.arange(len(likeness)), nearest]
        cosines[start : start + _AT_ONCE] = best
        who[start : start + _AT_ONCE] = np.where(best >= known.least, nearest, -1)
    found = np.flatnonzero((who >= 0) & (clustering.loose >= 0))
    return Recognised(
        known=known,
        clusters=clusters,
        faces=clustering.loose[found],
        at=found,
        who=who[found],
        cosines=cosines[found],
        own_ids=_own_ids(clustering, known, clusters, np.unique(who[found])),
    )


def enrolled_id(name: str) -> int:
    """The id of the faces in no cluster of an enrolled person, unless another one has it."""
    digest = hashlib.sha256(f"person:{spoken(name)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & _HIGHEST_ID


def _clusters(
    clustering: Clustering, known: KnownPeople, means: NDArray[np.float32]
) -> dict[int, tuple[int, float]]:
    """Of each recognised cluster the person and the cosine.

    A double's cluster may be near enough as well, but not as near as the person's own.
    """
    if not len(means):
        return {}
    likeness = known.likeness(means)
    nearest = likeness.max(axis=0)
    fits = (likeness >= known.least) & (1 - likeness <= _FARTHER * (1 - nearest))
    best = np.where(fits, likeness, -1).argmax(axis=1)
    return {
        int(clustering.cluster_ids[row]): (int(best[row]), float(likeness[row, best[row]]))
        for row in np.flatnonzero(fits.any(axis=1)).tolist()
    }


def _own_ids(
    clustering: Clustering,
    known: KnownPeople,
    clusters: Mapping[int, tuple[int, float]],
    people: NDArray[np.intp],
) -> dict[int, int]:
    """An id for each person's faces in no cluster: everywhere the same, and no other person's."""
    taken = set(clustering.cluster_ids.tolist())
    found: dict[int, int] = {}
    for person in people.tolist():
        number = enrolled_id(known.names[person])
        while number == 0 or (number in taken and clusters.get(number, (-1,))[0] != person):
            number = (number + 1) & _HIGHEST_ID
        found[person] = number
        taken.add(number)
    return found
