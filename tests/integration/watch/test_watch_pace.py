"""How little a watcher does while nothing happens, however many files it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.models.active_models import active_keys
from shared.settings import Settings
from shared.watch.files import FileGroup, FolderFacts, WatchedFile
from tests.support.waiting import wait_for
from tests.support.watch.farm import Farm
from tests.support.watch.watched import clip, nothing, watched
from workers.watcher.folder_run import FolderRun
from workers.watcher.looking import lookout as lookouts
from workers.watcher.looking.lookout import Lookout
from workers.watcher.table import Table
from workers.watcher.tools import Situation, Tools


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env(
        {"RUSHES_REDIS_URL": "unix:///unused", "RUSHES_STATE_DIR": str(tmp_path / "state")}
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


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


def test_a_polled_folder_in_which_nothing_changed_is_left_alone_for_a_while(
    root: Path, settings: Settings
) -> None:
    clip(root / "a.mov")
    lookout = Lookout(watched(root, polling="always"), settings, nothing)
    assert lookout.look(nothing) is not None
    lookout._next_look = 0.0
    lookout._scanner._fresh.clear()  # what was made just now is looked at twice
    assert lookout.look(nothing) is None
    assert lookout.due_in() > settings.watch_poll_seconds / 2
    lookout.stop()


def test_what_happens_just_after_a_look_is_looked_at_when_its_pause_is_over(
    root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookouts, "_LEAST_PAUSE_S", 100.0)
    lookout = Lookout(watched(root, polling="never"), settings, nothing)
    lookout.look(nothing)
    clip(root / "a.mov")
    wait_for(lambda: lookout.look(nothing), 10, "the first event")
    clip(root / "b.mov")
    wait_for(lambda: lookout.due_in() <= 100, 10, "word of the second event")
    assert lookout.look(nothing) is None
    lookout.stop()


def test_a_walk_that_is_long_in_judging_its_files_comes_less_often(
    root: Path, settings: Settings
) -> None:
    lookout = Lookout(watched(root, polling="always"), settings, nothing)
    lookout.look(nothing)
    lookout._next_look = float("inf")
    lookout.also_took(10)
    assert lookout.due_in() > 900
    lookout.stop()


@pytest.mark.parametrize("polling", ["always", "never"])
@pytest.mark.parametrize("group", [FileGroup.PROCESSED, FileGroup.FAILED])
def test_an_idle_step_looks_at_no_file(
    tmp_path: Path, redis_url: str, settings: Settings, group: FileGroup, polling: str
) -> None:
    farm = Farm(tmp_path, redis_url)
    folder = farm.watch(polling=polling)
    paths = [clip(farm.media / f"{number}.mp4") for number in range(20)]
    assert farm.board.take("me", ttl_s=60)
    situation = Situation(keys=active_keys(farm.client, settings))
    tools = Tools(settings, farm.ledger, farm.bells, farm.files, "me", situation)
    run = FolderRun(folder, tools, FolderFacts(), {})
    made = run.state.signature("a.mp4")
    for path in paths:
        found = path.stat()
        file = WatchedFile(group, found.st_size, found.st_mtime_ns, made=made)
        run.state.table.put(str(path), file)
    run.step()
    run._lookout._scanner._fresh.clear()
    run.state.table.files = touched = Touched(run.state.table.files)
    for _ in range(3):
        run._lookout._next_look = 0.0
        run.step()
    assert touched.times == 0
    assert set(farm.group(folder, group)) == {path.name for path in paths}
    run._lookout.stop()
    farm.close()


def test_copies_that_wait_are_found_by_their_content() -> None:
    table, file = Table(), WatchedFile(FileGroup.PENDING, 1, 1)
    for path in ("/m/a.mp4", "/m/b.mp4"):
        table.park(path, file, ("cache", "hash"))
    table.park("/m/c.mp4", file, ("cache", "other"))
    assert {key: list(paths) for key, paths in table.copies.items()} == {
        ("cache", "hash"): ["/m/a.mp4", "/m/b.mp4"],
        ("cache", "other"): ["/m/c.mp4"],
    }
    table.make_ready("/m/a.mp4", file)
    table.forget("/m/c.mp4")
    assert list(table.copies) == [("cache", "hash")]
    assert list(table.parked) == ["/m/b.mp4"]


def test_who_reads_many_files_may_do_something_in_between(tmp_path: Path, redis_url: str) -> None:
    farm = Farm(tmp_path, redis_url)
    file = WatchedFile(FileGroup.PROCESSED, 1, 1)
    assert farm.board.take("me", ttl_s=60)
    assert farm.files.write("me", "folder", {f"/m/{n}.mp4": file for n in range(2000)})
    calls: list[int] = []
    assert len(farm.files.all("folder", lambda: calls.append(1))) == 2000
    assert len(calls) >= 4
    farm.close()
