"""Time stamps of sound: which are believed, and a line of samples without gaps."""

from __future__ import annotations

import numpy as np
import pytest

from workers.media.sound.tracks import SoundClock, SoundLine

FRAME = 0.02


def placed(stamps: list[float | None], end: float | None = 100.0) -> tuple[list[float], SoundClock]:
    clock = SoundClock(0.0, end)
    return [clock.place(stamp, FRAME)[0] for stamp in stamps], clock


def test_rounded_and_jittering_stamps_do_not_break_the_line() -> None:
    random = np.random.default_rng(1)
    stamps = [number * FRAME + random.uniform(-0.008, 0.008) for number in range(2000)]
    clock = SoundClock(0.0, 100.0)
    follows = [clock.place(stamp, FRAME)[1] for stamp in stamps]
    assert follows.count(False) < 20
    assert clock.place(2000 * FRAME, FRAME)[0] == pytest.approx(40, abs=0.01)


def test_a_lasting_shift_of_20_ms_is_followed_within_a_second() -> None:
    stamps: list[float | None] = [number * FRAME for number in range(50)]
    stamps += [number * FRAME + 0.02 for number in range(50, 100)]
    at, _ = placed(stamps)
    assert at[-1] == pytest.approx(99 * FRAME + 0.02, abs=0.006)


def test_a_recorder_whose_clock_runs_slow_is_followed() -> None:
    at, clock = placed([number * FRAME * 1.001 for number in range(50_000)], 2000.0)
    assert at[-1] == pytest.approx(49_999 * FRAME * 1.001, abs=0.01)
    assert clock.broken == 0
    _, clock = placed([number * FRAME * 0.999 for number in range(50_000)], 2000.0)
    assert clock.repeated == 0, "what it plays twice is too little to be heard"


def test_frames_without_stamps_follow_each_other() -> None:
    assert placed([1.0, None, None, 1.06])[0] == pytest.approx([1.0, 1.02, 1.04, 1.06])
    assert placed([None, None])[0] == pytest.approx([0, 0.02])


def test_one_false_stamp_moves_one_frame_at_most() -> None:
    for false in (5000.0, -5000.0):
        at, clock = placed([0.0, 0.02, false, 0.06, 0.08])
        assert at == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])
        assert clock.broken == 2
    assert placed([1e9, 0.02])[0] == pytest.approx([0, 0.02])


def test_a_stated_gap_is_believed_and_counted() -> None:
    at, clock = placed([0.0, 0.02, 50.0])
    assert at[-1] == 50
    assert clock.missing == pytest.approx(50 - 0.04)


def test_the_line_fills_gaps_with_silence_and_cuts_overlaps() -> None:
    line = SoundLine()
    line.write(-2, np.array([9, 9, 1, 2], np.float32))
    line.write(1, np.array([9, 3], np.float32))
    line.write(5, np.array([4], np.float32))
    assert line.end == 6
    assert line.take(4).tolist() == [1, 2, 3, 0]
    assert line.take(8).tolist() == [0, 4, 0, 0]
    line.write(7, np.array([9, 5], np.float32))
    assert line.take(9).tolist() == [5]


def test_silence_of_a_day_takes_no_memory() -> None:
    line = SoundLine()
    line.write(86_400 * 16_000, np.ones(3, np.float32))
    assert line.held == 3
    assert not line.take(80_000).any()
    assert line.held == 3
