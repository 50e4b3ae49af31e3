"""Pages of what is found by its words and its meaning together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from itsdangerous import URLSafeSerializer

from api.search.answers import TranscriptMatches
from api.search.bodies import SearchTranscriptBody
from api.search.frames.index import SearchIndex
from api.search.paging.asked import AskedPage
from api.search.services import SearchScope, SearchServices
from api.search.transcript_routes import find_spoken
from api.search.transcripts.log import IndexedTranscript
from api.search.transcripts.query import Mode, SpokenQuery
from api.search.transcripts.text import fold
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import Segment
from shared.settings import Settings
from tests.integration.search.test_meaning_search import ASKED, like
from tests.support.search.search_data import media_hash, search_index
from tests.support.search.transcript_data import SPEECH, publish_transcript, segments


@pytest.fixture
def services(tmp_path: Path) -> Iterator[SearchServices]:
    with search_index(Settings(state_dir=tmp_path / "state")) as index:
        yield cast(SearchServices, _services(index))


def _services(index: SearchIndex) -> SimpleNamespace:
    addresses = SimpleNamespace(signer=lambda: URLSafeSerializer("secret"))
    paths = SimpleNamespace(back=lambda path, like: path)
    return SimpleNamespace(index=index, caches=index.caches, addresses=addresses, paths=paths)


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    """Twelve files; some say the words, some nearly, most the same in other words."""
    cache = CacheDir.open(tmp_path / "cache", create=True)
    cosines = np.linspace(0.95, 0.45, 36).tolist()
    for number in range(12):
        add(cache, tmp_path, number, cosines[number::12])
    return cache


def add(cache: CacheDir, folder: Path, number: int, cosines: list[float]) -> None:
    path = folder / f"{(number * 5) % 101:03}.mp4"
    path.write_bytes(path.name.encode())
    texts = ("the storm broke" if number % 3 == 0 else "a boat left", "the strom brok", "it rained")
    rows = like(*cosines)
    publish_transcript(cache, media_hash(number), segments(*texts), path=path, rows=rows)


def ask(
    services: SearchServices, cache: CacheDir, size: int, mode: Mode = "auto", **fields: Any
) -> TranscriptMatches:
    body = SearchTranscriptBody(
        query="the storm broke", cache_dir=str(cache.root), mode=mode, **fields
    )
    page = AskedPage.of(services, body, size, "time" if mode == "substring" else "score")
    vector = ASKED
    if page and page.cursor and page.cursor.kept:
        vector = page.cursor.kept.vectors(1.0).query
        assert np.array_equal(vector, ASKED), "a page is ranked as the one before was"
    query = SpokenQuery(fold(body.query), SPEECH, mode, None, size, vector)
    scope = SearchScope(services, str(cache.root), None, "/")
    return find_spoken(scope, query, [], details=False, asked=page)


@pytest.mark.parametrize("sort", [None, "time"])
@pytest.mark.parametrize("group_by", [None, "file"])
def test_no_match_is_doubled_or_lost_while_transcripts_are_published(
    services: SearchServices, cache: CacheDir, tmp_path: Path, sort: Any, group_by: Any
) -> None:
    whole = ask(services, cache, 1000, sort=sort, group_by=group_by)
    found = [ask(services, cache, 5, sort=sort, group_by=group_by, cursor="")]
    while found[-1].next is not None:
        add(cache, tmp_path, 20 + len(found), [0.9, 0.7, 0.5])
        found.append(ask(services, cache, 5, sort=sort, group_by=group_by, cursor=found[-1].next))
    before, given = keys([whole]), keys(found)
    assert len(before) == (12 if group_by else 36)
    assert len(set(given)) == len(given)
    assert [one for one in given if one in set(before)] == before
    if sort is None and group_by is None:
        plain = ask(services, cache, 1000)
        assert {match.matched_by for match in plain.matches} == {"literal", "fuzzy", "semantic"}
        tiers = [match.matched_by for page in found for match in page.matches]
        assert tiers == sorted(tiers, key=["literal", "fuzzy", "semantic"].index)


IN_TWO_STREAMS = [(5.0 * n, 5.0 * n + 5, stream) for stream in (1, 2) for n in range(3)]
ENDING_SOONER = [(1.0, 9.0 - n, None) for n in range(5)]


@pytest.mark.parametrize("said", [IN_TWO_STREAMS, ENDING_SOONER])
@pytest.mark.parametrize("mode", ["substring", "semantic"])
def test_what_is_said_at_the_same_time_is_given_match_by_match(
    services: SearchServices,
    tmp_path: Path,
    said: list[tuple[float, float, int | None]],
    mode: Mode,
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    text = "The storm broke"
    spoken = tuple(Segment(start=a, end=b, text=text, stream=stream) for a, b, stream in said)
    publish_transcript(cache, media_hash(1), spoken, rows=like(*[0.9] * len(said)))
    whole = ask(services, cache, 99, mode, sort="time")
    found = [ask(services, cache, 1, mode, sort="time", cursor="")]
    while found[-1].next is not None:
        found.append(ask(services, cache, 1, mode, sort="time", cursor=found[-1].next))
    assert [match for page in found for match in page.matches] == whole.matches
    assert len(whole.matches) == len(said)


def test_a_page_by_meaning_reads_each_transcript_once(
    services: SearchServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    for number in range(5):
        rows = like(*np.linspace(0.9, 0.5, 60))
        publish_transcript(cache, media_hash(number), segments(*["it rained"] * 60), rows=rows)
    read: list[str] = []
    lines = IndexedTranscript.lines
    monkeypatch.setattr(
        IndexedTranscript, "lines", lambda self: (read.append(self.hash_str), lines(self))[1]
    )
    first = ask(services, cache, 10, "semantic", cursor="")
    assert sorted(read) == [media_hash(number) for number in range(5)]
    read.clear()
    assert len(ask(services, cache, 10, "semantic", cursor=first.next).matches) == 10
    assert len(read) == 5


def test_warnings_say_what_meaning_cannot_find_and_what_helps(
    services: SearchServices, tmp_path: Path
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    for number in (1, 2):
        publish_transcript(cache, media_hash(number), segments("never embedded"))
    publish_transcript(cache, media_hash(3), segments("vorbei"), language="de")
    damaged = publish_transcript(cache, media_hash(4), segments("embedded"), rows=like(0.9))
    damaged.with_suffix(".pack").unlink()
    warnings: list[str] = []
    query = SpokenQuery("the storm broke", SPEECH, "semantic", vector=ASKED)
    find_spoken(SearchScope(services, str(cache.root), None, "/"), query, warnings, details=False)
    of_two, of_unread, of_german = warnings
    assert of_two.startswith("2 transcripts were not searched by meaning: analyze the speech of")
    assert "with the same model and settings stays" in of_two
    assert of_unread.startswith("1 transcript was not searched by meaning: the rows could not be")
    assert "POST /analysis-data/load" in of_unread
    assert "with force" in of_unread
    assert of_german == "1 transcript was not searched by meaning: only English can be."


def keys(pages: list[TranscriptMatches]) -> list[tuple[str, float]]:
    """What is given, in its order: matches, or groups by their files."""
    return [
        (one.hash_str, getattr(one, "start_seconds", 0.0))
        for page in pages
        for one in (*page.matches, *(page.groups or ()))
    ]
