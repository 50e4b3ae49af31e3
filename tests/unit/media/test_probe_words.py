"""Dates as files write them, and Probes as older versions wrote them."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from shared.domain import Manifest, Probe
from shared.media import MediaType
from workers.media.probing.probe import Pace, camera_of, created_at, iso, with_pace


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2026-11-25T09:30:00.000000Z", "2026-11-25T09:30:00.000000Z"),
        ("2026-11-25 09:30:00", "2026-11-25T09:30:00"),
        ("2026-11-25 09:30:00 UTC", "2026-11-25T09:30:00Z"),
        ("2026-11-25T09:30:00+0100", "2026-11-25T09:30:00+0100"),
        ("2026-11-25", "2026-11-25"),
        ("1904-01-01T00:00:00Z", None),
        ("0-00-00 00:00:00.000", None),
        ("yesterday", None),
    ],
)
def test_dates_are_iso_or_unknown(written: str, told: str | None) -> None:
    assert iso(written) == told


def test_a_broadcast_wave_has_day_and_clock_in_two_tags() -> None:
    assert (
        created_at([{"date": "2026-11-25", "creation_time": "10:11:12"}]) == "2026-11-25T10:11:12"
    )


@pytest.mark.parametrize(
    ("tags", "camera"),
    [
        ({"make": "Sony", "model": "FX6"}, "Sony FX6"),
        ({"make": "Canon", "model": "Canon EOS R5"}, "Canon EOS R5"),
        ({"model": "FX6"}, "FX6"),
        ({}, None),
    ],
)
def test_a_camera_is_make_and_model(tags: dict[str, str], camera: str | None) -> None:
    assert camera_of([tags]) == camera


def test_manifests_of_older_versions_still_read() -> None:
    old = b"""{"stage": "frames", "model": "", "file": "frames.0a1b2c3d.pack", "bytes": 10,
        "rows": 2, "probe": {"media_type": "video", "duration_seconds": 2.0, "fps": 25.0,
        "fps_rational": "25/1", "frame_count": 50, "width": 160, "height": 96,
        "rotation": 0, "pixel_aspect": "1/1", "video_codec": "h264", "audio_codec": null,
        "has_audio": false, "audio_channels": null, "start_timecode": "10:00:00:00",
        "container": "mp4"}}"""
    probe = msgspec.json.decode(old, type=Manifest).probe
    assert probe
    assert (probe.frame_count, probe.timecode, probe.audio_streams) == (50, None, ())
    assert (probe.is_vfr, probe.color, probe.warnings) == (None, None, ())


@pytest.mark.parametrize(
    ("scan", "packets", "count", "is_estimated"),
    [
        ("top_first", 200, 100, True),  # each field is a packet of its own
        ("top_first", 101, 101, False),
        ("progressive", 200, 200, False),
        ("progressive", None, 100, True),
    ],
)
def test_fields_are_not_counted_as_pictures(
    scan: str, packets: int | None, count: int, is_estimated: bool
) -> None:
    found = Probe(media_type=MediaType.VIDEO, container="mpegts", scan=scan, frame_count=100)
    stream: Any = SimpleNamespace(frames=0, time_base=Fraction(1, 90_000), duration=360_000)
    seen = with_pace(found, stream, Pace(False, packets))
    assert (seen.frame_count, seen.frame_count_is_estimated) == (count, is_estimated)
