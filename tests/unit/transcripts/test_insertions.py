"""Names of a vocabulary, put into a text that was heard without it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.fake_models import FakeTranscriber, FakeVoiceDetector, said
from workers.analysis.speech.insertions import with_names
from workers.analysis.speech.transcribing import transcribe
from workers.media.sound.sound_reader import SoundBlock
from workers.models.protocols import SpokenWord, Utterance

NAMES = ("Siobhan Gallagher", "Kestrelhaven", "Wren", "ada", "NATO")


def spoken(text: str, start: float = 0.0, **probabilities: float) -> Utterance:
    """A word a second; `~2` behind one: it takes two, `_`: a second without a word."""
    words, at = [], start
    for token in text.split():
        word, _, length = token.partition("~")
        end = at + float(length or 1)
        if word != "_":
            words.append(SpokenWord(at, end, word, probabilities.get(word.strip(".,?"), 0.8)))
        at = end
    text = " ".join(word.text for word in words)
    return Utterance(start, at, text, tuple(words), -0.2, 1.0, 0.0)


def named(
    plain: str, heard: str, names: Sequence[str] = NAMES, space: str = " ", **probabilities: float
) -> str:
    """The texts with names; " | " stands between utterances."""
    first, second = (
        [spoken(text, 10 * n, **probabilities) for n, text in enumerate(texts.split(" | "))]
        for texts in (plain, heard)
    )
    found = with_names(first, second, names, space)
    for before, after in zip(first, found, strict=True):
        assert "".join(word.text for word in after.words) == after.text.replace(" ", "")
        times = [time for word in after.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert all(before.start <= time <= before.end for time in times)
    return " | ".join(each.text for each in found)


@pytest.mark.parametrize(
    ("plain", "heard", "text"),
    [
        # Nothing but names is taken: marks, capitals and all other words stay.
        (
            "We left. Shaban Galager drove to Kestrel Haven. It was late.",
            "we left siobhan gallagher drove to Kestrelhaven~2 it's~2 late",
            "We left. Siobhan gallagher drove to Kestrelhaven. It was late.",
        ),
        ("He met Ren, then Ada?", "he met Wren then ada", "He met Wren, then Ada?"),
        # What the model leaves out when it is given names is not lost.
        (
            "Castle Haven is far. Nobody goes.",
            "Kestrelhaven~2 is far",
            "Kestrelhaven is far. Nobody goes.",
        ),
        ("One. Two. Castle Haven.", "One two Kestrelhaven~2", "One. Two. Kestrelhaven."),
        ("He met Ren and the others.", "He met Wren", "He met Wren and the others."),
        (
            "He is Siobhan. Galager left.",
            "He is Siobhan Gallagher left",
            "He is Siobhan. Gallagher left.",
        ),
        # A name in the place of what sounds otherwise, of two utterances, or of nothing.
        ("She saw a boat. Then she slept.", "She saw a Wren", "She saw a boat. Then she slept."),
        ("Nothing of it is said.", "Wren", "Nothing of it is said."),
        ("Where is | Castle Haven?", "Where is | Kestrelhaven?~2", "Where is | Kestrelhaven?"),
        (
            "The Kestrel | haven is far.",
            "The Kestrelhaven | is far.",
            "The Kestrel | haven is far.",
        ),
        ("Good morning.", "Good morning Siobhan Gallagher.", "Good morning."),
        # A faint likeness is enough where the name takes just the time of the words.
        ("He met sheep on Monday.", "He met Siobhan~2 _ Monday.", "He met Siobhan Monday."),
        ("He met sheep on Monday.", "He met Siobhan~0.1", "He met sheep on Monday."),
        ("", "Wren", ""),
    ],
)
def test_names_come_in_place_of_words_like_them_and_nothing_else_changes(
    plain: str, heard: str, text: str
) -> None:
    assert named(plain, heard) == text


@pytest.mark.parametrize(
    ("name", "plain", "heard", "text"),
    [
        ("The Hague", "I saw their house.", "I saw the house.", "I saw their house."),
        ("The Hague", "Their house is big.", "The house is big.", "Their house is big."),
        ("The Hague", "So Their is the sea.", "So The is the sea.", "So Their is the sea."),
        ("Will Smith", "I think we'll go home.", "I think will go home.", "I think we'll go home."),
        ("Will", "I think we'll go home.", "I think will go home.", "I think we'll go home."),
        ("Bank of America", "They left off there.", "left of there", "They left off there."),
        ("Will Smith", "I think Wil came.", "I think Will came.", "I think Will came."),
        ("Bank of America", "A bank off Amerika.", "A Bank of America", "A bank of America."),
        ("The Hague", "In de Haag.", "In the hague", "In the hague."),
    ],
)
def test_ordinary_words_that_are_part_of_a_name_change_nothing(
    name: str, plain: str, heard: str, text: str
) -> None:
    assert named(plain, heard, (name,)) == text


@pytest.mark.parametrize(
    ("name", "space", "plain", "heard", "text"),
    [
        ("佐藤", "", "私 は 砂 糖 です。", "私 は 佐 藤 です", "私 は 佐 藤 です。"),
        ("桜", "", "私 は さ く ら です。", "私 は 桜~3 です", "私 は 桜 です。"),
        ("田中", "", "我 心中 很 高 兴", "我 中 很 高 兴", "我 心中 很 高 兴"),
        ("田中", "", "我 心 中 很 高 兴", "我 田~0.1 中~1.9 很 高 兴", "我 心 中 很 高 兴"),
        ("李", "", "我 心 中 很 高 兴", "我 李~3 高 兴", "我 心 中 很 高 兴"),
        ("Kestrelhaven", " ", "Это Кестрелхейвен.", "Это Kestrelhaven", "Это Kestrelhaven."),
        ("Kestrelhaven", " ", "Это Кестрелхейвен.", "Это Kestrelhaven~0.1", "Это Кестрелхейвен."),
    ],
)
def test_where_the_same_sound_shares_no_letter_the_time_decides(
    name: str, space: str, plain: str, heard: str, text: str
) -> None:
    assert named(plain, heard, (name,), space).replace(" ", "") == text.replace(" ", "")


def test_without_a_common_letter_a_less_likely_name_is_not_taken() -> None:
    found = named("私 は 砂 糖 です", "私 は 佐 藤 です", ("佐藤",), "", **{"藤": 0.5})
    assert found == "私 は 砂 糖 です"


def test_a_name_that_runs_in_circles_is_not_taken() -> None:
    assert named("He met Ren.", "He met Wren Wren Wren.") == "He met Ren."


def test_words_without_a_space_between_them_stay_together() -> None:
    words = tuple(
        SpokenWord(n, n + 1, text, 0.8) for n, text in enumerate(("half", "-ren.", "Ren?"))
    )
    plain = Utterance(0, 3, "half-ren. Ren?", words, -0.2, 1.0, 0.0)
    [found] = with_names([plain], [spoken("half -Wren. Wren.")], NAMES, " ")
    assert found.text == "half-Wren. Wren?"


def test_a_name_that_is_hardly_in_the_sound_is_not_taken() -> None:
    assert named("He met Ren.", "He met Wren.", Wren=0.005) == "He met Ren."


def test_words_of_which_the_model_is_sure_stay() -> None:
    assert named("Only Ren is left.", "Only Wren is left.", Ren=0.95) == "Only Ren is left."


def test_a_window_is_heard_with_words_only_where_there_are_any() -> None:
    sound = said([(1, "Alpha"), (2, "bravo"), (3, "charlie")], 6)

    def heard(*words: str) -> tuple[str, list[tuple[str, ...]]]:
        class Listening(FakeTranscriber):
            def transcribe(self, pieces, language, **more):  # type: ignore[no-untyped-def]
                super().transcribe(pieces, language, **more)
                is_named = more.get("vocabulary")
                return [[spoken("alpha Brava" if is_named else "Alpha bravo charlie", 1)]]

        model = Listening()
        found = transcribe(
            [SoundBlock(None, 0, sound)],
            model,
            FakeVoiceDetector,
            language="en",
            call=lambda work: work(),
            heard=lambda _seconds: None,
            vocabulary=words,
        )
        return " ".join(segment.text for segment in found.segments), model.vocabularies

    assert heard("Brava") == ("Alpha Brava charlie", [(), ("Brava",)])
    assert heard() == ("Alpha bravo charlie", [()])
