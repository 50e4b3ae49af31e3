"""What comes in between: files, wishes and places that change while workers have the files."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from shared.domain import Fault
from shared.errors import CacheError, RedisAway
from shared.models.specs import ModelKind
from shared.watch.files import FileGroup, WatchedFile
from tests.support.media.media import make_clip
from tests.support.watch.farm import still
from tests.support.watch.stepping import KEYS, Steps
from workers.watcher import feeding, sorting
from workers.watcher.contents import Contents
from workers.watcher.looking.scan import Found

PENDING, PROCESSED = FileGroup.PENDING, FileGroup.PROCESSED


@pytest.fixture
def steps(tmp_path: Path, redis_url: str) -> Iterator[Steps]:
    steps = Steps(tmp_path, redis_url)
    yield steps
    steps.close()


def test_what_was_made_by_a_model_that_is_active_no_more_is_not_all_that_is_wanted(
    steps: Steps,
) -> None:
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    lease = steps.lease()
    steps.situation.keys = {**KEYS, ModelKind.VISUAL: "better eyes"}
    run.step()
    steps.end(lease)
    run.step()
    assert steps.groups(run) == {"a.png": PENDING}
    assert steps.work() == 1, "with the model that is active now"
    run.step()
    assert steps.groups(run) == {"a.png": PROCESSED}


def test_a_file_that_ended_after_its_folder_was_changed_gets_what_is_wanted_now(
    steps: Steps,
) -> None:
    still(steps.media / "a.png", 1)
    folder = steps.watch()
    steps.run(folder).step()
    steps.end(steps.lease())
    run = steps.run(folder, analyze_faces=True, cluster_job_name="Season 1")
    run.step()
    assert steps.groups(run) == {"a.png": PENDING}
    assert steps.work() == 1


def test_files_of_a_task_are_found_when_clients_call_the_folder_otherwise(steps: Steps) -> None:
    still(steps.media / "a.png", 1)
    folder = steps.watch()
    steps.run(folder).step()
    steps.work()
    run = steps.run(folder, client_path="Z:\\media")
    for _ in range(3):
        run.step()
        steps.work()
    assert steps.groups(run) == {"a.png": PROCESSED}


def test_a_root_that_goes_holds_up_no_copy_in_another_folder(steps: Steps) -> None:
    other = steps.folder / "other"
    for name in ("a", "b", "c"):
        still(steps.media / f"{name}.png", ord(name))
    still(other / "copy.png", ord("c"))
    run, second = steps.run(steps.watch()), steps.run(steps.watch(other))
    run.step()
    second.step()
    assert len(steps.tasks()) == 1, "the copy waits"
    steps.media.rename(steps.folder / "away")
    steps.work("It does not exist.", Fault.MISSING)
    run.step()
    second.step()
    assert len(steps.tasks()) == 1, "the copy has its turn"
    steps.work()
    second.step()
    assert steps.groups(second) == {"copy.png": PROCESSED}
    assert set(steps.groups(run).values()) == {PENDING}
    assert {file.tries for file in steps.files.all(run.folder.id).values()} == {0}


def test_a_file_that_is_renamed_while_a_worker_has_it_is_not_analysed_beside_it(
    steps: Steps,
) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    lease = steps.lease()
    path.rename(steps.media / "b.png")
    steps.walk(run)
    run.step()
    assert steps.tasks() == [lease.task_id]
    steps.end(lease)
    run.step()
    assert steps.groups(run) == {"b.png": PENDING}
    assert steps.work() == 1, "nothing was published, so it has its turn now"


def test_a_file_that_is_excluded_while_a_worker_has_it_is_forgotten(steps: Steps) -> None:
    still(steps.media / "a.png", 1)
    folder = steps.watch()
    steps.run(folder).step()
    lease = steps.lease()
    run = steps.run(folder, excluded_extensions=("png",))
    steps.ledger.stop(lease.task_id)
    run.step()
    steps.ledger.settle(lease, "cancelled")
    run.step()
    run.step()
    assert steps.groups(run) == {}
    assert steps.tasks() == []


def test_a_copy_does_not_wait_for_a_file_that_has_gone(steps: Steps) -> None:
    """Its content was claimed for it, and then nothing was submitted."""
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    assert steps.tools.claims.is_taken(key)
    table = run.state.table
    table.make_ready(str(path), replace(table.files[str(path)], is_queued=False, hash_str=""))
    path.unlink()
    run.step()
    assert not steps.tools.claims.is_taken(key)


def test_copies_are_free_when_the_cache_folder_has_become_another(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    run.state.facts = replace(run.state.facts, cache_id="another")
    steps.work()
    run.step()
    assert not steps.tools.claims.is_taken(key)


def test_another_cache_folder_gets_what_was_made_for_the_one_before(steps: Steps) -> None:
    still(steps.media / "a.png", 1)
    folder = steps.watch()
    run = steps.run(folder)
    run.step()
    steps.work()
    run.step()
    assert steps.groups(run) == {"a.png": PROCESSED}
    run = steps.run(folder, cache_dir=str(steps.folder / "another"))
    run.step()
    assert run.state.hold is None
    assert len(steps.tasks()) == 1
    steps.work()
    run.step()
    assert steps.groups(run) == {"a.png": PROCESSED}


def test_what_ends_in_the_cache_folder_of_before_is_made_for_the_new_one(steps: Steps) -> None:
    still(steps.media / "a.png", 1)
    folder = steps.watch()
    steps.run(folder).step()
    steps.work()
    run = steps.run(folder, cache_dir=str(steps.folder / "another"))
    run.step()
    assert steps.groups(run) == {"a.png": PENDING}
    assert len(steps.tasks()) == 1


def test_a_folder_that_lies_elsewhere_now_forgets_the_files_of_before(steps: Steps) -> None:
    for name in ("a", "b"):
        still(steps.media / f"{name}.png", ord(name))
    folder = steps.watch()
    run = steps.run(folder)
    run.step()
    steps.work()
    run.step()
    shutil.rmtree(steps.media)
    other = steps.folder / "other"
    still(other / "c.png", 3)
    run = steps.run(folder, path=str(other), client_path=str(other))
    run.step()
    assert set(steps.groups(run)) == {"c.png"}
    steps.work()
    run.step()
    assert steps.groups(run) == {"c.png": PROCESSED}


def test_a_folder_that_is_not_recursive_any_more_forgets_what_lies_deeper(steps: Steps) -> None:
    still(steps.media / "a.png", 1)
    still(steps.media / "deep" / "b.png", 2)
    folder = steps.watch()
    run = steps.run(folder)
    run.step()
    steps.work()
    run.step()
    run = steps.run(folder, recursive=False)
    run.step()
    run.step()
    assert steps.groups(run) == {"a.png": PROCESSED}


def test_pauses_end_when_the_clock_was_set_back(steps: Steps) -> None:
    table = steps.run(steps.watch()).state.table
    later = 1000.0 + 60
    table.delay("/a", WatchedFile(PENDING, 1, 1, next_try_at=later))
    table.wake_delayed(1000.0)
    assert not table.ready
    table.wake_delayed(1000.0 - 86400)
    assert list(table.ready) == ["/a"]


def test_a_hindrance_is_over_when_no_file_waits_for_its_end(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    (steps.media / "other.braw").write_bytes(b"raw")
    run = steps.run(steps.watch())
    run.step()
    steps.work("The disk is full.", Fault.CACHE)
    run.step()
    assert "full" in run.live().reason
    path.unlink()
    assert run.state.hold
    run.state.hold.until = 0.0
    steps.walk(run)
    run.step()
    assert run.live().reason == ""


def test_a_directory_that_does_not_answer_is_no_fault_of_its_files(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(still(steps.media / "share" / "a.png", 1))
    run = steps.run(steps.watch())
    real = os.stat

    def dead(at: Any, *more: Any, **named: Any) -> os.stat_result:
        if at == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(at, *more, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", dead)
        for _ in range(4):
            run.step()
            for name, file in list(run.state.table.files.items()):
                if file.next_try_at:
                    run.state.table.make_ready(name, replace(file, next_try_at=0.0))
    (file,) = steps.files.all(run.folder.id).values()
    assert (file.group, file.tries) == (PENDING, 0)


def test_a_file_that_is_open_for_writing_is_not_looked_at_all_the_time(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch(polling="always"))
    with path.open("ab"):
        run.step()
        assert run.step() > 0.4
    assert steps.tasks() == []


def test_stills_of_long_ago_are_not_remembered(steps: Steps) -> None:
    state = steps.run(steps.watch()).state
    state.note_shot("/a/x1.png")
    assert state.shots
    next(iter(state.shots.values())).last_at -= 3600
    feeding.settle(state)
    assert not state.shots


def test_a_folder_that_is_forgotten_leaves_nothing_in_redis(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()

    def away(*_: object) -> int:
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(redis.Redis, "unlink", away)
        with pytest.raises(RedisAway):
            steps.files.forget("me", run.folder.id)
    assert run.folder.id in steps.files.facts(), "else nobody would know of its files"
    assert steps.files.forget("me", run.folder.id)
    assert not [key for key in steps.client.scan_iter() if run.folder.id in key]
    assert run.folder.id not in steps.files.facts()


@pytest.mark.logs_errors
@pytest.mark.parametrize("error", [CacheError, ZeroDivisionError])
def test_one_file_that_the_cache_folder_refuses_does_not_hold_up_those_behind_it(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    for name in ("a", "b"):
        still(steps.media / f"{name}.png", ord(name))
    run = steps.run(steps.watch())
    real = Contents.is_made

    def is_made(self: Contents, hash_str: str, path: str, *more: Any) -> bool:
        if path.endswith("a.png"):
            raise error("its folder is closed to us")
        return real(self, hash_str, path, *more)

    monkeypatch.setattr(Contents, "is_made", is_made)
    for _ in range(3):
        run.step()
        if run.state.hold:
            run.state.hold.until = 0.0
        steps.work()
    assert steps.groups(run) == {"a.png": PENDING, "b.png": PROCESSED}


def test_what_was_done_before_the_disk_was_full_does_not_end_the_wait_for_space(
    steps: Steps,
) -> None:
    for name in ("a", "b"):
        make_clip(steps.media / f"{name}.mp4", 1, shots=[((ord(name), 0, 0), 1)])
    run = steps.run(steps.watch())
    run.step()
    first, second = steps.lease(), steps.lease()
    steps.end(first, "The disk is full.", Fault.CACHE)
    steps.end(second)
    run.step()
    assert sorted(steps.groups(run).values()) == [PENDING, PROCESSED]
    assert run.state.is_held()


def test_sound_that_waited_is_skipped_when_speech_is_not_wanted_any_more(steps: Steps) -> None:
    (steps.media / "a.wav").write_bytes(b"RIFF")
    folder = steps.watch(analyze_speech=True)
    run = steps.run(folder)
    steps.situation.is_paused = True
    run.step()
    assert steps.groups(run) == {"a.wav": PENDING}
    steps.situation.is_paused = False
    run = steps.run(folder, analyze_speech=False)
    run.step()
    run.step()
    assert steps.groups(run) == {"a.wav": FileGroup.SKIPPED}


def test_numbered_stills_that_come_for_ever_and_are_no_sequence_have_their_turn(
    steps: Steps,
) -> None:
    state = steps.run(steps.watch(settle_seconds=1.0)).state
    path = str(steps.media / "scan_7.png")
    state.note_shot(path)
    state.note_shot(path)
    state.settle(path, Found(1, 1))
    assert state.may_be_a_frame(path)
    old = replace(state.table.files[path], changed_at=time.time() - 24 * 6 - 1)
    state.table.files[path] = old
    assert not state.may_be_a_frame(path), "24 of them would have been a sequence by now"


def test_a_file_that_became_unsupported_holds_its_content_no_more(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    folder = steps.watch()
    run = steps.run(folder)
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    sorting._report(run.state, str(path), Found(1, 1), FileGroup.UNSUPPORTED, "no decoder")
    assert not steps.tools.claims.is_taken(key)
