"""People enrolled from reference photos, in a whole cache folder: what they look like.

A log in CACHE_DIR/people, as edits are in each Collection: additions in files of their own, so any
number of machines may enroll.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.models.specs import FaceScale
from shared.opening import RootedPath
from shared.people.addition_log import AdditionLog
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
        named = {spoken(added.what.name): added.what.name for added in self._log.read()}
        return tuple(filter(None, named.values()))

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
