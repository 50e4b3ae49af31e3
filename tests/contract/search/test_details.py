"""What a search says of its matches where it is asked to, and what it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from tests.support.media.by_path import hash_media
from tests.support.people.people_data import Seen, make_collection
from tests.support.search.search_data import publish, random_units, unit
from tests.support.stack import Client

COSINES = (1.0, 0.97, 0.92, 0.70, 0.50)  # of the frames at 0, 10, 20, … with the first one
STRENGTHS = ["strong", "strong", "fair", "weak", None]


@pytest.fixture
def movie(caches: Path, media: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A file whose frames are less and less like its first one, and a search by that."""
    path = media / f"{request.node.name[:40]}.mp4"
    path.write_bytes(request.node.name.encode())
    cache = CacheDir.open(caches / request.node.name[:40], create=True)
    first, *others = random_units(len(COSINES), 32, 1)
    away = [unit(row - (row @ first) * first) for row in others]
    rows = [
        first,
        *(c * first + np.sqrt(1 - c * c) * a for c, a in zip(COSINES[1:], away, strict=True)),
    ]
    seconds = tuple(range(0, 10 * len(rows), 10))
    scenes = tuple(Scene(at, at + 10) for at in seconds)
    hash_str = hash_media(str(path))
    publish(cache, hash_str, unit(np.stack(rows)), seconds=seconds, scenes=scenes,
            model="conse-lite0", path=path)  # fmt: skip
    return {"cache_dir": str(cache.root), "media_path": str(path), "time_seconds": 0}


def matches(client: Client, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.ok("/search/frame", **body)["matches"]
    return found


def test_scores_fall_and_strengths_name_them(client: Client, movie: dict[str, Any]) -> None:
    answer = client.ok("/search/frame", **movie, details=True)
    found = answer["matches"]
    assert [match.get("strength") for match in found] == STRENGTHS
    scores = [match["score"] for match in found]
    assert scores == sorted(scores, reverse=True)
    assert 0.6 < scores[0] < 1
    assert {match["model_key"] for match in found} == {"conse-lite0"}
    assert answer["notes"] == []


def test_who_does_not_ask_gets_the_answer_of_before(client: Client, movie: dict[str, Any]) -> None:
    plain = client.ok("/search/frame", **movie)
    detailed = client.ok("/search/frame", **movie, details=True)
    assert plain.keys() == {"matches"}
    more = {"score", "strength", "paths", "online", "model_key", "people", "cut_start_seconds"}
    assert plain["matches"] == [
        {name: value for name, value in match.items() if name not in more}
        for match in detailed["matches"]
    ]


@pytest.mark.parametrize(
    ("least", "left"),
    [
        ({"min_strength": "weak"}, 4),
        ({"min_strength": "fair"}, 3),
        ({"min_strength": "strong"}, 2),
        ({"min_score": 0.0}, 5),
        ({"min_score": 0.5}, 3),
        ({"min_score": 0.5, "min_strength": "strong"}, 2),
        ({"min_score": 1.0}, 0),
    ],
)
def test_what_is_weaker_is_left_out(
    client: Client, movie: dict[str, Any], least: dict[str, Any], left: int
) -> None:
    found = matches(client, **movie)
    assert matches(client, **movie, **least) == found[:left]
    assert matches(client, **movie, **least, max_results=1) == found[: min(1, left)]


def test_where_nothing_is_strong_enough_the_nearest_score_is_said(
    client: Client, movie: dict[str, Any]
) -> None:
    answer = client.ok("/search/frame", **movie, details=True, min_score=1)
    assert answer["matches"] == []
    assert answer["notes"] == ["Nothing is strong enough; the nearest has a score of 0.71."]


def test_all_places_are_named_those_that_open_first(
    client: Client, movie: dict[str, Any], media: Path
) -> None:
    cache = CacheDir.open(Path(movie["cache_dir"]), create=False)
    original = Path(movie["media_path"])
    hash_str, content = hash_media(str(original)), original.read_bytes()
    copy, gone = media / f"a copy of {original.name}", media / f"gone {original.name}"
    for number, place in enumerate((copy, gone)):
        place.write_bytes(content)
        cache.remember_path(hash_str, str(place), len(content), number)
    gone.unlink()
    best = matches(client, **movie, details=True)[0]
    assert best["video_path"] == str(original), "a copy does not hide it"
    assert best["online"] is True
    assert best["paths"] == [
        {"path": str(original), "online": True},
        {"path": str(copy), "online": True},
        {"path": str(gone), "online": False},
    ]


def test_media_that_is_offline_is_found_and_marked(client: Client, movie: dict[str, Any]) -> None:
    query = {**movie, "time_seconds": 0, "media_path": movie["media_path"]}
    away = Path(movie["media_path"])
    elsewhere = away.with_name("another.mp4")
    elsewhere.write_bytes(b"another")
    cache = CacheDir.open(Path(movie["cache_dir"]), create=False)
    publish(cache, hash_media(str(elsewhere)), random_units(1, 32, 1), model="conse-lite0",
            path=elsewhere)  # fmt: skip
    away.rename(away.with_suffix(".away"))
    found = matches(client, **{**query, "media_path": str(elsewhere)}, details=True)
    offline = [match for match in found if match["video_path"] == str(away)]
    assert len(offline) == len(COSINES)
    assert not any(match["online"] for match in offline)


def test_people_in_the_scene_of_a_match_are_said_with_their_names(
    client: Client, movie: dict[str, Any]
) -> None:
    """Faces at 3 and 9 lie in the scene of the frame at 0, one at 10 in the next one."""
    cache = CacheDir.open(Path(movie["cache_dir"]), create=False)
    seen = [Seen(3, 1, 1001), Seen(9, 1, 1001), Seen(9, 5, 2002), Seen(5, 8), Seen(10, 5, 2002)]
    make_collection(cache, "Cast", {hash_media(movie["media_path"]): seen})
    name = {"cluster_id": "1001", "name": "Ada"}
    body = {"cache_dir": movie["cache_dir"], "cluster_job_name": "Cast", "assignments": [name]}
    assert client.http.put("/faces/clusters/names", json=body).status_code == 200
    found = matches(client, **movie, details=True)
    ada, bo = (
        {"cluster_job_name": "Cast", "cluster_id": id_, "name": name}
        for id_, name in (("1001", "Ada"), ("2002", None))
    )
    assert [match["people"] for match in found] == [[ada, bo], [bo], [], [], []]
