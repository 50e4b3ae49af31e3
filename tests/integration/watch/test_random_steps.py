"""Chance decides what happens between steps: no file is ever lost, no content held for nobody."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest

from shared.domain import Fault, ModelKind
from shared.errors import RedisAway
from shared.ledger.ledger import Ledger
from shared.ledger.left_out import LeftOutMark
from shared.ledger.records import Lease
from shared.watch.files import RetryRequest, WatchedFiles
from shared.watch.folders import WatchFolder
from shared.watch.options import FileGroup
from tests.support.running.long_form import by_form
from tests.support.watch.stepping import KEYS, Steps
from workers.watcher.context import ContentLocks
from workers.watcher.folder.file_table import ContentKey, FilePhase
from workers.watcher.folder.watcher import FolderWatcher

NAMES = [f"{letter}.png" for letter in "abcdefgh"] + ["deep/i.png", "deep/j.mp4"]
FAULTS = [None, None, None, *Fault]


class NotedLocks(ContentLocks):
    """Notes on whose behalf each content was locked last."""

    def __init__(self) -> None:
        super().__init__()
        self._noted: dict[ContentKey, tuple[str, str]] = {}

    def acquire(self, key: ContentKey, folder_id: str, path: str) -> bool:
        is_acquired = super().acquire(key, folder_id, path)
        if is_acquired:
            self._noted[key] = folder_id, path
        return is_acquired

    def holders(self) -> list[tuple[str, str]]:
        """Ids of folders, and paths, on whose behalf a content is locked now."""
        return [owner for key, owner in self._noted.items() if self.is_held(key)]


class Chance:
    """Two folders with copies of each other's files, and all that may happen to them."""

    def __init__(self, steps: Steps, seed: int) -> None:
        self.steps = steps
        self.locks = NotedLocks()
        steps.context = dataclasses.replace(steps.context, content_locks=self.locks)
        self.random = random.Random(seed)
        self.roots = [steps.media, steps.folder / "other"]
        self.roots[1].mkdir()
        self.runs = [steps.run(steps.watch(root)) for root in self.roots]
        self.leases: list[Lease] = []

    def happen(self) -> None:
        kinds = [self.write] * 4 + [self.delete, self.move, self.restart, self.change, self.switch]
        kinds += [self.lease, self.lease, self.end, self.end, self.pause, self.retry, self.wait]
        kinds += [self.root_goes, self.cache_goes, self.stop, self.lose_task]
        kinds += [self.leave_out, self.take_again]
        self.random.choice(kinds)()

    def write(self) -> None:
        path = self.path()
        if path.parent.parent.exists() and not self.away(path).exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"%d" % self.random.randrange(6))

    def delete(self) -> None:
        self.path().unlink(missing_ok=True)

    def move(self) -> None:
        source, target = self.path(), self.path()
        if source.exists() and target.parent.exists() and not self.away(target).exists():
            source.rename(target)

    def restart(self) -> None:
        n = self.random.randrange(2)
        self.runs[n] = self.steps.run(self.runs[n].folder)

    def change(self) -> None:
        n = self.random.randrange(2)
        other = {
            "recursive": self.random.random() < 0.7,
            "excluded_filename_globs": self.random.choice([(), (), ("a*",)]),
            "cache_dir": str(self.steps.folder / self.random.choice(["cache", "cache", "second"])),
        }
        self.runs[n] = self.steps.run(self.runs[n].folder, **other)

    def switch(self) -> None:
        model = self.random.choice(["eyes", "better eyes"])
        self.steps.conditions.keys = {**KEYS, ModelKind.VISUAL: model}

    def lease(self) -> None:
        with contextlib.suppress(StopIteration):
            self.leases.append(self.steps.lease())

    def end(self) -> None:
        if self.leases:
            lease = self.leases.pop(self.random.randrange(len(self.leases)))
            fault = self.random.choice(FAULTS)
            with contextlib.suppress(TypeError):  # Redis has lost it
                self.steps.end(lease, fault and f"It is {fault}.", fault or Fault.FILE)

    def step(self, run: FolderWatcher) -> None:
        """Redis may go away in the middle, before or after it has done what it was asked."""
        if self.random.random() < 0.85:
            self.steps.walk(run) if self.random.random() < 0.5 else run.step()
            return
        kind, name = self.random.choice(
            [
                (WatchedFiles, "write"),
                (WatchedFiles, "note"),
                (Ledger, "submit"),
                (Ledger, "record"),
            ]
        )
        real, is_done = getattr(kind, name), self.random.random() < 0.5

        def away(*words: Any) -> None:
            if is_done:
                real(*words)
            raise RedisAway

        with pytest.MonkeyPatch.context() as patched, contextlib.suppress(RedisAway):
            patched.setattr(kind, name, away)
            self.steps.walk(run)

    def pause(self) -> None:
        self.steps.conditions.is_paused = self.random.random() < 0.3

    def retry(self) -> None:
        run = self.random.choice(self.runs)
        run.retry(RetryRequest(folder_id=run.folder.id))

    def wait(self) -> None:
        for run in self.runs:
            self.steps.end_breaker_pause(run)

    def root_goes(self) -> None:
        root = self.random.choice(self.roots)
        if self.away(root).exists():
            root.rmdir() if root.exists() else None
            self.away(root).rename(root)
        else:
            root.rename(self.away(root))
            if self.random.random() < 0.5:
                root.mkdir()

    def cache_goes(self) -> None:
        cache, away = self.steps.folder / "cache", self.steps.folder / "cache-away"
        if away.exists() and not cache.exists():
            away.rename(cache)
        elif cache.exists() and not away.exists():
            cache.rename(away)

    def leave_out(self) -> None:
        run = self.random.choice(self.runs)
        marks = {str(self.path()): LeftOutMark(at=1.0, by="Ada")}
        self.steps.left_out.mark(run.folder.cache_dir, marks)

    def take_again(self) -> None:
        for run in self.runs:
            paths = self.steps.left_out.all(run.folder.cache_dir)
            self.steps.left_out.take_back(run.folder.cache_dir, paths)

    def stop(self) -> None:
        if tasks := self.steps.tasks():
            self.steps.ledger.stop(self.random.choice(tasks))

    def lose_task(self) -> None:
        if tasks := self.steps.tasks():
            task_id = self.random.choice(tasks)
            self.steps.client.srem("rushes:stepping:active", task_id)
            self.steps.client.delete(*self.steps.client.scan_iter(f"*{task_id}*"))

    def path(self) -> Path:
        return self.random.choice(self.roots) / self.random.choice(NAMES)

    def away(self, path: Path) -> Path:
        root = next(root for root in self.roots if path == root or root in path.parents)
        return root.with_name(f"{root.name}-away")

    def mend(self) -> None:
        """All is there again, and workers do all they are given."""
        self.steps.conditions.is_paused = False
        self.take_again()
        for root in self.roots:
            if self.away(root).exists():
                self.root_goes_back(root)
        if not (self.steps.folder / "cache").exists():
            self.cache_goes()
        while self.leases:
            lease = self.leases.pop()
            with contextlib.suppress(TypeError):
                self.steps.end(lease)
        for _ in range(14):
            self.wait()
            self.retry_all()
            for run in self.runs:
                self.steps.walk(run)
                check(run, self.locks)
            self.steps.work()

    def root_goes_back(self, root: Path) -> None:
        if root.exists():
            root.rmdir()
        self.away(root).rename(root)

    def retry_all(self) -> None:
        for run in self.runs:
            run.retry(RetryRequest(folder_id=run.folder.id))


