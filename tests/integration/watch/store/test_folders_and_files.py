"""What is kept of watch folders: the folders and their files, on a real Redis."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from shared.errors import Missing, RedisAway, SettingsError, Unavailable
from shared.redis.clients import connect
from shared.watch.files import FolderFacts, WatchedFile, WatchedFiles
from shared.watch.folders import Schedule, WatchFolder, WatchFolders, new_folder_id
from shared.watch.live import SoleLease
from shared.watch.options import FileGroup
from tests.support.private_redis import PrivateRedis
from tests.support.system.tiny_disk import tiny_disk

IDS = ("one", "two")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def folders(client: redis.Redis, tmp_path: Path) -> WatchFolders:
    return WatchFolders(client, "default", tmp_path / "state")


@pytest.fixture
def lease(client: redis.Redis) -> SoleLease:
    return SoleLease(client, "default")


@pytest.fixture
def files(client: redis.Redis, lease: SoleLease) -> WatchedFiles:
    """`me` is the active watcher."""
    assert lease.acquire("me", ttl_s=60)
    return WatchedFiles(client, "default")


def folder(name: str = "in", **more: Any) -> WatchFolder:
    return WatchFolder(
        id=new_folder_id(),
        path=f"/{name}",
        client_path=f"/{name}",
        cache_dir="/cache",
        client_cache_dir="/cache",
        **{"created_at": 1.5, **more},
    )


def put(folders: WatchFolders, *new: WatchFolder) -> None:
    with folders.changing() as changes:
        for one in new:
            changes.put(one)


def file(group: FileGroup = FileGroup.PENDING, **more: Any) -> WatchedFile:
    return WatchedFile(group=group, size=7, mtime_ns=8, **more)


# The folders ------------------------------------------------------------------------------------


def test_folders_are_kept_whole_and_listed_from_the_oldest_on(folders: WatchFolders) -> None:
    late = folder("late", created_at=2.0)
    early = folder(
        "früh",
        created_at=1.0,
        language="de",
        excluded_extensions=(".wav",),
        excluded_filename_globs=("a*",),
        schedule=Schedule("20:00", "06:00"),
        real_path="/mnt/früh",
        revision=7,
    )
    put(folders, late, early)
    assert folders.all() == [early, late]
    assert folders.get(early.id) == early
    with folders.changing() as changes:
        assert changes.all() == [early, late]
        assert changes.remove(early.id) == early
    assert folders.all() == [late]
    with pytest.raises(Missing, match=early.id):
        folders.get(early.id)
    with pytest.raises(Missing), folders.changing() as changes:
        changes.remove(early.id)


def test_watching_is_not_wanted_until_it_is_and_every_change_is_noticed(
    folders: WatchFolders,
) -> None:
    assert folders.read() == ([], False)
    seen = [folders.version()]
    for is_wanted in (True, False):
        folders.want(is_wanted)
        assert folders.read()[1] is is_wanted
        seen.append(folders.version())
    put(folders, folder())
    seen.append(folders.version())
    assert seen == sorted(set(seen))


def test_a_change_that_is_broken_off_changes_nothing(folders: WatchFolders) -> None:
    kept = folder()
    put(folders, kept)
    version = folders.version()

    def break_off() -> None:
        with folders.changing() as changes:
            changes.put(folder("other"))
            changes.remove(kept.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert (folders.all(), folders.version()) == ([kept], version)


def test_folders_and_the_wanted_state_come_back_when_redis_came_up_empty(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    with connect(own_redis.url) as client:
        folders = WatchFolders(client, "default", tmp_path / "state")
        kept, deleted = folder("kept"), folder("deleted")
        put(folders, kept, deleted)
        with folders.changing() as changes:
            changes.remove(deleted.id)
        folders.want(True)
        own_redis.stop()
        with pytest.raises(RedisAway):
            folders.read()
        own_redis.start()
        again = WatchFolders(client, "default", tmp_path / "state")
        assert again.get(kept.id) == kept
        assert folders.read() == ([kept], True)
        own_redis.flush()
        put(folders, folder("new", created_at=2.0))  # a change is the first that comes
        assert [one.path for one in folders.all()] == ["/kept", "/new"]
        assert folders.read()[1] is True


def test_the_last_folder_that_goes_stays_gone(folders: WatchFolders, client: redis.Redis) -> None:
    kept = folder()
    put(folders, kept)
    with folders.changing() as changes:
        changes.remove(kept.id)
    client.flushall()
    assert folders.all() == []


def test_instances_do_not_see_each_other(client: redis.Redis, tmp_path: Path) -> None:
    one = WatchFolders(client, "one", tmp_path / "one")
    other = WatchFolders(client, "other", tmp_path / "other")
    put(one, folder())
    one.want(True)
    assert other.read() == ([], False)


def test_a_file_that_cannot_be_read_is_named_and_not_overwritten(
    folders: WatchFolders, client: redis.Redis, tmp_path: Path
) -> None:
    put(folders, folder())
    path = tmp_path / "state" / "watch-folders.json"
    path.write_text("{")
    client.flushall()
    with pytest.raises(SettingsError, match=r"watch folders in .*watch-folders\.json"):
        folders.all()
    with pytest.raises(SettingsError):
        folders.want(True)
    assert path.read_text() == "{"


def test_two_at_once_lose_nothing_of_each_other(redis_url: str, tmp_path: Path) -> None:
    def add(n: int) -> None:
        with connect(redis_url) as client:
            put(WatchFolders(client, "default", tmp_path / "state"), folder(f"{n}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with connect(redis_url) as client:
        folders = WatchFolders(client, "default", tmp_path / "state")
        assert {one.path for one in folders.all()} == {f"/{n}" for n in range(40)}
        client.flushall()
        assert len(folders.all()) == 40, "the file has all of them, too"


def test_who_checks_before_it_adds_is_alone(redis_url: str, tmp_path: Path) -> None:
    start = threading.Barrier(4)

    def add_unless_there(_: int) -> bool:
        with connect(redis_url) as client:
            start.wait()
            with WatchFolders(client, "default", tmp_path / "state").changing() as changes:
                if changes.all():
                    return False
                changes.put(folder())
                return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add_unless_there, range(4))) == [False, False, False, True]


def test_the_file_in_the_state_folder_can_be_read_by_people(
    folders: WatchFolders, tmp_path: Path
) -> None:
    kept = folder("in")
    put(folders, kept)
    folders.want(True)
    raw = msgspec.json.decode((tmp_path / "state" / "watch-folders.json").read_bytes())
    assert raw["version"] == 1
    assert raw["watch_folders"]["service"] is True
    assert raw["watch_folders"][f"folder:{kept.id}"]["path"] == "/in"


# Their files ------------------------------------------------------------------------------------


def test_a_file_is_in_one_group_at_a_time(files: WatchedFiles) -> None:
    for group in FileGroup:
        assert files.write("me", "f", {"/a": file(group, reason="x")})
        counts = files.counts(["f"])["f"]
        assert {name for name, n in counts.items() if n} == {group}
        assert files.page("f", group).files == [("/a", file(group, reason="x"))]
    assert files.write("me", "f", {"/a": None, "/never-there": None})
    assert files.all("f") == {}
    assert set(files.counts(["f"])["f"].values()) == {0}


def test_files_are_kept_whole_by_folder(files: WatchedFiles) -> None:
    whole = file(
        FileGroup.FAILED,
        hash_str="9ae0daaf81f5b2c3",
        reason="Cut off.",
        tries=3,
        next_try_at=5.5,
        task_id="t",
        made="visual:conse",
        is_queued=True,
        is_alone=True,
        changed_at=6.5,
    )
    for folder_id in IDS:
        files.write("me", folder_id, {f"/{folder_id}/ü \n.mov": whole, "/b": file()})
    assert files.all("one") == {"/one/ü \n.mov": whole, "/b": file()}
    assert files.find("one", ["/b", "/two/ü \n.mov", "/one/ü \n.mov"]) == [file(), None, whole]
    assert files.find("one", []) == []
    assert files.counts([]) == {}
    assert files.counts(IDS)["two"][FileGroup.PENDING] == 1
    assert files.forget("me", "one")
    assert (files.all("one"), len(files.all("two"))) == ({}, 2)
    assert set(files.counts(["one"])["one"].values()) == {0}


def test_many_files_are_written_and_paged_in_the_order_of_their_paths(
    files: WatchedFiles,
) -> None:
    names = sorted((f"/in/{n:04}.mov" for n in range(1203)), key=str.encode)
    assert files.write("me", "f", {name: file() for name in reversed(names)})
    assert files.write("me", "f", {"/other": file(FileGroup.SKIPPED)})
    assert len(files.all("f")) == 1204
    seen: list[str] = []
    after: str | None = None
    for expected in (500, 500, 203):
        page = files.page("f", FileGroup.PENDING, after=after, limit=500)
        assert (len(page.files), page.total) == (expected, 1203)
        seen += [path for path, _ in page.files]
        after = page.after
    assert (seen, after) == (names, None)
    exact = files.page("f", FileGroup.PENDING, limit=1203)
    assert (len(exact.files), exact.after) == (1203, None)


def test_a_page_goes_on_after_a_file_that_has_gone(files: WatchedFiles) -> None:
    files.write("me", "f", {f"/{name}": file() for name in "abcd"})
    page = files.page("f", FileGroup.PENDING, limit=2)
    assert page.after == "/b"
    files.write("me", "f", {"/b": file(FileGroup.PROCESSED)})
    rest = files.page("f", FileGroup.PENDING, after=page.after)
    assert [path for path, _ in rest.files] == ["/c", "/d"]


def test_only_the_active_watcher_writes(files: WatchedFiles, lease: SoleLease) -> None:
    assert files.write("me", "f", {"/a": file()})
    assert not files.write("another", "f", {"/a": None, "/b": file()})
    assert not files.forget("another", "f")
    lease.release("me")
    assert not files.write("me", "f", {"/a": file(FileGroup.FAILED)})
    assert lease.acquire("another", ttl_s=60)
    assert not files.write("me", "f", {"/a": None})
    assert files.all("f") == {"/a": file()}


def test_what_is_remembered_of_a_folder_goes_with_it(files: WatchedFiles) -> None:
    facts = FolderFacts(root=(1, 2, 3, "ext4"), cache_id="c", last_scan_at=5.5)
    assert files.facts() == {}
    assert files.note("me", "f", facts)
    assert not files.note("another", "f", FolderFacts())
    assert files.facts() == {"f": facts}
    assert files.forget("me", "f")
    assert files.facts() == {}


def test_what_another_version_wrote_is_as_good_as_unknown(
    files: WatchedFiles, client: redis.Redis
) -> None:
    files.write("me", "f", {"/a": file(), "/b": file(), "/c": file()})
    [name] = client.keys("*watch:files:f")
    client.hset(name, "/a", '["of tomorrow"]')
    client.hset(name, "/b", "{")
    assert files.all("f") == {"/c": file()}
    assert files.find("f", ["/a", "/c"]) == [None, file()]
    page = files.page("f", FileGroup.PENDING)
    assert ([path for path, _ in page.files], page.total) == (["/c"], 3)


def test_a_full_state_dir_refuses_a_change_and_keeps_what_there_was(
    client: redis.Redis, tmp_path: Path
) -> None:
    with tiny_disk(tmp_path / "state", kib=64) as state_dir:
        folders = WatchFolders(client, "test", state_dir)
        folders.want(True)
        (state_dir / "ballast").write_bytes(b"")
        with contextlib.suppress(OSError), (state_dir / "ballast").open("wb") as ballast:
            for _ in range(100):
                ballast.write(b"x" * 4096)
                ballast.flush()
        with pytest.raises(Unavailable, match="cannot be written"):
            folders.want(False)
        assert folders.read()[1], "nothing was changed"
        (state_dir / "ballast").unlink()
        folders.want(False)
        client.flushall()
        assert not folders.read()[1]
