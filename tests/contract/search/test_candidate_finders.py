"""What finds candidates: bounds that hold, and the answers of a pass over all stored rows.

One suite for every CandidateFinder, all of which are exact, and for the index of scenes, which is
not: of it the recall is asked. Over real films and made ones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numkong
import numpy as np
import pytest
from numpy.typing import NDArray

from api.search.codes.codes import Basis, CodeFinder, Codes, EightBitCodes, FourBitCodes
from api.search.frames.estimates import Estimates, Places, score
from api.search.frames.ranking import Float16Scan, StoredPlaces, rank
from api.search.scenes.scene_store import SceneIndex, add, new_graph, pieces_of
from api.search.types import QueryVectors, RowRange
from tests.support.running.long_form import by_form
from tests.support.search.plain_ranking import Match, plain_matches
from tests.support.search.rows_of_films import Film, made_film, many_scenes, real_film

FILMS = {"real": real_film, "made": made_film}
QUERIES = by_form(short=70, long=210)


@dataclass(frozen=True, eq=False)
class Search:
    query: QueryVectors
    ranges: list[RowRange]
    most: int
    mask: NDArray[np.bool_] | None
    matches: list[Match]


@functools.cache
def searches(name: str) -> list[Search]:
    """With and without words, pictures, excluded concepts, files and people to look for."""
    film, random = FILMS[name](), np.random.default_rng(11)
    everything, files = film.snapshot.everything, list(film.snapshot.files)
    found = []
    for number in range(QUERIES):
        few = [str(hash_str) for hash_str in random.choice(files, max(1, len(files) // 3))]
        ranges = film.snapshot.ranges(few) if number % 4 == 3 else everything
        count = sum(stop - start for start, stop in ranges)
        mask = random.uniform(size=count) < random.choice([0.01, 0.5]) if number % 5 == 4 else None
        most = int(random.choice([1, 5, 50, 50, 50, 400]))
        query = asked(film, number)
        matches = plain_matches(film.snapshot, query, ranges, most, mask)
        found.append(Search(query, ranges, most, mask, matches))
    return found


def asked(film: Film, number: int) -> QueryVectors:
    text = film.texts[number % len(film.texts)]
    picture = film.pictures[number % len(film.pictures)]
    query = [
        QueryVectors(query=text),
        QueryVectors(picture=picture),
        QueryVectors(query=text, picture=picture, text_weight=0.5),
    ][number % 3]
    excluded = (0, 1, 3)[number % 7 % 3]
    away = np.roll(film.texts, -number - 1, axis=0)[:excluded]
    return replace(query, exclude=away) if excluded else query


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class CandidateFinder(Protocol):
    """Estimates the scores of rows. Safe for threads."""

    def estimate(self, queries: Sequence[QueryVectors], places: Places) -> list[Estimates]:
        """The estimates for each query, made in one pass over the rows where that is quicker."""
        ...


@pytest.mark.parametrize("name", FILMS)
class FinderContract:
    """Subclasses make the finder."""

    given_up: ClassVar[float] = 0.0  # the share of searches that it may leave to a whole pass

    def finder(self, name: str, pool: Executor) -> CandidateFinder:
        """A finder for the rows of a film."""
        raise NotImplementedError

    def test_no_score_is_further_from_its_estimate_than_the_bound(self, name, pool) -> None:
        snapshot = FILMS[name]().snapshot
        finder = self.finder(name, pool)
        for search in searches(name)[::6]:
            places = Places(search.ranges, snapshot)
            (estimates,) = finder.estimate([search.query], places)
            _, final = score(snapshot.vectors, search.ranges, search.query, pool, 2)
            off = np.abs(estimates.scores.astype(np.float64) - final)
            if estimates.slack is None:
                assert not off.any()
                continue
            slack = estimates.slack(np.arange(places.count))
            assert (off <= slack).all()
            assert slack.max() <= estimates.most_slack

    def test_answers_are_those_of_a_pass_over_all_rows(self, name, pool) -> None:
        snapshot = FILMS[name]().snapshot
        finder, given_up = self.finder(name, pool), 0
        for number, search in enumerate(searches(name)):
            places = Places(search.ranges, snapshot)
            (estimates,) = finder.estimate([search.query], places)
            if search.mask is not None:
                estimates.keep(search.mask)
            stored = StoredPlaces(places, snapshot, search.query)
            best = rank(estimates, stored, search.most, excluding=stored.excluding)
            if best is None:
                given_up += 1
                continue
            rows = places.numbers(best[0]).tolist()
            assert list(zip(rows, best[1].tolist(), strict=True)) == search.matches, number
        assert given_up <= self.given_up * QUERIES

    def test_many_queries_at_once_are_estimated_as_each_alone(self, name, pool) -> None:
        snapshot = FILMS[name]().snapshot
        finder, places = self.finder(name, pool), Places(snapshot.everything, snapshot)
        queries = [search.query for search in searches(name)[:20]]
        together = finder.estimate(queries, places)
        for query, estimates in zip(queries, together, strict=True):
            (alone,) = finder.estimate([query], places)
            assert estimates.scores.tolist() == alone.scores.tolist()
            assert estimates.most_slack == alone.most_slack

    def test_no_product_is_written_as_a_type_without_a_quick_kernel(
        self, name, pool, monkeypatch
    ) -> None:
        """`cdist` of float16 into float32, or of bytes into int32, takes 10 to 60 times as long."""
        cdist, written = numkong.cdist, []

        def noted(first: Any, *others: Any, **how: Any) -> Any:
            answer = cdist(first, *others, **how)
            written.append((str(first.dtype), str(how.get("out", answer).dtype)))
            return answer

        monkeypatch.setattr(numkong, "cdist", noted)
        snapshot, finder = FILMS[name]().snapshot, self.finder(name, pool)
        for search in searches(name)[:21]:
            places = Places(search.ranges, snapshot)
            (estimates,) = finder.estimate([search.query], places)
            stored = StoredPlaces(places, snapshot, search.query)
            rank(estimates, stored, search.most, excluding=stored.excluding)
        quick = {"float16": "float64", "int8": "float32"}
        assert all(quick.get(read, made) == made for read, made in written), set(written)


class TestFloat16Scan(FinderContract):
    def finder(self, name: str, pool: Executor) -> CandidateFinder:
        return Float16Scan(FILMS[name]().snapshot.vectors, pool, 2)

    def test_rows_of_short_ranges_have_the_scores_of_a_pass_over_all(self, name, pool) -> None:
        snapshot = FILMS[name]().snapshot
        ranges = [(row, row + row % 7 + 1) for row in range(0, len(snapshot.rows) - 9, 9)]
        places = Places(ranges, snapshot)
        for search in searches(name)[:20]:
            (estimates,) = self.finder(name, pool).estimate([search.query], places)
            base, final = score(snapshot.vectors, snapshot.everything, search.query, pool, 2)
            rows = places.numbers(np.arange(places.count))
            assert estimates.scores.tolist() == final[rows].tolist()
            assert estimates.base is not None
            assert estimates.base.tolist() == base[rows].tolist()


@functools.cache
def coded(name: str, kind: type[Codes], share: float) -> Codes:
    """Codes of that share of a film's rows."""
    vectors = FILMS[name]().snapshot.vectors
    return kind.of(Basis.of(vectors), vectors[: int(len(vectors) * share)])


