"""How little a watcher does while nothing happens, however many files it knows."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.ledger.left_out import LeftOut
from shared.media import MediaType
from shared.models.model_catalogue import active_keys
from shared.settings import Settings
from shared.watch.files import FolderFacts, WatchedFile
from shared.watch.options import FileGroup
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import IngestStack
from tests.support.watch.watched import clip, nothing, watched
from workers.watcher.context import Conditions, WatcherContext
from workers.watcher.folder.file_table import FileTable
from workers.watcher.folder.state import AnalysisProfile
from workers.watcher.folder.watcher import FolderWatcher
from workers.watcher.scan import scanner
from workers.watcher.scan.scanner import ScanScheduler

LONG_AGO = 1_700_000_000  # what was made just now is looked at twice


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env(
        {"RUSHES_REDIS_URL": "unix:///unused", "RUSHES_STATE_DIR": str(tmp_path / "state")}
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def known(path: Path, group: FileGroup, made: str) -> WatchedFile:
    found = path.stat()
    return WatchedFile(group, found.st_size, found.st_mtime_ns, made=made)


class Touched(dict[str, WatchedFile]):
    """Counts how often somebody looks into it."""

    times = 0

    def __getitem__(self, path: str) -> WatchedFile:
        self.times += 1
        return super().__getitem__(path)

    def __iter__(self) -> Any:
        self.times += 1
        return super().__iter__()

    def get(self, *path: Any) -> Any:
        self.times += 1
        return super().get(*path)

    def items(self) -> Any:
        self.times += 1
        return super().items()

    def values(self) -> Any:
        self.times += 1
        return super().values()


def pass_poll_pause(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Let a scheduler's next look be due, and no walk."""
    earlier, pause_s = scanner.time.monotonic, settings.watch_poll_seconds
    later = SimpleNamespace(monotonic=lambda: earlier() + pause_s)
    monkeypatch.setattr(scanner, "time", later)


def test_a_polled_folder_in_which_nothing_changed_is_left_alone_for_a_while(
    root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(root / "a.mov")
    os.utime(root, (LONG_AGO, LONG_AGO))
    scheduler = ScanScheduler(watched(root, polling="always"), settings, nothing)
    assert scheduler.look(nothing) is not None
    pass_poll_pause(monkeypatch, settings)
    assert scheduler.due_in() == 0
    assert scheduler.look(nothing) is None
    assert scheduler.due_in() > settings.watch_poll_seconds / 2
    scheduler.stop()


def test_what_happens_just_after_a_look_is_looked_at_when_its_pause_is_over(
    root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "_LEAST_PAUSE_S", 100.0)
    scheduler = ScanScheduler(watched(root, polling="never"), settings, nothing)
    scheduler.look(nothing)
    clip(root / "a.mov")
    wait_for(lambda: scheduler.look(nothing), 10, "the first event")
    clip(root / "b.mov")
    wait_for(lambda: scheduler.due_in() <= 100, 10, "word of the second event")
    assert scheduler.look(nothing) is None
    scheduler.stop()


def test_a_walk_that_is_long_in_judging_its_files_comes_less_often(
    root: Path, settings: Settings
) -> None:
    scheduler = ScanScheduler(watched(root, polling="never"), settings, nothing)
    scheduler.look(nothing)
    due_in = scheduler.due_in()
    scheduler.count_work(10)
    assert scheduler.due_in() > due_in + 900
    scheduler.stop()


@pytest.mark.parametrize("polling", ["always", "never"])
@pytest.mark.parametrize("group", [FileGroup.PROCESSED, FileGroup.FAILED])
def test_an_idle_step_looks_at_no_file(
    tmp_path: Path,
    redis_url: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    group: FileGroup,
    polling: str,
) -> None:
    ingest = IngestStack(tmp_path, redis_url)
    folder = ingest.watch(polling=polling)
    paths = [clip(ingest.media / f"{number}.mp4") for number in range(20)]
    assert ingest.watcher_lease.acquire("me", ttl_s=60)
    os.utime(ingest.media, (LONG_AGO, LONG_AGO))
    conditions = Conditions(keys=active_keys(ingest.client, settings))
    left_out = LeftOut(ingest.client, settings.instance, str)
    context = WatcherContext(
        settings, ingest.ledger, ingest.jobs, ingest.files, "me", conditions, left_out
    )
    profile = AnalysisProfile.of(folder, conditions.keys, settings.audio_streams)
    made = profile.signature(MediaType.VIDEO)
    files = {str(path): known(path, group, made) for path in paths}
    assert ingest.files.write("me", folder.id, files)
    run = FolderWatcher(folder, context, FolderFacts(), files)
    run.step()
    run.state.table.files = touched = Touched(run.state.table.files)
    for _ in range(3):
        pass_poll_pause(monkeypatch, settings)
        run.step()
    assert touched.times == 0
    assert set(ingest.group(folder, group)) == {path.name for path in paths}
    run.scheduler.stop()
    ingest.close()


def test_copies_that_wait_are_found_by_their_content() -> None:
    table, file = FileTable(), WatchedFile(FileGroup.PENDING, 1, 1)
    for path in ("/m/a.mp4", "/m/b.mp4", "/m/c.mp4"):
        table.settle(path, file, 0.0)
        table.make_ready(path, file)
        table.hold_duplicate(path, file, ("cache", "other" if path == "/m/c.mp4" else "hash"))
    assert {key: list(paths) for key, paths in table.duplicates.items()} == {
        ("cache", "hash"): ["/m/a.mp4", "/m/b.mp4"],
        ("cache", "other"): ["/m/c.mp4"],
    }
    table.make_ready("/m/a.mp4", file)
    table.forget("/m/c.mp4")
    assert {key: list(paths) for key, paths in table.duplicates.items()} == {
        ("cache", "hash"): ["/m/b.mp4"]
    }


def test_who_reads_many_files_may_do_something_in_between(tmp_path: Path, redis_url: str) -> None:
    ingest = IngestStack(tmp_path, redis_url)
    file = WatchedFile(FileGroup.PROCESSED, 1, 1)
    assert ingest.watcher_lease.acquire("me", ttl_s=60)
    assert ingest.files.write("me", "folder", {f"/m/{n}.mp4": file for n in range(2000)})
    calls: list[int] = []
    assert len(ingest.files.all("folder", lambda: calls.append(1))) == 2000
    assert len(calls) >= 4
    ingest.close()
