"""What `/media/metadata` tells about files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from shared.media import MediaType
from tests.support.media.by_path import probe
from tests.support.media.media import (
    H264,
    HEVC,
    MPEG2,
    PRORES,
    Encoding,
    also,
    cut_with_edit_list,
    make_clip,
    make_still,
    write_sound,
)

SIZE = (160, 96)


@pytest.mark.parametrize(
    ("name", "encoding", "codec", "container"),
    [
        ("a.mp4", H264, "h264", "mp4"),
        ("a.mov", PRORES, "prores", "mov"),
        ("a.mkv", HEVC, "hevc", "matroska"),
        ("a.webm", Encoding("libvpx-vp9", options={"deadline": "realtime"}), "vp9", "matroska"),
        ("a.ts", H264, "h264", "mpegts"),
        ("a.mxf", MPEG2, "mpeg2video", "mxf"),
        ("a.avi", Encoding("mpeg4"), "mpeg4", "avi"),
    ],
)
def test_every_container_tells_length_rate_and_size(
    name: str, encoding: Encoding, codec: str, container: str, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / name, 4, size=SIZE, encoding=encoding)
    seen = probe(str(clip), MediaType.VIDEO)
    assert (seen.video_codec, seen.container) == (codec, container)
    assert seen.duration_seconds == pytest.approx(4, abs=0.05)
    assert (seen.fps, seen.fps_rational, seen.frame_count) == (25, "25/1", 100)
    assert (seen.width, seen.height, seen.rotation, seen.pixel_aspect) == (160, 96, 0, "1/1")
    assert (seen.has_audio, seen.audio_codec, seen.audio_channels) == (False, None, None)


@pytest.mark.parametrize("rate", ["24000/1001", "24/1", "25/1", "30000/1001", "50/1", "60000/1001"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov"])
def test_rates_are_exact(rate: str, suffix: str, tmp_path: Path) -> None:
    encoding = also(H264, fps=Fraction(rate))
    clip = make_clip(tmp_path / f"a.{suffix}", 4, size=SIZE, encoding=encoding)
    seen = probe(str(clip), MediaType.VIDEO)
    assert seen.fps_rational == rate
    assert seen.fps == pytest.approx(float(Fraction(rate)), abs=1e-6)
    assert seen.frame_count == round(4 * Fraction(rate))


@pytest.mark.parametrize(
    ("name", "rate", "timecode"),
    [
        ("a.mov", "25", "10:00:00:00"),
        ("a.mp4", "25", "01:02:03:04"),
        ("drop.mov", "30000/1001", "00:59:56;10"),
        ("not drop.mov", "30000/1001", "00:59:56:10"),
        ("fast.mov", "60000/1001", "01:00:00;40"),
        ("a.mxf", "25", "10:00:00:00"),
    ],
)
def test_start_timecodes_are_read(name: str, rate: str, timecode: str, tmp_path: Path) -> None:
    base = MPEG2 if name.endswith("mxf") else H264
    encoding = also(base, fps=Fraction(rate), timecode=timecode)
    clip = make_clip(tmp_path / name, 1, size=SIZE, encoding=encoding)
    assert probe(str(clip), MediaType.VIDEO).start_timecode == timecode


def test_files_without_a_timecode_have_none(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    assert probe(str(clip), MediaType.VIDEO).start_timecode is None


@pytest.mark.parametrize(("channels", "suffix"), [(1, "mp4"), (2, "mov"), (6, "mkv")])
def test_sound_of_a_video_is_told(channels: int, suffix: str, tmp_path: Path) -> None:
    encoding = also(H264, tone_hz=440, channels=channels)
    clip = make_clip(tmp_path / f"a.{suffix}", 2, size=SIZE, encoding=encoding)
    seen = probe(str(clip), MediaType.VIDEO)
    assert seen.has_audio
    assert seen.audio_channels == channels
    assert seen.audio_codec in ("aac", "vorbis", "ac3")


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.m4a", "a.ogg"])
def test_sound_files_have_no_picture(name: str, tmp_path: Path) -> None:
    seen = probe(str(write_sound(tmp_path / name, 2, channels=2)), MediaType.AUDIO)
    assert seen.duration_seconds == pytest.approx(2, abs=0.1)
    assert (seen.has_audio, seen.audio_channels) == (True, 2)
    assert (seen.width, seen.fps, seen.frame_count, seen.video_codec) == (None,) * 4


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a"])
def test_a_cover_picture_is_no_video(name: str, tmp_path: Path) -> None:
    seen = probe(str(write_sound(tmp_path / name, 2, cover=True)), MediaType.AUDIO)
    assert seen.has_audio
    assert seen.video_codec is None


def test_a_clip_cut_by_an_edit_list_is_as_long_as_it_shows(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 6, size=SIZE)
    cut = cut_with_edit_list(whole, tmp_path / "cut.mp4", 1.32)
    assert probe(str(cut), MediaType.VIDEO).duration_seconds == pytest.approx(4.68, abs=0.05)


def test_uneven_clips_tell_the_rate_they_are_built_on(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "a.mp4", 4, size=SIZE, times=lambda n: n * 0.04 + (3.2 if n >= 50 else 0)
    )
    assert probe(str(clip), MediaType.VIDEO).fps_rational == "25/1"


def test_stills_tell_their_stored_size_and_rotation(tmp_path: Path) -> None:
    still = make_still(tmp_path / "a.jpg", size=(300, 200), orientation=6)
    seen = probe(str(still), MediaType.IMAGE)
    assert (seen.width, seen.height, seen.rotation) == (300, 200, 90)
    assert seen.media_type is MediaType.IMAGE
    assert seen.duration_seconds is None