class CodesContract(FinderContract):
    kind: ClassVar[type[Codes]]
    share: ClassVar[float]

    def finder(self, name: str, pool: Executor) -> CandidateFinder:
        codes = coded(name, self.kind, self.share)
        return CodeFinder(codes, FILMS[name]().snapshot.vectors, pool, 2)


class TestEightBitCodes(CodesContract):
    kind, share = EightBitCodes, 1.0


class TestEightBitCodesOfSomeRows(CodesContract):
    """The newest rows have no codes yet, half a file among them."""

    kind, share = EightBitCodes, 0.6


class TestFourBitCodes(CodesContract):
    kind, share = FourBitCodes, 1.0


class TestFourBitCodesOfSomeRows(CodesContract):
    kind, share = FourBitCodes, 0.6


@functools.cache
def scenes_of(film: Film) -> SceneIndex:
    snapshot = film.snapshot
    graph, parts = new_graph(snapshot.dim), []
    for file in snapshot.by_start:
        end = file.start + file.rows
        parts.append(pieces_of(snapshot.rows[file.start : end], file.start))
        for _ in add(graph, snapshot.vectors, parts[-1], len(graph)):
            pass
    return SceneIndex(graph, np.concatenate(parts), len(snapshot.rows))


def by_scenes(film: Film, query: QueryVectors, most: int) -> list[Match]:
    """Matches in the scenes that are found, by the same rules as everywhere."""
    places = Places(scenes_of(film).ranges(film.snapshot, query, most), film.snapshot)
    stored = StoredPlaces(places, film.snapshot, query)
    base, final = score(film.snapshot.vectors, places.ranges, query, None, 1)
    best = rank(Estimates(final, base=base), stored, most, excluding=False)
    assert best is not None
    return list(zip(places.numbers(best[0]).tolist(), best[1].tolist(), strict=True))


class TestScenes:
    """usearch finds scenes and no scores: what it leads to is right, and most of what there is."""

    @pytest.mark.parametrize(("words", "recall"), [(False, 0.95), (True, 0.9)])
    def test_most_matches_of_a_pass_over_all_rows_are_found(self, words, recall) -> None:
        film = many_scenes()
        assert len(scenes_of(film).pieces) > 5 * 6 * 50, "else all of them are looked at"
        shares = []
        for number, picture in enumerate(film.pictures):
            text = film.texts[number] if words else None
            query = QueryVectors(picture=picture, query=text, text_weight=0.5)
            best = plain_matches(film.snapshot, query, film.snapshot.everything, 50)
            found = by_scenes(film, query, 50)
            assert found[0] == best[0]
            shares.append(len({*found} & {*best}) / 50)
        assert float(np.mean(shares)) >= recall

    @pytest.mark.parametrize("name", FILMS)
    def test_matches_have_the_scores_of_their_rows_in_order_and_apart(self, name) -> None:
        film = FILMS[name]()
        back, seconds = film.snapshot.rows["back"], film.snapshot.rows["second"]
        for number, picture in enumerate(film.pictures):
            query = QueryVectors(picture=picture, query=film.texts[number % len(film.texts)])
            found = by_scenes(film, query, 1 + number % 7)
            _, scores = score(film.snapshot.vectors, film.snapshot.everything, query, None, 1)
            assert found == sorted(((row, float(scores[row])) for row, _ in found), key=by_score)
            shown: dict[int, list[int]] = {}
            for row, _ in found:
                shown.setdefault(row - int(back[row]), []).append(int(seconds[row]))
            assert all((np.diff(sorted(of_scene)) >= 10).all() for of_scene in shown.values())


def by_score(match: Match) -> float:
    return -match[1]
