"""Sound out of real files: every container's click where it belongs, every layout at its level."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.domain import AudioStreams
from shared.errors import MediaMissing, MediaUnreadable
from tests.support.media.by_path import open_sound
from tests.support.media.media import make_clip, write_sound
from tests.support.media.sounds import Samples, SoundEncoding, clicks, tone, write_sounds
from workers.media.sound.sound_reader import SoundBlock

RATE = 16_000
AT = (0.5, 3.25, 9.75)
SECONDS = 12.0
PICTURES = [number / 25 for number in range(300)]


def heard(path: Path, streams: AudioStreams = "mix") -> NDArray[np.float32]:
    """All samples of one line, whose blocks must be gapless."""
    with open_sound(str(path)) as reader:
        return joined(reader.blocks(streams))


def joined(blocks: Iterable[SoundBlock]) -> NDArray[np.float32]:
    parts = [np.empty(0, np.float32)]
    for block in blocks:
        assert block.start == sum(map(len, parts)), "blocks follow each other from 0 on"
        assert block.pcm.dtype == np.float32
        assert block.pcm.flags.c_contiguous
        assert np.abs(block.pcm).max(initial=0) <= 1
        parts.append(block.pcm)
    return np.concatenate(parts)


def click_times(pcm: NDArray[np.float32]) -> list[float]:
    """Seconds at which something loud begins."""
    loud = np.flatnonzero(np.abs(pcm) > 0.2)
    first = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE // 10)]
    return [float(number) / RATE for number in first]


def level(pcm: NDArray[np.float32]) -> float:
    """Root mean square of the middle of it."""
    quarter = len(pcm) // 4
    return float(np.sqrt(np.mean(np.square(pcm[quarter:-quarter], dtype=np.float64))))


def with_pictures(codec: str, **how: object) -> SoundEncoding:
    return SoundEncoding(codec=codec, pictures_at=PICTURES, **how)  # type: ignore[arg-type]


FILES = {
    "wav.wav": SoundEncoding(),
    "eight bits.wav": SoundEncoding(codec="pcm_u8"),
    "floats.wav": SoundEncoding(codec="pcm_f32le"),
    "a-law.wav": SoundEncoding(codec="pcm_alaw"),
    "mp3.mp3": SoundEncoding(),
    "flac.flac": SoundEncoding(),
    "opus.opus": SoundEncoding(),
    "vorbis.ogg": SoundEncoding(),
    "ac3.ac3": SoundEncoding(),
    "aac.m4a": SoundEncoding(),
    "aiff.aiff": SoundEncoding(),
    "opus.webm": SoundEncoding(codec="libopus"),
    "eac3.mka": SoundEncoding(codec="eac3"),
    "aac and pictures.mp4": with_pictures("aac"),
    "ac3 and pictures.mp4": with_pictures("ac3"),
    "opus and pictures.mp4": with_pictures("libopus"),
    "pcm and pictures.mov": with_pictures("pcm_s24le"),
    "alac and pictures.mov": with_pictures("alac"),
    "aac and pictures.mkv": with_pictures("aac"),
    "opus and pictures.mkv": with_pictures("libopus"),
    "aac and pictures.ts": with_pictures("aac"),
    "mp2 and pictures.ts": with_pictures("mp2"),
    "pcm and pictures.mxf": with_pictures("pcm_s16le", pictures_codec="mpeg2video"),
    "pcm and pictures.avi": with_pictures("pcm_s16le"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_click_is_found_within_10_ms_in_every_container(name: str, tmp_path: Path) -> None:
    path = write_sounds(tmp_path / name, [clicks(SECONDS, AT)], encoding=FILES[name])
    pcm = heard(path)
    assert click_times(pcm) == pytest.approx(AT, abs=0.011 if "mp2" in name else 0.01)
    assert len(pcm) / RATE == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_sample_rates_from_8_to_96_kilohertz_become_16(rate: int, tmp_path: Path) -> None:
    path = write_sounds(tmp_path / "rate.flac", [clicks(SECONDS, AT, rate=rate)], rate=rate)
    assert click_times(heard(path)) == pytest.approx(AT, abs=0.001)
    path = write_sounds(tmp_path / "tone.flac", [tone(3, 1000, rate=rate)], rate=rate)
    pcm = heard(path)[RATE : 2 * RATE]
    assert np.abs(np.fft.rfft(pcm)).argmax() == 1000
    assert level(pcm) == pytest.approx(0.4 / 2**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("name", "how", "moved"),
    [
        ("later sound.mkv", with_pictures("libopus", start_s=[0.6]), 0.6),
        ("later sound.mp4", with_pictures("aac", start_s=[0.7]), 0.7),
        ("later sound.ts", with_pictures("aac", start_s=[0.6]), 0.6),
        ("later pictures.mkv", with_pictures("aac", pictures_start_s=0.4), -0.4),
        ("later pictures.mp4", with_pictures("aac", pictures_start_s=0.4), -0.4),
        ("later pictures.ts", with_pictures("aac", pictures_start_s=0.4), -0.4),
    ],
)
def test_time_0_is_the_first_picture(
    name: str, how: SoundEncoding, moved: float, tmp_path: Path
) -> None:
    path = write_sounds(tmp_path / name, [clicks(SECONDS, AT)], encoding=how)
    pcm = heard(path)
    assert click_times(pcm) == pytest.approx([time + moved for time in AT], abs=0.01)
    assert len(pcm) / RATE == pytest.approx(SECONDS + moved, abs=0.05)


def test_sound_before_the_first_picture_is_cut(tmp_path: Path) -> None:
    path = write_sounds(
        tmp_path / "film.mkv", [clicks(SECONDS, AT)],
        encoding=with_pictures("aac", pictures_start_s=2),
    )  # fmt: skip
    assert click_times(heard(path)) == pytest.approx([1.25, 7.75], abs=0.01)


def test_a_late_beginning_of_the_whole_file_does_not_count(tmp_path: Path) -> None:
    for name in ("late.mkv", "late.ts"):
        how = with_pictures("aac", pictures_start_s=40, start_s=[40])
        path = write_sounds(tmp_path / name, [clicks(SECONDS, AT)], encoding=how)
        assert click_times(heard(path)) == pytest.approx(AT, abs=0.01)
    alone = SoundEncoding(codec="libopus", start_s=[40])
    path = write_sounds(tmp_path / "late.mka", [clicks(SECONDS, AT)], encoding=alone)
    assert click_times(heard(path)) == pytest.approx(AT, abs=0.01)


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mov"])
def test_an_edit_list_moves_sound_with_the_pictures(name: str, tmp_path: Path) -> None:
    source = write_sounds(
        tmp_path / "whole.mp4", [clicks(SECONDS, AT)], encoding=with_pictures("aac")
    )
    path = cut(source, tmp_path / name, 2.0)
    assert click_times(heard(path)) == pytest.approx([1.25, 7.75], abs=0.01)


@pytest.mark.parametrize("name", ["gap.mkv", "gap.mp4", "gap.ts"])
def test_a_gap_in_the_time_stamps_is_silence(name: str, tmp_path: Path) -> None:
    for length in (3.0, 0.1):
        how = with_pictures("aac", gaps=[(5, length)])
        path = write_sounds(tmp_path / name, [clicks(SECONDS, AT)], encoding=how)
        assert click_times(heard(path)) == pytest.approx([0.5, 3.25, 9.75 + length], abs=0.01)


def test_sound_that_leads_back_a_little_is_cut_where_it_was_heard_already(tmp_path: Path) -> None:
    path = spliced(tmp_path, 5, [1, 4])
    assert click_times(heard(path)) == pytest.approx([1, 4], abs=0.01)
    with open_sound(str(path)) as reader:
        list(reader.blocks("mix"))
        [warning] = reader.warnings
        assert re.fullmatch(r"Its time stamps lead back over [45]\.\d s; .* is left out\.", warning)


def test_sound_counts_on_where_a_splice_set_the_clock_back(tmp_path: Path) -> None:
    path = spliced(tmp_path, 20, [1, 15])
    pcm = heard(path)
    assert len(pcm) / RATE == pytest.approx(40, abs=0.2)
    assert click_times(pcm) == pytest.approx([1, 15, 21, 35], abs=0.1)
    with open_sound(str(path)) as reader:
        list(reader.blocks("mix"))
        assert "time stamps jump" in reader.warnings[0]


LAYOUTS: dict[str, tuple[str, Samples]] = {
    "left of stereo only": ("a.wav", np.stack([tone(4), tone(4, level=0)], 1)),
    "right of stereo only": ("a.m4a", np.stack([tone(4, level=0), tone(4)], 1)),
    "anti-phase stereo": ("a.wav", np.stack([tone(4), -tone(4)], 1)),
    "anti-phase stereo in MP3": ("a.mp3", np.stack([tone(4), -tone(4)], 1)),
    "twice the same": ("a.flac", np.stack([tone(4)] * 2, 1)),
    "one of eight": ("a.wav", np.stack([tone(4) * (n == 5) for n in range(8)], 1)),
    "eight times the same": ("a.wav", np.stack([tone(4)] * 8, 1)),
    "the centre of 5.1": ("a.ac3", np.stack([tone(4) * (n == 2) for n in range(6)], 1)),
    "a surround of 5.1": ("a.m4a", np.stack([tone(4) * (n == 4) for n in range(6)], 1)),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_layout_of_channels_loses_its_level(layout: str, tmp_path: Path) -> None:
    name, samples = LAYOUTS[layout]
    path = write_sounds(tmp_path / name, [samples])
    assert level(heard(path)) == pytest.approx(0.4 / 2**0.5, rel=0.1)


def test_eight_channels_without_a_named_layout_are_heard(tmp_path: Path) -> None:
    eight = np.stack([tone(4) * (number == 6) for number in range(8)], 1)
    how = SoundEncoding(layout="8 channels")
    path = write_sounds(tmp_path / "eight.wav", [eight], encoding=how)
    assert level(heard(path)) == pytest.approx(0.4 / 2**0.5, rel=0.02)


@pytest.mark.parametrize("channels", [8, 16])
def test_eight_and_more_channels_in_planes_are_heard(channels: int, tmp_path: Path) -> None:
    """As Opus, AAC and DTS are decoded; more planes than a frame of FFmpeg has room for."""
    samples = np.stack([tone(4) * (number == 4) for number in range(channels)], 1)
    how = SoundEncoding(
        layout="7.1" if channels == 8 else "hexadecagonal", options={"mapping_family": "255"}
    )
    path = write_sounds(tmp_path / "surround.opus", [samples], encoding=how)
    assert level(heard(path)) == pytest.approx(0.4 / 2**0.5, rel=0.1)


@pytest.mark.parametrize("name", ["mono.mxf", "mono.mov", "mono.mkv"])
def test_one_voice_among_eight_streams_keeps_its_level_in_the_mix(
    name: str, tmp_path: Path
) -> None:
    voices = [tone(4, level=0)] * 7 + [tone(4)]
    how = with_pictures("pcm_s16le", pictures_codec="mpeg2video")
    path = write_sounds(tmp_path / name, voices, encoding=how)
    assert level(heard(path)) == pytest.approx(0.4 / 2**0.5, rel=0.02)
    assert level(heard(path, "first")) == 0


def test_each_stream_can_be_had_by_its_number(tmp_path: Path) -> None:
    streams = [clicks(SECONDS, [time]) for time in AT]
    path = write_sounds(tmp_path / "three.mkv", streams, encoding=with_pictures("aac"))
    lines: dict[int | None, list[SoundBlock]] = {}
    order = []
    with open_sound(str(path)) as reader:
        for block in reader.blocks("each"):
            lines.setdefault(block.stream, []).append(block)
            order.append(block.start)
    assert order == sorted(order), "blocks come in order of time"
    assert list(lines) == [0, 1, 2]
    found = [click_times(joined(blocks)) for blocks in lines.values()]
    assert found == [[pytest.approx(time, abs=0.01)] for time in AT]
    assert click_times(heard(path)) == pytest.approx(AT, abs=0.01)
    assert click_times(heard(path, "first")) == pytest.approx([0.5], abs=0.01)


@pytest.mark.parametrize("name", ["two.mkv", "two.mp4"])
def test_the_first_stream_is_the_one_that_is_marked_as_the_default(
    name: str, tmp_path: Path
) -> None:
    how = with_pictures("aac", default=1)
    path = write_sounds(tmp_path / name, [tone(3, 440), tone(3, 1000)], encoding=how)
    pcm = heard(path, "first")[RATE : 2 * RATE]
    assert np.abs(np.fft.rfft(pcm)).argmax() == 1000


def test_streams_of_different_lengths_and_rates_are_mixed_to_the_longest(tmp_path: Path) -> None:
    streams = [clicks(SECONDS, AT), clicks(2, [1.0])]
    path = write_sounds(tmp_path / "two.mkv", streams, encoding=with_pictures("aac"))
    pcm = heard(path)
    assert click_times(pcm) == pytest.approx([0.5, 1.0, 3.25, 9.75], abs=0.01)
    assert len(pcm) / RATE == pytest.approx(SECONDS, abs=0.05)


def test_a_stream_that_begins_two_minutes_late_is_mixed_in_its_place(tmp_path: Path) -> None:
    streams = [clicks(130, [100], rate=8000), clicks(8, [1.0], rate=8000)]
    how = SoundEncoding(codec="pcm_s16le", start_s=[0, 120])
    path = write_sounds(tmp_path / "late.mka", streams, rate=8000, encoding=how)
    assert click_times(heard(path)) == pytest.approx([100, 121], abs=0.01)


def test_an_attached_cover_is_no_picture(tmp_path: Path) -> None:
    for name in ("song.mp3", "song.m4a"):
        path = write_sound(tmp_path / name, 3, cover=True)
        assert len(heard(path)) / RATE == pytest.approx(3, abs=0.05)


def test_silence_and_a_second_of_sound_are_read_as_they_are(tmp_path: Path) -> None:
    silent = heard(write_sounds(tmp_path / "silent.m4a", [tone(3, level=0)]))
    assert len(silent) / RATE == pytest.approx(3, abs=0.05)
    assert not silent.any()
    second = heard(write_sounds(tmp_path / "second.wav", [tone(1)]))
    assert len(second) == RATE
    assert level(second) > 0.25
    assert len(heard(write_sounds(tmp_path / "short.wav", [tone(0.01)]))) == 160


def test_the_reader_knows_the_length_beforehand(tmp_path: Path) -> None:
    for name in ("a.wav", "a.m4a", "a.mkv"):
        path = write_sounds(tmp_path / name, [tone(3)])
        with open_sound(str(path)) as reader:
            assert reader.duration_seconds == pytest.approx(3, abs=0.1)


def test_the_length_of_a_live_recording_is_guessed_as_it_is_read(tmp_path: Path) -> None:
    how = with_pictures("aac", container_options={"live": "1"})
    path = write_sounds(tmp_path / "live.mkv", [tone(60)], encoding=how)
    with open_sound(str(path)) as reader:
        assert reader.duration_seconds is None
        guessed = [reader.duration_seconds for _ in reader.blocks("mix")]
    assert len(guessed) > 10
    assert guessed == pytest.approx([60] * len(guessed), rel=0.1)


def test_a_file_without_sound_says_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "silent film.mp4", 1)
    with pytest.raises(MediaUnreadable, match=r"^It has no audio track\.$"), open_sound(str(clip)):
        pass
    with pytest.raises(MediaMissing), open_sound(str(tmp_path / "absent.wav")):
        pass
    (tmp_path / "notes.wav").write_text("no sound at all")
    with (
        pytest.raises(MediaUnreadable, match="not a media file"),
        open_sound(str(tmp_path / "notes.wav")),
    ):
        pass


def test_what_the_checkpoint_raises_ends_the_reading(tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    path = write_sounds(tmp_path / "a.wav", [tone(30)])

    def stop() -> None:
        raise Stopped

    with open_sound(str(path)) as reader, pytest.raises(Stopped):
        next(iter(reader.blocks("mix", stop)))


def test_damaged_pictures_do_not_matter(tmp_path: Path) -> None:
    path = write_sounds(tmp_path / "film.mov", [tone(4)], encoding=with_pictures("pcm_s16le"))

    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(bytes(data))
    with open_sound(str(path)) as reader:
        assert level(joined(reader.blocks("mix"))) == pytest.approx(0.4 / 2**0.5, rel=0.02)
        assert not reader.warnings


def spliced(folder: Path, seconds: float, at: list[float]) -> Path:
    """A transport stream of twice the same, whose clock begins anew in the middle."""
    how = SoundEncoding(codec="ac3")
    path = write_sounds(folder / "spliced.ts", [clicks(seconds, at)], encoding=how)
    path.write_bytes(path.read_bytes() * 2)
    return path


def cut(source: Path, target: Path, seconds: float) -> Path:
    """A stream copy from `seconds` on, whose edit list hides what lies before."""
    with av.open(str(source)) as took, av.open(str(target), "w") as out:
        copies = {stream.index: out.add_stream_from_template(stream) for stream in took.streams}
        for packet in took.demux():
            if packet.size:
                shift = round(Fraction(seconds) / packet.time_base)
                packet.pts -= shift
                packet.dts -= shift
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return target
