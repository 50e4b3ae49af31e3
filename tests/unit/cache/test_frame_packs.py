"""Frame packs: single frames out of one file, and clear words for a damaged one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from shared.cache.frame_packs import PackReader, PackWriter
from shared.errors import CacheError
from shared.opening import RootedPath

FRAMES = {0: b"\xff\xd8zero\xff\xd9", 1: b"\xff\xd8one\xff\xd9", 7: b"\xff\xd8seven" * 50}


def packed(frames: dict[int, bytes]) -> bytes:
    file = io.BytesIO()
    writer = PackWriter(file)
    for second, jpeg in frames.items():
        writer.add(second, jpeg)
    assert writer.finish() == len(frames)
    return file.getvalue()


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "frames.0123abcd.pack"
    path.write_bytes(packed(FRAMES))
    return path


def test_every_frame_comes_back_and_seconds_without_a_picture_have_none(pack: Path) -> None:
    with PackReader(RootedPath.alone(pack)) as reader:
        assert {second: reader.read(second) for second in FRAMES} == FRAMES
        assert reader.read(3) is None
        assert reader.read(8) is None
        assert list(reader.seconds) == [0, 1, 7]


@pytest.mark.parametrize(("asked", "nearest"), [(0, 0), (3, 1), (4, 1), (5, 7), (99, 7), (0.6, 1)])
def test_the_nearest_second_is_found_and_the_earlier_wins(pack: Path, asked, nearest) -> None:
    with PackReader(RootedPath.alone(pack)) as reader:
        assert reader.nearest(asked) == nearest


def test_an_empty_pack_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "empty.pack"
    path.write_bytes(packed({}))
    with PackReader(RootedPath.alone(path)) as reader:
        assert reader.nearest(0) is None
        assert reader.read(0) is None


def test_seconds_ascend() -> None:
    writer = PackWriter(io.BytesIO())
    writer.add(2, b"x")
    with pytest.raises(ValueError, match="second 2 after 2"):
        writer.add(2, b"y")


@pytest.mark.parametrize("kept", [0, 10, 100, -1, -20])
def test_a_cut_pack_is_a_clear_error(pack: Path, kept: int) -> None:
    pack.write_bytes(pack.read_bytes()[:kept])
    with pytest.raises(CacheError, match=r"frames.0123abcd.pack is damaged"):
        PackReader(RootedPath.alone(pack))


def test_offsets_that_were_damaged_are_noticed(pack: Path) -> None:
    data = bytearray(pack.read_bytes())
    data[-30] ^= 0xFF
    pack.write_bytes(data)
    with pytest.raises(CacheError, match="its offsets are wrong"):
        PackReader(RootedPath.alone(pack))


def test_a_missing_pack_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="cannot be opened"):
        PackReader(RootedPath.alone(tmp_path / "gone.pack"))
