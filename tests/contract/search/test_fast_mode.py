"""`mode` of the searches by a picture and by a frame. By a frame that is analysed: no worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from tests.contract.http.test_bad_input import refusal
from tests.support.media.by_path import hash_media
from tests.support.people.people_data import Seen, make_collection
from tests.support.people.people_desk import ADA, NAME
from tests.support.search.search_data import publish, random_units, unit
from tests.support.stack import Client
from tests.support.waiting import wait_for

MODEL = "conse-lite0"
SECONDS = 5000
NOT_READY = 'mode: "fast" was answered as "exact": the index of this cache_dir is not ready yet.'


@pytest.fixture
def movie(caches: Path, media: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A file in scenes of 10 s, and what asks for its frame at 70 s."""
    path = media / "long.mp4"
    path.write_bytes(b"movie")
    cache = CacheDir.open(caches / request.node.name[:40], create=True)
    subjects = np.repeat(random_units(SECONDS // 10, 32, 1), 10, axis=0)
    scenes = tuple(Scene(at, at + 10) for at in range(0, SECONDS, 10))
    vectors = unit(subjects + 0.3 * random_units(SECONDS, 32, 2))
    publish(cache, hash_media(str(path)), vectors, model=MODEL, scenes=scenes, path=path)
    return {"cache_dir": str(cache.root), "media_path": str(path), "time_seconds": 70}


def asked(client: Client, **body: Any) -> httpx.Response:
    answer = client.http.post("/search/frame", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def warnings(answer: httpx.Response) -> list[str]:
    return list(json.loads(answer.headers.get("X-Rushes-Warnings", "[]")))


def test_a_fast_search_finds_what_an_exact_one_does_once_its_index_is_there(
    client: Client, movie: dict[str, Any]
) -> None:
    exact = asked(client, **movie)
    assert warnings(exact) == []
    assert exact.content == asked(client, **movie, mode="exact").content
    first = asked(client, **movie, mode="fast")
    assert warnings(first) in ([], [NOT_READY])
    quick = wait_for(
        lambda: not warnings(answer := asked(client, **movie, mode="fast")) and answer,
        30,
        "an answer by the index",
    )
    matches, best = quick.json()["matches"], exact.json()["matches"]
    assert matches[0] == best[0]
    assert matches[0]["original_index"] == 70
    assert len([match for match in matches if match in best]) > 45
    assert warnings(asked(client, **movie, mode="fast", search_all=True)) == []
    named = {**movie, "mode": "fast", "media_paths": [movie["media_path"]]}
    assert warnings(asked(client, **named)) == [], "that is all there is"


def test_a_people_filter_is_honoured_by_the_exact_search(
    client: Client, movie: dict[str, Any]
) -> None:
    cache = CacheDir.open(Path(movie["cache_dir"]), create=False)
    seen = [Seen(second, 1, ADA) for second in range(60, 90)]
    make_collection(cache, NAME, {hash_media(movie["media_path"]): seen})
    filtered = {**movie, "people_filter": [{"cluster_job_name": NAME, "cluster_id": str(ADA)}]}
    quick = asked(client, **filtered, mode="fast")
    why = 'mode: "fast" was answered as "exact": people_filter or spoken needs all frames.'
    assert warnings(quick) == [why]
    assert quick.content == asked(client, **filtered).content
    assert [match["original_index"] // 10 for match in quick.json()["matches"]] == [7, 8, 6]


def test_pages_are_those_of_the_exact_search(client: Client, movie: dict[str, Any]) -> None:
    exact = asked(client, **movie, max_results=20).json()["matches"]
    first = asked(client, **movie, mode="fast", cursor="", max_results=10)
    second = asked(client, **movie, mode="fast", cursor=first.json()["next"], max_results=10)
    assert first.json()["matches"] + second.json()["matches"] == exact
    why = 'mode: "fast" was answered as "exact": a cursor needs the order of all frames.'
    assert warnings(first) == warnings(second) == [why]


def test_another_mode_is_refused(client: Client, movie: dict[str, Any]) -> None:
    assert "mode" in refusal(client, "/search/frame", **{**movie, "mode": "quick"})
