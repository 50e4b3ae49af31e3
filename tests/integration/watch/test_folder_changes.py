"""A folder that was changed by a user: what is known of its files is judged anew."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta

import msgspec
import pytest
import redis

from shared.domain import AnalyzeSpec
from shared.errors import RedisAway
from shared.watch.folders import Schedule
from shared.watch.options import FileGroup
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import Steps

PENDING, PROCESSED = FileGroup.PENDING, FileGroup.PROCESSED


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
    assert run.state.breaker.reason == ""
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


def test_a_folder_that_is_forgotten_leaves_nothing_in_redis(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()

    def away(*_: object) -> int:
        raise RedisAway

    with monkeypatch.context() as patched:
        patched.setattr(redis.Redis, "unlink", away)
        with pytest.raises(RedisAway):
            steps.files.forget("me", run.folder.id)
    assert run.folder.id in steps.files.facts(), "else nobody would know of its files"
    assert steps.files.forget("me", run.folder.id)
    assert not [key for key in steps.client.scan_iter() if run.folder.id in key]
    assert run.folder.id not in steps.files.facts()


def test_sound_that_waited_is_skipped_when_speech_is_not_wanted_any_more(steps: Steps) -> None:
    (steps.media / "a.wav").write_bytes(b"RIFF")
    folder = steps.watch(analyze_speech=True)
    earlier = (datetime.now() + timedelta(hours=n) for n in (-3, -2))
    closed = Schedule(*(moment.strftime("%H:%M") for moment in earlier))
    run = steps.run(folder, schedule=closed)
    run.step()
    assert steps.groups(run) == {"a.wav": PENDING}
    run = steps.run(folder, analyze_speech=False)
    run.step()
    run.step()
    assert steps.groups(run) == {"a.wav": FileGroup.SKIPPED}


def test_another_vocabulary_is_told_with_new_files_and_hears_no_old_one_again(steps: Steps) -> None:
    (steps.media / "a.wav").write_bytes(b"RIFF")
    told = {"analyze_speech": True, "analyze_faces": True, "cluster_job_name": "Cast"}
    folder = steps.watch(**told, vocabulary=("Wren", "wren", "Tarrowby"), speakers=True)
    steps.run(folder).step()
    lease = steps.lease()
    spec = msgspec.json.decode(lease.spec, type=AnalyzeSpec)
    assert (spec.vocabulary, spec.people_of) == (("Wren", "Tarrowby"), "Cast")
    assert spec.speakers is True
    steps.end(lease)
    run = steps.run(folder, vocabulary=("Ada",))
    run.step()
    run.step()
    assert steps.groups(run) == {"a.wav": PROCESSED}
    (steps.media / "b.wav").write_bytes(b"RIFF b")
    steps.walk(run)
    run.step()
    lease = steps.lease()
    assert msgspec.json.decode(lease.spec, type=AnalyzeSpec).vocabulary == ("Ada",)
    steps.end(lease)
    run = steps.run(folder, vocabulary=(), uses_vocabulary=False)
    (steps.media / "c.wav").write_bytes(b"RIFF c")
    steps.walk(run)
    run.step()
    assert msgspec.json.decode(steps.lease().spec, type=AnalyzeSpec).uses_vocabulary is False
