"""Which of the ranked hits are on a page. Pure: hits in, hits and the end of the page out.

A page begins behind the key of the last match of the page before, and not after so many matches:
what came into the folder meanwhile moves nothing. It is found where its own key comes later.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np
from itsdangerous import BadData, URLSafeSerializer

from api.search.paging.fields import MOST_MATCHES, PageFields
from api.search.types import QueryVectors, VectorArray
from shared.errors import BadInput

SALT = "search-cursor"
# Fields that choose neither which matches there are nor their order.
_FREE = frozenset({"cursor", "license_key", "max_results", "images", "details", "coverage"})
ANEW = 'start anew with "cursor": "".'

Key = tuple[Any, ...]  # numbers and texts; matches are in its order
# So many may be ranked for them: those of files that came meanwhile are among them.
_MOST_RANKED = 8 * MOST_MATCHES
MatchT = TypeVar("MatchT")


class KeptQuery(msgspec.Struct, frozen=True, array_like=True):
    """Vectors of a visual search, as float32 bytes, and how well the model knows its words."""

    query: bytes | None
    picture: bytes | None
    exclude: tuple[bytes, ...]
    familiarity: float | None

    @classmethod
    def of(cls, vectors: QueryVectors, familiarity: float | None) -> KeptQuery:
        excluded = () if vectors.exclude is None else vectors.exclude
        return cls(
            _bytes(vectors.query),
            _bytes(vectors.picture),
            tuple(vector.astype("<f4").tobytes() for vector in excluded),
            familiarity,
        )

    def vectors(self, text_weight: float) -> QueryVectors:
        return QueryVectors(
            query=None if self.query is None else _vector(self.query),
            picture=None if self.picture is None else _vector(self.picture),
            exclude=np.stack([_vector(raw) for raw in self.exclude]) if self.exclude else None,
            text_weight=text_weight,
        )


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The end of a page.

    `search` is the digest of the request, `folder` the id of the CacheDir. `given` counts matches
    of all pages so far, `of_last` those that the last thing gave: a match has one for each path
    that the client asked for it by. `last` is the key of the worst match that is given at all.

    No server keeps anything of it. It carries the vectors that the search ranks by: so each page is
    ranked as the first one was, by whatever replica, and asks no model.
    """

    search: str
    folder: str
    model: str
    after: Key
    of_last: int
    given: int
    last: Key | None = None
    kept: KeptQuery | None = None


def digest(kind: str, body: PageFields) -> str:
    """What a search asks for, but for how much of it is wanted."""
    asked = {name: getattr(body, name) for name in body.__struct_fields__ if name not in _FREE}
    return hashlib.sha256(msgspec.json.encode([kind, asked], order="sorted")).hexdigest()[:24]


def read(signer: URLSafeSerializer, text: str, search: str) -> Cursor:
    """A client's cursor, for the search of this digest. Raises BadInput with the cure."""
    try:
        found = msgspec.convert(signer.loads(text, salt=SALT), Cursor)
    except (BadData, msgspec.ValidationError):
        raise BadInput(
            f"cursor: it must be the `next` of an earlier answer, as it was given; {ANEW}"
        ) from None
    if found.search != search:
        raise BadInput(
            "cursor: it belongs to another search; send the fields with which it was given, or "
            + ANEW
        )
    return found


def _bytes(vector: VectorArray | None) -> bytes | None:
    return None if vector is None else vector.astype("<f4").tobytes()


def _vector(raw: bytes) -> VectorArray:
    return np.frombuffer(raw, "<f4").astype(np.float32)


class Placed(Protocol):
    """A hit of any search; see Hit for scores."""

    @property
    def hash_str(self) -> str: ...

    @property
    def tier(self) -> int:
        """What is in a higher one comes later, whatever its score."""
        ...

    @property
    def score(self) -> float: ...

    @property
    def base(self) -> float: ...

    @property
    def place(self) -> Key:
        """By which hits of one file are ordered in time, each its own."""
        ...


HitT = TypeVar("HitT", bound=Placed)


class Ending(NamedTuple):
    """Where a page ends, with more behind it; see Cursor."""

    after: Key
    of_last: int
    given: int
    last: Key | None = None


