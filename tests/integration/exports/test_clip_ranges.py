"""Which pictures a clip holds: ends, handles, timecodes, uneven pictures, hidden beginnings."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shared.exports.clips import ClipCode
from tests.quality.exports.clip_oracle import MS, beeps, export, look, small_clip
from tests.support.media.media import (
    H264_OPEN,
    TIME_BASE,
    Encoding,
    cut_with_edit_list,
    make_clip,
    make_still,
    write_sound,
)
from tests.support.media.media_kinds import with_timecode_rate
from workers.export.copying import end_at
from workers.export.output import ClipFailed

MODES = ("copy", "encode")
DROPPING = Encoding(fps=Fraction(30000, 1001), timecode="00:59:58;00", gop=15)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoding = Encoding(tone_hz=1000, beeps=True, timecode="10:00:00:00", gop=25)
    return small_clip(tmp_path_factory.mktemp("source") / "a.mp4", 4, encoding=encoding)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("start", "end", "first", "past"),
    [
        (0.0, 1.0, 0, 25),
        (3.0, 4.0, 75, 100),
        (0.0, 4.0, 0, 100),
        (1.24, 1.28, 31, 32),
        (1.241, 1.242, 31, 32),
        (1.2796, 1.3204, 32, 33),
    ],
    ids=["from 0", "to the end", "all", "one picture", "within one picture", "rounded times"],
)
def test_a_range_is_half_open_and_holds_the_picture_on_screen_at_its_start(
    source: Path, tmp_path: Path, mode: str, start: float, end: float, first: int, past: int
) -> None:
    clip, made = export(source, start, end, tmp_path, mode=mode)
    assert look(clip).numbers == list(range(first, past))
    assert made.start_seconds == pytest.approx(first / 25)


@pytest.mark.parametrize("mode", MODES)
def test_two_clips_may_overlap(source: Path, tmp_path: Path, mode: str) -> None:
    one, _ = export(source, 0.6, 1.4, tmp_path, mode=mode)
    other, _ = export(source, 1.0, 2.0, tmp_path, mode=mode)
    assert look(one).numbers[:20] == list(range(15, 35))
    assert look(other).numbers[:25] == list(range(25, 50))


def test_handles_end_where_the_media_ends(source: Path, tmp_path: Path) -> None:
    clip, made = export(source, 0.4, 3.8, tmp_path, handle_seconds=1)
    assert look(clip).numbers == list(range(100))
    assert (made.start_seconds, made.end_seconds) == (0.0, 4.0)
    assert made.start_timecode == "10:00:00:00"
    inner, made = export(source, 1.4, 2, tmp_path, handle_seconds=0.4)
    assert look(inner).numbers == list(range(25, 60))


def test_an_end_past_the_media_is_cut_back_and_told(source: Path, tmp_path: Path) -> None:
    clip, made = export(source, 3.0, 99, tmp_path, mode="encode")
    assert look(clip).numbers == list(range(75, 100))
    assert made.end_seconds == 4.0
    assert any("past the end" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (4.0, 5.0),
        (2.0, 2.0),
        (2.0, 1.0),
        (-1.0, 1.0),
        (float("nan"), 1.0),
        (0.0, float("inf")),
        (0.0, 1e300),
        (1e8, 1e9),
        ("09:00:00:00", "10:00:01:00"),
        ("10:00:00:30", "10:00:02:00"),
        ("soon", "10:00:02:00"),
    ],
)
def test_times_that_make_no_range_are_refused(
    source: Path, tmp_path: Path, start: float | str, end: float | str
) -> None:
    with pytest.raises(ClipFailed) as failed:
        export(source, start, end, tmp_path)
    assert failed.value.code is ClipCode.BAD_RANGE
    assert not list(tmp_path.iterdir())


def test_a_still_without_a_length_fails_with_the_cure(tmp_path: Path) -> None:
    still = make_still(tmp_path / "a.png")
    with pytest.raises(ClipFailed, match="give an end_time that is after start_time") as failed:
        export(still, 0, 0, tmp_path)
    assert failed.value.code is ClipCode.BAD_RANGE


def test_times_may_be_timecodes_of_the_source(source: Path, tmp_path: Path) -> None:
    clip, made = export(source, "10:00:01:05", "10:00:02:00", tmp_path)
    assert look(clip).numbers == list(range(30, 50))
    assert made.start_timecode == look(clip).timecode == "10:00:01:05"


def test_drop_frame_timecode_leaves_out_labels_and_no_pictures(tmp_path: Path) -> None:
    path = small_clip(tmp_path / "df.mov", 5, encoding=DROPPING)
    clips = tmp_path / "clips"
    clips.mkdir()
    clip, made = export(path, "00:59:59;00", "01:00:00;00", clips)
    assert look(clip).numbers == list(range(30, 60))
    assert made.start_timecode == "00:59:59;00"
    clip, made = export(path, 61 / 30000 * 1001, 70 / 30000 * 1001, clips, mode="copy")
    assert made.start_timecode == look(clip).timecode == "01:00:00;01"


def test_timecode_of_119_88_has_three_digits_and_drops_eight_labels(tmp_path: Path) -> None:
    encoding = Encoding(fps=Fraction(120000, 1001), timecode="00:58:58;100", gop=30)
    path = small_clip(tmp_path / "df.mov", 3, encoding=encoding)
    clips = tmp_path / "clips"
    clips.mkdir()
    clip, made = export(path, "00:58:59;118", "00:59:00;010", clips)
    assert look(clip).numbers == [138, 139, 140, 141]
    assert made.start_timecode == look(clip).timecode == "00:58:59;118"
    clip, made = export(path, 141 / 120000 * 1001, 1.3, clips, mode="copy")
    assert made.start_timecode == look(clip).timecode == "00:59:00;009"


def test_timecode_may_count_fewer_frames_than_there_are_pictures(tmp_path: Path) -> None:
    """50p with a timecode track of 25: two pictures have one label; a clip counts 50."""
    encoding = Encoding(fps=50, gop=10, timecode="01:00:00:00")
    path = with_timecode_rate(small_clip(tmp_path / "a.mov", 4, encoding=encoding), Fraction(25))
    clips = tmp_path / "clips"
    clips.mkdir()
    clip, made = export(path, "02:00:01:05", "02:00:02:00", clips)
    assert look(clip).numbers == list(range(60, 100))
    assert made.start_timecode == look(clip).timecode == "02:00:01:10"


@pytest.mark.parametrize("encoding", [Encoding(gop=100), H264_OPEN], ids=["long", "open"])
def test_an_in_point_in_ts_is_right_although_seeks_land_late(
    tmp_path: Path, encoding: Encoding
) -> None:
    """The stream starts at 1.4 s on its own clock, and a seek finds the key frame after it."""
    path = small_clip(tmp_path / "a.ts", 8, encoding=encoding)
    for first in (7, 55, 99, 103, 150):
        clip, made = export(path, first / 25, (first + 10) / 25, tmp_path, mode="encode")
        assert look(clip).numbers == list(range(first, first + 10))
        copied, made = export(path, first / 25, (first + 10) / 25, tmp_path, mode="copy")
        numbers = look(copied).numbers
        assert numbers[0] <= first <= numbers[-1]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert made.start_seconds == pytest.approx(numbers[0] / 25)


@pytest.mark.parametrize("mode", MODES)
def test_times_of_a_source_with_an_edit_list_count_from_its_first_shown_picture(
    source: Path, tmp_path: Path, mode: str
) -> None:
    hidden = cut_with_edit_list(source, tmp_path / "hidden.mp4", 1.2)
    clips = tmp_path / "clips"
    clips.mkdir()
    for start, first in ((0.0, 30), (0.4, 40), (1.0, 55)):
        clip, made = export(hidden, start, start + 0.4, clips, mode=mode)
        assert look(clip).numbers[:10] == list(range(first, first + 10))
        assert made.start_seconds == pytest.approx(start)


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
@pytest.mark.parametrize("mode", MODES)
def test_uneven_pictures_keep_their_times_and_leave_no_hole_at_the_start(
    tmp_path: Path, extension: str, mode: str
) -> None:
    """In-points within a long picture: it is what is on screen, so the clip begins with it."""
    gaps = [3000, 3000, 10800, 3000, 6000]
    ticks = np.cumsum([0, *(gaps * 20)])[:100]
    encoding = Encoding(fps=30, gop=10, b_frames=0)
    path = small_clip(
        tmp_path / f"a.{extension}", 100 / 30, encoding=encoding,
        times=lambda n: float(int(ticks[n]) * TIME_BASE),
    )  # fmt: skip
    start = float(ticks[12] * TIME_BASE) + 0.11  # 10 ms before picture 13
    end = float(ticks[25] * TIME_BASE)
    clip, made = export(path, start, end, tmp_path, mode=mode)
    seen = look(clip)
    assert 12 in seen.numbers
    held = seen.numbers.index(12)
    assert seen.times[0] == 0
    if mode == "encode":
        assert held == 0
        assert made.start_seconds == pytest.approx(start, abs=0.002)
    wanted = [int(ticks[n] - ticks[13]) * TIME_BASE for n in range(13, 25)]
    base = seen.times[held + 1]
    assert all(
        abs(at - base - want) <= 2 * MS
        for at, want in zip(seen.times[held + 1 :], wanted, strict=False)
    )


def test_a_picture_without_times_is_counted(tmp_path: Path) -> None:
    path = small_clip(tmp_path / "a.avi", 3, encoding=Encoding("mpeg4", b_frames=2))
    clip, made = export(path, 1.0, 2.0, tmp_path)
    assert look(clip).numbers == list(range(25, 50))
    assert made.method == "encode"


def test_a_still_becomes_a_clip_as_long_as_asked(tmp_path: Path) -> None:
    path = make_still(tmp_path / "a.jpg", size=(321, 201))
    clip, made = export(path, 0, 2, tmp_path)
    seen = look(clip)
    assert len(seen.numbers) == 50
    assert seen.length == 2
    assert (made.start_seconds, made.end_seconds) == (0, 2)


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.wav", "wav"), ("a.m4a", "m4a"), ("a.flac", "flac"), ("a.mp3", "m4a")],
)
def test_sound_alone_is_cut_at_the_sample(tmp_path: Path, name: str, extension: str) -> None:
    path = write_sound(tmp_path / name, 3)
    clip, made = export(path, 0.5, 1.75, tmp_path)
    assert made.extension == extension
    assert made.frames is None
    with av.open(str(clip)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == pytest.approx(1.25 * 48_000, abs=0 if extension != "m4a" else 1024)


def test_sound_of_a_clip_begins_with_its_first_picture(source: Path, tmp_path: Path) -> None:
    clip, _ = export(source, 0.52, 2.52, tmp_path, mode="copy")
    heard = beeps(clip, Fraction(0))
    assert [round(float(at), 3) for at in heard] == [0.48, 1.48]


@pytest.mark.parametrize("mode", ["copy", "encode", "auto"])
@pytest.mark.parametrize(
    ("shown", "start", "first"), [(62, 0.0, 0), (62, 1.8, 45), (30, 1.0, 25), (75, 2.96, 74)]
)
def test_what_an_edit_list_hides_at_the_end_of_a_source_stays_hidden(
    source: Path, tmp_path: Path, mode: str, shown: int, start: float, first: int
) -> None:
    path = tmp_path / "trimmed.mp4"
    path.write_bytes(source.read_bytes())
    assert end_at(str(path), Fraction(shown, 25))
    past = max(look(path).numbers) + 1
    assert past < 80
    clip, made = export(path, start, 9, tmp_path, mode=mode)
    assert look(clip).numbers == list(range(first, past))
    assert made.end_seconds == pytest.approx(past / 25)
    with pytest.raises(ClipFailed) as failed:
        export(path, 3.5, 9, tmp_path, mode=mode)
    assert failed.value.code is ClipCode.BAD_RANGE


@pytest.mark.parametrize("mode", ["auto", "encode"])
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_less_than_a_sample_of_sound_is_no_clip(tmp_path: Path, name: str, mode: str) -> None:
    path = write_sound(tmp_path / name, 2)
    with pytest.raises(ClipFailed) as failed:
        export(path, 1, 1.000001, tmp_path, mode=mode)
    assert failed.value.code is ClipCode.BAD_RANGE


def test_mxf_repeats_pictures_of_uneven_length(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 2, times=lambda n: n / 25 if n < 10 else (2 * n - 9) / 25)
    clip, made = export(path, 0.2, 1.0, tmp_path, codec="dnxhr", container="mxf")
    seen = look(clip)
    assert seen.numbers == [5, 6, 7, 8, 9, 9, *(n for n in range(10, 17) for _ in range(2))][:20]
    assert seen.length == pytest.approx(0.8)
    assert made.frames == 20
    assert any("repeated" in warning for warning in made.warnings)
