"""Files that are whole, in formats that no decoder here knows: said so, never called damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import MediaMissing, MediaUnsupported
from shared.media import MediaType
from shared.paths import Roots
from shared.settings import Settings
from tests.support.media.by_path import grab_frame, open_media, open_sound, probe
from tests.support.media.media import make_clip
from tests.support.media.sounds import SoundEncoding, tone, write_sounds
from workers.query.grab import jpeg_at, probe_file

NAMES = {
    "A001.braw": "Blackmagic RAW",
    "A001_C002.R3D": "R3D",
    "shot.ari": "ARRIRAW",
    "shot.arx": "ARRIRAW",
    "DSC_0001.NEV": "N-RAW",
}
ROOTS = Roots.media(Settings())


def _decode(path: str) -> object:
    with open_media(path, MediaType.VIDEO) as reader:
        return list(reader.grid())


def _listen(path: str) -> object:
    with open_sound(path) as reader:
        return list(reader.blocks("mix"))


WAYS: dict[str, Callable[[str], object]] = {
    "decode": _decode,
    "grab": lambda path: grab_frame(path, MediaType.VIDEO, 0),
    "probe": lambda path: probe(path, MediaType.VIDEO),
    "listen": _listen,
    "the worker's probe": lambda path: probe_file(ROOTS, path),
    "the worker's grab": lambda path: jpeg_at(ROOTS, path, 0, 320),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "raw"), NAMES.items())
def test_raw_video_is_named_and_not_called_damaged(
    name: str, raw: str, way: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(os.urandom(2000))
    with pytest.raises(MediaUnsupported, match=f"^{raw} cannot be decoded here; .*proxy"):
        WAYS[way](str(path))


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_raw_file_is_read(way: str, tmp_path: Path) -> None:
    path = tmp_path / "A001.braw"
    path.touch()  # whoever looks further than its name says that it is empty
    with pytest.raises(MediaUnsupported):
        WAYS[way](str(path))


@pytest.mark.parametrize("way", [way for way in WAYS if not way.startswith("the worker's")])
def test_raw_video_that_is_not_there_is_missing(way: str, tmp_path: Path) -> None:
    with pytest.raises(MediaMissing):
        WAYS[way](str(tmp_path / "A001.braw"))


def test_pictures_in_a_codec_that_no_decoder_knows_are_unsupported(tmp_path: Path) -> None:
    clip = _renamed_codec(make_clip(tmp_path / "a.mov", 2), b"avc1")
    for task in (_decode, WAYS["probe"]):
        with pytest.raises(MediaUnsupported, match="video codec is not known"):
            task(str(clip))


def test_sound_in_a_codec_that_no_decoder_knows_is_unsupported(tmp_path: Path) -> None:
    how = SoundEncoding(codec="pcm_s16le")
    sound = write_sounds(tmp_path / "a.mov", [tone(2, 440)], encoding=how)
    _renamed_codec(sound, b"sowt")
    with pytest.raises(MediaUnsupported, match="audio codec is not known"):
        _listen(str(sound))


def _renamed_codec(path: Path, name: bytes) -> Path:
    """The same file, said to hold a codec of the future."""
    data = path.read_bytes()
    assert data.count(name) == 1
    path.write_bytes(data.replace(name, b"xyz9"))
    return path
