"""What people leave out is skipped by its watch folder, and taken again when they say so."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from shared.ledger.left_out import LeftOutMark
from shared.watch.options import FileGroup
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import Steps
from workers.watcher.folder.state import PAUSES_S
from workers.watcher.folder.watcher import FolderWatcher

MARK = LeftOutMark(at=1.0, by="Ada", reason="It is cut off.")
SKIPPED, PROCESSED, PENDING = FileGroup.SKIPPED, FileGroup.PROCESSED, FileGroup.PENDING


def leave_out(steps: Steps, run: FolderWatcher, path: Path) -> None:
    assert steps.left_out.mark(run.folder.cache_dir, {str(path): MARK}) == 1
    run.step()


def take_again(steps: Steps, run: FolderWatcher, path: Path) -> None:
    assert steps.left_out.take_back(run.folder.cache_dir, [str(path)]) == 1
    run.step()


def test_a_failed_file_is_skipped_says_who_did_it_and_is_taken_again(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    for _ in (*PAUSES_S, 0):
        run.step()
        steps.work(error="It is cut off.")
        run.step()
        run.state.table.wake_delayed(run.state.table.files[str(path)].next_try_at)
    assert steps.groups(run) == {"a.png": FileGroup.FAILED}
    leave_out(steps, run, path)
    file = steps.file(run, "a.png")
    assert file
    assert (file.group, file.reason) == (SKIPPED, "Ada has left it out. It is cut off.")
    steps.walk(run)
    assert steps.tasks() == []
    take_again(steps, run, path)
    assert steps.groups(run) == {"a.png": PENDING}
    run.step()
    assert len(steps.tasks()) == 1


def test_what_is_left_out_before_it_comes_or_changes_is_never_tried(steps: Steps) -> None:
    path = steps.media / "a.png"
    run = steps.run(steps.watch())
    leave_out(steps, run, path)
    still(path, 1)
    steps.walk(run)
    still(path, 2)
    steps.walk(run)
    assert steps.groups(run) == {"a.png": SKIPPED}
    assert steps.tasks() == []
    again = steps.run(run.folder)  # another watcher
    steps.walk(again)
    assert steps.groups(again) == {"a.png": SKIPPED}
    take_again(steps, again, path)
    again.step()
    assert len(steps.tasks()) == 1


def test_a_file_that_a_worker_has_is_skipped_once_that_has_ended(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    leave_out(steps, run, path)
    assert steps.groups(run) == {"a.png": PENDING}
    steps.work(error="It is cut off.")
    run.step()
    run.step()
    assert steps.groups(run) == {"a.png": SKIPPED}


def test_what_is_taken_again_while_no_watcher_runs_is_tried(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    leave_out(steps, run, path)
    assert steps.groups(run) == {"a.png": SKIPPED}
    steps.left_out.take_back(run.folder.cache_dir, [str(path)])
    again = steps.run(run.folder)
    again.step()
    again.step()
    assert len(steps.tasks()) == 1


def test_whatever_form_the_mark_has_and_a_sequence_stays_as_it_is(steps: Steps) -> None:
    path = still(steps.media / unicodedata.normalize("NFD", "Zoë.png"), 1)
    stills = [still(steps.media / f"shot.{n:04}.png", n) for n in range(1001, 1031)]
    run = steps.run(steps.watch(image_sequences="skip"))
    steps.walk(run)
    [sequence] = [Path(p) for p, f in steps.files.all(run.folder.id).items() if f.is_sequence]
    assert len(stills) == 30
    for name in (unicodedata.normalize("NFC", str(path)), str(sequence)):
        steps.left_out.mark(run.folder.cache_dir, {name: MARK})
    run.step()
    for _ in range(2):
        steps.work(error="It is cut off.")
        run.step()
    assert steps.groups(run)[path.name] == SKIPPED
    before = steps.file(run, sequence.name)
    take_again(steps, run, Path(unicodedata.normalize("NFC", str(path))))
    take_again(steps, run, sequence)
    assert steps.groups(run)[path.name] == PENDING
    assert steps.file(run, sequence.name) == before


def test_marks_are_found_whatever_the_cache_folder_is_called(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    link = steps.folder / "link"
    link.symlink_to(run.folder.cache_dir)
    Path(run.folder.cache_dir).mkdir()
    assert steps.left_out.mark(str(link), {str(path): MARK}) == 1
    run.step()
    assert steps.groups(run) == {"a.png": SKIPPED}
    assert steps.tasks() == []
