"""What `/media/metadata` tells beyond the plain fields: timecodes, tracks, colours, pace."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from shared.domain import Probe
from shared.errors import MediaUnreadable
from shared.media import media_type_of
from shared.media_facts import Color, StartTimecode
from shared.paths import Roots
from tests.support.media.by_path import hash_media, opened
from tests.support.media.media import (
    H264,
    H264_INTERLACED,
    HEVC,
    MJPEG,
    MPEG2,
    MPEG2_INTERLACED,
    PRORES,
    Encoding,
    cut_with_edit_list,
    make_clip,
    make_still,
    write_sound,
)
from tests.support.media.media_kinds import (
    HDR10,
    HLG,
    REC709,
    broadcast_wave,
    clip_with_sounds,
    encoding,
    ixml,
    remuxed,
    uneven,
    with_timecode_rate,
)
from workers.media.probing import probe as probing
from workers.query.grab import probe_file

SIZE = (160, 96)
ANYWHERE = Roots("RUSHES_MEDIA_ROOTS", None, "/nowhere")


def probe(path: Path) -> Probe:
    """By the decoder alone."""
    media_type = media_type_of(str(path))
    assert media_type
    with opened(path) as file:
        return probing.probe(file, media_type)


def clip(path: Path, kind: Encoding = H264, seconds: float = 1, **more: object) -> Path:
    return make_clip(path, seconds, size=SIZE, encoding=kind, **more)


@pytest.mark.parametrize(
    ("name", "rate", "value"),
    [
        ("a.mov", "24000/1001", "10:00:00:00"),
        ("a.mp4", "25/1", "01:02:03:04"),
        ("drop.mov", "30000/1001", "00:59:58;00"),
        ("no drop.mov", "30000/1001", "00:59:58:00"),
        ("drop.mp4", "60000/1001", "01:00:00;40"),
    ],
)
def test_a_timecode_track_states_value_rate_and_drop_frame(
    name: str, rate: str, value: str, tmp_path: Path
) -> None:
    made = clip(tmp_path / name, encoding(fps=Fraction(rate), timecode=value))
    assert probe(made).timecode == StartTimecode(
        value=value, rate=rate, drop_frame=";" in value, source="track", rate_source="track"
    )


def test_a_timecode_may_count_30_of_60_pictures(tmp_path: Path) -> None:
    made = clip(tmp_path / "a.mov", encoding(fps=Fraction(60000, 1001), timecode="01:00:00;20"))
    seen = probe(with_timecode_rate(made, Fraction(30000, 1001)))
    assert seen.fps_rational == "60000/1001"
    assert seen.timecode
    assert (seen.timecode.rate, seen.timecode.rate_source) == ("30000/1001", "track")
    assert seen.timecode.drop_frame


def test_a_timecode_of_mxf_takes_the_rate_of_its_pictures(tmp_path: Path) -> None:
    kind = encoding(MPEG2, fps=Fraction(30000, 1001), timecode="00:59:58;00")
    made = str(clip(tmp_path / "a.mxf", kind))
    assert probe_file(ANYWHERE, made).timecode == StartTimecode(
        value="00:59:58;00",
        rate="30000/1001",
        drop_frame=True,
        source="container",
        rate_source="derived",
    )


def test_the_time_reference_of_a_broadcast_wave_is_a_timecode_only_with_a_rate(
    tmp_path: Path,
) -> None:
    plain = probe(broadcast_wave(tmp_path / "a.wav", 48_000 * 36_000))
    assert (plain.time_reference, plain.timecode, plain.start_timecode) == (
        1_728_000_000,
        None,
        None,
    )
    assert plain.created_at == "2026-11-25T10:11:12"
    drop = broadcast_wave(tmp_path / "b.wav", 48_000 * 3_600, ixml=ixml("30000/1001", "DF"))
    seen = probe(drop)
    assert seen.time_reference == 172_800_000
    assert seen.start_timecode == "01:00:00;00"
    assert seen.timecode == StartTimecode(
        value="01:00:00;00", rate="30000/1001", drop_frame=True, source="bwf", rate_source="bwf"
    )
    unlikely = broadcast_wave(tmp_path / "d.wav", 48_000 * 3_600, ixml=ixml("25/1", "DF"))
    assert probe(unlikely).start_timecode == "01:00:00:00"  # 25 has no drop-frame
    film = broadcast_wave(tmp_path / "c.wav", 48_000 * 3_600, ixml=ixml("24000/1001", "NDF"))
    assert probe(film).start_timecode == "00:59:56:09"  # an hour of real time


@pytest.mark.parametrize(("rotation", "clockwise"), [(90, 270), (180, 180), (270, 90)])
def test_rotation_is_clockwise_and_the_display_size_is_upright(
    rotation: int, clockwise: int, tmp_path: Path
) -> None:
    seen = probe(clip(tmp_path / "a.mp4", encoding(rotation=rotation)))  # counter-clockwise
    assert seen.rotation == clockwise
    assert (seen.display_width, seen.display_height) == SIZE
    assert (seen.width, seen.height) == (SIZE if rotation == 180 else SIZE[::-1])


def test_the_display_size_has_square_pixels(tmp_path: Path) -> None:
    seen = probe(clip(tmp_path / "a.mov", encoding(aspect=Fraction(64, 45))))
    assert (seen.pixel_aspect, seen.width) == ("64/45", 160)
    assert (seen.display_width, seen.display_height) == (228, 96)


@pytest.mark.parametrize(
    ("name", "kind", "scan"),
    [
        ("a.mp4", H264, "progressive"),
        ("top.mp4", H264_INTERLACED, "top_first"),
        (
            "bottom.mov",
            encoding(H264, options={"flags": "+ildct+ilme", "x264-params": "bff=1"}),
            "bottom_first",
        ),
        ("a.mxf", MPEG2_INTERLACED, "bottom_first"),
        ("vp9.webm", Encoding("libvpx-vp9", options={"deadline": "realtime"}), "progressive"),
        ("hevc.mp4", HEVC, None),  # H.265 need not say it, and x265 does not
    ],
)
def test_scan_is_told_by_the_field_that_is_shown_first(
    name: str, kind: Encoding, scan: str | None, tmp_path: Path
) -> None:
    assert probe(clip(tmp_path / name, kind)).scan == scan


def test_colours_are_told_by_name_and_what_is_not_said_is_null(tmp_path: Path) -> None:
    plain = probe(clip(tmp_path / "a.mp4")).color
    assert plain == Color()
    sdr = probe(clip(tmp_path / "b.mkv", REC709)).color
    assert sdr == Color(range="limited", primaries="bt709", transfer="bt709", matrix="bt709")
    hdr = probe(clip(tmp_path / "c.mp4", HDR10)).color
    assert hdr == Color(
        range="limited",
        primaries="bt2020",
        transfer="smpte2084",
        matrix="bt2020nc",
        hdr="pq",
        mastering_min_nits=0.005,
        mastering_max_nits=1000,
        max_cll=1000,
        max_fall=400,
    )
    hlg = probe(clip(tmp_path / "d.mov", HLG)).color
    assert hlg
    assert (hlg.hdr, hlg.transfer, hlg.max_cll) == ("hlg", "arib-std-b67", None)


@pytest.mark.parametrize(
    ("kind", "bits", "chroma"), [(H264, 8, "4:2:0"), (PRORES, 10, "4:2:2"), (MJPEG, 8, "4:2:0")]
)
def test_a_video_track_tells_depth_and_subsampling(
    kind: Encoding, bits: int, chroma: str, tmp_path: Path
) -> None:
    (stream,) = probe(clip(tmp_path / "a.mov", kind)).video_streams
    assert (stream.bit_depth, stream.chroma, stream.width) == (bits, chroma, 160)


def test_every_sound_track_is_told(tmp_path: Path) -> None:
    sounds = [*[("mono", "eng")] * 4, ("stereo", "ger"), ("5.1", "fre")]
    seen = probe(clip_with_sounds(tmp_path / "a.mkv", sounds))
    told = [(s.channels, s.language, s.title) for s in seen.audio_streams]
    assert told == [
        *[(1, "eng", "Track eng")] * 4,
        (2, "ger", "Track ger"),
        (6, "fre", "Track fre"),
    ]
    assert {(s.codec, s.sample_rate, s.bits) for s in seen.audio_streams} == {
        ("pcm_s24le", 48_000, 24)
    }
    mov = probe(clip_with_sounds(tmp_path / "a.mov", sounds))
    assert [s.layout for s in mov.audio_streams[4:]] == ["stereo", "5.1"]


def test_channels_without_names_have_no_layout(tmp_path: Path) -> None:
    seen = probe(clip(tmp_path / "a.mxf", encoding(MPEG2, tone_hz=440, channels=2)))
    (sound,) = seen.audio_streams
    assert (sound.channels, sound.layout, sound.codec) == (2, None, "pcm_s16le")


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a"])
def test_a_cover_picture_is_no_video_track(name: str, tmp_path: Path) -> None:
    seen = probe(write_sound(tmp_path / name, 1, cover=True))
    assert (seen.video_streams, seen.display_width, seen.scan) == ((), None, None)


def test_several_video_tracks_are_told_and_warned_about(tmp_path: Path) -> None:
    two = remuxed(clip(tmp_path / "a.mp4"), tmp_path / "two.mkv", copies=2)
    told = probe_file(ANYWHERE, str(two))
    assert [stream.index for stream in told.video_streams] == [0, 1]
    assert "2 video tracks" in told.warnings[0]


def test_reel_camera_and_time_are_told_as_stored_and_never_guessed(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4")
    tagged = remuxed(
        source,
        tmp_path / "b.mov",
        options={"movflags": "use_metadata_tags"},
        video_tags={"timecode": "10:00:00:00", "reel_name": "A001"},
        creation_time="2026-11-25T09:30:00Z",
        **{"com.apple.quicktime.make": "Sony", "com.apple.quicktime.model": "FX6"},
    )
    seen = probe(tagged)
    assert (seen.reel, seen.camera) == ("A001", "Sony FX6")
    assert seen.created_at
    assert seen.created_at.startswith("2026-11-25T09:30:00")
    plain = probe(source)
    assert (plain.reel, plain.camera, plain.created_at) == (None, None, None)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_uneven_pictures_are_flagged_and_counted(suffix: str, tmp_path: Path) -> None:
    made = clip(tmp_path / f"a.{suffix}", seconds=4, times=uneven)
    told = probe_file(ANYWHERE, str(made))
    assert told.is_vfr is True
    assert (told.frame_count, told.frame_count_is_estimated) == (100, False)
    assert "VFR" in told.warnings[0]


@pytest.mark.parametrize("rate", ["24000/1001", "25/1", "30000/1001", "50/1", "60000/1001"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov", "mxf"])
def test_even_pictures_are_not_flagged_whatever_the_clock(
    suffix: str, rate: str, tmp_path: Path
) -> None:
    base = MPEG2 if suffix == "mxf" else H264
    seen = probe(clip(tmp_path / f"a.{suffix}", encoding(base, fps=Fraction(rate)), seconds=2))
    assert seen.is_vfr is False
    assert (seen.frame_count, seen.frame_count_is_estimated) == (round(2 * Fraction(rate)), False)


def test_a_large_file_is_not_read_to_its_end_and_its_count_is_an_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_COUNT_BYTES", 1000)
    monkeypatch.setattr(probing, "_SAMPLE_S", 2)
    seen = probe(clip(tmp_path / "a.ts", seconds=4))
    assert (seen.is_vfr, seen.frame_count, seen.frame_count_is_estimated) == (False, 100, True)
    uneven_seen = probe(clip(tmp_path / "b.ts", seconds=4, times=uneven))
    assert uneven_seen.is_vfr is True
    stated = probe(clip(tmp_path / "a.mxf", MPEG2, seconds=4))
    assert (stated.frame_count, stated.frame_count_is_estimated) == (100, False)


def test_the_length_of_a_transport_stream_is_that_of_its_pictures(tmp_path: Path) -> None:
    seen = probe(clip(tmp_path / "a.ts", encoding(tone_hz=440), seconds=2))
    assert seen.duration_seconds == 2


def test_pictures_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mp4", seconds=6)
    cut = cut_with_edit_list(whole, tmp_path / "cut.mp4", 1.32)
    assert probe(cut).frame_count == pytest.approx(117, abs=1)


def test_a_still_has_a_display_size_and_no_pace(tmp_path: Path) -> None:
    seen = probe(make_still(tmp_path / "a.jpg", size=(300, 200), orientation=6))
    assert (seen.display_width, seen.display_height) == (200, 300)
    assert (seen.is_vfr, seen.fps, seen.frame_count, seen.timecode) == (None, None, 1, None)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    made = clip(tmp_path / "a.mp4")
    made.chmod(0)
    as_nobody = os.geteuid() == 0  # root may read everything
    if as_nobody:
        os.seteuid(65534)
    try:
        with pytest.raises(MediaUnreadable, match="no permission"):
            probe(made)
        with pytest.raises(MediaUnreadable, match="no permission"):
            hash_media(str(made))
    finally:
        if as_nobody:
            os.seteuid(0)
