"""The fake and Silero's network keep the contract of a VoiceDetector."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import ModelError
from tests.support.fake_models import FakeVoiceDetector, tone
from tests.support.media.speech import recorded_speech
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.protocols import SAMPLE_RATE, VoiceDetector
from workers.models.speech import voices
from workers.models.speech.voices import load_voice_detector


@functools.cache
def real_voice() -> NDArray[np.float32]:
    with fetched_or_skipped():
        return recorded_speech()[0].pcm


class VoiceDetectorContract:
    """Subclasses say how a detector is made and what it must take for speech."""

    def new(self) -> VoiceDetector:
        raise NotImplementedError

    def speech(self) -> NDArray[np.float32]:
        raise NotImplementedError

    def sound(self) -> NDArray[np.float32]:
        """Silence, speech, silence, in whole frames."""
        pcm = np.concatenate([silence(2), self.speech(), silence(2)])
        return pcm[: len(pcm) // self.new().frame_samples * self.new().frame_samples]

    def test_each_frame_has_a_probability(self) -> None:
        pcm, detector = self.sound(), self.new()
        found = detector.probabilities(pcm)
        assert found.shape == (len(pcm) // detector.frame_samples,)
        assert found.dtype == np.float32
        assert found.min() >= 0
        assert found.max() <= 1

    def test_speech_is_told_from_silence(self) -> None:
        detector = self.new()
        found = detector.probabilities(self.sound())
        a_second = SAMPLE_RATE // detector.frame_samples
        assert found[:a_second].max() < 0.3
        assert found[-a_second:].max() < 0.3
        assert np.median(found[2 * a_second + 5 : -2 * a_second - 5]) > 0.6

    @pytest.mark.parametrize("frames", [1, 7, 100])
    def test_a_sound_in_pieces_is_heard_as_a_whole(self, frames: int) -> None:
        pcm, detector = self.sound(), self.new()
        size = frames * detector.frame_samples
        pieces = [pcm[first : first + size] for first in range(0, len(pcm), size)]
        found = np.concatenate([detector.probabilities(piece) for piece in pieces])
        np.testing.assert_allclose(found, self.new().probabilities(pcm), atol=1e-5)

    def test_two_detectors_know_nothing_of_each_other(self) -> None:
        pcm = self.sound()
        one, other = self.new(), self.new()
        half = len(pcm) // 2 // one.frame_samples * one.frame_samples
        found = one.probabilities(pcm[:half])
        np.testing.assert_array_equal(other.probabilities(pcm[:half]), found)

    def test_no_sound_has_no_frames(self) -> None:
        assert self.new().probabilities(np.empty(0, np.float32)).shape == (0,)


class TestFakeVoiceDetector(VoiceDetectorContract):
    def new(self) -> VoiceDetector:
        return FakeVoiceDetector()

    def speech(self) -> NDArray[np.float32]:
        return tone("Alpha", 3)


class TestSileroDetector(VoiceDetectorContract):
    def new(self) -> VoiceDetector:
        return load_voice_detector()

    def speech(self) -> NDArray[np.float32]:
        return real_voice()

    def test_a_long_sound_in_one_call_is_heard_as_in_pieces(self) -> None:
        """More than the network is given at once."""
        pcm = np.tile(self.sound(), 8)
        pcm = pcm[: len(pcm) // 512 * 512]
        detector = self.new()
        found = np.concatenate([detector.probabilities(part) for part in np.split(pcm, [51_200])])
        np.testing.assert_allclose(found, self.new().probabilities(pcm), atol=1e-5)

    def test_noise_is_no_speech(self) -> None:
        noise = np.random.default_rng(0).standard_normal(20 * 512 * 31).astype(np.float32)
        assert np.quantile(self.new().probabilities(noise * 0.05), 0.95) < 0.5

    def test_part_of_a_frame_is_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="whole frames of 512"):
            self.new().probabilities(np.zeros(700, np.float32))

    def test_a_package_without_the_network_is_one_sentence(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(voices, "_MEMBER", "assets/gone.onnx")
        with pytest.raises(ModelError, match="Install Rushes with its `lite` extra"):
            load_voice_detector()


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)
