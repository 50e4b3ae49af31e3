"""The fake and whisper-base keep the contract of a Transcriber; what is Whisper's own beside."""

from __future__ import annotations

import functools
import itertools
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import ModelError
from tests.contract.models.transcriber import TranscriberContract, check_times, text_of
from tests.support.fake_models import FakeTranscriber
from tests.support.fake_models import said as tones
from tests.support.lite_models import speech_model
from tests.support.media.speech import Said, SaidWord, recorded_speech, spoken, together
from tests.support.search.word_errors import word_errors
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.protocols import SAMPLE_RATE, Transcriber
from workers.models.speech.whisper import WhisperTranscriber

SENTENCE = "The yellow boat crossed the river, and the captain waved to the children."


@functools.cache
def sentence() -> Said:
    with fetched_or_skipped():
        return spoken(SENTENCE, "en-gb")


class _CountingEncoder:
    """CTranslate2's Whisper, and how often it encoded something."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.encoded = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, *args: Any, **more: Any) -> Any:
        self.encoded += 1
        return self._model.encode(*args, **more)


class TestFakeTranscriber(TranscriberContract):
    @pytest.fixture(scope="class")
    @classmethod
    def transcriber(cls) -> Transcriber:
        return FakeTranscriber()

    @pytest.fixture(scope="class")
    @classmethod
    def said(cls) -> Said:
        words = [SaidWord(1.0 + n, word) for n, word in enumerate(("Alpha", "bravo", "kilo"))]
        pcm = tones([(word.start, word.text) for word in words], 5)
        return Said(pcm, "Alpha bravo kilo", tuple(words))


class TestWhisperBase(TranscriberContract):
    @pytest.fixture(scope="class")
    @classmethod
    def transcriber(cls) -> Transcriber:
        return speech_model()

    @pytest.fixture(scope="class")
    @classmethod
    def said(cls) -> Said:
        return sentence()

    def test_a_long_piece_of_a_real_voice_loses_no_sentence(self, transcriber: Transcriber) -> None:
        with fetched_or_skipped():
            sentences = recorded_speech()
        piece = together([part for sentence in sentences for part in (sentence, 0.4)])
        [heard] = transcriber.transcribe([piece.pcm], "en")
        check_times(heard, piece.seconds)
        assert word_errors(piece.text, text_of(heard)).rate < 0.1
        assert text_of(heard).rstrip(".").endswith("amiable himself")

    def test_a_language_is_told_and_written_in_its_own_words(
        self, transcriber: Transcriber
    ) -> None:
        with fetched_or_skipped():
            german = spoken("Guten Morgen, heute ist Montag, und wir drehen am Bahnhof.", "de")
        found = transcriber.detect_language(german.pcm)
        assert max(found, key=lambda code: found[code]) == "de"
        [heard] = transcriber.transcribe([german.pcm], "de")
        assert text_of(heard).startswith("Guten Morgen, heute ist")

    def test_a_language_that_it_does_not_know_is_refused(self, transcriber: Transcriber) -> None:
        with pytest.raises(ModelError, match="whisper-base does not understand cantonese"):
            transcriber.transcribe([np.zeros(16_000, np.float32)], "yue")

    def test_a_text_that_runs_away_ends(self, transcriber: Transcriber) -> None:
        """White noise makes Whisper repeat itself: told by its measures, and bounded."""
        noise = np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE).astype(np.float32)
        [heard] = transcriber.transcribe([noise * 0.05], "en")
        [again] = transcriber.transcribe([noise * 0.05], "en", cautious=True)
        assert again == transcriber.transcribe([noise * 0.05], "en", cautious=True)[0]
        assert len(text_of(again)) < 2_000
        assert all(each.no_speech_probability > 0.5 for each in (*heard, *again))
        assert all(each.compression_ratio < 2.4 for each in again)

    def test_names_that_it_is_told_are_written_as_they_are_spelt(
        self, transcriber: Transcriber
    ) -> None:
        names = {"Siobhan", "Gallagher", "Kestrelhaven"}
        told = ("Siobhan Gallagher", "Kestrelhaven")
        untold_right = told_right = 0  # of three each; which ones differs from CPU to CPU
        for voice in ("en-gb", "en-us"):
            with fetched_or_skipped():
                said = spoken("Siobhan Gallagher drove down to Kestrelhaven.", voice)
            [plain] = transcriber.transcribe([said.pcm], "en")
            [heard] = transcriber.transcribe([said.pcm], "en", vocabulary=told)
            untold_right += len(names & set(text_of(plain).strip(".").split()))
            told_right += len(names & set(text_of(heard).strip(".").split()))
        assert untold_right <= 1
        assert told_right >= 5

    def test_words_that_look_like_orders_are_words_and_too_many_are_cut(
        self, transcriber: Transcriber, said: Said
    ) -> None:
        orders = ("<|endoftext|>", "<|de|><|translate|>", "<|notimestamps|>")
        [heard] = transcriber.transcribe([said.pcm], "en", vocabulary=orders)
        assert word_errors(said.text, text_of(heard)).rate <= 0.1
        many = [f"Krzysztof{n}" for n in range(1000)]
        [heard] = transcriber.transcribe([said.pcm[:SAMPLE_RATE]], "en", vocabulary=many)
        check_times(heard, 1)

    def test_what_tells_the_language_is_encoded_once(
        self, transcriber: Transcriber, said: Said, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Encoding takes as long as all the rest."""
        assert isinstance(transcriber, WhisperTranscriber)
        counting = _CountingEncoder(transcriber._model.model)
        monkeypatch.setattr(transcriber._model, "model", counting)
        piece = said.pcm[SAMPLE_RATE // 50 :]  # which nothing else encodes
        transcriber.detect_language(piece)
        [heard] = transcriber.transcribe([piece], "en")
        assert word_errors(said.text, text_of(heard)).rate <= self.word_errors
        assert counting.encoded == 1

    def test_other_threads_go_on_while_it_computes(
        self, transcriber: Transcriber, said: Said
    ) -> None:
        ended = threading.Event()
        ticks = []

        def tick() -> None:
            while not ended.wait(0.005):
                ticks.append(time.perf_counter())

        transcriber.warmup()  # so that none of it is encoded already
        thread = threading.Thread(target=tick)
        started = time.perf_counter()
        thread.start()
        transcriber.transcribe([said.pcm], "en")
        took = time.perf_counter() - started
        ended.set()
        thread.join()
        longest = max(b - a for a, b in itertools.pairwise(ticks))
        assert longest < took / 4


def test_pieces_in_a_batch_are_heard_as_alone() -> None:
    """As on a GPU: what a piece holds does not depend on what lies beside it."""
    one_by_one = speech_model()
    assert isinstance(one_by_one, WhisperTranscriber)
    batched = WhisperTranscriber(one_by_one.spec, one_by_one._model, batch_size=2)
    with fetched_or_skipped():
        pieces = [each.pcm for each in recorded_speech()[:2]]
    together_ = batched.transcribe(pieces, "en")
    alone = one_by_one.transcribe(pieces, "en")
    assert [text_of(heard) for heard in together_] == [text_of(heard) for heard in alone]
    for heard, other in zip(together_, alone, strict=True):
        for word, same in zip(heard[0].words, other[0].words, strict=True):
            assert word.start == pytest.approx(same.start, abs=0.05)


def test_an_english_only_model_hears_english_and_nothing_else(tmp_path: Path) -> None:
    model = speech_model("whisper-tiny.en")
    assert model.languages == {"en"}
    assert model.spec.languages == ("english",)
    said = sentence()
    assert model.detect_language(said.pcm) == {"en": 1.0}
    assert word_errors(said.text, text_of(model.transcribe([said.pcm], "en")[0])).rate < 0.2
    with pytest.raises(ModelError, match=r"whisper-tiny\.en does not understand german"):
        model.transcribe([said.pcm], "de")
