"""A worker that holds several Items: each is stopped, fails and hangs by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.domain import ProgressType, TaskKind, TaskState
from shared.ledger.records import FileState
from tests.support.analysis.desk import INSTANCE, Desk
from tests.support.fake_models import said
from tests.support.media.media import make_clip
from tests.support.media.sounds import write_sounds
from tests.support.stack import Process
from tests.support.waiting import wait_for

QUEUE = f"rq:queue:rushes-{INSTANCE}-analysis"


@dataclass
class Slots:
    """A Desk whose workers do what the names of files say (programs/analysis_in_slots.py)."""

    desk: Desk

    def worker(self, number: int = 0, threads: int = 3, **more: str) -> Process:
        return self.desk.stack.start(
            f"analysis-{number}",
            *("-m", "tests.support.programs.analysis_in_slots"),
            TEST_RECORD=str(self.record),
            RUSHES_DECODE_THREADS=str(threads),
            **more,
        )

    def submit(self, *names: str, kind: TaskKind = TaskKind.ANALYZE) -> str:
        """A Task with an Item for each name."""
        return self.desk.submit(*([self.clip(name)] for name in names), kind=kind)

    def clip(self, name: str) -> Path:
        colour = (len(name) * 20 % 256, *name.encode()[-2:])
        return make_clip(self.desk.folder / f"{name}.mp4", shots=((colour, 1.0),))

    @property
    def record(self) -> Path:
        return self.desk.folder / "record"

    def notes(self, what: str | None = None) -> list[dict[str, Any]]:
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        notes = map(json.loads, lines)
        return [note for note in notes if what is None or note["what"] == what]

    def wait_begun(self, *names: str) -> int:
        """Wait until these Items are in hand, in one process; its pid."""

        def begun() -> bool:
            return {note["name"] for note in self.notes("begin")} >= set(names)

        wait_for(begun, 40, lambda: f"{names} in hand; {self.desk.logs()}")
        [pid] = {note["pid"] for note in self.notes("begin") if note["name"] in names}
        return int(pid)

    def tries(self, task_id: str) -> list[list[str | None]]:
        """Of each Item, how many workers were lost and how many errors it met."""
        return [
            self.desk.client.hmget(f"rushes:{INSTANCE}:item:{task_id}:{n}", ["lost", "errors"])
            for n in range(len(self.desk.ledger.files(task_id)))
        ]

    def release(self) -> None:
        self.desk.release()


@pytest.fixture
def slots(tmp_path: Path, redis_url: str) -> Iterator[Slots]:
    desk = Desk(tmp_path, redis_url)
    yield Slots(desk)
    desk.close()


def test_short_clips_of_one_task_are_done_at_the_same_time_as_many_as_there_are_threads(
    slots: Slots,
) -> None:
    task_id = slots.submit("meet1", "meet2", "meet3", "plain4")
    worker = slots.worker(TEST_MEETING="3")
    slots.wait_begun("meet1", "meet2", "meet3")
    assert slots.desk.wait_final(task_id).status is TaskState.COMPLETED
    assert [note["name"][:-1] for note in slots.notes()[:3]] == ["meet"] * 3
    assert {note["pid"] for note in slots.notes()} == {worker.popen.pid}
    states = wait_for(
        lambda: [
            h for h in slots.desk.hearts() if h.state == "idle" and h.stats.get("decodings", 0) > 3
        ],
        10,
        "an idle heartbeat with the counts of all slots",
    )
    assert (states[0].task_id, states[0].stats["decodings"]) == (None, 4)


def test_with_one_thread_a_worker_does_one_item_at_a_time(slots: Slots) -> None:
    task_id = slots.submit(*(f"plain{n}" for n in range(4)))
    slots.worker(threads=1)
    assert slots.desk.wait_final(task_id).status is TaskState.COMPLETED
    assert [note["what"] for note in slots.notes()] == ["begin", "end"] * 4


def test_a_task_is_stopped_while_another_goes_on_in_the_same_process(slots: Slots) -> None:
    first, second = (slots.submit(f"steady{n}", kind=TaskKind.INGEST) for n in range(2))
    worker = slots.worker()
    slots.wait_begun("steady0", "steady1")
    assert slots.desk.ledger.stop(first).cancelled
    assert slots.desk.wait_final(first, 5).status is TaskState.CANCELLED
    assert [note["name"] for note in slots.notes("end")] == ["steady0"]
    [heart] = slots.desk.hearts()
    assert (heart.state, slots.desk.record(second).status) == ("working", TaskState.RUNNING)
    slots.release()
    assert slots.desk.wait_final(second).status is TaskState.COMPLETED
    assert worker.popen.poll() is None


def test_sigterm_hands_all_items_back_and_counts_no_try(slots: Slots) -> None:
    names = [f"steady{n}" for n in range(3)]
    task_id = slots.submit(*names)
    worker = slots.worker()
    slots.wait_begun(*names)
    assert worker.end(timeout_s=5) == 0
    assert slots.tries(task_id) == [["0", "0"]] * 3
    assert [file.state for file in slots.desk.ledger.files(task_id)] == [FileState.QUEUED] * 3
    assert slots.desk.artefacts() == []
    slots.release()
    slots.worker(1)
    assert slots.desk.wait_final(task_id).status is TaskState.COMPLETED


def test_a_killed_worker_loses_none_of_its_items(slots: Slots) -> None:
    names = [f"steady{n}" for n in range(3)]
    task_id = slots.submit(*names)
    slots.worker()
    slots.desk.kill(slots.wait_begun(*names))
    slots.release()
    slots.worker(1)
    record = slots.desk.wait_final(task_id)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    assert slots.tries(task_id) == [["1", "0"]] * 3
    assert not any(name.endswith(".tmp") for name in os.listdir(slots.desk.cache))


def test_an_item_that_hangs_ends_its_worker_though_another_advances_and_only_its_file_is_given_up(
    slots: Slots,
) -> None:
    task_id = slots.submit("steady0", "hang1")
    first = slots.worker(TEST_STALL_S="6")
    slots.wait_begun("steady0", "hang1")
    assert first.popen.wait(60) != 0
    assert "Timeout (" in first.text()
    slots.release()
    assert slots.worker(1, TEST_STALL_S="6").popen.wait(60) != 0
    slots.worker(2)  # its thread sweeps
    [failed] = slots.desk.wait_final(task_id).failed_files
    assert failed.media_path.endswith("hang1.mp4")
    assert "twice at the same place: the pictures at 1 s" in failed.error
    assert [file.state for file in slots.desk.ledger.files(task_id)] == [
        FileState.DONE, FileState.FAILED
    ]  # fmt: skip
    assert slots.tries(task_id)[0] == ["1", "0"]


def test_a_file_that_kills_its_worker_fails_after_its_tries_and_no_other_with_it(
    slots: Slots,
) -> None:
    names = ["doomed0", "poison1", *(f"plain{n}" for n in range(2, 9))]
    task_id = slots.submit(*names)
    workers = [slots.worker()]

    def ended() -> bool:
        if workers[-1].popen.poll() is not None:
            workers.append(slots.worker(len(workers)))
        return slots.desk.record(task_id).status.is_final

    wait_for(ended, 100, lambda: f"the end; {slots.desk.logs()}")
    record = slots.desk.record(task_id)
    assert (record.status, len(workers)) == (TaskState.COMPLETED, 4)
    [failed] = record.failed_files
    assert failed.media_path.endswith("poison1.mp4")
    assert "died 3 times" in failed.error
    tries = dict(zip(names, slots.tries(task_id), strict=True))
    assert tries.pop("poison1") == ["3", "0"]
    assert tries["doomed0"] == ["1", "0"]
    assert {lost for lost, _ in tries.values()} <= {"0", "1"}
    assert_those_tried_before_were_alone(slots)


def test_an_item_that_was_tried_before_waits_unleased_until_it_can_be_done_alone(
    slots: Slots,
) -> None:
    names = ["steady0", "plain1", "plain2"]
    task_id = slots.submit(*names)
    slots.desk.client.hset(f"rushes:{INSTANCE}:item:{task_id}:1", "lost", "1")
    slots.worker()
    wait_for(lambda: slots.desk.client.llen(QUEUE) == 1, 40, "the second job to be taken")
    states = [file.state for file in slots.desk.ledger.files(task_id)]
    assert states == [FileState.RUNNING, FileState.QUEUED, FileState.QUEUED]
    slots.release()
    assert slots.desk.wait_final(task_id).status is TaskState.COMPLETED
    assert [note["name"] for note in slots.notes()] == [n for name in names for n in (name, name)]
    assert_those_tried_before_were_alone(slots)


def assert_those_tried_before_were_alone(slots: Slots) -> None:
    in_hand: dict[tuple[int, str], int] = {}  # tries, by process and name
    for note in slots.notes():
        one = note["pid"], note["name"]
        if note["what"] == "end":
            del in_hand[one]
        elif note["what"] == "begin":
            beside = [tries for (pid, _), tries in in_hand.items() if pid == one[0]]
            assert not beside or not any([note["tries"], *beside]), f"{note}, {in_hand}"
            in_hand[one] = note["tries"]


def test_pictures_are_done_while_the_speech_of_another_file_is_heard(slots: Slots) -> None:
    desk = slots.desk
    desk.stack.settings["RUSHES_DECODE_THREADS"] = "2"
    words = [(n, word) for n, word in enumerate(("Alpha", "bravo", "charlie", "delta."))]
    voice = write_sounds(desk.folder / "voice.wav", [said(words, 8)], rate=16_000)
    spoken = desk.submit(
        [voice], wants=(ProgressType.AUDIO,), speech_model="tones", kind=TaskKind.INGEST
    )
    desk.worker_that_hears_tones(hold_at=1)
    desk.wait_marker()
    seen = desk.submit([slots.clip("plain0")], kind=TaskKind.INGEST)
    assert desk.wait_final(seen).status is TaskState.COMPLETED
    assert not desk.record(spoken).status.is_final
    desk.release()
    assert desk.wait_final(spoken).status is TaskState.COMPLETED
