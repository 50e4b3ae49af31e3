"""Pages of searches: 5,000 matches while files are published, in every order, under their files."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Probe, Scene
from shared.media import MediaType
from tests.contract.http.test_bad_input import refusal
from tests.support.media.by_path import hash_media
from tests.support.search.search_data import publish, random_units, unit
from tests.support.search.transcript_data import publish_transcript, segments
from tests.support.stack import Client

MODEL = "conse-lite0"
FILES, SECONDS = 20, 15
Match = dict[str, Any]
Key = tuple[str, Any]


class Library:
    """A cache folder whose files have a scene and a sentence every second, and some the same."""

    def __init__(self, folder: Path, media: Path, files: int, seconds: int) -> None:
        self.cache = CacheDir.open(folder, create=True)
        self.media = media
        self.media.mkdir()
        self.count = 0
        self.subject = random_units(1, 32, 99)[0]
        for _ in range(files):
            self.add(0.0, seconds)

    def add(self, nearness: float, seconds: int) -> None:
        """A file; the nearer, the better are its matches. Every tenth looks like the first."""
        number = self.count
        self.count += 1
        # Hashes ascend in another order than paths and dates.
        path = self.media / f"{number * 7 % 101:03}.mp4"
        path.write_bytes(f"{number}".encode())
        seed = 0 if number % 10 == 0 else number + 1
        rows = unit(random_units(seconds, 32, seed) + nearness * self.subject)
        if number == 0:
            rows[0] = self.subject
        day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
        probe = Probe(media_type=MediaType.VIDEO, created_at=None if number % 9 == 8 else day)
        hash_str = hash_media(str(path))
        scenes = tuple(Scene(at, at + 1) for at in range(seconds))
        publish(self.cache, hash_str, rows, model=MODEL, scenes=scenes, path=path, probe=probe)
        said = segments(*(f"line {n} of thunder" for n in range(seconds)))
        publish_transcript(self.cache, hash_str, said, model="whisper-base", path=path)

    @property
    def query(self) -> dict[str, Any]:
        """A search by the first frame of the first file."""
        first = {"media_path": str(self.media / "000.mp4"), "time_seconds": 0}
        return {"cache_dir": str(self.cache.root), **first, "images": False}

    @property
    def words(self) -> dict[str, Any]:
        return {"cache_dir": str(self.cache.root), "query": "thunder"}


@pytest.fixture(scope="module")
def made(caches: Path, media: Path) -> Library:
    return Library(caches / "paged", media / "paged", FILES, SECONDS)


@pytest.fixture
def library(made: Library, caches: Path, tmp_path: Path) -> Iterator[Library]:
    """Each test has it as it was made."""
    folder = caches / f"copy {tmp_path.name}"
    shutil.copytree(made.cache.root.path, folder)
    copied = copy.copy(made)
    copied.cache = CacheDir.open(folder, create=False)
    before = set(made.media.iterdir())
    yield copied
    for path in set(made.media.iterdir()) - before:
        path.unlink()


def pages(
    client: Client, route: str, between: Callable[[int], object] = id, **body: Any
) -> list[dict[str, Any]]:
    """All pages; `between` two of them something happens."""
    found = [client.ok(route, **body, cursor="")]
    while "next" in found[-1]:
        between(len(found))
        found.append(client.ok(route, **body, cursor=found[-1]["next"]))
    return found


def key(match: Match) -> Key:
    return match["hash_str"], match.get("frame_idx", match.get("start_seconds"))


def keys_of(found: list[dict[str, Any]]) -> list[Key]:
    return [key(match) for page in found for match in page["matches"]]


def test_none_of_5000_matches_is_doubled_or_lost_while_files_are_published(
    client: Client, caches: Path, media: Path
) -> None:
    library = Library(caches / "5000", media / "5000", 25, 200)
    before = keys_of([client.ok("/search/frame", **library.query, max_results=10_000)])
    assert len(before) == 5000
    new = [(0.0, 3), (5.0, 60), (-5.0, 3)]  # what ranks all over, first and last
    found = pages(
        client,
        "/search/frame",
        lambda n: library.add(*new[n % 3]) if n < 7 else None,
        **library.query,
        max_results=613,
    )
    assert all(len(page["matches"]) == 613 for page in found[:-1])
    check_none_doubled_or_lost(before, keys_of(found))
    assert len(keys_of(found)) > 5000, "what came behind a page is found on a later one"


def check_none_doubled_or_lost(before: list[Key], given: list[Key]) -> None:
    assert len(set(given)) == len(given)
    old = set(before)
    assert [one for one in given if one in old] == before


@pytest.mark.parametrize("sort", ["score", "time", "date", "date_desc"])
def test_in_every_order_none_is_doubled_or_lost_while_files_are_published(
    client: Client, library: Library, sort: str
) -> None:
    for route, asked in (
        ("frame", {**library.query, "min_score": 0.0}),
        ("transcript", library.words),
    ):
        if (route, sort) == ("transcript", "score"):
            continue
        body = {**asked, "sort": sort}
        before = keys_of([client.ok(f"/search/{route}", **body, max_results=10_000)])
        assert len(before) >= FILES * SECONDS
        found = pages(
            client, f"/search/{route}", lambda _: library.add(0, 3), **body, max_results=47
        )
        check_none_doubled_or_lost(before, keys_of(found))


def test_orders_are_what_they_are_called(client: Client, library: Library) -> None:
    body = {**library.query, "min_score": 0.0, "max_results": 10_000}

    def order(sort: str) -> list[tuple[str, int]]:
        found = client.ok("/search/frame", **body, sort=sort)["matches"]
        return [(Path(match["video_path"]).name, int(match["frame_idx"])) for match in found]

    by_time = order("time")
    assert by_time == sorted(by_time)
    names = [f"{number * 7 % 101:03}.mp4" for number in range(FILES)]
    days = {name: None if n % 9 == 8 else (n % 12 + 1, n % 28 + 1) for n, name in enumerate(names)}
    dated = [name for name in days if days[name]]
    oldest = sorted(dated, key=lambda name: (days[name], name))
    newest = sorted(dated, key=lambda name: tuple(-part for part in days[name] or ()))
    undated = sorted(name for name in days if not days[name])
    for sort, expected in (("date", oldest), ("date_desc", newest)):
        found = order(sort)
        files = list(dict.fromkeys(name for name, _ in found))
        assert [days[name] for name in files] == [days[name] for name in expected + undated]
        assert found[:SECONDS] == [(files[0], second) for second in range(SECONDS)]


def test_sorted_are_only_matches_unless_all_are_asked_for(client: Client, library: Library) -> None:
    weak = client.ok("/search/frame", **library.query, min_strength="weak", max_results=10_000)
    found = client.ok("/search/frame", **library.query, sort="time", max_results=10_000)
    assert 0 < len(found["matches"]) < FILES * SECONDS
    assert sorted(map(key, found["matches"])) == sorted(map(key, weak["matches"]))


@pytest.mark.parametrize("sort", ["score", "time", "date"])
def test_files_with_their_matches_come_in_pages_too(
    client: Client, library: Library, sort: str
) -> None:
    body = {**library.query, "min_score": 0.0, "sort": sort, "group_by": "file"}
    everything = client.ok("/search/frame", **body, max_results=1000, matches_per_file=100)
    groups = everything["groups"]
    assert everything["matches"] == []
    assert [len(group["matches"]) for group in groups] == [SECONDS] * FILES
    best_first = client.ok("/search/frame", **library.query, min_score=0.0, max_results=10_000)
    for group in groups:
        of_file = [m for m in best_first["matches"] if m["hash_str"] == group["hash_str"]]
        if sort == "time":
            of_file.sort(key=lambda match: int(match["frame_idx"]))
        assert group["matches"] == of_file
    if sort == "score":
        firsts = [key(group["matches"][0]) for group in groups]
        order = [key(match) for match in best_first["matches"]]
        assert firsts == sorted(firsts, key=order.index)
    found = pages(client, "/search/frame", lambda _: library.add(-1.0, 3), **body, max_results=7)
    given = [group["hash_str"] for page in found for group in page["groups"]]
    assert len(set(given)) == len(given)
    old = [group["hash_str"] for group in groups]
    assert [one for one in given if one in set(old)] == old
    assert all(len(group["matches"]) <= 3 for page in found for group in page["groups"])


def test_files_in_which_words_are_said_come_in_pages_too(client: Client, library: Library) -> None:
    body = {**library.words, "group_by": "file", "matches_per_file": 2}
    found = pages(client, "/search/transcript", **body, max_results=9)
    groups = [group for page in found for group in page["groups"]]
    assert [len(page["groups"]) for page in found] == [9, 9, 2]
    paths = [group["media_path"] for group in groups]
    assert paths == sorted(paths)
    assert [[m["start_seconds"] for m in group["matches"]] for group in groups] == [[0, 5]] * FILES


@pytest.mark.parametrize("route", ["/search/frame", "/search/transcript"])
def test_copies_that_are_asked_for_are_counted_one_by_one(
    client: Client, library: Library, route: str
) -> None:
    first, second = library.media / "000.mp4", library.media / "copy.mp4"
    shutil.copy(first, second)
    asked = library.query if route == "/search/frame" else library.words
    body = {**asked, "media_paths": [str(first), str(second)]}
    found = pages(client, route, **body, max_results=7)
    assert [len(page["matches"]) for page in found] == [7] * 4 + [2]
    given = [
        (*key(match), match.get("video_path", match.get("media_path")))
        for page in found
        for match in page["matches"]
    ]
    assert len(set(given)) == 2 * SECONDS


def test_pages_go_on_when_what_was_searched_by_is_away(client: Client, library: Library) -> None:
    """No worker runs here: the vectors of the first page serve all others."""
    body = {**library.query, "min_score": 0.0}
    first = client.ok("/search/frame", **body, cursor="", max_results=10)
    away = Path(library.query["media_path"])
    aside = away.rename(away.with_suffix(".aside"))
    try:
        second = client.ok("/search/frame", **body, cursor=first["next"], max_results=10)
    finally:
        aside.rename(away)
    whole = client.ok("/search/frame", **body, max_results=20)
    assert keys_of([first, second]) == keys_of([whole])


def test_a_cursor_of_another_search_or_folder_is_refused_with_the_cure(
    client: Client, library: Library
) -> None:
    body = {**library.query, "max_results": 10}
    found = client.ok("/search/frame", **body, cursor="")["next"]
    anew = 'start anew with "cursor": ""'
    for other in ({"sort": "time"}, {"filters": {"sound": True}}, {"time_seconds": 1}):
        said = refusal(client, "/search/frame", **{**body, **other}, cursor=found)
        assert said.startswith("cursor: it belongs to another search")
        assert anew in said
    said = refusal(client, "/search/transcript", **library.words, cursor=found)
    assert said.startswith("cursor: it belongs to another search")
    for torn in (found[:-3], "x", found.swapcase(), "\N{SNOWMAN}"):
        said = refusal(client, "/search/frame", **body, cursor=torn)
        assert said.startswith("cursor: it must be the `next` of an earlier answer")
        assert anew in said
    for free in ({"max_results": 20}, {"images": "url"}, {"details": True}):
        client.ok("/search/frame", **{**body, **free}, cursor=found)
    identity = Path(str(library.cache.root)) / "rushes.json"
    identity.write_text('{"format": 1, "id": "another"}')
    said = refusal(client, "/search/frame", **body, cursor=found)
    assert said.startswith("cursor: the cache folder was made anew since")
    assert anew in said


def test_who_asks_for_no_page_gets_the_answer_of_before(client: Client, library: Library) -> None:
    assert client.ok("/search/frame", **library.query).keys() == {"matches"}
    assert client.ok("/search/transcript", **library.words).keys() == {"matches"}
    with_all = client.ok("/search/frame", **library.query, cursor="", max_results=10_000)
    assert with_all.keys() == {"matches"}, "there is no page after"
    assert np.all([match.keys() == with_all["matches"][0].keys() for match in with_all["matches"]])
