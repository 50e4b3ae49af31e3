"""POST /search/transcript and /analysis-data/load-transcriptions, as a client sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.cache.transcripts import Segment
from tests.contract.http.test_bad_input import refusal
from tests.support.media.by_path import hash_media
from tests.support.search.talking import talk
from tests.support.search.transcribed import publish_for, publish_speakers, spoken
from tests.support.search.transcript_data import publish_transcript, segments
from tests.support.stack import Client


@pytest.fixture
def cache(caches: Path, request: pytest.FixtureRequest) -> CacheDir:
    return CacheDir.open(caches / request.node.name[:60], create=True)


@pytest.fixture
def films(cache: CacheDir, media: Path) -> Iterator[list[Path]]:
    """b.mp4 and a.mp4, which talk; c.mp4 was never transcribed."""
    paths = [media / f"spoken-{name}.mp4" for name in "bac"]
    for path in paths:
        path.write_bytes(path.name.encode() * 100)
    said = (
        Segment(start=59.5, end=61.25, text=" Roll the thunder, "),
        Segment(start=61.25, end=64.0, text="said Ada."),
    )
    for path in paths[:2]:
        publish_transcript(cache, hash_media(str(path)), said, model="whisper-base", path=path)
    yield paths
    for path in paths:
        path.unlink(missing_ok=True)


def test_matches_have_exactly_the_fields_of_the_contract(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "media_paths": [str(films[0])]}
    assert client.ok("/search/transcript", **body, query="THUNDER,  said") == {
        "matches": [
            {
                "media_path": str(films[0]),
                "hash_str": hash_media(str(films[0])),
                "start_seconds": 59.5,
                "end_seconds": 64.0,
                "start_timestamp": "00:00:59",
                "end_timestamp": "00:01:04",
                "text": "Roll the thunder, said Ada.",
            }
        ]
    }


def test_media_paths_choose_and_order_and_search_all_ignores_them(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    def found(**more: Any) -> list[str]:
        answer = client.ok("/search/transcript", cache_dir=str(cache.root), query="ada", **more)
        return [Path(match["media_path"]).name for match in answer["matches"]]

    names = ["spoken-b.mp4", "spoken-a.mp4"]
    paths = [str(path) for path in films]
    assert found() == found(media_paths=None) == found(search_all=True) == names[::-1]
    assert found(media_paths=paths) == names
    assert found(media_paths=[paths[2]]) == found(media_paths=[]) == []
    assert found(media_paths=[], search_all=True) == names[::-1]
    assert found(media_paths=paths, search_all=True) == names[::-1]
    assert found(media_paths=paths, max_results=1) == names[:1]
    assert found(media_paths=paths, max_results=10**20) == names
    assert found(media_paths=[str(films[0].with_name("never-seen.mp4"))]) == []
    films[0].unlink()
    assert found(media_paths=paths) == names, "a file that is gone is known by where it was"


def test_the_speaker_field_matches_nothing_without_data_about_speakers(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "query": "ada"}
    assert client.ok("/search/transcript", **body, speaker="Ada") == {"matches": []}
    assert len(client.ok("/search/transcript", **body, speaker=None)["matches"]) == 2


def test_what_a_speaker_says_is_found_as_soon_as_speakers_are_told_apart(
    client: Client, cache: CacheDir, media: Path
) -> None:
    path = media / "two-voices.mp4"
    path.write_bytes(b"two voices" * 100)
    hash_str = publish_for(cache, path, spoken(1, "Roll the thunder? Thunder is rolling.", 7))

    def found(**more: Any) -> list[tuple[float, float, str, str | None]]:
        body = {"cache_dir": str(cache.root), "query": "thunder", **more}
        return [
            (one["start_seconds"], one["end_seconds"], one["text"], one.get("speaker"))
            for one in client.ok("/search/transcript", **body)["matches"]
        ]

    assert found() == [(1, 7, "Roll the thunder? Thunder is rolling.", None)]
    assert found(speaker="S1") == []
    turns = (SpeakerTurn(1, 4, 0), SpeakerTurn(4, 7, 1))
    told = SpeakerTurns(model="resemblyzer", speakers=(Speaker(3, ()), Speaker(3, ())), turns=turns)
    made = publish_speakers(cache, hash_str, told)
    first, second = (1, 4, "Roll the thunder?", "S1"), (4, 7, "Thunder is rolling.", "S2")

    def transcribed(**more: Any) -> list[tuple[float, float, str]]:
        asked = {"cache_dir": str(cache.root), "media_paths": [str(path)], **more}
        [one] = client.ok("/transcriptions", **asked)["transcriptions"]
        return [(start, end, text) for start, text, end in one["segments"]]

    assert [match[:3] for match in found()] == transcribed(), "as who does not ask who speaks"
    assert found(mode="fuzzy", max_results=1) == found()
    assert len(found()) == 1
    assert found(speaker="s2") == [second]
    assert [first[:3], second[:3]] == transcribed(speakers=True)
    assert found(speaker="S3") == []
    assert found(query="thunder? thunder") == [
        (1, 7, "Roll the thunder? Thunder is rolling.", None)
    ], "two say it"
    cache.data_path(hash_str, made).path.write_bytes(b"{")
    publish_for(cache, path, spoken(1, "Thunder again.", 2))
    assert found() == [(1, 2, "Thunder again.", None)], "speakers of an older transcript are none's"


def test_who_is_named_is_found_by_name_and_told_by_it(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    b, a, _ = (hash_media(str(path)) for path in films)
    long = ((0, 1, "Roll the thunder?", 4), (1, 4, "Thunder is rolling.", 7))
    talk(cache, "Season 1", {a: (long, (5001, 5002)), b: (((0, 0, "Thunder!", 1),), (5002, 5003))})

    def found(**more: Any) -> list[tuple[str, float, str | None, str | None]]:
        body = {"cache_dir": str(cache.root), "query": "thunder", **more}
        return [
            (
                Path(one["media_path"]).name, one["start_seconds"], one.get("speaker"),
                one.get("speaker_name"),
            )
            for one in client.ok("/search/transcript", **body)["matches"]
        ]  # fmt: skip

    first, second = ("spoken-a.mp4", 1, "S1"), ("spoken-a.mp4", 4, "S2")
    third = ("spoken-b.mp4", 0, "S1")
    assert found() == [(*first, None), (*second, None), (*third, None)]
    names = {"5001": "Ada", "5002": "Bo"}
    body = {"cache_dir": str(cache.root), "cluster_job_name": "Season 1"}
    assignments = [{"cluster_id": id_, "name": name} for id_, name in names.items()]
    named = client.http.put("/faces/clusters/names", json={**body, "assignments": assignments})
    assert named.status_code == 200, named.text
    ada, bo, bo_too = (*first, "Ada"), (*second, "Bo"), (*third, "Bo")
    assert found() == [ada, bo, bo_too]
    assert found(speaker="BO") == found(speaker="bo", mode="fuzzy") == [bo, bo_too]
    assert found(speaker="S1") == [ada, bo_too]
    assert found(speaker="Bo", sort="time", group_by=None) == [bo, bo_too]
    over_two = {"query": "thunder? thunder is"}
    assert found(**over_two) == [(*first[:2], None, None)]
    assert found(**over_two, speaker="Bo") == []
    merge = {"cluster_ids": ["5001", "5002"], "target_cluster_id": "5001"}
    client.ok("/faces/clusters/modify", **body, merges=[merge])
    assert found(**over_two, speaker="Ada") == [(*first[:2], None, "Ada")], "all of it is hers"


def test_pages_of_what_somebody_says_go_on_with_them(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    said = tuple((n % 2, 2.0 * n, f"Thunder number {n}.", 2.0 * n + 2) for n in range(8))
    talk(cache, "Season 1", {hash_media(str(films[1])): (said, (5001, 5002))})
    body = {"cache_dir": str(cache.root), "query": "thunder", "speaker": "S2", "max_results": 2}
    given, cursor = [], ""
    while cursor is not None:
        page = client.ok("/search/transcript", **body, cursor=cursor)
        given += [match["start_seconds"] for match in page["matches"]]
        cursor = page.get("next")
    assert given == [2, 6, 10, 14]


def test_a_name_that_nobody_has_is_told_with_those_that_are_known(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    talk(cache, "S", {hash_media(str(films[1])): (((0, 0, "Thunder!", 1),), (5001, 5002))})
    body = {"cache_dir": str(cache.root), "query": "thunder", "speaker": "Zoe", "coverage": True}
    answer = client.post("/search/transcript", **body, details=True)
    warnings = json.loads(answer.headers["X-Rushes-Warnings"])
    assert warnings == [
        "speaker: nobody called 'Zoe' speaks in these files. Known: S1 to S2.",
        "speaker: in 1 transcript nobody told the speakers apart, so that they match nothing. "
        "Analyze the speech of these files again, with `speakers`.",
    ]
    found = answer.json()
    assert (found["matches"], found["notes"][:2]) == ([], warnings)
    assert (found["coverage"]["speakers"]["files"], found["coverage"]["searched"]["files"]) == (
        1,
        2,
    )


def test_fuzzy_forgives_a_typo_and_other_words_are_no_mode(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "query": "thundr said"}
    assert client.ok("/search/transcript", **body)["matches"] == []
    assert len(client.ok("/search/transcript", **body, mode="fuzzy")["matches"]) == 2
    assert refusal(client, "/search/transcript", **body, mode="vague").startswith("mode")


def test_auto_marks_each_match_and_says_that_nobody_knows_what_the_query_means(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "query": "thunder", "mode": "auto"}
    answer = client.post("/search/transcript", **body)
    assert [match["matched_by"] for match in answer.json()["matches"]] == ["literal"] * 2
    (warning,) = json.loads(answer.headers["X-Rushes-Warnings"])
    assert warning.startswith("Nothing was searched by meaning: No worker")
    typo = client.ok("/search/transcript", **{**body, "query": "thundr said"})
    assert [match["matched_by"] for match in typo["matches"]] == ["fuzzy"] * 2
    assert client.ok("/search/transcript", **{**body, "query": "x" * 300})["matches"] == []


def test_searching_by_meaning_needs_a_query_worker(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "query": "thunder", "mode": "semantic"}
    answer = client.post("/search/transcript", **body)
    assert (answer.status_code, answer.json()["error"]) == (503, "No worker available")
    assert client.ok("/search/transcript", **body, media_paths=[]) == {"matches": []}


def test_details_say_where_the_content_lies(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "query": "thunder"}
    plain = client.ok("/search/transcript", **body)
    films[0].unlink()
    answer = client.ok("/search/transcript", **body, details=True)
    assert answer["notes"] == []
    assert [
        (match["media_path"], match["online"], match["paths"]) for match in answer["matches"]
    ] == [
        (str(path), there, [{"path": str(path), "online": there}])
        for path, there in ((films[1], True), (films[0], False))
    ]
    more = {"paths", "online"}
    assert plain["matches"] == [
        {name: value for name, value in match.items() if name not in more}
        for match in answer["matches"]
    ]


def test_a_misspelt_phrase_that_nobody_says_is_noted_with_what_fuzzy_finds(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "details": True, "media_paths": [str(films[0])]}

    def notes(query: str, **more: Any) -> list[str]:
        answer = client.ok("/search/transcript", **{**body, "query": query, **more})
        assert answer["matches"] == [] or not answer["notes"]
        return list(answer["notes"])

    assert notes("thundr said") == [
        f'Nobody says just that. The mode "fuzzy" finds, in {films[0]} at 00:00:59: '
        "Roll the thunder, said Ada."
    ]
    assert notes("thunder, said") == []
    assert notes("thundr said", mode="fuzzy") == []
    assert notes("nothing of the kind") == []
    assert notes("thundr said", media_paths=[str(films[2])]) == []
    empty = cache.root.path.with_name("empty")
    empty.mkdir(exist_ok=True)
    assert notes("thunder", cache_dir=str(empty)) == [
        "Nothing in this cache folder is transcribed yet."
    ]


@pytest.mark.parametrize("query", ["", " ", "\u200b", "\u00ad \n", "a\x00b", "\x07", "a\x7f", 5])
def test_a_query_without_text_or_with_control_characters_is_400(
    client: Client, cache: CacheDir, films: list[Path], query: Any
) -> None:
    body = {"cache_dir": str(cache.root), "media_paths": []}
    assert refusal(client, "/search/transcript", **body, query=query).startswith("query")
    if query:
        body["query"] = "ada"
        assert refusal(client, "/search/transcript", **body, speaker=query).startswith("speaker")


@pytest.mark.parametrize(
    "query", ["%", ".*", "\\", "'", "[a", "﷽" * 9, "👩‍👩‍👧", "\u0301", "x" * 200, "a\tb"]
)
@pytest.mark.parametrize("mode", ["substring", "fuzzy"])
def test_an_odd_query_finds_nothing(
    client: Client, cache: CacheDir, films: list[Path], query: str, mode: str
) -> None:
    body = {"cache_dir": str(cache.root), "query": query, "mode": mode}
    assert client.ok("/search/transcript", **body) == {"matches": []}


def test_a_query_may_be_long_but_not_a_fuzzy_one(client: Client, cache: CacheDir) -> None:
    body = {"cache_dir": str(cache.root), "query": "﷽" * 900}
    assert client.ok("/search/transcript", **body) == {"matches": []}
    assert "at most 200" in refusal(client, "/search/transcript", **body, mode="fuzzy")


def test_files_outside_the_roots_are_403(client: Client, cache: CacheDir, tmp_path: Path) -> None:
    body = {"cache_dir": str(cache.root), "query": "a"}
    load = "/analysis-data/load-transcriptions"
    for path in ("/search/transcript", load):
        outside = client.post(path, **body, media_paths=[str(tmp_path / "a.mp4")])
        assert outside.status_code == 403
        assert "RUSHES_MEDIA_ROOTS" in outside.json()["message"]


def test_loading_counts_transcripts_and_names_the_files_without(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    def load(**more: Any) -> tuple[int, list[str]]:
        path = "/analysis-data/load-transcriptions"
        answer = client.ok(path, cache_dir=str(cache.root), **more)
        assert set(answer) == {"message", "transcription_files", "missing"}
        return answer["transcription_files"], answer["missing"]

    unknown = str(films[0].with_name("never-seen.mp4"))
    assert load() == (2, [])
    assert load(media_paths=[]) == (0, [])
    assert load(media_paths=[unknown, str(films[0]), str(films[2])]) == (
        1,
        [unknown, str(films[2])],
    )
    everything = client.ok("/analysis-data/load", cache_dir=str(cache.root))
    assert (everything["transcription_files"], everything["skipped"]) == (2, [])
    publish_transcript(cache, hash_media(str(films[0])), (), model="whisper-base").write_bytes(b"{")
    assert load(media_paths=[str(films[0])]) == (0, [str(films[0])])
    (skipped,) = client.ok("/analysis-data/load", cache_dir=str(cache.root))["skipped"]
    assert skipped["hash_str"] == hash_media(str(films[0]))
    assert "is damaged" in skipped["reason"]


def test_no_answer_is_longer_than_the_document_says(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    said = segments(*["tick"] * 10_001)
    publish_transcript(cache, "0" * 16, said, model="whisper-base")
    body = {"cache_dir": str(cache.root), "query": "tick", "max_results": 10**20}
    assert len(client.ok("/search/transcript", **body)["matches"]) == 10_000
