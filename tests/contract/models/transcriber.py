"""What every Transcriber must do, as tests that each model's own test file inherits."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.models.languages import CODES
from tests.support.media.speech import Said
from tests.support.search.word_errors import normalised, word_errors
from workers.models.protocols import SAMPLE_RATE, Transcriber, Utterance


class TranscriberContract:
    """Subclasses name the fixtures `transcriber` and `said`: clear English of 3 to 10 s, its words
    with their starts. Both are for the whole class.
    """

    start_tolerance_s: ClassVar[float] = 0.5  # of a word against the truth
    word_errors: ClassVar[float] = 0.1

    @pytest.fixture(scope="class")
    @classmethod
    def transcriber(cls) -> Transcriber:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def said(cls) -> Said:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def alone(cls, transcriber: Transcriber, said: Said) -> list[list[Utterance]]:
        """What is heard of all that is said and of its first half, each by itself."""
        return [transcriber.transcribe([piece], "en")[0] for piece in pieces_of(said)]

    def test_what_is_said_is_heard_with_the_times_of_its_words(
        self, alone: list[list[Utterance]], said: Said
    ) -> None:
        heard = alone[0]
        assert word_errors(said.text, text_of(heard)).rate <= self.word_errors
        check_times(heard, said.seconds)
        check_plain_numbers(heard)
        wanted = once((word.text, word.start) for word in said.words)
        found = once((word.text, word.start) for each in heard for word in each.words)
        off = [abs(found[word] - start) for word, start in wanted.items() if word in found]
        assert len(off) >= len(wanted) * 0.8
        assert max(off) <= self.start_tolerance_s

    def test_a_second_try_hears_clear_speech_as_well(
        self, transcriber: Transcriber, said: Said
    ) -> None:
        [heard] = transcriber.transcribe([said.pcm], "en", cautious=True)
        assert word_errors(said.text, text_of(heard)).rate <= self.word_errors
        check_times(heard, said.seconds)
        check_plain_numbers(heard)

    def test_the_same_sound_is_the_same_text_alone_together_and_again(
        self, transcriber: Transcriber, said: Said, alone: list[list[Utterance]]
    ) -> None:
        assert transcriber.transcribe(pieces_of(said), "en") == alone

    def test_threads_share_it(
        self, transcriber: Transcriber, said: Said, alone: list[list[Utterance]]
    ) -> None:
        whole, half = pieces_of(said)
        with ThreadPoolExecutor(2) as threads:
            heard = threads.map(
                lambda piece: transcriber.transcribe([piece], "en")[0], [whole, half, half]
            )
            assert list(heard) == [*alone, alone[1]]

    def test_no_pieces_and_pieces_without_sound_are_no_text(self, transcriber: Transcriber) -> None:
        empty = np.empty(0, np.float32)
        assert transcriber.transcribe([], "en") == []
        assert transcriber.transcribe([empty, empty[:0]], "en") == [[], []]

    @pytest.mark.parametrize("samples", [1, 159, 160, 1601])
    def test_a_piece_may_be_as_short_as_it_likes(
        self, transcriber: Transcriber, samples: int
    ) -> None:
        [heard] = transcriber.transcribe([np.zeros(samples, np.float32)], "en")
        check_times(heard, samples / SAMPLE_RATE)

    def test_a_piece_of_the_greatest_length_is_heard_to_its_end(
        self, transcriber: Transcriber, said: Said
    ) -> None:
        pcm = np.zeros(round(transcriber.longest_s * SAMPLE_RATE), np.float32)
        pcm[-len(said.pcm) :] = said.pcm
        [heard] = transcriber.transcribe([pcm], "en")
        check_times(heard, transcriber.longest_s)
        assert normalised(said.text)[-1] in normalised(text_of(heard))

    def test_a_piece_is_left_as_it_was(self, transcriber: Transcriber, said: Said) -> None:
        pcm = said.pcm.copy()
        pcm.flags.writeable = False
        transcriber.detect_language(pcm)
        transcriber.transcribe([pcm], "en")
        np.testing.assert_array_equal(pcm, said.pcm)

    def test_its_language_has_the_greatest_probability(
        self, transcriber: Transcriber, said: Said
    ) -> None:
        found = transcriber.detect_language(said.pcm)
        assert set(found) == transcriber.languages
        assert all(type(value) is float and 0 <= value <= 1 for value in found.values())
        assert sum(found.values()) <= 1.001
        assert max(found, key=lambda code: found[code]) == "en"

    def test_it_understands_known_languages_and_offers_sizes(
        self, transcriber: Transcriber
    ) -> None:
        assert "en" in transcriber.languages
        assert transcriber.languages <= set(CODES)
        assert transcriber.batch_size >= 1
        assert transcriber.longest_s >= 1

    def test_warming_up_changes_nothing_and_nothing_is_printed(
        self,
        transcriber: Transcriber,
        said: Said,
        alone: list[list[Utterance]],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        transcriber.warmup()
        assert transcriber.transcribe(pieces_of(said)[1:], "en") == alone[1:]
        assert capfd.readouterr() == ("", "")


def pieces_of(said: Said) -> list[NDArray[np.float32]]:
    """All of it, and the first half."""
    return [said.pcm, said.pcm[: len(said.pcm) // 2]]


def once(words: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Where each word begins that is said only once."""
    starts: dict[str, list[float]] = {}
    for text, start in words:
        starts.setdefault("".join(normalised(text)), []).append(start)
    return {word: found[0] for word, found in starts.items() if len(found) == 1}


def text_of(heard: Sequence[Utterance]) -> str:
    return " ".join(spoken.text for spoken in heard)


def check_times(heard: Sequence[Utterance], seconds: float) -> None:
    """Within the piece and in order, the words within their stretch and in its text."""
    for spoken in heard:
        assert 0 <= spoken.start <= spoken.end <= seconds + 0.02
        assert spoken.text == spoken.text.strip() != ""
        for word in spoken.words:
            assert word.text == word.text.strip() != ""
            assert word.text in spoken.text
            assert spoken.start <= word.start <= word.end <= spoken.end
            assert 0 <= word.probability <= 1
        for word, following in itertools.pairwise(spoken.words):
            assert word.start <= following.start
    for spoken, following_one in itertools.pairwise(heard):
        assert spoken.start <= following_one.start


def check_plain_numbers(heard: Sequence[Utterance]) -> None:
    """Python's own, not numpy's: they go into JSON."""
    for spoken in heard:
        for thing in (spoken, *spoken.words):
            for field in dataclasses.fields(thing):
                value = getattr(thing, field.name)
                assert type(value) in (float, str, tuple, bool), (field.name, value)
