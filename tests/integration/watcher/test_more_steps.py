"""What comes in between: files, wishes and places that change while workers have the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.domain import Fault
from shared.models import ModelKind
from shared.watched_files import FileGroup
from tests.farm import still
from tests.stepping import KEYS, Steps

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
