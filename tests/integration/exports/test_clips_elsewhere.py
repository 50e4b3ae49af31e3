"""Clips as other programs see them: ffprobe and melt, which no test here wrote."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.quality.exports.clip_oracle import export
from tests.support.exports.other_programs import melted, program
from tests.support.media.media import Encoding, make_clip, read_bar_code

LAST_SOUND_S = 0.045  # packets of AAC last 21 ms
NTSC = Fraction(30000, 1001)
SOURCES = {
    "h264.mp4": Encoding(
        fps=NTSC, gop=15, tone_hz=500, channels=2, timecode="00:59:58;00"
    ),
    "hevc.mov": Encoding("libx265", gop=15, tone_hz=500, channels=2, timecode="10:00:00:00"),
    "prores.mov": Encoding(
        "prores_ks", fps=Fraction(24000, 1001), pixels="yuv422p10le", gop=1, b_frames=0,
        tone_hz=500, sound_codec="pcm_s16le", timecode="01:00:00:00",
    ),
    "h264.mkv": Encoding(gop=15, tone_hz=500, sound_codec="aac", timecode="10:00:00:00"),
    "h264.ts": Encoding(fps=50, gop=15, tone_hz=500, sound_codec="aac"),
    "dnxhr.mxf": Encoding(
        "dnxhd", pixels="yuv422p", gop=1, b_frames=0, options={"profile": "dnxhr_lb"},
        tone_hz=500, timecode="10:00:00:00",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["copy", "encode"])
@pytest.mark.parametrize("name", SOURCES)
def test_other_programs_agree_on_length_rate_pictures_and_timecode(
    tmp_path: Path, name: str, mode: str
) -> None:
    encoding = SOURCES[name]
    path = make_clip(tmp_path / name, 3, encoding=encoding)
    clips = tmp_path / "clips"
    clips.mkdir()
    rate = Fraction(encoding.fps)
    clip, made = export(path, float(31 / rate), float(62 / rate), clips, mode=mode)
    assert made.frames is not None
    probed = ffprobe(clip)
    video = next(s for s in probed["streams"] if s["codec_type"] == "video")
    assert int(video["nb_read_frames"]) == made.frames
    assert Fraction(video["r_frame_rate"]) == rate
    length = made.end_seconds - made.start_seconds
    assert float(probed["format"]["duration"]) == pytest.approx(length, abs=LAST_SOUND_S)
    assert timecode(probed) == (made.start_timecode if encoding.timecode else timecode(probed))
    played = melt(clip)
    by_sound = name.endswith((".mkv", ".ts"))  # melt takes the longest stream's length there
    assert abs(played["length"] - made.frames) <= (LAST_SOUND_S * rate if by_sound else 0)
    assert abs(played["rate"] / rate - 1) < Fraction(1, 1000)
    assert played["timecode"] == made.start_timecode or not played["timecode"]
    first = round(Fraction(made.start_seconds) * rate)
    assert first == 31 or made.warnings
    assert shown_by_melt(clip, 0, tmp_path) == first
    assert shown_by_melt(clip, 20, tmp_path) == first + 20


def ffprobe(clip: Path) -> dict[str, Any]:
    command = "-v error -count_frames -show_streams -show_format -of json".split()
    probed = subprocess.run(
        [program("ffprobe"), *command, str(clip)], capture_output=True, check=True, timeout=60
    )
    assert not probed.stderr
    return dict(json.loads(probed.stdout))


def timecode(probed: dict[str, Any]) -> str | None:
    places = [s.get("tags", {}) for s in probed["streams"]] + [probed["format"].get("tags", {})]
    found = [v for tags in places for k, v in tags.items() if k.lower() == "timecode"]
    return found[0] if found else None


def melt(clip: Path) -> dict[str, Any]:
    """Length in frames, rate and timecode, by melt's own XML."""
    root = ElementTree.fromstring(melted(str(clip), "-consumer", "xml"))
    profile = root.find("profile")
    values = {p.get("name", ""): p.text or "" for p in root.iter("property")}
    assert profile is not None
    rate = Fraction(int(profile.attrib["frame_rate_num"]), int(profile.attrib["frame_rate_den"]))
    labels = [v for k, v in values.items() if k.lower().endswith("timecode.markup")]
    return {
        "length": int(values["length"]),
        "rate": rate,
        "timecode": labels[0] if labels else None,
    }


def shown_by_melt(clip: Path, frame: int, folder: Path) -> int:
    """The number on a picture as melt decodes and scales it."""
    picture = folder / "melt.png"
    picture.unlink(missing_ok=True)
    where = [f"in={frame}", f"out={frame}", "-consumer", f"avformat:{picture}", "vcodec=png"]
    melted(str(clip), *where, into=picture)
    with Image.open(picture) as image:
        return read_bar_code(np.asarray(image.convert("RGB")))
