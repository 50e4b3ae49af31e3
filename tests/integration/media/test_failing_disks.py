"""A disk that fails while a file is read: the sentence is about the file, whatever reads it."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import av.error
import pytest

from shared.errors import MediaUnreadable
from shared.media import MediaType
from shared.paths import Roots
from shared.settings import Settings
from tests.support.media.by_path import open_media, probe
from tests.support.media.media import H264, MJPEG, make_clip
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from workers.media import media_reader
from workers.media.probing import stream_facts
from workers.query import grab


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    """With a `clip.mov` on it, larger than what the decoder reads at once."""
    (tmp_path / "source").mkdir()
    make_clip(tmp_path / "source" / "clip.mov", 8, encoding=MJPEG)
    with faulty_disk(tmp_path / "source", tmp_path / "mounted") as disk:
        yield disk


def test_a_disk_that_fails_in_the_middle_of_a_file_is_said_of_the_file(disk: FaultyDisk) -> None:
    clip = str(disk.mounted / "clip.mov")
    with open_media(clip, MediaType.VIDEO) as reader:
        grid = reader.grid()
        assert next(grid).second == 0
        disk.fail(errno.EIO, "clip.mov")
        with pytest.raises(MediaUnreadable, match="Reading the file failed: Input/output error"):
            list(grid)


def test_a_read_error_before_the_first_picture_is_said_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> NoReturn:
        raise av.error.OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(media_reader, "first_picture", failing)
    clip = make_clip(tmp_path / "clip.mov", 1)
    with (
        pytest.raises(MediaUnreadable, match="Reading the file failed: Input/output error"),
        open_media(clip, MediaType.VIDEO),
    ):
        raise AssertionError("it was read")


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EIO, "Input/output error"), (errno.ENOENT, "No such file or directory")],
)
def test_a_read_error_in_the_headers_is_said_of_the_file(
    number: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> NoReturn:
        raise OSError(number, reason)

    encoding = dataclasses.replace(H264, timecode="01:00:00:00")
    clip = make_clip(tmp_path / "clip.mov", 1, encoding=encoding)
    monkeypatch.setattr(stream_facts, "boxes", failing)
    with pytest.raises(MediaUnreadable, match=f"Reading the file failed: {reason}"):
        probe(str(clip), MediaType.VIDEO)


def test_a_picture_that_fails_as_it_is_scaled_is_said_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        width = height = 100

        def rgb(self, *_: int) -> NoReturn:
            raise av.error.InvalidDataError(errno.EINVAL, "Invalid data found")

        thumbnail_jpeg = rgb

    clip = str(make_clip(tmp_path / "clip.mov", 1))
    monkeypatch.setattr(grab, "grab_frame", lambda *_: Failing())
    roots = Roots.media(Settings())
    with pytest.raises(MediaUnreadable, match="Reading the file failed: Invalid data found"):
        grab.jpeg_at(roots, clip, 0, 320)
    with pytest.raises(MediaUnreadable, match="Reading the file failed: Invalid data found"):
        grab.rgb_at(roots, clip, 0, 224)