@dataclass(frozen=True, slots=True)
class HitPage(Generic[HitT]):
    """Hits in the order in which they are given.

    `places` is, for each hit, which of the client's paths it is given for (None: all of them).
    `sizes` are lengths of groups of neighbouring hits of one file, where they are grouped. `best`
    is the highest score without excluded concepts, before weak hits were left out.
    """

    hits: list[HitT]
    places: list[slice] | None = None
    sizes: list[int] | None = None
    ending: Ending | None = None
    best: float | None = None

    @property
    def all_places(self) -> list[slice]:
        return [slice(None)] * len(self.hits) if self.places is None else self.places


@dataclass(frozen=True, slots=True)
class TheBest(Generic[HitT]):
    """Picks so many hits, best first; `keeps` and `falls` as in OnePage."""

    first: int  # how many hits are to be ranked first
    keeps: Callable[[HitT], bool] = lambda _: True
    falls: bool = True

    @property
    def most(self) -> int:
        """How many are to be ranked at the most."""
        return self.first if self.falls else _MOST_RANKED

    def pick(self, hits: list[HitT], is_all: bool) -> HitPage[HitT] | None:
        """Return the page; None where more hits are needed. `is_all`: there are no more."""
        strong = [hit for hit in hits if self.keeps(hit)]
        if len(strong) < self.first and not is_all:
            return None
        return HitPage(strong[: self.first])


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a search: a key for each file and each hit.

    `places` says by hash where a file comes among all; `recorded` when it was, in Unix seconds.
    """

    sort: str = "score"
    places: Mapping[str, str] | Mapping[str, int] = field(default_factory=dict)
    recorded: Mapping[str, float | None] = field(default_factory=dict)

    def of_file(self, hash_str: str) -> Key:
        at = self._at(hash_str)
        if not self.sort.startswith("date"):
            return at
        moment = self.recorded.get(hash_str)
        if moment is None:
            return 1, 0.0, *at
        return 0, -moment if self.sort == "date_desc" else moment, *at

    def of_hit(self, hit: Placed) -> Key:
        if self.sort == "score":
            return self.rank(hit)
        return *self.of_file(hit.hash_str), *hit.place

    def rank(self, hit: Placed) -> Key:
        """The order in which hits are found, those with the same score too."""
        return hit.tier, -hit.score, *self._at(hit.hash_str), *hit.place

    def _at(self, hash_str: str) -> Key:
        return self.places.get(hash_str, ""), hash_str


@dataclass(frozen=True, slots=True)
class OnePage(Generic[HitT]):
    """Picks the page of `size` matches, or files, that comes after a cursor.

    `keeps`: whether a hit is strong enough; `falls`: whether all after one that is not are not,
    either. `copies`: how many of the client's files hold what a hit shows. `per_file`: at most so
    many hits of each file, under it; None: they are not grouped. `ahead`: hits come in this very
    order, so that few are enough, and about so many of them were given before; None: all that are
    given at all are needed first.
    """

    size: int
    order: Order
    cursor: Cursor | None
    keeps: Callable[[HitT], bool]
    falls: bool
    copies: Callable[[str], int]
    per_file: int | None = None
    ahead: int | None = None

    @property
    def first(self) -> int:
        if self.ahead is None:
            return MOST_MATCHES
        return self.ahead + (self.size + 1) * (self.per_file or 1)

    @property
    def most(self) -> int:
        return _MOST_RANKED

    def pick(self, hits: list[HitT], is_all: bool) -> HitPage[HitT] | None:
        strong = [hit for hit in hits if self.keeps(hit)]
        is_all = is_all or (self.falls and bool(hits) and not self.keeps(hits[-1]))
        if self.ahead is not None:
            if not is_all and not self._is_enough(strong):
                return None
            return self.of_these(strong)
        last = self.cursor.last if self.cursor else None
        if self.cursor is None and len(strong) >= MOST_MATCHES:
            last = self.order.rank(strong[MOST_MATCHES - 1])  # of as many as are given at all
        elif not is_all and (last is None or self.order.rank(hits[-1]) < last):
            return None
        given = [hit for hit in strong if last is None or self.order.rank(hit) <= last]
        return self.of_these(given, last)

    def of_these(self, hits: list[HitT], last: Key | None = None) -> HitPage[HitT]:
        """The page of these hits, which are all that count. They come best first, if grouped."""
        if self.per_file is not None:
            return self._groups(hits, last)
        return self._cut(self._after(sorted(hits, key=self.order.of_hit)), last)

    @property
    def _given(self) -> int:
        return self.cursor.given if self.cursor else 0

    def _is_enough(self, hits: list[HitT]) -> bool:
        """Whether there is more than the page after the cursor."""
        if self.per_file is not None:
            keys = {self._group_key([hit]) for hit in hits}
            after = self.cursor.after if self.cursor else None
            return sum(after is None or key > after for key in keys) > self.size
        return self._count(self._after(hits)) > self.size

    def _after(self, hits: list[HitT]) -> list[HitT]:
        """Hits, in order, from the first one that was not given for all its paths on."""
        if self.cursor is None:
            return hits
        after, of_last = self.cursor.after, self.cursor.of_last
        keyed = ((self.order.of_hit(hit), hit) for hit in hits)
        return [
            hit
            for key, hit in keyed
            if key > after or (key == after and of_last < self.copies(hit.hash_str))
        ]

    def _begun(self, hit: HitT) -> int:
        """For how many of its paths a hit was given on the page before."""
        cursor = self.cursor
        return cursor.of_last if cursor and self.order.of_hit(hit) == cursor.after else 0

    def _count(self, rest: list[HitT]) -> int:
        """Matches that these hits are, which come after the cursor."""
        begun = self._begun(rest[0]) if rest else 0
        return sum(self.copies(hit.hash_str) for hit in rest) - begun

    def _cut(self, hits: list[HitT], last: Key | None) -> HitPage[HitT]:
        """As many as fit on the page."""
        shown: list[HitT] = []
        places: list[slice] = []
        room = min(self.size, MOST_MATCHES - self._given)
        count = 0
        for hit in hits:
            start = self._begun(hit)
            stop = min(self.copies(hit.hash_str), start + room - count)
            if stop <= start:
                break
            shown.append(hit)
            places.append(slice(start, stop))
            count += stop - start
        is_end = len(shown) == len(hits) and (
            not shown or places[-1].stop == self.copies(shown[-1].hash_str)
        )
        given = self._given + count
        ending = None
        if shown and not is_end and given < MOST_MATCHES:
            ending = Ending(self.order.of_hit(shown[-1]), places[-1].stop, given, last)
        return HitPage(shown, places, ending=ending)

    def _groups(self, hits: Iterable[HitT], last: Key | None) -> HitPage[HitT]:
        """Files with their best hits; the hits come best first."""
        of_files: dict[str, list[HitT]] = {}
        for hit in hits:
            of_files.setdefault(hit.hash_str, []).append(hit)
        keyed = sorted((self._group_key(of_file), of_file) for of_file in of_files.values())
        if self.cursor is not None:
            keyed = [one for one in keyed if one[0] > self.cursor.after]
        page = [of_file[: self.per_file] for _, of_file in keyed[: self.size]]
        if self.order.sort == "time":
            page = [sorted(of_file, key=lambda hit: hit.place) for of_file in page]
        shown = [hit for of_file in page for hit in of_file]
        ending = None
        if len(keyed) > len(page):
            ending = Ending(keyed[len(page) - 1][0], 0, self._given + len(shown), last)
        return HitPage(shown, sizes=[len(of_file) for of_file in page], ending=ending)

    def _group_key(self, of_file: list[HitT]) -> Key:
        best = of_file[0]
        return (
            self.order.rank(best)
            if self.order.sort == "score"
            else self.order.of_file(best.hash_str)
        )


Picker = TheBest[HitT] | OnePage[HitT]


def picked(picker: Picker[HitT], ranked: Callable[[int], list[HitT]]) -> HitPage[HitT]:
    """A page of as few hits as it takes; `ranked` gives so many of the best.

    After the first time it may leave out weak ones.
    """
    most = picker.first
    hits = ranked(most)
    best = max((hit.base for hit in hits), default=None)
    while True:
        page = picker.pick(hits, len(hits) < most or most >= picker.most)
        if page is not None:
            return replace(page, best=best)
        most = min(2 * most, picker.most)
        hits = ranked(most)


def grouped(of_hits: Iterable[list[MatchT]], sizes: Iterable[int]) -> list[list[MatchT]]:
    """Matches of neighbouring hits under their files, each hit once, whatever copies there are."""
    rest = iter(of_hits)
    return [[of_hit[0] for of_hit in itertools.islice(rest, size)] for size in sizes]
