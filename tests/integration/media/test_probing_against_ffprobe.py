"""Debian's ffprobe, another build of another version, agrees about every kind of file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from shared.domain import Probe
from shared.media import MediaType, media_type_of
from tests.support.media.by_path import probe
from tests.support.media.media import (
    H264,
    H264_INTERLACED,
    HEVC,
    MPEG2,
    MPEG2_INTERLACED,
    PRORES,
    make_clip,
    write_sound,
)
from tests.support.media.media_kinds import (
    HDR10,
    HLG,
    REC709,
    broadcast_wave,
    clip_with_sounds,
    encoding,
    uneven,
    with_timecode_rate,
)
from tests.support.skip_or_fail import skip_or_fail

SIZE = (160, 96)
NTSC = Fraction(30000, 1001)
_SCANS = {
    "progressive": "progressive",
    "tt": "top_first",
    "bb": "bottom_first",
    "tb": "top_first",  # of MOV, MP4 and Matroska, as their pictures say
    "bt": "bottom_first",
}
_RANGES = {"tv": "limited", "pc": "full"}


@pytest.fixture(scope="module", autouse=True)
def ffprobe() -> None:
    if shutil.which("ffprobe") is None:
        skip_or_fail("ffprobe is not installed")


def film(name: str, kind: Any, seconds: float = 2, **more: Any) -> Callable[[Path], Path]:
    return lambda folder: make_clip(folder / name, seconds, size=SIZE, encoding=kind, **more)


def sixty_counted_by_thirty(folder: Path) -> Path:
    kind = encoding(fps=Fraction(60000, 1001), timecode="01:00:00;20")
    return with_timecode_rate(film("30 of 60.mov", kind)(folder), NTSC)


KINDS: dict[str, Callable[[Path], Path]] = {
    "h264 mp4": film("a.mp4", encoding(tone_hz=440, channels=2)),
    "h264 mov drop frame": film("a.mov", encoding(fps=NTSC, timecode="00:59:58;00")),
    "film rate": film("a.mov", encoding(fps=Fraction(24000, 1001), timecode="10:00:00:00")),
    "timecode of half the rate": sixty_counted_by_thirty,
    "hevc mkv": film("a.mkv", encoding(HEVC, tone_hz=440)),
    "prores": film("a.mov", encoding(PRORES, timecode="01:02:03:04")),
    "ts": film("a.ts", encoding(tone_hz=440, channels=2)),
    "mxf": film("a.mxf", encoding(MPEG2, tone_hz=440, channels=2, timecode="10:00:00:00")),
    "interlaced mxf": film("a.mxf", MPEG2_INTERLACED),
    "interlaced mp4": film("a.mp4", H264_INTERLACED),
    "rotated by 90": film("a.mp4", encoding(rotation=90)),
    "rotated by 180": film("a.mov", encoding(rotation=180)),
    "rotated by 270": film("a.mp4", encoding(rotation=270)),
    "wide pixels": film("a.mov", encoding(aspect=Fraction(64, 45))),
    "uneven": film("a.mp4", H264, 4, times=uneven),
    "rec 709": film("a.mp4", REC709),
    "hdr10": film("a.mp4", HDR10),
    "hlg": film("a.mov", HLG),
    "many tracks": lambda folder: clip_with_sounds(
        folder / "a.mov", [("mono", "eng"), ("stereo", "ger"), ("5.1", "fre")]
    ),
    "wav": lambda folder: write_sound(folder / "a.wav", 2, channels=2),
    "broadcast wave": lambda folder: broadcast_wave(folder / "a.wav", 48_000 * 3_600),
    "mp3 with cover": lambda folder: write_sound(folder / "a.mp3", 2, cover=True),
    "flac": lambda folder: write_sound(folder / "a.flac", 2, channels=2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ffprobe_agrees(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path)
    media_type = media_type_of(str(path))
    assert media_type
    ours, theirs = probe(str(path), media_type), asked(path)
    assert [(s.codec, s.channels, s.sample_rate) for s in ours.audio_streams] == [
        (s["codec_name"], s["channels"], int(s["sample_rate"])) for s in of(theirs, "audio")
    ]
    assert ours.start_timecode == timecode_in(theirs)
    shown = [s for s in of(theirs, "video") if not s["disposition"]["attached_pic"]]
    assert len(ours.video_streams) == len(shown)
    if not shown:
        seconds = float(theirs["format"]["duration"])
        assert ours.duration_seconds == pytest.approx(seconds, abs=0.05)  # MP3: by a frame or two
        return
    compare_picture(ours, shown[0], theirs)
    counted = [s["avg_frame_rate"] for s in of(theirs, "data") if s["codec_tag_string"] == "tmcd"]
    if counted:
        assert ours.timecode
        assert Fraction(ours.timecode.rate) == Fraction(counted[0])


@pytest.mark.parametrize("order", ["top_first", "bottom_first"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mov", "mpeg2video"),
        ("a.mov", "prores_ks"),
        ("a.mkv", "mpeg2video"),
        ("a.mxf", "mpeg2video"),
        ("a.mp4", "libx264"),
    ],
)
def test_the_order_of_fields_is_that_of_the_pictures(
    name: str, codec: str, order: str, tmp_path: Path
) -> None:
    """Interleaved fields in MOV and Matroska are read as "tb" when the top one is shown first."""
    path = tmp_path / name
    top = order == "top_first"
    fields = f"setfield={'tff' if top else 'bff'}"
    x264 = ["-x264-params", "tff=1" if top else "bff=1"] if codec == "libx264" else []
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x192:r=25", "-t", "0.2"]
    command += ["-vf", fields, "-c:v", codec, "-flags", "+ildct+ilme", *x264, str(path)]
    subprocess.run(command, check=True, timeout=30)
    command = ["ffprobe", "-v", "error", "-of", "json", "-read_intervals", "%+#1", "-show_frames"]
    done = subprocess.run([*command, str(path)], capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout)["frames"][0]["top_field_first"] == int(top)
    assert probe(str(path), MediaType.VIDEO).scan == order


def compare_picture(ours: Probe, theirs: dict[str, Any], file: dict[str, Any]) -> None:
    seconds = float(theirs.get("duration") or file["format"]["duration"])
    assert ours.duration_seconds == pytest.approx(seconds, abs=0.002)
    assert ours.fps_rational
    assert Fraction(ours.fps_rational) == Fraction(theirs["r_frame_rate"])
    assert ours.frame_count == int(theirs["nb_read_packets"])
    assert (ours.width, ours.height) == (theirs["width"], theirs["height"])
    matrix = [d for d in theirs.get("side_data_list", ()) if "rotation" in d]
    counter_clockwise = int(matrix[0]["rotation"]) if matrix else 0
    assert ours.rotation == -counter_clockwise % 360
    assert ours.color
    if ours.video_codec == "prores":
        return  # older ones do not tell its scan and range
    assert ours.scan == _SCANS.get(theirs.get("field_order", ""))
    assert (ours.color.range, ours.color.primaries, ours.color.transfer, ours.color.matrix) == (
        _RANGES.get(theirs.get("color_range", "")),
        theirs.get("color_primaries"),
        theirs.get("color_transfer"),
        theirs.get("color_space"),
    )


def asked(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", "-count_packets"]
    done = subprocess.run(
        [*command, "-show_format", "-show_streams", str(path)],
        capture_output=True,
        check=True,
        timeout=30,
    )
    return dict(json.loads(done.stdout))


def of(told: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [stream for stream in told["streams"] if stream["codec_type"] == kind]


def timecode_in(told: dict[str, Any]) -> str | None:
    for part in (*told["streams"], told["format"]):
        if value := part.get("tags", {}).get("timecode"):
            return str(value)
    return None
