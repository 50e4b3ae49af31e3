"""A request opens its cache folder once and follows its catalogue once, seen from outside."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.http.active_models import active_key
from api.http.bodies import LoadBody, LoadForMediaBody
from api.http.endpoint import Call
from api.people import routes as people
from api.people.bodies import FacesBody, SamplesBody
from api.search import loading_routes, routes, transcript_routes
from api.search.bodies import PersonFilter, SearchFrameBody
from api.services import Services
from api.transcripts.bodies import LoadTranscriptionsBody, SearchTranscriptBody
from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from shared.models.specs import ModelKind
from shared.settings import Settings
from tests.support.people.people_data import Seen, make_collection
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.search.transcript_data import publish_transcript, segments

NAME, ADA = "Season 1", 1001
HASH = media_hash(1)

_counts: list[Counter[str]] = []  # of who counts just now


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if _counts and event in ("open", "os.scandir") and isinstance(arguments[0], str | Path):
        path = Path(arguments[0])
        if path.name == "rushes.json" or (path.name == "catalog" and event == "os.scandir"):
            _counts[-1][path.name] += 1


sys.addaudithook(_count)


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[Services]:
    services = Services.of(Settings(redis_url=redis_url, state_dir=tmp_path / "state"))
    yield services
    services.close()


@pytest.fixture
def media(cache: CacheDir, services: Services, tmp_path: Path) -> str:
    """A file with pictures, words and a person."""
    movie = tmp_path / "a.mp4"
    movie.write_bytes(b"movie")
    model = active_key(services, ModelKind.VISUAL)
    publish(cache, HASH, random_units(6, 32, 1), model=model, scenes=(Scene(0, 6),), path=movie)
    publish_transcript(cache, HASH, segments("hello", "goodbye"))
    make_collection(cache, NAME, {HASH: [Seen(second, 1, ADA) for second in range(3)]})
    return str(movie)


Handler = Callable[[Call[Any]], Awaitable[Any]]
Case = Callable[[str, str], tuple[Handler, Any]]  # of cache_dir and media_path

CASES: dict[str, Case] = {
    "frame": lambda cache_dir, media: (
        routes.search_frame,
        SearchFrameBody(
            cache_dir=cache_dir,
            media_path=media,
            time_seconds=4,
            media_paths=[media],
            people_filter=[
                PersonFilter(cluster_job_name=NAME, cluster_id=str(ADA)),
                PersonFilter(cluster_job_name="Season 2", cluster_id=str(ADA)),
            ],
            people_filter_mode="or",
        ),
    ),
    "transcript": lambda cache_dir, media: (
        transcript_routes.search_transcript,
        SearchTranscriptBody(cache_dir=cache_dir, query="hello", media_paths=[media]),
    ),
    "load": lambda cache_dir, _: (loading_routes.load, LoadBody(cache_dir=cache_dir)),
    "load for media": lambda cache_dir, media: (
        loading_routes.load_for_media,
        LoadForMediaBody(cache_dir=cache_dir, media_paths=[media]),
    ),
    "load transcripts": lambda cache_dir, media: (
        transcript_routes.load_transcriptions,
        LoadTranscriptionsBody(cache_dir=cache_dir, media_paths=[media]),
    ),
    "faces": lambda cache_dir, _: (
        people.faces,
        FacesBody(cache_dir=cache_dir, cluster_job_name=NAME),
    ),
    "samples": lambda cache_dir, _: (
        people.samples,
        SamplesBody(cache_dir=cache_dir, cluster_job_name=NAME),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_request_opens_and_follows_its_folder_once(
    services: Services, cache: CacheDir, media: str, case: str
) -> None:
    handler, body = CASES[case](str(cache.root), media)
    answers = []
    for _ in range(2):  # with nothing at hand, and with everything
        _counts.append(Counter())
        try:
            answers.append(asyncio.run(handler(Call(services, body, {}, {}))))  # type: ignore[arg-type]
        finally:
            counted = _counts.pop()
        assert counted == {"rushes.json": 1, "catalog": 1}
    assert answers[0] == answers[1]


def test_the_frames_of_people_are_found_in_that_view(
    services: Services, cache: CacheDir, media: str
) -> None:
    handler, body = CASES["frame"](str(cache.root), media)
    found = asyncio.run(handler(Call(services, body, {}, {})))  # type: ignore[arg-type]
    assert [match.hash_str for match in found.matches] == [HASH]
    assert int(found.matches[0].frame_idx) in range(3)
