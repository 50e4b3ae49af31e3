"""Random cuts of clips whose pictures carry their numbers: exact where that is promised."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.quality.exports.clip_oracle import (
    MS,
    RATES,
    Numbered,
    Seen,
    assert_beeps,
    export,
    look,
    random_ranges,
    source,
)
from tests.support.media.by_path import Cut
from tests.support.running.long_form import by_form

CONTAINERS = ("mp4", "mov", "mkv", "ts", "mxf")
CASES = [(c, r) for c in CONTAINERS for r in RATES if (c, r) != ("mxf", "vfr")]  # MXF has no VFR
# Pictures that a copy may hold after its end, because B pictures refer to them; MP4 and MOV hide
# them by their edit list.
REORDERED = 3

RUN_UP_S = 0.05  # two packets of AAC: where nothing can be hidden, sound begins with a whole one


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


def cuts_of(container: str) -> int:
    """A quarter of 100 a container."""
    return by_form(short=5, long=25 if container == "mxf" else 20)


@pytest.mark.parametrize(("container", "rate"), CASES)
def test_an_encoded_clip_holds_exactly_the_pictures_and_the_sound_of_its_range(
    sources: Path, tmp_path: Path, container: str, rate: str
) -> None:
    numbered = source(sources, container, rate)
    for start, end in random_ranges(numbered, cuts_of(container), seed=11):
        clip, made = export(numbered.path, start, end, tmp_path, mode="encode")
        seen = look(clip)
        first, past = wanted(numbered, start, end)
        assert seen.numbers == list(range(first, past)), (start, end)
        assert_times_are_kept(numbered, seen, first)
        assert abs(made.start_seconds - numbered.times[first]) <= MS
        assert made.frames == len(seen.numbers)
        length = Fraction(made.end_seconds - made.start_seconds)
        assert abs(seen.length - length) <= holds(rate) / numbered.rate
        assert_beeps(seen, made.start_seconds, made.end_seconds)
        assert seen.timecode in (made.start_timecode, None)
        clip.unlink()


@pytest.mark.parametrize(("container", "rate"), CASES)
def test_a_copied_clip_keeps_to_the_bounds_that_its_container_allows(
    sources: Path, tmp_path: Path, container: str, rate: str
) -> None:
    numbered = source(sources, container, rate, "dnxhd" if container == "mxf" else "")
    for start, end in random_ranges(numbered, cuts_of(container), seed=23):
        clip, made = export(numbered.path, start, end, tmp_path, mode="copy")
        seen = look(clip)
        first, past = wanted(numbered, start, end)
        if container in ("mp4", "mov", "mxf"):
            assert seen.numbers[0] == first, (start, end)
        else:
            assert first - 14 < seen.numbers[0] <= first, "it begins at the key frame before"
            assert (seen.numbers[0] == first) == (not any("key frame" in w for w in made.warnings))
        assert abs(made.start_seconds - numbered.times[seen.numbers[0]]) <= MS
        assert seen.numbers == list(range(seen.numbers[0], seen.numbers[-1] + 1)), "no gap"
        over = seen.numbers[-1] + 1 - past
        assert 0 <= over <= (0 if container in ("mp4", "mov", "mxf") else REORDERED)
        assert any("after the out-point" in w for w in made.warnings) == bool(over)
        assert made.frames == len(seen.numbers)
        assert_times_are_kept(numbered, seen, seen.numbers[0])
        hides = container in ("mp4", "mov", "mxf")
        asked = min(end, made.end_seconds)
        assert_beeps(seen, made.start_seconds, asked, 0.002 if hides else RUN_UP_S)
        assert_timecode(numbered, seen, made)
        clip.unlink()


@pytest.mark.parametrize(("container", "rate"), [c for c in CASES if c[1] != "vfr"])
def test_a_clip_that_is_left_to_choose_is_copied_only_where_that_is_exact(
    sources: Path, tmp_path: Path, container: str, rate: str
) -> None:
    numbered = source(sources, container, rate, "dnxhd" if container == "mxf" else "")
    ranges = random_ranges(numbered, 3, seed=5)
    ranges.append((float(numbered.times[28]), float(numbered.times[56])))  # from key to key
    methods = set()
    for start, end in ranges:
        clip, made = export(numbered.path, start, end, tmp_path)
        first, past = wanted(numbered, start, end)
        assert look(clip).numbers == list(range(first, past)), (start, end, made.method)
        methods.add(made.method)
    is_open = rate in ("25", "50") and container != "mxf"
    assert methods == {"encode"} if is_open else "copy" in methods


def holds(rate: str) -> int:
    """How long a picture may be held, in usual frames."""
    return 3 if rate == "vfr" else 1


def wanted(numbered: Numbered, start: float, end: float) -> tuple[int, int]:
    first = numbered.shown_at(start)
    return first, max(first + 1, numbered.first_after(end))


def assert_times_are_kept(numbered: Numbered, seen: Seen, first: int) -> None:
    """Matroska rounds times to milliseconds, at both ends of a difference."""
    for number, at in zip(seen.numbers, seen.times, strict=True):
        wanted = numbered.times[number] - numbered.times[first]
        assert abs(at - wanted) <= 2 * MS, (number, float(at), float(wanted))


def assert_timecode(numbered: Numbered, seen: Seen, made: Cut) -> None:
    if numbered.timecode is None:
        assert made.start_timecode is None or numbered.path.suffix == ".mxf"
        return
    frames = round(Fraction(made.start_seconds) * numbered.rate)
    nominal = round(numbered.rate)
    assert seen.timecode == made.start_timecode
    assert made.start_timecode is not None
    labelled = _number(made.start_timecode, nominal) - _number(numbered.timecode, nominal)
    assert labelled == frames


def _number(label: str, nominal: int) -> int:
    """By the definition of drop-frame: two labels a minute are left out, but for each tenth."""
    hours, minutes, seconds, frames = (int(label[at : at + 2]) for at in (0, 3, 6, 9))
    number = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    total = hours * 60 + minutes
    return number - 2 * (total - total // 10) if ";" in label else number