def check(run: FolderWatcher, locks: NotedLocks) -> None:
    """A pending file waits in exactly one place, and what locks a content has a use for it."""
    table = run.state.table
    for path, file in table.files.items():
        places = {
            FilePhase.SETTLING: path in table.settling,
            FilePhase.READY: path in table.ready,
            FilePhase.DUPLICATE: any(path in paths for paths in table.duplicates.values()),
            FilePhase.QUEUED: any(path in paths for paths in table.queued.values()),
        }
        phase = table.phase(path)
        assert [place for place, is_there in places.items() if is_there] == (
            [phase] if phase in places else []
        ), (path, file, phase)
        if phase is FilePhase.DELAYED:  # else what was put into the heap may lie there still
            assert (file.next_try_at, path) in table._delayed, (path, file)
        if run.scheduler.has_walked:  # else the next walk takes up what an earlier run has left
            assert phase is not FilePhase.LEFT_OVER, (path, file)
    for folder_id, path in locks.holders():
        if folder_id == run.folder.id:
            assert path in table.ready or table.files[path].is_queued, (path, table.files.get(path))
    assert run.state.gone <= table.files.keys()


def known(folder: WatchFolder, root: Path) -> set[str]:
    """What must be known in the end."""
    found = [path for path in root.rglob("*") if path.is_file()]
    if not folder.recursive:
        found = [path for path in found if path.parent == root]
    is_excluded = bool(folder.excluded_filename_globs)
    return {str(path) for path in found if not (is_excluded and path.name.startswith("a"))}


@pytest.mark.parametrize("seed", range(by_form(short=6, long=12)))
def test_whatever_happens_every_file_is_done_in_the_end(steps: Steps, seed: int) -> None:
    chance = Chance(steps, seed)
    for _ in range(120):
        chance.happen()
        for run in chance.runs:
            if chance.random.random() < 0.5:
                chance.step(run)
                check(run, chance.locks)
    chance.mend()
    for run, root in zip(chance.runs, chance.roots, strict=True):
        files = run.state.table.files
        story: Any = (run.live(), files)
        assert set(files) == known(run.folder, root), story
        ends = {FileGroup.PROCESSED, FileGroup.UNSUPPORTED}  # the latter by a worker, for good
        assert {file.group for file in files.values()} <= ends, story
        assert steps.files.all(run.folder.id) == files
    assert not chance.locks.holders()
    assert steps.tasks() == []
