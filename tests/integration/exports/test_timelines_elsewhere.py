"""Programs that are not ours open media and timelines and agree: Debian's ffprobe and melt.

The timelines are read by libraries that are not ours either (OpenTimelineIO, its adapter for
xmeml, pycmx); what they read is played by melt in the timeline's rate. The pictures carry their
numbers, so that each cut can be checked to the frame.
"""

from __future__ import annotations

import io
import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import opentimelineio as otio
import pycmx
import pytest

from api.exports.timelines.model import Timeline
from api.exports.timelines.routes import TimelineFormat, write_timeline
from api.exports.timelines.sources import TimelineSource, source_of
from shared.media import MediaType
from tests.support.exports.other_programs import melted, program
from tests.support.exports.timeline_checker import number, rate_of
from tests.support.exports.timeline_data import NTSC_24, NTSC_30, asked, timeline, xmeml_of
from tests.support.media.by_path import probe
from tests.support.media.media import Encoding, make_clip, number_of

Cut = tuple[str, Fraction, int]  # path, seconds since the first picture, frames of the timeline
MIXED = {
    "a b#1.mov": Encoding(fps=NTSC_24, timecode="01:00:00:00", tone_hz=440, channels=2),
    "b é%.mp4": Encoding(fps=25, timecode="10:00:00:00", tone_hz=440),
    "c.mov": Encoding(fps=NTSC_30, timecode="00:59:58;00"),
    "d.mkv": Encoding(fps=50),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TimelineSource]:
    folder = tmp_path_factory.mktemp("elsewhere")
    found = {}
    for name, encoding in MIXED.items():
        path = make_clip(folder / name, 6, encoding=encoding)
        found[name] = source_of(str(path), probe(str(path), MediaType.VIDEO))
    return found


def test_ffprobe_agrees_on_length_rate_timecode_and_channels(
    sources: dict[str, TimelineSource],
) -> None:
    command = [program("ffprobe"), "-v", "error", "-count_frames", "-show_streams", "-of", "json"]
    root = xmeml_of(timeline(*[asked(source) for source in sources.values()])[0])
    for file, source in zip(
        (f for f in root.iter("file") if len(f)), sources.values(), strict=True
    ):
        shown = subprocess.run(
            [*command, f"file:{source.media.path}"], capture_output=True, check=True
        )
        said = json.loads(shown.stdout)["streams"]
        video = next(stream for stream in said if stream["codec_type"] == "video")
        assert rate_of(file) == Fraction(video["r_frame_rate"])
        assert number(file, "duration") == int(video["nb_read_frames"])
        shape = file.find("media/video/samplecharacteristics")
        assert (number(shape, "width"), number(shape, "height")) == (
            video["width"],
            video["height"],
        )
        channels = [stream["channels"] for stream in said if stream["codec_type"] == "audio"]
        assert [number(a, "channelcount") for a in file.findall("media/audio")] == channels
        timecodes = {s.get("tags", {}).get("timecode", "00:00:00:00") for s in said} - {
            "00:00:00:00"
        }
        text = file.findtext("timecode/string")
        if file.findtext("timecode/displayformat") == "DF":
            text = text[:8].replace(";", ":") + text[8:]
        assert timecodes <= {text}


@pytest.mark.parametrize("kind", ["xmeml", "otio"])
@pytest.mark.parametrize("rate", [NTSC_24, Fraction(25), NTSC_30])
def test_melt_plays_what_another_reader_finds_in_the_timeline(
    kind: TimelineFormat, rate: Fraction, sources: dict[str, TimelineSource], tmp_path: Path
) -> None:
    ranges = [(1, 2.5), (0, 0.5), (2.002, 4), (3.3333, 6)]
    made, _ = timeline(
        *[asked(s, *r) for s, r in zip(sources.values(), ranges, strict=True)],
        rate=rate,
    )
    text = write_timeline(made, kind, "sequence", None)[0]
    _check_played(made, _cuts_of_otio(text, kind), tmp_path)


def test_melt_plays_what_pycmx_finds_in_the_edit_list(
    sources: dict[str, TimelineSource], tmp_path: Path
) -> None:
    one = sources["c.mov"]
    made, _ = timeline(asked(one, "01:00:00;00", "01:00:01;15"), asked(one, 0, 1), asked(one, 5, 6))
    text = write_timeline(made, "edl", "sequence", None)[0]
    folder = Path(one.media.path).parent
    events = pycmx.parse_cmx3600(io.StringIO(text)).events
    edits = [edit for event in events for edit in event.edits]
    first = 107_832  # 00:59:58;00
    cuts = []
    for edit in edits:
        begin, end = (
            otio.opentime.from_timecode(t, float(made.rate)).value
            for t in (edit.source_in, edit.source_out)
        )
        path = str(folder / edit.source_file)
        cuts.append((path, Fraction(int(begin) - first) / made.rate, int(end - begin)))
    _check_played(made, cuts, tmp_path)


def _cuts_of_otio(text: str, kind: TimelineFormat) -> list[Cut]:
    adapter = "fcp_xml" if kind == "xmeml" else "otio_json"
    read = otio.adapters.read_from_string(text, adapter)
    (video,) = (track for track in read.tracks if track.kind == "Video")
    cuts = []
    for clip in video:
        reference = clip.media_reference
        begin = clip.source_range.start_time - reference.available_range.start_time
        path = otio.url_utils.filepath_from_url(reference.target_url)
        seconds = Fraction(begin.to_seconds()).limit_denominator(1_000_000)
        cuts.append((path, seconds, int(clip.source_range.duration.value)))
    return cuts


def _check_played(made: Timeline, cuts: list[Cut], folder: Path) -> None:
    """Length, rate and the pictures at every cut."""
    shown, rate = _played(cuts, made.rate, folder)
    assert rate == made.rate
    assert len(shown) == made.frames
    for clip in made.clips:
        own = clip.media.rate
        assert own is not None
        first = clip.source_start * own
        last = (clip.source_start + (clip.length - 1) / made.rate) * own
        # Where rates differ a player may show the picture before or after the nearest one.
        slack = 0 if own == made.rate else 1 + own / made.rate / 2
        assert abs(shown[clip.start] - first) <= slack, clip.name
        assert abs(shown[clip.end - 1] - last) <= slack, clip.name


def _played(cuts: list[Cut], rate: Fraction, folder: Path) -> tuple[list[int], Fraction]:
    """The numbers of the pictures that melt shows, and its rate."""
    profile = folder / "profile"
    profile.write_text(
        f"description=test\nframe_rate_num={rate.numerator}\nframe_rate_den={rate.denominator}\n"
        "width=320\nheight=180\nprogressive=1\nsample_aspect_num=1\nsample_aspect_den=1\n"
        "display_aspect_num=16\ndisplay_aspect_den=9\ncolorspace=709\n"
    )
    target = folder / "played.mkv"
    arguments: list[str] = []
    for path, seconds, length in cuts:
        begin = round(seconds * rate)
        arguments += [f"avformat:{path}", f"in={begin}", f"out={begin + length - 1}"]
    consumer = [f"avformat:{target}", "vcodec=ffv1", "an=1", "real_time=-1", "terminate_on_pause=1"]
    melted("-profile", str(profile), *arguments, "-consumer", *consumer, into=target)
    with av.open(str(target)) as found:
        stream: Any = found.streams.video[0]
        pictures = [number_of(frame) for frame in found.decode(stream)]
        return pictures, Fraction(stream.base_rate)
