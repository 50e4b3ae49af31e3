"""Files that are broken, empty or no media end in one clear sentence, or yield what they hold."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from shared.errors import MediaError, MediaMissing, MediaUnreadable
from shared.media import MediaType
from tests.support.media.by_path import grab_frame, open_media, open_sound, probe
from tests.support.media.media import (
    H264,
    HEVC,
    damage,
    make_clip,
    make_still,
    read_bar_code,
    truncate,
    write_sound,
)
from tests.support.media.sounds import write_sounds

SIZE = (160, 96)


def read_all(path: Path, media_type: MediaType = MediaType.VIDEO) -> tuple[list[int], list[str]]:
    """Bar codes of the grid, and the warnings."""
    with open_media(str(path), media_type) as reader:
        codes = [
            read_bar_code(shot.picture.rgb(shot.picture.width, shot.picture.height))
            for shot in reader.grid()
        ]
        return codes, reader.warnings


@pytest.mark.parametrize("media_type", [MediaType.VIDEO, MediaType.IMAGE])
@pytest.mark.parametrize("task", [read_all, lambda p, t: probe(str(p), t)])
def test_files_that_are_no_media_are_refused_with_a_reason(task, media_type, tmp_path) -> None:
    suffix = ".mp4" if media_type is MediaType.VIDEO else ".jpg"
    (tmp_path / f"empty{suffix}").touch()
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"text{suffix}").write_text("Dear editor, here is the footage you asked for. " * 40)
    (tmp_path / f"noise{suffix}").write_bytes(os.urandom(100_000))
    reasons = {
        "empty": "empty",
        "folder": "folder",
        "text": "not a media file|no picture",
        "noise": "not a media file|no picture",
    }
    for name, reason in reasons.items():
        with pytest.raises(MediaUnreadable, match=reason):
            task(tmp_path / f"{name}{suffix}", media_type)
    with pytest.raises(MediaMissing):
        task(tmp_path / f"absent{suffix}", media_type)
    with pytest.raises(MediaError):
        task(Path(f"/tmp/with\0nul{suffix}"), media_type)


def test_a_recording_without_its_index_says_so(tmp_path: Path) -> None:
    clip = truncate(make_clip(tmp_path / "a.mp4", 6, size=SIZE), 0.7)
    with pytest.raises(MediaUnreadable, match=r"incomplete.*moov"):
        read_all(clip)


def test_playlists_cannot_make_the_decoder_open_other_files(tmp_path: Path) -> None:
    make_clip(tmp_path / "secret.ts", 2, size=SIZE)
    for name, text in {
        "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile {tmp_path}/secret.ts\n",
        "subs.mp4": "1\n00:00:00,000 --> 00:00:02,000\nHello\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaUnreadable):
            read_all(tmp_path / name)


def test_sound_without_pictures_has_no_grid(tmp_path: Path) -> None:
    for sound in (
        write_sound(tmp_path / "a.wav"),
        write_sound(tmp_path / "with cover.m4a", cover=True),
        write_sound(tmp_path / "with cover.mp3", cover=True),
    ):
        with pytest.raises(MediaUnreadable, match="no video"):
            read_all(sound)
        with pytest.raises(MediaUnreadable, match="no video"):
            grab_frame(str(sound), MediaType.AUDIO, 0)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("a.ts", H264),
        ("a.mkv", H264),
        ("streaming.mp4", dataclasses.replace(H264, container_options={"movflags": "faststart"})),
    ],
)
def test_a_truncated_file_yields_its_beginning_and_a_warning(
    name: str, encoding, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / name, 12, size=SIZE, encoding=encoding)
    stated = probe(str(clip), MediaType.VIDEO).duration_seconds
    truncate(clip, 0.5)
    codes, warnings = read_all(clip)
    assert 3 <= len(codes) < 10
    assert codes == [25 * second for second in range(len(codes))]
    if probe(str(clip), MediaType.VIDEO).duration_seconds == stated:
        assert warnings, "the container says how long it should be"


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("a.ts", H264), ("a.mkv", H264), ("a.mp4", H264), ("b.mp4", HEVC)],
)
def test_damage_in_the_middle_costs_only_what_it_hits(name: str, encoding, tmp_path: Path) -> None:
    clip = damage(make_clip(tmp_path / name, 30, size=SIZE, encoding=encoding), 0.4, 0.45)
    codes, _ = read_all(clip)
    assert codes[:10] == [25 * second for second in range(10)]
    assert codes[-10:] == [25 * second for second in range(20, 30)]


def test_a_file_without_one_decodable_picture_is_unreadable(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 4, size=SIZE)
    data = clip.read_bytes()
    media, index = data.index(b"mdat") + 4, data.index(b"moov") - 4
    clip.write_bytes(data[:media] + bytes(index - media) + data[index:])
    with pytest.raises(MediaUnreadable):
        read_all(clip)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    still = make_still(tmp_path / "a.jpg")
    for path in (clip, still):
        path.chmod(0)
    me = os.geteuid()
    try:
        if me == 0:
            os.seteuid(65534)  # the superuser may read everything
        for path, media_type in ((clip, MediaType.VIDEO), (still, MediaType.IMAGE)):
            with pytest.raises(MediaUnreadable, match="permission"):
                probe(str(path), media_type)
    finally:
        os.seteuid(me)


@pytest.mark.parametrize(
    "name",
    [
        "with spaces.mp4",
        "a#1 100%.mp4",
        'it\'s "quoted".mp4',
        "Übung – 映像 🎬.mp4",
        "take:1.mp4",
        "%03d.mp4",
        "-i.mp4",
        "a\nb.mp4",
        os.fsdecode(b"latin \xe9.mp4"),
    ],
)
def test_odd_names_are_only_names(name: str, tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", 2, size=SIZE)
    odd = plain.rename(tmp_path / name)
    assert read_all(odd) == ([0, 25], [])


def test_an_error_of_the_reader_of_the_grid_closes_the_file(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 2, size=SIZE)
    before = len(os.listdir("/proc/self/fd"))

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), open_media(str(clip), MediaType.VIDEO) as reader:
        list(reader.grid(checkpoint=fail))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("suffix", [".mp3", ".mp2", ".aac", ".ac3"])
def test_a_stream_behind_a_large_foreign_beginning_is_known_by_its_name(
    suffix: str, tmp_path: Path
) -> None:
    plain = write_sounds(tmp_path / f"plain{suffix}", [np.full(48_000, 0.1, np.float32)])
    path = tmp_path / f"behind{suffix}"
    path.write_bytes(bytes(3_000_000) + plain.read_bytes())
    assert probe(path, MediaType.AUDIO).audio_codec == probe(plain, MediaType.AUDIO).audio_codec
    with open_sound(path) as reader:
        assert sum(len(block.pcm) for block in reader.blocks("mix")) > 12_000
