"""What a search in transcripts finds, in which order, and where it says that it is."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from pathlib import Path

import pytest

from api.search.index_log import Key
from api.search.transcripts.log import TranscriptWriter
from api.search.transcripts.query import SpeakerChoice, SpokenQuery
from api.search.transcripts.text import SearchText
from shared.cache.transcripts import Segment
from tests.support.search.search_data import (
    load,
    media_hash,
    publish,
    random_units,
    search_index,
    view_of,
)
from tests.support.search.talking import say
from tests.support.search.transcribed import MODEL
from tests.support.search.transcript_data import SPEECH, publish_transcript, segments, told


def test_a_match_says_where_and_when_its_text_is_said(cache, index, tmp_path) -> None:
    movie = tmp_path / "a #1 ü%.mp4"
    movie.write_bytes(b"movie")
    said = segments(" We are rolling. ", " Rolling thunder! ")
    publish_transcript(cache, media_hash(7), said, path=movie)
    (hit,) = index.transcripts.search(view_of(index, cache), SpokenQuery("thunder", SPEECH))
    assert (hit.hash_str, hit.start, hit.end) == (media_hash(7), 5, 10)
    assert (hit.text, hit.speaker, hit.path) == ("Rolling thunder!", None, str(movie))


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The ﬁrst oﬃce", "first office"),
        ("first office", "ﬁrst oﬃce"),
        ("Die Straße", "STRASSE"),
        ("Die STRASSE", "straße"),
        ("İstanbul", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("cafe\u0301 noir", "CAFÉ NOIR"),
        ("CAFÉ NOIR", "cafe\u0301 noir"),
        ("ＡＢＣ １２", "abc 12"),
        ("a  line\u00a0and\n another", "A LINE and\tanother"),
        ("Don’t “stop”", 'don\'t "stop"'),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("ｶﾞｷﾞ", "ガギ"),
        ("co\u00adop", "coop"),
        ("한국어", "한국"),
        ("नमस्ते", "नमस्ते"),
    ],
)
def test_case_width_and_unicode_form_do_not_matter(cache, index, text, query) -> None:
    publish_transcript(cache, media_hash(1), segments("before", text, "after"))
    assert told(index, cache, query) == [(1, 5, 10, text)]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("Hello, world", "hello world"),
        ("helloworld", "hello world"),
        ("schon", "schön"),
    ],
)
def test_accents_and_punctuation_and_spaces_count(cache, index, text, query) -> None:
    publish_transcript(cache, media_hash(1), segments(text))
    assert told(index, cache, query) == []


def test_a_phrase_split_over_segments_spans_them(cache, index) -> None:
    publish_transcript(
        cache, media_hash(1), segments("We are the", " ", "champions", "of", "the world. We are")
    )
    assert told(index, cache, "the champions") == [(1, 0, 15, "We are the champions")]
    assert told(index, cache, "ARE THE Champions of THE w") == [
        (1, 0, 25, "We are the champions of the world. We are")
    ]
    assert told(index, cache, "ons of") == [(1, 10, 20, "champions of")]
    assert told(index, cache, "thechampions") == []


def test_scripts_without_spaces_are_split_without_one(cache, index) -> None:
    publish_transcript(cache, media_hash(1), segments("今天天", "气很好", "OK"))
    publish_transcript(cache, media_hash(2), segments("สวัส", "ดีครับ"))
    assert told(index, cache, "天气") == [(1, 0, 10, "今天天气很好")]
    assert told(index, cache, "好 ok") == [(1, 5, 15, "气很好 OK")]
    assert told(index, cache, "สวัสดี") == [(2, 0, 10, "สวัสดีครับ")]


def test_each_segment_in_which_the_query_begins_is_one_match(cache, index) -> None:
    publish_transcript(cache, media_hash(1), segments("no no no", "no", "yes", "oh no"))
    assert told(index, cache, "no") == [
        (1, 0, 5, "no no no"),
        (1, 5, 10, "no"),
        (1, 15, 20, "oh no"),
    ]
    assert told(index, cache, "no no") == [(1, 0, 5, "no no no")]
    assert told(index, cache, "no", max_results=2) == told(index, cache, "no")[:2]


def test_order_is_by_file_as_asked_or_by_path_then_by_time(cache, index, tmp_path) -> None:
    for number, name in enumerate("cab"):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(name.encode())
        publish_transcript(cache, media_hash(number), segments("one", "two one"), path=path)
    assert [(n, start) for n, start, _, _ in told(index, cache, "one")] == [
        (1, 0),
        (1, 5),
        (2, 0),
        (2, 5),
        (0, 0),
        (0, 5),
    ]
    asked = [media_hash(0), media_hash(9), media_hash(1), media_hash(0)]
    assert [n for n, *_ in told(index, cache, "one", asked)] == [0, 0, 1, 1]
    assert [n for n, *_ in told(index, cache, "one", asked, max_results=3)] == [0, 0, 1]
    assert told(index, cache, "one", []) == []


def test_streams_that_speak_at_once_are_told_apart_and_sorted_by_time(cache, index) -> None:
    said = [
        Segment(start=0, end=4, text="good", stream=0),
        Segment(start=8, end=9, text="good", stream=0),
        Segment(start=1, end=5, text="morning good", stream=1),
        Segment(start=6, end=7, text="evening", stream=1),
    ]
    publish_transcript(cache, media_hash(1), said)
    assert [start for _, start, _, _ in told(index, cache, "good")] == [0, 1, 8]
    assert [start for _, start, _, _ in told(index, cache, "good", max_results=2)] == [0, 1]
    assert told(index, cache, "good morning") == []
    assert told(index, cache, "good evening") == [(1, 1, 7, "morning good evening")]


def test_a_speaker_finds_only_what_he_says(cache, index) -> None:
    said = [
        Segment(start=0, end=1, text="hello you", speaker="Ada"),
        Segment(start=1, end=2, text="hello", speaker="Ben"),
        Segment(start=2, end=3, text="there", speaker="Ben"),
    ]
    publish_transcript(cache, media_hash(1), said)
    publish_transcript(cache, media_hash(2), segments("hello there"))
    assert told(index, cache, "hello", speaker=SpeakerChoice("ben")) == [(1, 1, 2, "hello")]
    assert told(index, cache, "hello there", speaker=SpeakerChoice("ben")) == [
        (1, 1, 3, "hello there")
    ]
    assert told(index, cache, "you hello", speaker=SpeakerChoice("ada")) == []
    assert told(index, cache, "hello", speaker=SpeakerChoice("cleo")) == []
    found = index.transcripts.search(view_of(index, cache), SpokenQuery("hello", SPEECH))
    assert [hit.speaker for hit in found] == ["Ada", "Ben", None]


def test_fuzzy_finds_misspelt_words_also_across_segments(cache, index) -> None:
    publish_transcript(
        cache,
        media_hash(1),
        segments("Tchaikovsky wrote it", "nothing here", "the nutcra", "cker suite", "Chaikovski?"),
    )
    assert told(index, cache, "Tchaikowsky") == []
    assert [s for _, s, _, _ in told(index, cache, "Tchaikowsky", mode="fuzzy")] == [0, 20]
    assert told(index, cache, "wrote it nothink", mode="fuzzy") == [
        (1, 0, 10, "Tchaikovsky wrote it nothing here")
    ]
    assert told(index, cache, "zebra crossing", mode="fuzzy") == []
    assert told(index, cache, "a", mode="fuzzy", max_results=1) == [
        (1, 0, 5, "Tchaikovsky wrote it")
    ]


def test_a_text_shorter_than_the_query_is_no_fuzzy_match(cache, index) -> None:
    publish_transcript(cache, media_hash(1), segments("I"))
    publish_transcript(cache, media_hash(2), segments("so", "I", "am"))
    assert told(index, cache, "I think so too", mode="fuzzy") == []


def test_the_active_model_answers_else_the_newest_transcript(cache, index, replica) -> None:
    publish_transcript(cache, media_hash(1), segments("tiny words"), model="tiny")
    publish_transcript(cache, media_hash(1), segments("base words"), model="base")
    publish_transcript(cache, media_hash(2), segments("other words"), model="tiny")
    for one in (index, replica):
        assert [text for *_, text in told(one, cache, "words", model="tiny")] == [
            "tiny words",
            "other words",
        ]
        assert [text for *_, text in told(one, cache, "words", model="large")] == [
            "base words",
            "other words",
        ]
    publish_transcript(cache, media_hash(1), segments("newer words"), model="tiny")
    assert told(index, cache, "words", model="large")[0][3] == "newer words"


def test_a_hit_names_the_oldest_path_that_opens(cache, index, tmp_path: Path) -> None:
    old, new = tmp_path / "old.wav", tmp_path / "new.wav"
    for path in (old, new):
        path.write_bytes(b"sound")
        publish_transcript(cache, media_hash(1), segments("hello"), path=path)

    def path_of_hit() -> str | None:
        query = SpokenQuery("hello", SPEECH)
        return index.transcripts.search(view_of(index, cache), query)[0].path

    assert path_of_hit() == str(old)
    old.unlink()
    assert path_of_hit() == str(new)
    new.unlink()
    assert path_of_hit() == str(old)


def test_a_path_outside_the_roots_is_not_opened(cache, settings, tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    for path in (inside / "a.wav", tmp_path / "b.wav"):
        path.write_bytes(b"sound")
        publish_transcript(cache, media_hash(1), segments("hello"), path=path)
    query = SpokenQuery("hello", SPEECH)
    allowed = replace(settings, media_roots=(inside,), cache_roots=(cache.root.path,))
    with search_index(allowed) as walled:
        (hit,) = walled.transcripts.search(view_of(walled, cache), query)
    assert hit.path == str(inside / "a.wav")


def test_pictures_and_words_of_one_folder_are_counted_apart(cache, index) -> None:
    publish(cache, media_hash(1), random_units(5, 8, 1))
    publish_transcript(cache, media_hash(1), segments("hello"))
    publish_transcript(cache, media_hash(2), ())
    report = load(index, cache)
    assert (report.visual_files, report.frames, report.transcription_files) == (1, 5, 2)
    assert report.skipped == []
    assert told(index, cache, "hello") == [(1, 0, 5, "hello")]


def test_a_voice_is_found_by_its_id_whatever_its_label(cache, index) -> None:
    say(cache, media_hash(1), (0, 0, "hello you", 1), (1, 1, "hello", 2), ids=(7, 8))
    say(cache, media_hash(2), (0, 0, "hello me", 1), (1, 1, "hello", 2), ids=(8, 7))
    say(cache, media_hash(3), (0, 0, "hello", 1), ids=(9,))

    def found(query: str, label: str, **voices: set[int]) -> list[tuple[int, float, set[int]]]:
        choice = SpeakerChoice(label, {media_hash(int(n[1:])): ids for n, ids in voices.items()})
        asked = SpokenQuery(query, MODEL, speaker=choice)
        hits = index.transcripts.search(view_of(index, cache), asked)
        return [(int(hit.hash_str, 16), hit.start, hit.voices) for hit in hits]

    assert found("hello", "ada", _1={7}, _2={7}) == [(1, 0, {7}), (2, 1, {7})]
    assert found("hello", "ada", _1={9}, _3={7}) == [], "that file has no such voice"
    assert found("hello", "s1", _1={8}) == [(1, 0, {7}), (1, 1, {8}), (2, 0, {8}), (3, 0, {9})]
    assert found("you hello", "ada", _1={7}) == [], "the other one says half of it"
    assert found("you hello", "ada", _1={7, 8}) == [(1, 0, {7, 8})]


def test_voices_in_what_an_earlier_version_has_indexed_are_read_once_more(
    cache, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(cache, media_hash(1), (0, 0, "hello", 1), ids=(7,))
    add = TranscriptWriter.add

    def without_voices(
        writer: TranscriptWriter, key: Key, file: str, made_at: float, text: SearchText
    ) -> None:
        add(writer, key, file, made_at, replace(text, voices=()))

    def voices() -> list[Set[int]]:
        with search_index(settings) as index:
            hits = index.transcripts.search(view_of(index, cache), SpokenQuery("hello", MODEL))
            return [hit.voices for hit in hits]

    with monkeypatch.context() as before:
        before.setattr(TranscriptWriter, "add", without_voices)
        assert voices() == [frozenset()]
    assert voices() == [{7}]
    (log,) = settings.state_dir.glob("transcripts/*/*.log")
    size = log.stat().st_size
    assert voices() == [{7}]
    assert log.stat().st_size == size
