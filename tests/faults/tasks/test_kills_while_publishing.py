"""A worker that is killed between any two steps of publishing stills together, and the next one."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, Catalogue, FollowState, Seen
from shared.domain import AnalyzeSpec, FileSpec, Manifest, ProgressType, Stage
from shared.errors import CacheError
from shared.media import HashCache, MediaType, hash_media
from shared.opening import OpenedFolder, RootedPath
from tests.support.analysis.bare_context import EndedParts, bare_context
from tests.support.media.media import make_still
from tests.support.system.tiny_disk import tiny_disk
from workers.analysis.analyzed_file import AnalysisStep, AnalyzedFile, publish_together

STILLS = 3
ROWS = {Stage.FRAMES: b"frames", Stage.FACES: b"faces"}
# What publishing does to a disk, each a step that a kill may come before.
STEPS: list[tuple[Any, str]] = [
    (OpenedFolder, "create"),
    (OpenedFolder, "rename"),
    (OpenedFolder, "sync"),
    (cache_files, "sync"),
    (Catalogue, "append"),
]


class Stills:
    """An Item of stills whose pictures were decoded, and wait to be published."""

    def __init__(self, folder: Path) -> None:
        self.paths = [
            make_still(folder / f"{n}.png", colour=(70 * n, 9, 80)) for n in range(STILLS)
        ]
        self.folder = folder
        self.cache = CacheDir.open(folder / "cache", create=True)
        self.spec = AnalyzeSpec(
            cache_dir=str(folder / "cache"),
            files=tuple(
                FileSpec(str(path), str(path), MediaType.IMAGE, (ProgressType.VIDEO,))
                for path in self.paths
            ),
        )
        self.hashes = []
        for path in self.paths:
            with (RootedPath.alone(folder) / path.name).open() as file:
                self.hashes.append(hash_media(file))

    def publish(self, *, token: int = 1) -> None:
        """As a worker does: what is there is kept, the rest made and published together."""
        context = bare_context(self.folder, EndedParts())
        context.bench.hashes = HashCache()
        context.lease.token = token
        context.lease.writer = f"0a1b2c3d4e5f-0-{token}"
        context.bench.ledger = SimpleNamespace(
            is_over=lambda writer: not writer.endswith(str(token))
        )
        files = [AnalyzedFile(context, self.cache, self.spec, n) for n in range(STILLS)]
        with ExitStack() as at_end:
            for file in files:
                at_end.callback(file.close)
                at_end.callback(file.drop)
                file.find()
                missing = [stage for stage in ROWS if file.published(stage) is None]
                if missing:
                    make(file, missing)
                else:
                    file.keep()
            publish_together([file for file in files if file.step is AnalysisStep.DECODED])

    def check_whole_or_absent(self) -> None:
        for hash_str in self.hashes:
            for stage, rows in ROWS.items():
                manifest = self.cache.manifest(hash_str, stage)
                assert manifest is None or self.data(hash_str, manifest) == rows

    def check_all_there(self) -> None:
        for hash_str, path in zip(self.hashes, self.paths, strict=True):
            for stage, rows in ROWS.items():
                manifest = self.cache.manifest(hash_str, stage)
                assert manifest is not None
                assert self.data(hash_str, manifest) == rows
            seen = self.cache.last_seen(hash_str, str(path))
            assert seen is not None
        assert not list(self.cache.root.path.rglob("*.tmp"))

    def data(self, hash_str: str, manifest: Manifest) -> bytes:
        assert self.cache.has_data(hash_str, manifest)
        return self.cache.data_path(hash_str, manifest).path.read_bytes()


def make(file: AnalyzedFile, stages: list[Stage]) -> None:
    with ExitStack() as drafts:
        publishers: list[Callable[[], object]] = []
        for stage in stages:
            draft = drafts.enter_context(file.draft(stage, "", "pack"))
            draft.file.write(ROWS[stage])
            publishers.append(lambda draft=draft: draft.publish(rows=1, task_id="t"))
        file.decoded(publishers, drafts.pop_all(), [ProgressType.VIDEO])  # type: ignore[arg-type]


@contextmanager
def before_step(number: int, action: Callable[[], None]) -> Iterator[None]:
    """Call an action before the step of that number, whichever thread comes to it."""
    steps = itertools.count(1)

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **named: Any) -> Any:
            if next(steps) == number:
                action()
            return original(*given, **named)

        return step

    with ExitStack() as patches:
        for owner, name in STEPS:
            original = getattr(owner, name)
            patches.enter_context(patch.object(owner, name, counted(original)))
        yield


def by_step(folder: Path) -> Iterator[tuple[int, Stills]]:
    """Numbers of steps, each with stills of its own."""
    for number in itertools.count(1):
        own = folder / str(number)
        own.mkdir()
        yield number, Stills(own)


def in_child(work: Callable[[], None]) -> int:
    """Do it in a process of its own; how that ended, as of os.waitstatus_to_exitcode."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1 if sys.exc_info()[0] else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk in memory: what a process has written outlives it there as well, synced or not."""
    with tiny_disk(tmp_path / "disk", kib=64 << 10) as disk:
        yield disk


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_before_any_step_leaves_each_artefact_whole_or_absent_and_the_next_try_completes(
    disk: Path,
) -> None:
    for number, stills in by_step(disk):

        def killed(stills: Stills = stills, number: int = number) -> None:
            with before_step(number, kill):
                stills.publish()

        ended = in_child(killed)
        stills.check_whole_or_absent()
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        assert in_child(lambda stills=stills: stills.publish(token=2)) == 0  # type: ignore[misc]
        stills.check_all_there()
        announced = stills.cache.catalogue.follow(FollowState()).entries
        artefacts = {(e.hash_str, e.stage) for e in announced if isinstance(e, Artefact)}
        assert artefacts == set(itertools.product(stills.hashes, ROWS)), number
        seen = {(e.hash_str, e.path) for e in announced if isinstance(e, Seen)}
        assert seen == set(zip(stills.hashes, map(str, stills.paths), strict=True)), number
    assert number > 30, "files, syncs, renames and a line of the catalogue"


def test_a_disk_that_fails_at_any_step_leaves_each_artefact_whole_or_absent_and_no_rest(
    disk: Path,
) -> None:
    for number, stills in by_step(disk):
        failed: list[int] = []

        def fail(failed: list[int] = failed, number: int = number) -> None:
            failed.append(number)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with before_step(number, fail), suppress(CacheError):
            stills.publish()
        stills.check_whole_or_absent()
        assert not list(stills.cache.root.path.rglob("*.tmp"))
        if not failed:
            break
        named = {
            name
            for hash_str in stills.hashes
            for m in stills.cache.manifests(hash_str)
            for name in [m.file]
        }
        data = {path.name for path in stills.cache.root.path.glob("media/*/*/*.pack")}
        assert data == named, "data without a manifest is removed"
        stills.publish()
        stills.check_all_there()
    assert number > 30


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(4096)):
            pass


def test_a_full_disk_fails_a_group_of_stills_clearly_and_shows_none_of_them(
    tmp_path: Path,
) -> None:
    stills_folder = tmp_path / "stills"
    stills_folder.mkdir()
    with tiny_disk(tmp_path / "stills" / "cache", kib=256) as disk:
        stills = Stills(stills_folder)
        fill(disk / "filler")
        with pytest.raises(CacheError, match="is full"):
            stills.publish()
        assert not any(stills.cache.manifests(hash_str) for hash_str in stills.hashes)
        (disk / "filler").unlink()
        stills.publish()
        stills.check_all_there()
