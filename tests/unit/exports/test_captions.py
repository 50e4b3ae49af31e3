"""Captions cut anew: sizes, times and where they break."""

from __future__ import annotations

import random
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.exports.transcripts.captions import reflowed
from api.exports.transcripts.document import (
    CaptionsBody,
    ExportSegment,
    ExportWord,
    TranscriptDocument,
)
from shared.timecode import Timecode, frame_rate

USUAL = CaptionsBody()
GAP = 2 / 24


def captions(
    *segments: ExportSegment, rules: CaptionsBody = USUAL, language: str | None = None
) -> list[ExportSegment]:
    made = TranscriptDocument("T", segments, language)
    return reflowed(made, rules, name_speakers=False)


def texts(
    text: str, *, language: str | None = None, seconds: float = 5, **rules: float
) -> list[str]:
    made = msgspec.structs.replace(USUAL, **rules)
    cues = captions(ExportSegment(0, seconds, text), rules=made, language=language)
    return [cue.text for cue in cues]


def test_what_fits_one_line_stays_on_one() -> None:
    assert texts("She came, and he left, and that was it.") == [
        "She came, and he left, and that was it."
    ]


@pytest.mark.parametrize(
    ("text", "language", "lines"),
    [
        (
            "We have looked for it the whole night, but nobody had seen it there.",
            "en",
            ["We have looked for it the whole night,", "but nobody had seen it there."],
        ),
        (
            "The letter that we wrote is for the man with the very old hat.",
            "en",
            ["The letter that we wrote is", "for the man with the very old hat."],
        ),
        (
            "They will tell you all about John Smith when you are there.",
            "en",
            ["They will tell you all about John Smith", "when you are there."],
        ),
        (
            "Ich habe das ganze Haus durchsucht und den Schlüssel nicht gefunden.",
            "de",
            ["Ich habe das ganze Haus durchsucht", "und den Schlüssel nicht gefunden."],
        ),
        (
            "Nous avons cherché toute la nuit mais personne ne l'avait vu.",
            "fr",
            ["Nous avons cherché toute la nuit", "mais personne ne l'avait vu."],
        ),
        (
            "- Where were you last night?\n- At home.",
            "en",
            ["- Where were you last night?", "- At home."],
        ),
        (
            "これはとても長い字幕なので、二行に分けて表示します。",
            "ja",
            ["これはとても長い字幕なので、", "二行に分けて表示します。"],
        ),
    ],
)
def test_lines_break_where_a_reader_would_pause(text: str, language: str, lines: list[str]) -> None:
    wide = {"max_chars": 50} if language == "ja" else {}
    assert texts(text, language=language, **wide) == ["\n".join(lines)]


@pytest.mark.parametrize(
    ("character", "language", "longest"),
    [("漢", "zh", 16), ("あ", "ja", 13), ("가", "ko", 16), ("漢", None, 16), ("ア", None, 13)],
)
def test_full_width_characters_count_as_their_guides_say(
    character: str, language: str | None, longest: int
) -> None:
    line = character * longest
    assert texts(line * 2, language=language) == [f"{line}\n{line}"]
    assert len(texts(line * 2 + character, language=language)) == 2


def test_no_line_begins_with_closing_punctuation() -> None:
    lines = "\n".join(texts("一二三四五六七八九十、" * 12 + "「はい」。", language="ja")).split(
        "\n"
    )
    assert not [line for line in lines if line[0] in "、。」" or line[-1] == "「"]


def test_long_speech_becomes_several_cues_that_follow_its_words() -> None:
    said = "One two three. " * 12
    words = tuple(ExportWord(10 + n, 10.5 + n, word) for n, word in enumerate(said.split()))
    cues = captions(ExportSegment(10, 46, said, "Ada", words))
    assert len(cues) > 5
    assert all(cue.text.startswith("One") and cue.text.endswith("three.") for cue in cues)
    assert {cue.start % 1 for cue in cues} == {0.0}
    assert {cue.speaker for cue in cues} == {"Ada"}
    assert (cues[0].start, cues[-1].end) == (10, 46)
    assert all(cue.end - cue.start <= 7 for cue in cues)


