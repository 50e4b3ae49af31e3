"""What analysis costs in things that can be counted: pictures decoded, fsyncs, words with Redis.

A real worker counts (programs/analysis_that_counts.py). The bounds are a little above the counts of
28 November 2026, which stand beside them: clocks of a busy machine hide what breaks them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.domain import TaskState
from tests.support.analysis.desk import Desk, shared_desk
from tests.support.commands_to_redis import CommandsToRedis
from tests.support.media.many_files import copies_of_one
from tests.support.media.media import H264, also, make_clip, make_still

SECONDS, FILM_S, CLIPS, STILLS = 15, 90, 10, 32
THREADS = 4
PICTURES_A_SECOND = {12: 5.9, 250: 16.2}  # of 25, by GOP: 5.1 and 14.1
FSYNCS_A_FILE = 9.2  # 8, and 4 for a new cache folder
COMMANDS_A_VIDEO = 18.5  # 16.2, in an Item of its own
COMMANDS_A_STILL = 1.7  # 1.5, in an Item of 32
# What is sent by time, not for an Item. `record` is what this test asks.
BY_TIME = ("record", "renew", "sweep", "progress")
OF_PROCESSES = ("heartbeat", "seen", "parked", "models", "totals")
OF_CONNECTIONS = ("ECHO", "HELLO", "CLIENT", "SCRIPT", "MULTI", "EXEC", "INFO", "PING")


@dataclass
class Counting:
    """A worker that counts, and what its Redis hears."""

    desk: Desk
    counts: Path
    commands: CommandsToRedis

    def __post_init__(self) -> None:
        scripts = self.desk.ledger._scripts
        self._by_time = {scripts[name].sha for name in BY_TIME}

    def of(self, folder: Path, *groups: list[Path]) -> Counter[str]:
        """What one Task with an Item for each group took, by name."""
        desk, before = self.desk.with_folder(folder), self._noted()
        self.commands.since_last()
        record = desk.wait_final(desk.submit(*groups))
        assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
        found = self._noted()
        found.subtract(before)
        found["commands"] = sum(map(self._is_for_an_item, self.commands.since_last()))
        return found

    def _noted(self) -> Counter[str]:
        return Counter({path.name: path.stat().st_size for path in self.counts.iterdir()})

    def _is_for_an_item(self, words: list[str]) -> bool:
        name, *rest = words
        if name == "EVALSHA":
            return rest[0] not in self._by_time
        if name in OF_CONNECTIONS:
            return False
        return not any(f":{kind}" in rest[0] for kind in OF_PROCESSES)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    """Its worker has its model."""
    folder = tmp_path_factory.mktemp("counting")
    counts = folder / "counts"
    counts.mkdir()
    with shared_desk(folder) as desk:
        program = ("-m", "tests.support.programs.analysis_that_counts")
        threads = {"RUSHES_DECODE_THREADS": str(THREADS)}
        desk.stack.start("analysis-0", *program, COUNTS=str(counts), **threads)
        commands = CommandsToRedis(desk.redis_url)
        one = Counting(desk, counts, commands)
        one.of(folder, [make_still(folder / "first.png")])
        yield one
        commands.close()


@pytest.mark.parametrize("gop", sorted(PICTURES_A_SECOND))
def test_of_a_second_of_footage_only_some_pictures_are_decoded(
    counting: Counting, tmp_path: Path, gop: int
) -> None:
    clip = make_clip(tmp_path / f"{gop}.mp4", SECONDS, encoding=also(H264, gop=gop))
    found = counting.of(tmp_path, [clip])
    assert SECONDS <= found["pictures"] <= PICTURES_A_SECOND[gop] * SECONDS


def test_a_film_in_ranges_takes_hardly_more_pictures_than_in_one_go(
    counting: Counting, tmp_path: Path
) -> None:
    film = make_clip(tmp_path / "film.mp4", FILM_S, encoding=also(H264, gop=12))
    found = counting.of(tmp_path, [film])
    assert THREADS <= found["ranges"] <= 6 * THREADS
    assert FILM_S <= found["pictures"] <= PICTURES_A_SECOND[12] * FILM_S


def test_a_video_takes_few_words_with_redis_and_few_fsyncs(
    counting: Counting, tmp_path: Path
) -> None:
    clips = copies_of_one(make_clip(tmp_path / "clip.mp4", 2), CLIPS)
    found = counting.of(tmp_path, *([clip] for clip in clips))
    assert len(clips) <= found["commands"] <= COMMANDS_A_VIDEO * len(clips)
    assert len(clips) <= found["fsyncs"] <= FSYNCS_A_FILE * len(clips)


def test_stills_that_share_an_item_take_fewer_words_with_redis(
    counting: Counting, tmp_path: Path
) -> None:
    stills = [make_still(tmp_path / f"{n:02}.jpg", colour=(8 * n, 90, 9)) for n in range(STILLS)]
    found = counting.of(tmp_path, stills)
    assert len(stills) <= found["commands"] <= COMMANDS_A_STILL * len(stills)
    assert len(stills) <= found["fsyncs"] <= FSYNCS_A_FILE * len(stills)
