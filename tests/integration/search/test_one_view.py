"""A request opens its cache folder once and follows its catalogue once, seen from outside."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from api.app import ENDPOINTS, provide
from api.cache.caches import Caches
from api.http.endpoint import Call
from api.search.frames.index import SearchIndex
from api.search.services import SearchServices
from api.search.vectors import TextVector, Vectors
from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from shared.errors import Missing
from shared.settings import Settings
from tests.support.people.people_data import Seen, make_collection
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.search.transcript_data import publish_transcript, segments

BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS if endpoint.method == "POST"}
MODEL = "conse-lite0"
NAME, ADA = "Season 1", 1001
HASH = media_hash(1)

_counts: list[Counter[str]] = []  # of who counts just now


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if _counts and event == "open" and isinstance(arguments[0], str | Path):
        name = Path(arguments[0]).name
        if name in ("rushes.json", "catalog"):
            _counts[-1][name] += 1


sys.addaudithook(_count)


class OneDirection:
    """In place of a query worker: every text means the same."""

    async def of_texts(self, _model: str, texts: Sequence[str]) -> list[TextVector]:
        return [TextVector(random_units(1, 32, 5)[0], None) for _ in texts]


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[SearchServices]:
    provider = provide(Settings(redis_url=redis_url, state_dir=tmp_path / "state"))
    yield replace(provider.get(SearchServices), vectors=cast(Vectors, OneDirection()))
    provider.get(SearchIndex).close()
    provider.get(Caches).close()


@pytest.fixture
def media(cache: CacheDir, tmp_path: Path) -> str:
    """A file with pictures, words and a person."""
    movie = tmp_path / "a.mp4"
    movie.write_bytes(b"movie")
    publish(cache, HASH, random_units(6, 32, 1), model=MODEL, scenes=(Scene(0, 6),), path=movie)
    publish_transcript(cache, HASH, segments("hello", "goodbye"))
    make_collection(cache, NAME, {HASH: [Seen(second, 1, ADA) for second in range(3)]})
    return str(movie)


def answer(services: SearchServices, path: str, **body: Any) -> Any:
    endpoint = BY_PATH[path]
    assert endpoint.body is not None
    call: Call[Any] = Call(services.paths, msgspec.convert(body, endpoint.body), {}, {})
    found: Any = endpoint.handler(call, services)
    return asyncio.run(found) if inspect.iscoroutine(found) else found


PEOPLE = {
    "people_filter": [
        {"cluster_job_name": NAME, "cluster_id": str(ADA)},
        {"cluster_job_name": "Season 2", "cluster_id": str(ADA)},
    ],
    "people_filter_mode": "or",
}
# (path, what to ask beside the folder and its file)
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/search/text", {"query": "a cat", **PEOPLE}),
    ("/search/frame", {"media_path": "", "time_seconds": 4, **PEOPLE}),
    ("/search/transcript", {"query": "hello"}),
    ("/analysis-data/load", {}),
    ("/analysis-data/load-for-media", {}),
    ("/analysis-data/load-transcriptions", {}),
    ("/faces/clusters/faces", {"cluster_job_name": NAME}),
    ("/faces/clusters/samples", {"cluster_job_name": NAME}),
    ("/cache-paths", {}),
]


@pytest.mark.parametrize(("path", "asked"), REQUESTS, ids=[path for path, _ in REQUESTS])
def test_a_request_opens_and_follows_its_folder_once(
    services: SearchServices, cache: CacheDir, media: str, path: str, asked: dict[str, Any]
) -> None:
    body = {"cache_dir": str(cache.root), "media_paths": [media, media], **asked}
    if "media_path" in body:
        body["media_path"] = media
    answers = []
    for _ in range(2):  # with nothing at hand, and with everything
        _counts.append(Counter())
        try:
            answers.append(answer(services, path, **body))
        finally:
            counted = _counts.pop()
        assert counted == {"rushes.json": 1, "catalog": 1}
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", ["/search/text", "/search/frame"])
def test_the_frames_of_people_are_found_in_that_view(
    services: SearchServices, cache: CacheDir, media: str, path: str
) -> None:
    body = {"cache_dir": str(cache.root), "media_paths": [media], **dict(REQUESTS)[path]}
    if "media_path" in body:
        body["media_path"] = media
    found = answer(services, path, **body)
    assert [match.hash_str for match in found.matches] == [HASH]
    assert int(found.matches[0].frame_idx) in range(3)


@pytest.mark.parametrize("path", ["/faces/clusters/faces", "/faces/clusters/samples"])
def test_an_unknown_collection_is_answered_without_following_the_catalogue(
    services: SearchServices, cache: CacheDir, media: str, path: str
) -> None:
    _counts.append(Counter())
    try:
        with pytest.raises(Missing, match="no collection 'Season 2'"):
            answer(services, path, cache_dir=str(cache.root), cluster_job_name="Season 2")
    finally:
        counted = _counts.pop()
    assert counted == {"rushes.json": 1}
