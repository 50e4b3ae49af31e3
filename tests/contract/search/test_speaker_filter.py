"""`speaker`: frames while somebody speaks, by name or label, beside all other filters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.http.test_bad_input import refusal
from tests.support.people.people_desk import ADA, BO, NAME, PeopleDesk, people_desk
from tests.support.search.talking import talk
from tests.support.search.transcribed import publish as publish_transcript
from tests.support.search.transcribed import spoken
from tests.support.stack import Client

LENGTHS = {"a.mp4": 12, "b.mp4": 6}
VOICE, OTHER, NOBODY = 5001, 5002, 5003


@pytest.fixture
def people(
    client: Client, caches: Path, media: Path, request: pytest.FixtureRequest
) -> Iterator[PeopleDesk]:
    """Every second is a scene. Ada's voice is S1 in a.mp4 and S2 in b.mp4; Bo's is S2 in a.mp4."""
    with people_desk(client, caches / request.node.name[:60], media) as desk:
        desk.publish_seconds(LENGTHS)
        long = ((0, 3.5, "And then: Rolling thunder", 5.5), (1, 8.0, "Rolling thunder?", 9.2))
        short = ((0, 0.0, "Where is it?", 1.0), (1, 2.2, "Rolling thunder.", 2.4))
        told = {
            desk.hash_of("a.mp4"): (long, (VOICE, OTHER)),
            desk.hash_of("b.mp4"): (short, (NOBODY, VOICE)),
        }
        talk(desk.cache, NAME, told)
        desk.name(_5001="Ada", _5002="Bo")
        yield desk


def searched(people: PeopleDesk, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """The query is frame 4 of b.mp4. With the warnings."""
    body = {"cache_dir": str(people.cache.root), "media_path": str(people.media["b.mp4"])}
    answer = people.client.post("/search/frame", **body, time_seconds=4, **more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()), json.loads(answer.headers.get("X-Rushes-Warnings", "[]"))


def found(people: PeopleDesk, speaker: str, **more: Any) -> set[tuple[str, int]]:
    """(file, second) of the matches."""
    answer, warnings = searched(people, speaker=speaker, **more)
    assert not warnings
    return {
        (Path(match["video_path"]).name[-5:], int(match["frame_idx"]))
        for match in answer["matches"]
    }


def seconds(name: str, first: int, end: int) -> set[tuple[str, int]]:
    return {(name, second) for second in range(first, end)}


ADA_SPEAKS = seconds("a.mp4", 3, 6) | seconds("b.mp4", 2, 3)


def test_only_frames_while_somebody_of_that_name_or_label_speaks_match(people: PeopleDesk) -> None:
    assert found(people, " ada ") == ADA_SPEAKS
    assert found(people, "Bo") == seconds("a.mp4", 8, 10)
    assert found(people, "S1") == seconds("a.mp4", 3, 6) | seconds("b.mp4", 0, 1)
    assert found(people, "s2") == seconds("a.mp4", 8, 10) | seconds("b.mp4", 2, 3)


def test_a_name_counts_as_soon_as_it_is_given_and_nothing_is_analyzed(people: PeopleDesk) -> None:
    people.name(_5002="Cleo")
    assert found(people, "Cleo") == seconds("a.mp4", 8, 10)
    people.merge(OTHER, VOICE, into=VOICE)
    assert found(people, "Ada") == ADA_SPEAKS | seconds("a.mp4", 8, 10)


def test_words_people_files_and_excluded_concepts_narrow_it_further(people: PeopleDesk) -> None:
    said = found(people, "Ada", spoken="rolling thunder")
    assert said == seconds("a.mp4", 2, 8) | seconds("b.mp4", 1, 5), "two seconds around the words"
    assert found(people, "Bo", spoken="rolling thunder") == seconds("a.mp4", 6, 12)
    assert found(people, "Bo", spoken="and then") == set(), "that is what Ada says"
    only_a = {"media_paths": [str(people.media["a.mp4"])]}
    assert found(people, "Ada", **only_a) == seconds("a.mp4", 3, 6)

    def with_face(speaker: str, cluster: int, **more: Any) -> set[tuple[str, int]]:
        person = {"cluster_job_name": NAME, "cluster_id": str(cluster)}
        return found(people, speaker, people_filter=[person], **more)

    assert with_face("Ada", ADA) == with_face("Ada", BO) == seconds("b.mp4", 2, 3)
    assert with_face("Ada", ADA, spoken="rolling thunder") == seconds("b.mp4", 1, 3)
    assert with_face("Bo", ADA) == set()


def test_each_page_keeps_to_who_speaks(people: PeopleDesk) -> None:
    cursor, given = "", []
    while cursor is not None:
        page, _ = searched(people, speaker="Ada", spoken="thunder", max_results=4, cursor=cursor)
        given += [(Path(m["video_path"]).name[-5:], int(m["frame_idx"])) for m in page["matches"]]
        cursor = page.get("next")
    assert len(given) == len(set(given))
    assert set(given) == seconds("a.mp4", 2, 8) | seconds("b.mp4", 1, 5)


def test_a_name_that_nobody_has_is_answered_with_those_that_are_known(people: PeopleDesk) -> None:
    answer, warnings = searched(people, speaker="Zoe", details=True)
    sentence = "speaker: nobody called 'Zoe' speaks in these files. Known: 'Ada', 'Bo', S1 to S2."
    assert (answer["matches"], answer["notes"], warnings) == ([], [sentence], [sentence])
    answer, warnings = searched(people, speaker="Bo", spoken="and then", details=True)
    assert (answer["notes"], warnings) == (
        ["'Bo' never says that in these files, as far as they are transcribed."], []
    )  # fmt: skip
    person = {"cluster_job_name": NAME, "cluster_id": str(ADA)}
    answer, _ = searched(people, speaker="Bo", people_filter=[person], details=True)
    assert answer["notes"] == ["This person is not seen while 'Bo' speaks."]


def test_files_whose_speakers_nobody_told_apart_are_counted(people: PeopleDesk) -> None:
    publish_transcript(people.cache, people.hash_of("a.mp4"), (spoken(1, "Rolling thunder", 2),))
    answer, warnings = searched(people, speaker="Ada", coverage=True, mode="fast")
    assert [match["frame_idx"] for match in answer["matches"]] == ["2"]
    assert warnings[0].startswith("speaker: in 1 transcript nobody told the speakers apart")
    assert warnings[1:] == ['mode: "fast" was answered as "exact": speaker needs all frames.']
    assert answer["coverage"]["speakers"] == {"files": 1, "hours": 0.0}
    plain, _ = searched(people, coverage=True)
    assert "speakers" not in plain["coverage"]


def test_what_nobody_can_be_called_is_refused(people: PeopleDesk) -> None:
    body = {"cache_dir": str(people.cache.root), "query": "a car"}
    for speaker in ("  ", "a\x00b", "x" * 1001, 5, ["Ada"]):
        assert refusal(people.client, "/search/text", **body, speaker=speaker).startswith("speaker")
