"""`spoken`: frames while words are said, beside words, pictures and people, in one search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.http.test_bad_input import refusal
from tests.support.people.people_desk import ADA, BO, CY, NAME, PeopleDesk, people_desk
from tests.support.search.transcribed import publish as publish_transcript
from tests.support.search.transcribed import spoken
from tests.support.stack import Client

LENGTHS = {"a.mp4": 12, "b.mp4": 6}


@pytest.fixture
def people(
    client: Client, caches: Path, media: Path, request: pytest.FixtureRequest
) -> Iterator[PeopleDesk]:
    """Every second is a scene. a.mp4 says two things, b.mp4 says one of them at its begin."""
    with people_desk(client, caches / request.node.name[:60], media) as desk:
        desk.publish_seconds(LENGTHS)
        said = (spoken(3.5, "And then: Rolling", 4.5), spoken(4.5, "thunder, they say.", 5.5))
        late = spoken(11.2, "Nothing else.", 11.9)
        publish_transcript(desk.cache, desk.hash_of("a.mp4"), (*said, late))
        publish_transcript(
            desk.cache, desk.hash_of("b.mp4"), (spoken(0.0, "rolling  THUNDER", 0.5),)
        )
        yield desk


def searched(people: PeopleDesk, **more: Any) -> dict[str, Any]:
    """The query is frame 4 of b.mp4."""
    body = {"cache_dir": str(people.cache.root), "media_path": str(people.media["b.mp4"])}
    return dict(people.client.ok("/search/frame", **body, time_seconds=4, **more))


def found(people: PeopleDesk, words: str, **more: Any) -> set[tuple[str, int]]:
    """(file, second) of the matches."""
    matches = searched(people, spoken=words, **more)["matches"]
    return {(Path(match["video_path"]).name[-5:], int(match["frame_idx"])) for match in matches}


def seconds(name: str, first: int, end: int) -> set[tuple[str, int]]:
    return {(name, second) for second in range(first, end)}


THUNDER = seconds("a.mp4", 2, 8) | seconds("b.mp4", 0, 3)


def test_only_frames_within_two_seconds_of_the_words_match(people: PeopleDesk) -> None:
    assert found(people, "rolling thunder") == THUNDER, "over two segments, whatever the case"
    assert found(people, "nothing else") == seconds("a.mp4", 10, 12)
    assert found(people, "ROLL") == seconds("a.mp4", 2, 7) | seconds("b.mp4", 0, 3)
    assert found(people, "lightning") == set()


def test_files_and_people_narrow_it_further(people: PeopleDesk) -> None:
    only_a = {"media_paths": [str(people.media["a.mp4"])]}
    assert found(people, "rolling thunder", **only_a) == seconds("a.mp4", 2, 8)
    folder = {"filters": {"folder": str(people.media["a.mp4"].parent / "none")}}
    assert found(people, "rolling thunder", **folder) == set()

    def with_person(words: str, cluster: int) -> set[tuple[str, int]]:
        person = {"cluster_job_name": NAME, "cluster_id": str(cluster)}
        return found(people, words, people_filter=[person])

    assert with_person("rolling thunder", ADA) == seconds("b.mp4", 0, 3)
    assert with_person("nothing else", ADA) == seconds("a.mp4", 10, 11)
    assert with_person("nothing else", BO) == set()


def test_a_search_without_matches_says_why(people: PeopleDesk) -> None:
    def notes(*clusters: int, **more: Any) -> list[str]:
        persons = [{"cluster_job_name": NAME, "cluster_id": str(one)} for one in clusters]
        answer = searched(people, people_filter=persons, details=True, **more)
        assert not answer["matches"]
        return list(answer["notes"])

    assert notes(spoken="lightning") == [
        "That is not said in these files, as far as they are transcribed."
    ]
    assert notes(BO, spoken="nothing else") == ["This person is not seen while that is said."]
    assert notes(BO, CY) == ["These people are not seen together."]


def test_words_that_cannot_be_said_are_refused(people: PeopleDesk) -> None:
    body = {"cache_dir": str(people.cache.root), "query": "a car"}
    for words in ("  ", "a\x00b"):
        assert "spoken" in refusal(people.client, "/search/text", **body, spoken=words)


def test_each_page_keeps_to_the_words(people: PeopleDesk) -> None:
    cursor, given = "", []
    while cursor is not None:
        page = searched(people, spoken="rolling thunder", max_results=4, cursor=cursor)
        given += [(Path(m["video_path"]).name[-5:], int(m["frame_idx"])) for m in page["matches"]]
        cursor = page.get("next")
    assert len(given) == len(THUNDER)
    assert set(given) == THUNDER
