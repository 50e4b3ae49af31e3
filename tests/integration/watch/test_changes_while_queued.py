"""Files, and what is wanted of them, change while workers have them."""

from __future__ import annotations

from shared.domain import ModelKind
from shared.watch.options import FileGroup
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import KEYS, Steps

PENDING, PROCESSED = FileGroup.PENDING, FileGroup.PROCESSED


def test_what_was_made_by_a_model_that_is_active_no_more_is_not_all_that_is_wanted(
    steps: Steps,
) -> None:
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    lease = steps.lease()
    steps.conditions.keys = {**KEYS, ModelKind.VISUAL: "better eyes"}
    run.step()
    steps.end(lease)
    run.step()
    assert steps.groups(run) == {"a.png": PENDING}
    assert steps.work() == 1, "with the model that is active now"
    run.step()
    assert steps.groups(run) == {"a.png": PROCESSED}


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
