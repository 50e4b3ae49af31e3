"""Clips when something is wrong: damaged or missing sources, full disks, a stop in the middle."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import av
import pytest

from shared.exports.clips import ClipCode, ClipSpec
from tests.quality.exports.clip_oracle import Part, export, look, small_clip
from tests.support.media.by_path import cut, plan
from tests.support.media.media import (
    Encoding,
    damage,
    make_clip,
    truncate,
    with_bar_code,
    write_video,
)
from workers.export.output import ClipFailed


class Stopped(BaseException):
    """As a Task that is asked to stop."""


@pytest.mark.parametrize("extension", ["mp4", "ts", "mkv"])
@pytest.mark.parametrize("mode", ["auto", "encode"])
def test_a_source_with_a_damaged_middle_fails_or_warns_with_what_was_got(
    tmp_path: Path, extension: str, mode: str
) -> None:
    encoding = Encoding(tone_hz=500, gop=20, options={"crf": "10"})
    path = small_clip(tmp_path / f"a.{extension}", 6, encoding=encoding)
    damage(path, 0.35, 0.6)
    with contextlib.suppress(ClipFailed):
        clip, made = export(path, 0.52, 5.52, tmp_path, mode=mode)
        assert made.warnings
        assert 10 < len(look(clip).numbers) <= 125
    sound, _ = export(path, 0.2, 0.6, tmp_path, mode=mode)
    assert look(sound).numbers == list(range(5, 15)), "what lies before is not touched by it"


def test_a_source_that_ends_early_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", 6, encoding=Encoding(gop=20, options={"crf": "10"}))
    truncate(path, 0.5)
    clip, made = export(path, 1.0, 5.5, tmp_path, mode="encode")
    numbers = look(clip).numbers
    assert numbers == list(range(25, 25 + len(numbers)))
    assert any("end" in warning for warning in made.warnings)
    assert made.end_seconds < 5


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", ClipCode.UNREADABLE),
        (b"no media at all" * 99, ClipCode.UNREADABLE),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", ClipCode.UNREADABLE),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", ClipCode.UNREADABLE),
    ],
    ids=["empty", "text", "m3u8", "concat"],
)
def test_what_is_no_media_is_refused(tmp_path: Path, content: bytes, code: ClipCode) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipFailed) as failed:
        export(path, 0, 1, tmp_path)
    assert failed.value.code is code


def test_a_source_is_never_written_to(tmp_path: Path) -> None:
    path = small_clip(tmp_path / "a.mp4", 1)
    before = path.read_bytes()
    os.link(path, tmp_path / "same.mp4")
    target = Part(tmp_path / "same.mp4")
    with pytest.raises(ClipFailed) as failed:
        cut(spec_of(path), target, lambda: None, lambda share: None)
    assert failed.value.code is ClipCode.NOT_ALLOWED
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", ["copy", "encode"])
def test_a_full_disk_is_told_also_when_it_shows_only_at_the_end(tmp_path: Path, mode: str) -> None:
    path = small_clip(tmp_path / "a.mp4", 2, encoding=Encoding(tone_hz=500))

    class Full:
        path = "/dev/full"

    with pytest.raises(OSError, match="space") as failed:
        cut(spec_of(path, mode=mode), Full(), lambda: None, lambda share: None)
    assert failed.value.errno == errno.ENOSPC


@pytest.mark.parametrize("mode", ["copy", "encode"])
def test_a_stop_goes_through_at_any_time(tmp_path: Path, mode: str) -> None:
    path = small_clip(tmp_path / "a.mp4", 2, encoding=Encoding(tone_hz=500))
    spec = spec_of(path, mode=mode)
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    cut(spec, Part(tmp_path / "whole.mp4"), count, lambda share: None)
    assert calls > 50
    for stop_at in (1, 2, calls // 2, calls):
        left = stop_at

        def stop() -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Stopped

        with pytest.raises(Stopped):
            cut(spec, Part(tmp_path / "stopped.mp4"), stop, lambda share: None)


def test_the_share_that_is_done_only_grows_and_ends_at_1(tmp_path: Path) -> None:
    path = small_clip(tmp_path / "a.mp4", 3, encoding=Encoding(tone_hz=500))
    shares: list[float] = []
    cut(spec_of(path, mode="encode"), Part(tmp_path / "b.mp4"), lambda: None, shares.append)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.2
    assert shares[-1] == 1


def test_what_was_planned_is_what_is_made(tmp_path: Path) -> None:
    path = small_clip(tmp_path / "a.mov", 3, encoding=Encoding(timecode="01:00:00:00", gop=10))
    spec = spec_of(path, mode="copy")
    planned = plan(spec)
    made = cut(spec, Part(tmp_path / "b.mov"), lambda: None, lambda share: None)
    assert (planned.extension, planned.method) == (made.extension, made.method) == ("mov", "copy")
    assert planned.start_timecode == made.start_timecode == "01:00:00:08"
    assert planned.end_timecode == "01:00:01:05"


def spec_of(path: Path, **more: object) -> ClipSpec:
    return ClipSpec(
        index=0,
        media_path=str(path),
        client_path=str(path),
        start=0.32,
        end=1.2,
        output_dir=str(path.parent),
        client_output_dir=str(path.parent),
        **more,  # type: ignore[arg-type]
    )


def test_sound_that_ends_long_before_the_clip_is_no_hindrance(tmp_path: Path) -> None:
    loud = small_clip(tmp_path / "loud.mkv", 1, encoding=Encoding(tone_hz=500, sound_codec="aac"))
    path = with_more_pictures(loud, tmp_path / "a.mkv", 8)
    clip, made = export(path, 6.0, 7.0, tmp_path, mode="encode")
    assert len(look(clip).numbers) == 25
    assert not any("sound" in warning for warning in made.warnings)


def with_more_pictures(sound: Path, path: Path, seconds: int) -> Path:
    """The sound of one clip beside longer pictures."""
    pictures = small_clip(
        path.with_name("pictures.mkv"), seconds, encoding=Encoding(gop=10, options={"bf": "0"})
    )
    with av.open(str(sound)) as one, av.open(str(pictures)) as two, av.open(str(path), "w") as out:
        streams = [one.streams.audio[0], two.streams.video[0]]
        targets = [out.add_stream_from_template(stream) for stream in streams]
        for container, stream, target in zip((one, two), streams, targets, strict=True):
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = target
                    packet.dts = packet.pts if packet.dts is None else packet.dts
                    out.mux(packet)
    return path


def test_a_sound_track_that_begins_minutes_late_is_left_out_and_told(tmp_path: Path) -> None:
    """Its packets lie behind all pictures, so nothing is known of it when the file is opened."""
    pictures = (with_bar_code((9, 9, 9), (160, 90), number) for number in range(600))
    late = Encoding(fps=5, gop=50, tone_hz=500, sound_codec="aac")
    path = write_video(tmp_path / "a.ts", pictures, encoding=late)
    with av.open(str(path)) as container:
        assert not container.streams.audio[0].sample_rate, "FFmpeg knows the sound at once"
    for mode in ("copy", "encode"):
        clip, made = export(path, 60.0, 60.4, tmp_path, mode=mode)
        assert 300 in look(clip).numbers
        assert any("sound track" in warning for warning in made.warnings)
