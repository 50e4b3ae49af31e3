"""A disk that fails while a file is read: the sentence is about the file, whatever reads it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import av.error
import pytest

from shared.errors import MediaUnreadable
from shared.media import MediaType
from tests.support.media.media import MJPEG, make_clip
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from workers.media import media_reader
from workers.media.media_reader import MediaReader, open_media


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
    with pytest.raises(MediaUnreadable, match="Reading the file failed: Input/output error"):
        MediaReader(str(clip), MediaType.VIDEO)
