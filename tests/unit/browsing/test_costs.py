"""Seconds and bytes from lengths and rates, and which files are asked for their length."""

from __future__ import annotations

import pytest

from api.browsing.estimate_routes import Length, ToDo, cost_of, sample_of
from api.browsing.looking import LyingFile
from shared.domain import ProgressType
from shared.ledger.ledger import MeasuredSpeed, Rates, WorkKind
from shared.media import MediaType

VIDEO, FACES, AUDIO = ProgressType.VIDEO, ProgressType.FACES, ProgressType.AUDIO
MODELS = {VIDEO: "eyes", FACES: "faces", AUDIO: "ears"}
HOUR = Length(3600, 3600)


def rates(**speeds: float) -> Rates:
    """Of pictures, speech and stills."""
    parts = {
        "pictures": WorkKind.of("footage", {VIDEO: "eyes"}),
        "speech": WorkKind.of("footage", {AUDIO: "ears"}),
        "stills": WorkKind.of("stills", {VIDEO: "eyes"}),
    }
    return Rates({parts[k].name: MeasuredSpeed(100 * s, 100) for k, s in speeds.items()})


def lying(name: str, size: int = 1000, media_type: MediaType = MediaType.VIDEO) -> LyingFile:
    return LyingFile(f"/footage/{name}", size, 0, media_type)


def clip(number: int, *parts: ProgressType, length: Length | None = HOUR) -> ToDo:
    return ToDo(lying(f"{number}.mov"), parts, length)


def still(number: int) -> ToDo:
    return ToDo(lying(f"{number}.jpg", media_type=MediaType.IMAGE), (VIDEO,), None)


def test_each_part_takes_its_own_time_and_workers_share_it() -> None:
    known = rates(pictures=36, speech=18, stills=10)
    cost = cost_of([clip(1, VIDEO, AUDIO), clip(2, VIDEO), still(3)], MODELS, known)
    assert cost.seconds == pytest.approx(100 + 200 + 100 + 0.1)
    assert cost.with_workers(1) == cost.seconds
    assert cost.with_workers(8) == pytest.approx(300)  # the longest file is one worker's
    assert cost.with_workers(0) is None
    assert cost.basis() == (
        "Measured on this server: pictures 36 times as fast as the footage plays, speech 18 times "
        "as fast as the footage plays, pictures of stills 10 a second."
    )
    assert cost.disk_bytes == pytest.approx(2 * 100e6 + 1.6e6 + 28e3, rel=0.001)


def test_what_was_not_measured_makes_all_unknown_and_says_so() -> None:
    cost = cost_of([clip(1, VIDEO, AUDIO)], MODELS, rates(pictures=36))
    assert (cost.seconds, cost.with_workers(2)) == (None, None)
    assert cost.basis().startswith("How long speech with ears would take is not known")
    assert cost.disk_bytes == pytest.approx(101.6e6)
    unknown = cost_of([clip(1, VIDEO, length=None)], MODELS, rates(pictures=36))
    assert (unknown.seconds, unknown.disk_bytes) == (None, None)


def test_a_still_that_was_not_measured_is_a_second_of_footage() -> None:
    cost = cost_of([still(n) for n in range(36)], MODELS, rates(pictures=36))
    assert cost.seconds == pytest.approx(1)


def test_silent_films_have_no_speech_to_hear_and_nothing_costs_nothing() -> None:
    silent = clip(1, AUDIO, length=Length(3600, 0))
    assert cost_of([silent], MODELS, rates(speech=1)).seconds == 0
    assert cost_of([], MODELS, rates()).with_workers(1) == 0


def test_of_very_many_files_some_of_each_kind_and_size_are_asked() -> None:
    large = [lying(f"{n}.mov", 1000 + n) for n in range(500)]
    small = [lying(f"{n}.MP4", 10 + n % 7) for n in range(3000)]
    chosen = sample_of([*small, *large], 40)
    assert len(chosen) == len({file.path for file in chosen}) <= 40
    of_large = [file.size for file in chosen if file.path.endswith(".mov")]
    assert 30 <= len(of_large) < len(chosen)
    assert max(of_large) > 1400 > 1100 > min(of_large)
    assert sample_of(large[:3]) == large[:3]
    many = [lying(f"{n}.e{n}") for n in range(100)]
    assert len(sample_of(many, 40)) == 40
