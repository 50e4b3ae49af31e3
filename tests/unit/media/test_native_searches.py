"""Opening ends, or comes to a checkpoint, before a worker's stall timer would end the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import av.error
import pytest

from shared.errors import MediaUnreadable
from shared.media import MediaType
from tests.support.media.by_path import opened
from tests.support.media.media import make_clip
from workers.liveness import STALL_S
from workers.media import containers
from workers.media.containers import open_container
from workers.media.media_reader import open_media


class Slow:
    """A share on which every search takes all the time that it may."""

    def __init__(self) -> None:
        self.now = 0.0
        self.tries = 0

    def monotonic(self) -> float:
        return self.now

    def open(self, *_args: Any, timeout: tuple[float, float], **_options: Any) -> None:
        self.tries += 1
        self.now += 2 * timeout[0]  # PyAV gives it twice: to the container and to its streams
        raise av.error.InvalidDataError(1, "no media")


def test_both_tries_to_open_a_file_have_one_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(containers, "time", slow)
    monkeypatch.setattr(av, "open", slow.open)
    (tmp_path / "film.mp3").write_bytes(b"film")
    with opened(tmp_path / "film.mp3") as file, pytest.raises(MediaUnreadable):
        open_container(file)
    assert slow.tries == 2
    assert slow.now < STALL_S


def test_a_file_is_opened_with_checkpoints(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    path = make_clip(tmp_path / "clip.mp4", 1)
    with (
        opened(path) as file,
        pytest.raises(Stopped),
        open_media(file, MediaType.VIDEO, checkpoint=stop),
    ):
        pass
