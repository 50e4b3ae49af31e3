"""Which hits are on a page, and how many are ranked for it."""

from __future__ import annotations

from collections.abc import Sequence

from api.search.paging.fields import MOST_MATCHES
from api.search.paging.pages import Cursor, HitPage, OnePage, Order, picked
from api.search.types import Hit
from shared.domain import Scene

STRONG = 0.5


def hits(first: int, count: int, base: float, score: float) -> list[Hit]:
    """Of one file each, falling a little from `score`."""
    return [
        Hit(f"{first + n:016x}", 0, 0, Scene(0, 1), score - n * 1e-7, base, None)
        for n in range(count)
    ]


def page(
    found: Sequence[Hit], asked: list[int], cursor: Cursor | None = None, size: int = 10
) -> HitPage[Hit]:
    """A page by time; `asked` takes how many hits were ranked for it."""
    picker: OnePage[Hit] = OnePage(
        size=size,
        order=Order("time"),
        cursor=cursor,
        keeps=lambda hit: hit.base >= STRONG,
        falls=False,
        copies=lambda _: 1,
    )

    def ranked(most: int) -> list[Hit]:
        asked.append(most)
        return list(found[:most])

    return picked(picker, ranked)


def test_later_pages_rank_no_more_than_the_first() -> None:
    found = hits(0, MOST_MATCHES + 5000, base=0.9, score=0.9)
    asked: list[int] = []
    first = page(found, asked)
    assert first.ending is not None
    second = page(found, asked, Cursor("", "", "", *first.ending))
    assert [hit.hash_str for hit in second.hits] == [f"{n:016x}" for n in range(10, 20)]
    assert asked == [MOST_MATCHES] * 2


def test_weak_hits_that_rank_better_drive_none_out_of_what_is_sorted() -> None:
    strong = hits(0, 15, base=0.9, score=0.4)
    found = hits(100, MOST_MATCHES, base=0.45, score=0.45) + strong
    first = page(found, [])
    assert first.ending is not None
    second = page(found, [], Cursor("", "", "", *first.ending))
    assert first.hits + second.hits == strong


def test_the_worst_match_that_is_given_at_all_is_on_a_page() -> None:
    found = hits(0, MOST_MATCHES + 1, base=0.9, score=0.9)
    assert page(found, [], size=MOST_MATCHES).hits == found[:MOST_MATCHES]
