"""What is before an analysis, which files wait for one, and which are left out of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.browsing.estimate_routes import line_before
from api.folders import Folders
from api.search.coverage.in_line import files_in_line
from shared.domain import ProgressType, TaskKind
from shared.ledger.left_out import LeftOut, LeftOutMark
from shared.ledger.task_lists import TaskLists
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.watch.files import WatchedFile, WatchedFiles
from shared.watch.folders import WatchFolder
from shared.watch.live import SoleLease
from shared.watch.options import FileGroup
from tests.integration.ledger.ledger_world import INSTANCE, World

CACHE = "/cache"
MORE = 210  # tasks that came later


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def test_an_analysis_is_before_another_whatever_else_came_since(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ledger.submit(world.task(), "queue")
    world.ledger.submit(world.task(), "queue")
    for _ in range(MORE):
        world.ledger.submit(world.task(kind=TaskKind.EXPORT), "queue")
    beat = heartbeats.Heartbeat
    monkeypatch.setattr(heartbeats, "live", lambda *_: [beat])
    services = SimpleNamespace(
        redis=world.redis,
        settings=SimpleNamespace(instance=INSTANCE),
        ledger=world.ledger,
        task_lists=TaskLists(world.redis, INSTANCE, world.ledger),
    )
    line = line_before(cast(Any, services))
    assert (line.workers, line.words) == (1, "Another analysis runs; 1 more wait.")


@pytest.mark.parametrize(("is_wanted", "waiting"), [(True, {"/in/a.mov": "waiting"}), (False, {})])
def test_files_of_a_watch_folder_wait_for_the_faces_that_it_wants(
    world: World, is_wanted: bool, waiting: dict[str, str]
) -> None:
    watched, lease = WatchedFiles(world.redis, INSTANCE), SoleLease(world.redis, INSTANCE)
    assert lease.acquire("token", ttl_s=60)
    file = WatchedFile(group=FileGroup.PENDING, size=7, mtime_ns=7)
    assert watched.write("token", "f", {"/in/a.mov": file})
    folder = WatchFolder(
        id="f",
        path="/in",
        client_path="/in",
        cache_dir=CACHE,
        client_cache_dir=CACHE,
        analyze_visual=not is_wanted,
        analyze_faces=is_wanted,
        created_at=1.0,
    )
    folders = Folders()
    services = SimpleNamespace(
        redis=world.redis,
        settings=SimpleNamespace(instance=INSTANCE),
        folders=folders,
        paths=SimpleNamespace(is_of_key=lambda _: True),
        watch_folders=SimpleNamespace(read=lambda: ([folder], True)),
        watched_files=watched,
        watch_lease=lease,
        watch_live=SimpleNamespace(read=lambda: None),
    )
    found = files_in_line(cast(Any, services), CACHE, ProgressType.FACES)
    assert {path: standing.state for path, standing in found.items()} == waiting
    folders.close()


def test_marks_are_asked_for_by_path_where_there_are_many(world: World) -> None:
    left_out, mark = LeftOut(world.redis, INSTANCE, str), LeftOutMark(1.0, "Ann")
    marked = unicodedata.normalize("NFD", "/in/é.mov")
    left_out.mark(CACHE, {marked: mark, **{f"/in/{n}.mov": mark for n in range(20)}})
    asked = [unicodedata.normalize("NFC", marked), "/in/3.mov", "/in/other.mov"]
    assert left_out.of(CACHE, asked) == {asked[0]: mark, "/in/3.mov": mark}
    assert left_out.of("/none", asked) == {}
