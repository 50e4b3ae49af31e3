"""A file that claims or costs far more than it is ends within seconds, alone, with one sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain import ProgressType, TaskState
from shared.errors import MediaError, MediaUnreadable
from shared.media import MediaType, media_type_of
from tests.support.analysis.desk import Desk
from tests.support.media.by_path import open_media, open_sound, opened, probe
from tests.support.media.media import make_clip
from tests.support.media.poisons import POISONS, still_screen, two_sounds, wav
from tests.support.stack import ADDRESS_SPACE
from workers.export.source import open_source
from workers.media.budget import check_written, work_limit_s
from workers.children import Children

# What a child process may take: less than a worker's stall timer by far, more than a busy machine.
LIMIT_S = 20.0
OF_THE_CHILD = ("took longer", "crashed", "more memory than allowed")

# What is said of those that must be refused, by what is asked of them.
REFUSED = {
    "1hz.wav": "declares 400,000 s of sound in 0.4 MB",
    "2hz.wav": "declares 2,000,000 s of sound in 4.0 MB",
    "500hz.wav": "500 samples a second",
    "tag.wav": "audio codec is not known",
    "bits.wav": "audio codec is not known",
    "wide.png": "256 megapixels",
    "thin.png": "the limit is 100,000 for each side",
    **{name: "were ever written" for name in POISONS if name.startswith(("sparse.", "holes."))},
}


def use(path: str) -> list[str]:
    """Everything that workers do with a file; what was said of it."""
    media_type = media_type_of(path) or MediaType.VIDEO
    said = []
    for step in (probe, _see, _hear):
        try:
            step(path, media_type)
        except MediaError as error:
            said.append(error.message)
    return said


def _see(path: str, media_type: MediaType) -> None:
    with open_media(path, media_type) as reader:
        for shot in reader.grid():
            shot.picture.thumbnail_jpeg()
        assert len(str(reader.warnings)) < 500


def _hear(path: str, _media_type: MediaType) -> None:
    with open_sound(path) as reader:
        for _block in reader.blocks("mix"):
            pass


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    children = Children(1, use_nothing)
    yield children
    children.close()


def use_nothing() -> None:
    """The child has what it needs with this module."""


@pytest.mark.parametrize("name", POISONS)
def test_a_poison_file_ends_within_seconds_with_a_sentence(
    name: str, children: Children, tmp_path: Path
) -> None:
    path = POISONS[name](tmp_path / name)
    said = children.run(LIMIT_S, use, str(path))
    for sentence in said:
        assert not any(words in sentence for words in OF_THE_CHILD), sentence
        assert len(sentence) < 250
        assert "Error" not in sentence
    if name in REFUSED:
        assert any(REFUSED[name] in sentence for sentence in said), said


@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_worker_outlives_them_all_and_does_what_is_between_them(
    threads: str, tmp_path: Path, redis_url: str
) -> None:
    desk = Desk(tmp_path, redis_url)
    desk.stack.settings["RUSHES_DECODE_THREADS"] = threads
    desk.stack.address_space = dict(ADDRESS_SPACE)
    try:
        worker = desk.worker_that_hears_tones()
        names = [name for name in REFUSED if not name.endswith(".png")]
        poisons = [POISONS[name](tmp_path / name) for name in names]
        good = make_clip(tmp_path / "good.mp4", 2)
        began = time.monotonic()
        wants = (ProgressType.VIDEO, ProgressType.AUDIO)
        groups = [[path] for path in (*poisons, good)]
        record = desk.wait_final(desk.submit(*groups, wants=wants, speech_model="tones"), 90)
        assert time.monotonic() - began < 90
        assert record.status is TaskState.COMPLETED
        assert {Path(file.media_path).name for file in record.failed_files} >= set(names)
        assert worker.popen.poll() is None
        assert "Traceback" not in worker.text()
    finally:
        desk.close()


def test_what_is_real_is_not_refused(tmp_path: Path) -> None:
    """Silence at a low rate, and holes of less than a gigabyte or beside much that was written."""
    assert use(str(wav(tmp_path / "logger.wav", rate=1000, data=40_000))) == [
        "It holds no video, only sound."
    ]
    half = tmp_path / "half.bin"
    with half.open("wb") as file:
        file.truncate(2 << 30)
        for at in range(0, 2 << 30, 64 << 20):
            file.seek(at)
            file.write(bytes(1 << 20))
    with half.open("rb") as file:
        assert os.fstat(file.fileno()).st_blocks * 512 < 1 << 30
        check_written(file.fileno())


def test_a_hole_is_refused_in_however_many_pieces_it_comes(tmp_path: Path) -> None:
    pieces = tmp_path / "pieces.ts"
    with pieces.open("wb") as file:
        for number in range(1200):
            file.seek(number * 4_000_000)
            file.write(b"\x47")
    with pieces.open("rb") as file, pytest.raises(MediaUnreadable, match="were ever written"):
        check_written(file.fileno())


def test_a_file_that_is_a_hole_and_tells_no_length_is_worked_on_for_days_at_most(
    tmp_path: Path,
) -> None:
    hole = tmp_path / "hole.ts"
    with hole.open("wb") as file:
        file.write(bytes(1 << 20))
        file.truncate(64 << 30)
    assert 1 < work_limit_s(hole.stat(), None) / 86_400 < 4


def test_a_recording_whose_time_stamps_jump_far_is_used_up_to_there(tmp_path: Path) -> None:
    jump = POISONS["jump.mkv"](tmp_path / "jump.mkv")
    with open_media(str(jump), MediaType.VIDEO) as reader:
        assert [shot.second for shot in reader.grid()] == [0]
    assert any("lead to 946,080,001 s" in warning for warning in reader.warnings)
    gap = POISONS["gap.mka"](tmp_path / "gap.mka")
    with open_sound(str(gap)) as sound:
        heard = [block for block in sound.blocks("mix") if block.pcm.any()]
    assert [block.start for block in heard] == [0]
    assert any("Its time stamps lead to" in warning for warning in sound.warnings)


def test_a_screen_that_stood_still_for_hours_is_seen(tmp_path: Path) -> None:
    """A picture a minute: less than two bytes a second."""
    path = still_screen(tmp_path / "screen.mkv", minutes=200)
    assert path.stat().st_size < 200 * 60 * 3
    with open_media(str(path), MediaType.VIDEO) as reader:
        assert [shot.second for shot in reader.grid()] == [60 * n for n in range(200)]
    assert reader.warnings == []


def test_an_odd_sound_track_beside_a_good_one_is_left_out(tmp_path: Path) -> None:
    path = two_sounds(tmp_path / "two.mkv", odd_rate=100)
    with open_sound(str(path)) as sound:
        streams = {block.stream for block in sound.blocks("each") if block.pcm.any()}
    assert streams == {1}
    assert "100 samples a second" in sound.warnings[0]
    with opened(path) as file, open_source(file, "all") as source:
        assert [stream.index for stream in source.sounds] == [1]
        assert source.unknown_sounds == 1