def test_words_that_do_not_spell_the_text_are_not_followed() -> None:
    words = (ExportWord(0, 90, "Other"),)
    cues = captions(ExportSegment(0, 20, "aaaa bbbb. " * 12, None, words))
    starts = [cue.start for cue in cues]
    assert starts == sorted(starts)
    assert starts[1] == pytest.approx(cues[0].end + GAP)


def test_a_cue_stays_long_enough_to_read_but_leaves_a_gap() -> None:
    def ends(*spans: tuple[float, float, str]) -> list[float]:
        return [round(cue.end, 3) for cue in captions(*(ExportSegment(*span) for span in spans))]

    assert ends((0, 0.2, "Yes.")) == [0.833]
    assert ends((0, 1, "x" * 34)) == [2]
    assert ends((0, 30, "Hm.")) == [7]
    assert ends((0, 1, "a"), (1, 2, "b")) == [round(1 - GAP, 3), 2]
    assert ends((0, 0.2, "a"), (0.5, 2, "b")) == [round(0.5 - GAP, 3), 2]
    assert ends((0, 3, "both"), (0.1, 3, "at once")) == [0.833, 3]


def test_the_gap_is_in_frames_of_the_given_rate() -> None:
    segments = (ExportSegment(0, 1, "a"), ExportSegment(1, 2, "b"))
    made = TranscriptDocument("T", segments, timecode=Timecode(frame_rate(50)))
    assert reflowed(made, USUAL, name_speakers=False)[0].end == pytest.approx(0.96)


def test_a_speaker_is_named_once_and_never_alone() -> None:
    segment = ExportSegment(0, 12, "This is a long speech that goes on and on. " * 4, "Ada")
    cues = reflowed(TranscriptDocument("T", (segment,)), USUAL, name_speakers=True)
    assert len(cues) > 1
    assert cues[0].text.startswith("Ada: This")
    assert not any("Ada" in cue.text or cue.speaker for cue in cues[1:])


_ANY = st.text("ab. ,-\n漢、「」あ가é\u0301\u200d\xa0😀", max_size=120)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 30), _ANY), max_size=6), st.integers(4, 42)
)
def test_whatever_is_said_no_text_is_lost_and_no_line_is_too_long(
    spans: list[tuple[float, float, str]], max_chars: int
) -> None:
    rules = msgspec.structs.replace(USUAL, max_chars=max_chars)
    segments = sorted(
        (ExportSegment(s, s + long, text) for s, long, text in spans), key=lambda s: s.start
    )
    for segment in segments:
        cues = captions(segment, rules=rules)
        assert "".join("".join(cue.text for cue in cues).split()) == "".join(segment.text.split())
        assert all(cue.text.count("\n") < 2 for cue in cues)
        assert all(len(line) <= 3 * max_chars for cue in cues for line in cue.text.split("\n"))
    cues = captions(*segments, rules=rules)
    assert all(cue.start <= cue.end <= cue.start + 7.01 or not cue.text for cue in cues)
    assert [cue.start for cue in cues] == sorted(cue.start for cue in cues)


def test_thousands_of_segments_and_an_endless_one_are_cut_in_seconds() -> None:
    chosen = random.Random(1)
    words = "the of and river mountain because speaking, going home. with a".split()
    long = tuple(
        ExportSegment(n * 4, n * 4 + 3.9, " ".join(chosen.choices(words, k=12)))
        for n in range(5_000)
    )
    began = time.process_time()
    assert len(captions(*long)) >= 5_000
    assert len(captions(ExportSegment(0, 5, "word " * 20_000))) > 1_000
    assert len(captions(ExportSegment(0, 5, "漢" * 20_000))) > 500
    assert time.process_time() - began < 10
