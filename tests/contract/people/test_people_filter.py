"""people_filter: which frames a search shows. By a frame that is analysed, so without a worker."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain import Scene
from tests.contract.http.test_bad_input import refusal
from tests.contract.http.test_unknown_fields import warned
from tests.support.people.people_data import Seen, make_collection
from tests.support.people.people_desk import ADA, BO, CY, NAME, NOBODY, PeopleDesk, people_desk
from tests.support.search.search_data import publish, random_units
from tests.support.stack import Client

MODEL = "conse-lite0"
told: list[str] = []  # the warnings of the last search
LENGTHS = {"a.mp4": 12, "b.mp4": 6}


@pytest.fixture
def people(
    client: Client, caches: Path, media: Path, request: pytest.FixtureRequest
) -> Iterator[PeopleDesk]:
    """Both files are analysed; every second is a scene."""
    with people_desk(client, caches / request.node.name[:60], media) as desk:
        desk.publish_seconds(LENGTHS)
        yield desk


def found(people: PeopleDesk, *persons: dict[str, Any], **more: Any) -> set[tuple[str, int]]:
    """(file, second) of the matches; the query is frame 4 of b.mp4, in which nobody is."""
    body = {
        "cache_dir": str(people.cache.root),
        "media_path": str(people.media["b.mp4"]),
        "time_seconds": 4,
        "people_filter": [{"cluster_job_name": NAME, **person} for person in persons],
        **more,
    }
    answer = people.client.post("/search/frame", **body)
    assert answer.status_code == 200, answer.text
    told[:] = warned(answer)
    matches = answer.json()["matches"]
    return {(Path(m["video_path"]).name[-5:], int(m["frame_idx"])) for m in matches}


def cluster(number: int) -> dict[str, Any]:
    return {"cluster_id": str(number)}


OF_ADA = {("a.mp4", 10), ("b.mp4", 0), ("b.mp4", 1), ("b.mp4", 2)}
OF_BO = {("b.mp4", 2), ("b.mp4", 3)}


def test_only_frames_with_the_person_match(people: PeopleDesk) -> None:
    assert found(people, cluster(ADA)) == OF_ADA
    assert found(people, {"cluster_id": BO}) == OF_BO
    assert found(people, cluster(NOBODY)) == {("a.mp4", 11)}


@pytest.mark.parametrize("none", [[], None])
def test_an_empty_filter_is_none(people: PeopleDesk, none: list[Any] | None) -> None:
    assert len(found(people, people_filter=none)) == sum(LENGTHS.values())


def test_and_wants_everybody_in_the_same_frame_of_the_same_file_and_or_anybody(
    people: PeopleDesk,
) -> None:
    ada, bo, cy = map(cluster, (ADA, BO, CY))
    assert found(people, ada, bo) == {("b.mp4", 2)}
    assert found(people, ada, cy, people_filter_mode="and") == {("a.mp4", 10)}
    assert found(people, bo, cy) == found(people, ada, bo, cy) == set()
    assert found(people, ada, ada) == OF_ADA
    assert found(people, ada, bo, people_filter_mode="or") == OF_ADA | OF_BO
    assert found(people, bo, cy, people_filter_mode="or") == OF_BO | {("a.mp4", 10)}


def test_a_name_means_all_clusters_that_bear_it_whatever_its_case_and_form(
    people: PeopleDesk,
) -> None:
    people.name(_1001="Zoë Straße", _3003="Zoë Straße", _2002="Bo")
    for name in ("Zoë Straße", unicodedata.normalize("NFD", " ZOË STRASSE ")):
        assert found(people, {"person_name": name}) == OF_ADA
    both = found(people, {"person_name": "zoë straße"}, {"person_name": "bo"})
    assert both == {("b.mp4", 2)}
    assert found(people, {"person_name": "nobody's", "cluster_id": str(BO)}) == OF_BO


def test_the_filter_follows_merges_moves_and_undo_at_once(people: PeopleDesk) -> None:
    people.merge(CY, into=BO)
    assert found(people, cluster(CY)) == OF_BO | {("a.mp4", 10)}
    assert found(people, cluster(ADA), cluster(BO)) == {("a.mp4", 10), ("b.mp4", 2)}
    people.modify(moves=[{"face_ids": people.face_ids(ADA)[:1], "target_cluster_id": "-1"}])
    assert found(people, cluster(ADA)) == OF_ADA - {("a.mp4", 10)}
    people.undo(edit_id="")
    assert found(people, cluster(ADA)) == OF_ADA


@pytest.mark.parametrize(
    "unknown",
    [
        {"person_name": "Di"},
        {"cluster_id": "7"},
        {"cluster_id": "Ada"},
        {"cluster_id": 2**80},
        {"cluster_job_name": "Season 2", "cluster_id": str(ADA)},
        {"cluster_job_name": "x" * 300, "cluster_id": str(ADA)},
        {"cluster_job_name": "../..", "person_name": "Ada"},
    ],
)
def test_who_is_unknown_is_on_no_frame(people: PeopleDesk, unknown: dict[str, Any]) -> None:
    assert found(people, cluster(ADA))
    assert told == []
    assert found(people, unknown) == found(people, cluster(ADA), unknown) == set()
    assert len(told) == 1
    assert "collection" in told[0]
    assert found(people, cluster(BO), unknown, people_filter_mode="or") == OF_BO


def test_people_of_two_collections_meet_in_a_frame(people: PeopleDesk) -> None:
    files = {
        people.hash_of("b.mp4"): [Seen(2, 5, 7), Seen(5, 5, 7)],
        "0" * 16: [Seen(2, 1, 7)],
    }
    make_collection(people.cache, "Rehearsals", files)
    guest = {"cluster_job_name": "Rehearsals", "cluster_id": "7"}
    assert found(people, cluster(ADA), guest) == {("b.mp4", 2)}
    both = found(people, guest, cluster(BO), people_filter_mode="or")
    assert both == OF_BO | {("b.mp4", 5)}


def test_it_narrows_media_paths_and_max_results_counts_what_is_left(people: PeopleDesk) -> None:
    ada = cluster(ADA)
    only_a = [str(people.media["a.mp4"])]
    assert found(people, ada, media_paths=only_a) == {("a.mp4", 10)}
    assert found(people, cluster(BO), media_paths=only_a) == set()
    assert found(people, ada, media_paths=only_a, search_all=True) == OF_ADA
    assert found(people, ada, media_paths=[]) == set()
    assert len(found(people, ada, max_results=3)) == 3


def test_frames_are_filtered_before_scenes_are_grouped(people: PeopleDesk) -> None:
    hash_str = people.hash_of("b.mp4")
    vectors = random_units(6, 32, 9)
    publish(people.cache, hash_str, vectors, model=MODEL, scenes=(Scene(0, 6),))
    best = max((0, 1, 2), key=lambda second: float(vectors[second] @ vectors[4]))
    in_b = [str(people.media["b.mp4"])]
    assert found(people, media_paths=in_b) == {("b.mp4", 4)}
    assert found(people, cluster(ADA), media_paths=in_b) == {("b.mp4", best)}


def test_an_item_without_its_keys_is_400(people: PeopleDesk) -> None:
    body = {
        "cache_dir": str(people.cache.root),
        "media_path": str(people.media["b.mp4"]),
        "time_seconds": 4,
    }
    ada = {"cluster_job_name": NAME, "person_name": "Ada"}

    def why(*people_filter: Any) -> str:
        return refusal(people.client, "/search/frame", **body, people_filter=list(people_filter))

    assert why(ada, {"cluster_job_name": NAME}).startswith("people_filter[1]")
    assert why({**ada, "person_name": None}).startswith("people_filter[0]")
    nobody = {**ada, "cluster_id": "", "person_name": ""}
    assert why(nobody) == "people_filter[0] needs person_name or cluster_id."
    assert why({**ada, "cluster_job_name": ""}).startswith("people_filter[0].cluster_job_name")
    assert why({"person_name": "Ada"}).startswith("people_filter[0].cluster_job_name")
    assert why({**ada, "cluster_id": 1.5}).startswith("people_filter[0].cluster_id")
