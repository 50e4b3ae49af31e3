"""Windows of speech: nothing lost, nothing twice, cut where it hurts least, times mapped back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.fake_models import FakeVoiceDetector, said, tone
from workers.analysis.speech.windows import OFFSET, ONSET, SpeechFinder, Window
from workers.models.protocols import SAMPLE_RATE

FRAME = FakeVoiceDetector.frame_samples
FRAME_S = FRAME / SAMPLE_RATE


def windows_of(
    pcm: NDArray[np.float32], sizes: Iterable[int] = (), longest_s: float = 30.0
) -> list[Window]:
    """The windows of a sound that comes in blocks of these sizes, and then the rest at once."""
    listener = SpeechFinder(None, FakeVoiceDetector(), longest_s)
    found, at = [], 0
    for size in [*sizes, len(pcm)]:
        found += listener.hear(pcm[at : at + size])
        at += size
    return [*found, *listener.finish()]


def counted(seconds: float) -> NDArray[np.float32]:
    """Loud sound in which every sample is unlike any other."""
    return np.linspace(0.3, 0.9, round(seconds * SAMPLE_RATE), dtype=np.float32)


def levels(*parts: tuple[float, int]) -> NDArray[np.float32]:
    """Sound of a level for so many frames each."""
    return np.concatenate([np.full(count * FRAME, level, np.float32) for level, count in parts])


def test_speech_without_a_pause_is_cut_into_full_windows_and_no_sample_is_lost_or_twice() -> None:
    sound = counted(100)
    windows = windows_of(sound, longest_s=30.0)
    assert max(window.seconds for window in windows) <= 30.0
    assert len(windows) <= 10
    whole = np.concatenate([window.pcm for window in windows])
    np.testing.assert_array_equal(whole[: len(sound)], sound)
    assert not whole[len(sound) :].any()  # the last frame is filled up


def test_without_a_pause_the_cut_is_where_speech_is_least_likely() -> None:
    sound = np.full(40 * SAMPLE_RATE, 0.4, np.float32)
    dip = 700  # a frame number; still above the threshold of silence
    sound[dip * FRAME : (dip + 1) * FRAME] *= 0.45
    first, _second = windows_of(sound)
    assert abs(len(first.numbers) - dip) <= 1
    assert first.speaking.all()


def test_speech_is_cut_between_sentences() -> None:
    words = [(0.5 * n, "Alpha") for n in range(80)]  # pauses of 0.2 s, and at 24 s one of 0.7
    words = [(start, word) for start, word in words if start != 24.0]
    first, *_ = windows_of(said(words, 41))
    assert first.place(first.seconds - 0.02, first.seconds)[1] == pytest.approx(24.15, abs=0.2)


def test_the_first_sound_of_a_word_is_kept_with_the_silence_around_it() -> None:
    (window,) = windows_of(levels((0.0, 60), (0.4, 2), (0.0, 6), (0.4, 30)))
    assert window.numbers[0] * FRAME_S <= 60 * FRAME_S - 0.35


def test_a_pause_is_left_whole_or_shortened_by_what_is_worth_a_cut() -> None:
    for before, after in itertools.product(range(50), (0, 5, 10, 15, 20, 30)):
        click = (0.0, before), (0.4, 1), (0.0, after)
        (window,) = windows_of(levels((0.4, 30), *click, (0.4, 30)))
        left_out = np.diff(window.numbers) - 1
        assert (left_out[left_out > 0] * FRAME_S > 0.15).all(), (before, after)


def test_a_pause_in_the_first_third_is_no_place_to_cut() -> None:
    words = [(start, "Alpha") for start in (0.0, 0.5, 1.0, 2.2)] + [
        (3.0 + 0.5 * n, "Alpha") for n in range(60)
    ]
    first, *_ = windows_of(said(words, 34))
    assert first.seconds > 25


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 70_000), max_size=12),
)
def test_blocks_of_any_size_give_what_one_block_gives(seed: int, sizes: list[int]) -> None:
    chance = np.random.default_rng(seed)
    levels = chance.choice([0.0, 0.0, 0.05, 0.2, 0.4], 40)  # half a second each
    sound = np.repeat(levels, SAMPLE_RATE // 2).astype(np.float32)
    sound *= chance.uniform(0.9, 1.0, len(sound)).astype(np.float32)
    for one, other in zip(
        windows_of(sound, longest_s=5), windows_of(sound, sizes, longest_s=5), strict=True
    ):
        np.testing.assert_array_equal(one.pcm, other.pcm)
        np.testing.assert_array_equal(one.numbers, other.numbers)
        np.testing.assert_array_equal(one.speaking, other.speaking)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_frame_of_speech_is_in_one_window_with_the_sound_around_it(seed: int) -> None:
    chance = np.random.default_rng(seed)
    lengths = chance.uniform(0.2, 3.0, 20)
    parts = [
        np.full(round(length * SAMPLE_RATE), 0.4 * (number % 2), np.float32)
        for number, length in enumerate(lengths)
    ]
    sound = np.concatenate(parts)
    windows = windows_of(sound, longest_s=8)
    numbers = np.concatenate([window.numbers for window in windows])
    assert (np.diff(numbers) > 0).all()
    padded = np.pad(sound, (0, -len(sound) % FRAME)).reshape(-1, FRAME)
    loud = np.flatnonzero(FakeVoiceDetector().probabilities(padded.ravel()) >= ONSET)
    around = round(0.35 / FRAME_S)
    for frame in (loud, loud + around, loud - around):
        assert np.isin(frame[(frame >= 0) & (frame < len(padded))], numbers).all()
    np.testing.assert_array_equal(
        np.concatenate([window.pcm for window in windows]), padded[numbers].ravel()
    )


def test_short_pauses_stay_and_long_ones_are_left_out() -> None:
    sound = said([(1.0, "Alpha"), (2.0, "bravo"), (60.0, "charlie")], 62)
    (window,) = windows_of(sound)
    jumps = np.flatnonzero(np.diff(window.numbers) > 1)
    assert len(jumps) == 1
    assert window.seconds == pytest.approx(0.3 + 0.7 + 0.3 + 0.3 + 4 * 0.4, abs=0.1)


def test_a_click_is_no_speech() -> None:
    sound = np.zeros(10 * SAMPLE_RATE, np.float32)
    sound[50_000 : 50_000 + FRAME] = 0.9
    assert windows_of(sound) == []


def test_sound_shorter_than_a_frame_and_no_sound_at_all_give_no_window() -> None:
    assert windows_of(np.zeros(0, np.float32)) == []
    assert windows_of(np.full(100, 0.5, np.float32)) == []


def test_speech_up_to_the_last_sample_is_kept() -> None:
    (window,) = windows_of(np.concatenate([np.zeros(SAMPLE_RATE, np.float32), tone("Alpha")]))
    assert window.place(0, window.seconds)[1] == pytest.approx(1.3, abs=FRAME_S)


def test_speech_that_is_neither_sure_nor_gone_goes_on() -> None:
    faint = (ONSET + OFFSET) / 2
    assert windows_of(np.full(SAMPLE_RATE, 0.4 * faint / 2**0.5, np.float32)) == []
    sound = np.concatenate([tone("Alpha"), tone("Alpha", 1.0, 0.4 * faint)])
    (window,) = windows_of(sound)
    assert window.speaking[: round(1.2 / FRAME_S)].all()


def window_with_a_hole() -> Window:
    """1 s of speech, and 1 s from 60 s on; 0.4 s of the pause on either side of it."""
    sound = np.zeros(62 * SAMPLE_RATE, np.float32)
    sound[:SAMPLE_RATE] = 0.4
    sound[60 * SAMPLE_RATE : 61 * SAMPLE_RATE] = 0.4
    (window,) = windows_of(sound)
    return window


def test_times_are_mapped_back_through_a_pause_that_was_left_out() -> None:
    window = window_with_a_hole()
    assert window.place(0.2, 0.5) == pytest.approx((0.2, 0.5), abs=1e-6)
    after = 1.0 + 0.4 + 0.4  # where the second speech begins in the window, to a frame or two
    start, end = window.place(after + 0.3, after + 0.5)
    assert start == pytest.approx(60.3, abs=2 * FRAME_S)
    assert end - start == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize(
    ("side", "start", "end"), [("first", 0.5, 1.0), ("last", 60.0, 60.9), ("most", 60.0, 60.9)]
)
def test_a_word_over_a_pause_lies_on_one_side_of_it(side: str, start: float, end: float) -> None:
    window = window_with_a_hole()
    placed = window.place(0.5, 1.0 + 0.8 + 0.9, side)  # type: ignore[arg-type]
    assert placed == pytest.approx((start, end), abs=2.5 * FRAME_S)


def test_a_span_beyond_the_window_ends_with_it() -> None:
    window = window_with_a_hole()
    start, end = window.place(-1.0, 100.0, "last")
    assert 60.0 - 2 * FRAME_S <= start <= end <= 61.5
    assert window.frames(99, 100) == (len(window.numbers) - 1, len(window.numbers))
