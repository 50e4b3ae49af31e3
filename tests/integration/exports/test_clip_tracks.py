"""What a clip keeps of its source: codec tags, rotation, colours, depth, languages, fields."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shared.exports.clips import ClipCode
from tests.quality.exports.clip_oracle import export, look, small_clip
from tests.support.media.media import (
    H264_INTERLACED,
    HEVC,
    MPEG2_INTERLACED,
    PRORES,
    Encoding,
    make_clip,
    make_still,
    read_bar_code,
    write_sound,
)
from tests.support.skip_or_fail import skip_or_fail
from workers.export.output import ClipFailed

BOTTOM_FIRST = Encoding(options={"flags": "+ildct+ilme", "x264-params": "bff=1"})
PLAIN = Encoding(b_frames=0, options={"rc-lookahead": "0"})
MODES = ("copy", "encode")
TAGGED = {"color_primaries": "bt2020", "color_trc": "arib-std-b67", "colorspace": "bt2020nc"}


@pytest.mark.parametrize("mode", MODES)
def test_hevc_in_mp4_keeps_the_tag_that_quicktime_plays(tmp_path: Path, mode: str) -> None:
    path = small_clip(tmp_path / "a.mov", 2, encoding=HEVC)
    clip, _ = export(path, 0.4, 1.2, tmp_path, mode=mode, codec="hevc")
    with av.open(str(clip)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("mode", MODES)
def test_a_clip_stays_upright(tmp_path: Path, mode: str, rotation: int) -> None:
    path = small_clip(tmp_path / "a.mp4", 2, encoding=Encoding(rotation=rotation))
    clip, _ = export(path, 0.4, 1.2, tmp_path, mode=mode)
    assert upright_numbers(clip)[:20] == list(range(10, 30))


@pytest.mark.parametrize("mode", MODES)
def test_colour_tags_and_the_shape_of_pixels_are_kept(tmp_path: Path, mode: str) -> None:
    encoding = Encoding(
        "libx265", pixels="yuv420p10le", aspect=Fraction(64, 45), options={**TAGGED}
    )
    path = small_clip(tmp_path / "a.mp4", 2, encoding=encoding)
    clip, _ = export(path, 0.4, 1.2, tmp_path, mode=mode)
    with av.open(str(path)) as source, av.open(str(clip)) as made:
        assert looks(made) == looks(source)
        assert made.streams.video[0].codec_context.color_trc == 18


def test_full_range_pictures_keep_their_brightness(tmp_path: Path) -> None:
    path = small_clip(tmp_path / "a.mp4", 1, encoding=Encoding(pixels="yuvj420p"))
    clip, _ = export(path, 0, 1, tmp_path, mode="encode")
    with av.open(str(path)) as source, av.open(str(clip)) as made:
        wanted = next(source.decode(video=0)).to_ndarray()[0]
        got = next(made.decode(video=0)).to_ndarray()[0]
        assert np.abs(wanted.astype(int) - got).max() < 12


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv"])
def test_all_sound_is_kept_with_its_languages(tmp_path: Path, mode: str, extension: str) -> None:
    encoding = Encoding(tone_hz=400, channels=2, languages=("deu", "fra", "eng"), gop=10)
    path = small_clip(tmp_path / f"a.{extension}", 2, encoding=encoding)
    clip, _ = export(path, 0.4, 1.2, tmp_path, mode=mode)
    with av.open(str(clip)) as container:
        found = [s.metadata.get("language") for s in container.streams.audio]
    with av.open(str(path)) as container:
        assert found == [s.metadata.get("language") for s in container.streams.audio]
    assert len(found) == 3
    first, _ = export(path, 0.4, 1.2, tmp_path, mode=mode, audio="first")
    none, _ = export(path, 0.4, 1.2, tmp_path, mode=mode, audio="none")
    assert [count_of_sounds(first), count_of_sounds(none)] == [1, 0]


@pytest.mark.parametrize("mode", MODES)
def test_container_tags_and_the_reel_are_kept(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.mov"
    plain = small_clip(tmp_path / "plain.mov", 2, encoding=Encoding(gop=10, timecode="01:00:00:00"))
    with (
        av.open(str(plain)) as taken,
        av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as out,
    ):
        out.metadata.update({"com.apple.quicktime.make": "ARRI", "title": "Take 3"})
        video = out.add_stream_from_template(taken.streams.video[0])
        video.metadata.update({"timecode": "01:00:00:00", "reel_name": "A002"})
        for packet in taken.demux(video=0):
            if packet.size:
                packet.stream = video
                out.mux(packet)
    clip, _ = export(path, 0.4, 1.2, tmp_path, mode=mode)
    with av.open(str(clip)) as container:
        assert container.metadata["com.apple.quicktime.make"] == "ARRI"
        assert container.metadata["title"] == "Take 3"
        reels = [s.metadata.get("reel_name") for s in container.streams]
    assert "A002" in reels


@pytest.mark.parametrize(
    ("extension", "encoding"),
    [("mp4", H264_INTERLACED), ("mp4", BOTTOM_FIRST), ("ts", MPEG2_INTERLACED)],
)
def test_interlaced_pictures_stay_so_by_copy_and_encoding_warns(
    tmp_path: Path, extension: str, encoding: Encoding
) -> None:
    path = small_clip(tmp_path / f"a.{extension}", 2, encoding=encoding)
    copied, _ = export(path, 0.48, 1.2, tmp_path, mode="copy")
    assert is_interlaced(copied)
    encoded, made = export(path, 0.48, 1.2, tmp_path, mode="encode")
    assert is_interlaced(encoded)
    assert field_order(encoded) == field_order(copied) == field_order(path)
    assert any("interlaced" in warning for warning in made.warnings)


@pytest.mark.parametrize(("fields", "order"), [("tff", 2), ("bff", 3)])
def test_interleaved_fields_of_mov_are_encoded_in_their_order(
    tmp_path: Path, fields: str, order: int
) -> None:
    """ProRes in MOV states "top stored, bottom shown first" where the top one is shown first."""
    if shutil.which("ffmpeg") is None:
        skip_or_fail("ffmpeg is not installed")
    path = tmp_path / "a.mov"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x192:r=25", "-t", "1"]
    command += ["-vf", f"setfield={fields}", "-c:v", "prores_ks", "-flags", "+ildct+ilme"]
    subprocess.run([*command, str(path)], check=True, timeout=60)
    assert field_order(path) == order + 2  # 4 and 5: not what FFmpeg's names of them say
    encoded, _ = export(path, 0.2, 0.8, tmp_path, mode="encode", codec="h264")
    assert field_order(encoded) == order


@pytest.mark.parametrize("codec", ["prores", "dnxhr", "hevc"])
def test_codecs_without_fields_take_interlaced_pictures_and_warn(
    tmp_path: Path, codec: str
) -> None:
    path = make_clip(tmp_path / "a.mp4", 2, encoding=H264_INTERLACED)
    clip, made = export(path, 0.4, 1.2, tmp_path, codec=codec)
    assert look(clip).numbers == list(range(10, 30))
    assert any("whole pictures" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("encoding", "extension", "codec"),
    [
        (Encoding("libx265", pixels="yuv420p10le"), "mp4", "hevc"),
        (Encoding("libx264", pixels="yuv420p10le"), "mov", "hevc"),
        (Encoding("libx264", pixels="yuv422p10le"), "mov", "prores"),
        (PRORES, "mov", "prores"),
    ],
)
def test_10_bit_pictures_stay_10_bit(
    tmp_path: Path, encoding: Encoding, extension: str, codec: str
) -> None:
    path = small_clip(tmp_path / f"a.{extension}", 1, encoding=encoding)
    clip, made = export(path, 0.2, 0.6, tmp_path, mode="encode")
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        assert video.codec.canonical_name == codec
        assert video.format.components[0].bits >= 10
    assert not made.warnings
    poorer, made = export(path, 0.2, 0.6, tmp_path, mode="encode", codec="h264")
    assert look(poorer).numbers == list(range(5, 15))
    assert any("10 bit became 8" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("codec", "name", "extension"),
    [("prores", "prores", "mov"), ("dnxhr", "dnxhd", "mov"), ("hevc", "hevc", "mp4")],
)
def test_other_codecs_are_made_on_request(
    tmp_path: Path, codec: str, name: str, extension: str
) -> None:
    path = make_clip(tmp_path / "a.mp4", 2, encoding=Encoding(tone_hz=500, channels=2))
    clip, made = export(path, 0.4, 1.2, tmp_path, codec=codec)
    assert made.extension == extension
    assert look(clip).numbers == list(range(10, 30))
    with av.open(str(clip)) as container:
        assert container.streams.video[0].codec.canonical_name == name


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_of_large_pictures_the_encoder_keeps_none_to_look_ahead(tmp_path: Path, codec: str) -> None:
    """Of 8K it would keep 4 GB: each picture leaves before the next, so none is out of order."""
    small = make_clip(tmp_path / "small.mp4", 0.12)
    large = make_clip(tmp_path / "large.mp4", 0.12, size=(4320, 2304), encoding=PLAIN)
    for path, is_large in ((small, False), (large, True)):
        clip, _ = export(path, 0, 1, tmp_path, mode="encode", codec=codec)
        with av.open(str(clip)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            shown = [packet.pts for packet in packets]
        assert (shown == sorted(shown)) is is_large
        assert look(clip).numbers == list(range(3))


def test_mxf_channels_without_names_become_stereo(tmp_path: Path) -> None:
    encoding = Encoding("mpeg2video", gop=12, b_frames=2, tone_hz=500, channels=2)
    path = small_clip(tmp_path / "a.mxf", 2, encoding=encoding)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"
    clip, _ = export(path, 0.4, 1.2, tmp_path)
    with av.open(str(clip)) as container:
        sound = container.streams.audio[0]
        assert (sound.codec.canonical_name, sound.layout.name) == ("aac", "stereo")
        assert look(clip).numbers == list(range(10, 30))


def test_intra_only_video_with_pcm_is_copied_wherever_it_is_cut(tmp_path: Path) -> None:
    encoding = Encoding(
        "prores_ks", pixels="yuv422p10le", gop=1, b_frames=0, tone_hz=500,
        sound_codec="pcm_s24le", timecode="01:00:00:00",
    )  # fmt: skip
    path = small_clip(tmp_path / "a.mov", 2, encoding=encoding)
    clip, made = export(path, 0.52, 1.16, tmp_path)
    seen = look(clip)
    assert made.method == "copy"
    assert seen.numbers == list(range(13, 29))
    assert seen.timecode == made.start_timecode == "01:00:00:13"
    with av.open(str(clip)) as container:
        assert sum(f.samples for f in container.decode(audio=0)) == 16 * 1920


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"container": "mkv"}),
        ("a.mp4", {"codec": "prores"}),
        ("a.avi", {}),
        ("a.mxf", {}),
        ("a.jpg", {}),
    ],
)
def test_a_copy_that_cannot_be_is_refused_with_the_cure(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    path = tmp_path / name
    if name == "a.jpg":
        make_still(path)
    elif name == "a.mxf":
        small_clip(path, 1, encoding=Encoding("mpeg2video", gop=12, b_frames=2))
    else:
        small_clip(path, 1)
    with pytest.raises(ClipFailed, match=r'Use mode "auto"') as failed:
        export(path, 0.2, 0.8, tmp_path, mode="copy", **options)
    assert failed.value.code is ClipCode.NOT_COPYABLE


def looks(container: av.container.InputContainer) -> tuple[object, ...]:
    video = container.streams.video[0]
    context = video.codec_context
    frame = next(container.decode(video))
    return (
        frame.color_primaries,
        frame.color_trc,
        frame.colorspace,
        frame.color_range,
        video.sample_aspect_ratio,
        context.pix_fmt,
        context.color_primaries,
        context.color_trc,
        context.colorspace,
    )


def count_of_sounds(path: Path) -> int:
    with av.open(str(path)) as container:
        return len(container.streams.audio)


def is_interlaced(path: Path) -> bool:
    with av.open(str(path)) as container:
        return all(frame.interlaced_frame for frame in container.decode(video=0))


def field_order(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.field_order


def upright_numbers(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [
            read_bar_code(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90))
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize(
    ("source", "sound", "asked", "written"),
    [
        ("a.mkv", "aac", "webm", "mkv"),
        ("a.mov", "pcm_u8", "mp4", "mp4"),
        ("a.mp4", "aac", "m4a", "mp4"),
        ("a.mkv", "aac", "mka", "mkv"),
        ("a.mp4", "aac", "m2ts", "mp4"),
    ],
)
def test_auto_encodes_what_the_asked_container_cannot_hold_and_tells_what_was_written(
    tmp_path: Path, source: str, sound: str, asked: str, written: str
) -> None:
    encoding = Encoding(gop=1, b_frames=0, tone_hz=500, sound_codec=sound)
    path = small_clip(tmp_path / source, 2, encoding=encoding)
    clip, made = export(path, 0.4, 1.2, tmp_path, container=asked)
    assert look(clip).numbers == list(range(10, 30))
    assert made.extension == written
    assert any(asked in warning for warning in made.warnings) == (asked != written)


@pytest.mark.parametrize(("name", "asked"), [("a.wav", "mp3"), ("a.m4a", "ts"), ("a.flac", "mxf")])
def test_a_container_that_sound_alone_is_not_written_to_is_told(
    tmp_path: Path, name: str, asked: str
) -> None:
    _, made = export(write_sound(tmp_path / name, 1), 0, 1, tmp_path, container=asked)
    assert made.extension == name[2:]
    assert any(asked in warning for warning in made.warnings)


def test_a_still_is_no_sound_file(tmp_path: Path) -> None:
    _, made = export(make_still(tmp_path / "a.jpg"), 0, 1, tmp_path, container="wav")
    assert made.extension == "mp4"
    assert any("wav" in warning for warning in made.warnings)


@pytest.mark.parametrize("name", ["a.mka", "a.webm"])
def test_copied_sound_alone_tells_that_it_may_begin_late(tmp_path: Path, name: str) -> None:
    codec = "libopus" if name == "a.webm" else "aac"
    with (
        av.open(str(write_sound(tmp_path / "a.wav", 2))) as wav,
        av.open(str(tmp_path / name), "w") as out,
    ):
        stream = out.add_stream(codec, rate=48_000)
        for frame in wav.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    _, made = export(tmp_path / name, 0.52, 1.2, tmp_path, mode="copy")
    assert any("late" in warning for warning in made.warnings)
