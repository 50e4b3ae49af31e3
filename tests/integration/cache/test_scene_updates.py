"""`rushes scenes` adds cuts to footage that an earlier version analyzed, and takes them back."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from api.cache.caches import Caches
from api.deleting import deletions
from shared.cache import cache_files, cache_tidying, scene_updates
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, FollowState
from shared.cache.frame_packs import PackReader
from shared.domain import (
    SCENES_BY,
    AnalyzeSpec,
    Manifest,
    ProgressType,
    Scene,
    Stage,
    TaskKind,
    TaskState,
)
from shared.ledger.records import SCENES, ItemFile, ItemJob, NewItem, NewTask
from shared.opening import OpenedFolder
from shared.settings import Settings
from tests.support.analysis.desk import Desk, shared_desk
from tests.support.cli.local_command import rushes
from tests.support.media.media import RGB
from tests.support.search.search_data import MODEL, media_hash, publish
from workers.media.pictures import encode_rgb

TRUE = (Scene(0, 3), Scene(3, 5))


def scenery(seed: int) -> RGB:
    """A frame with structure and colours of its own."""
    blocks = np.random.default_rng(seed).integers(0, 255, (9, 16, 3)).astype(np.uint8)
    return np.repeat(np.repeat(blocks, 20, axis=0), 20, axis=1)


def analyze(cache: CacheDir, number: int, path: Path, scenes: tuple[Scene, ...]) -> Manifest:
    """Publish frames with a cut at 3 s as an earlier version did, which found these scenes."""
    pictures = [encode_rgb(scenery(1 if second < 3 else 2)) for second in range(5)]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"video")
    publish(cache, media_hash(number), np.ones((5, 2)), pictures=pictures, path=path)
    path.unlink()  # no media are needed
    return age(cache, media_hash(number), scenes)


def age(cache: CacheDir, hash_str: str, scenes: tuple[Scene, ...] = TRUE) -> Manifest:
    """Make the frames those of an earlier version."""
    old = msgspec.structs.replace(frames(cache, hash_str), scenes=scenes, scenes_by=0, made_at=1.0)
    with cache_files.folder(cache.media_dir(hash_str)) as folder:
        name = cache_files.manifest_name(Stage.FRAMES, "")
        cache_files.write_atomically(folder, name, msgspec.json.encode(old), "age")
    return old


def frames(cache: CacheDir, hash_str: str) -> Manifest:
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    assert manifest is not None
    return manifest


def test_a_refresh_shows_what_it_would_add_adds_it_and_is_undone(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    paths = [tmp_path / day / "clip.mp4" for day in ("one", "two", "three")]
    lacking = analyze(cache, 1, paths[0], (Scene(0, 5),))
    right = analyze(cache, 2, paths[1], TRUE)
    more = analyze(cache, 3, paths[2], (Scene(0, 1), Scene(1, 5)))  # a cut of its own at 1 s
    command = ("--cache", str(cache.root), "--json")
    caches = Caches(Settings(state_dir=tmp_path / "state"))  # of a server that runs
    caches.open(str(cache.root))

    shown = json.loads(rushes(tmp_path, "scenes", "refresh", *command).stdout)
    added = {"added": [3], "removed": []}
    assert shown == {
        "dry_run": True,
        "files": 3,
        "changed": [
            {"media_path": str(paths[0]), "hash_str": media_hash(1), **added},
            {"media_path": str(paths[2]), "hash_str": media_hash(3), **added},
        ],
        "failed": [],
    }
    assert [frames(cache, media_hash(n)) for n in (1, 2, 3)] == [lacking, right, more]

    one = rushes(tmp_path, "scenes", "refresh", str(paths[0].parent), *command, "--apply")
    assert json.loads(one.stdout)["changed"] == shown["changed"][:1]
    rest = rushes(tmp_path, "scenes", "refresh", "--apply", "--cache", str(cache.root))
    assert rest.stdout.splitlines() == [
        f"{paths[2]}: added 00:00:03",
        "Files: 2 examined, 1 changed. `rushes scenes undo` takes the cuts back for a day.",
    ]
    changed, same, third = (frames(cache, media_hash(n)) for n in (1, 2, 3))
    assert changed.scenes == same.scenes == TRUE
    assert third.scenes == (Scene(0, 1), Scene(1, 3), Scene(3, 5)), "no cut is removed"
    assert {m.scenes_by for m in (changed, same, third)} == {SCENES_BY}
    assert changed.made_at == 1.0, "of the frames, not of the scenes"
    assert (changed.file != lacking.file, same.file) == (True, right.file), "a search notices it"
    with PackReader(cache.data_path(media_hash(1), changed)) as pack:
        assert list(pack.seconds) == [*range(5)]
    assert caches.open(str(cache.root)).announced(MODEL)[media_hash(1)][1] == changed.file
    assert json.loads(rushes(tmp_path, "scenes", "refresh", *command).stdout)["files"] == 0

    undone = json.loads(rushes(tmp_path, "scenes", "undo", *command).stdout)
    assert [change["removed"] for change in undone["changed"]] == [[3], [3]]
    back = [frames(cache, media_hash(n)) for n in (1, 3)]
    assert [m.scenes for m in back] == [lacking.scenes, more.scenes]
    assert caches.open(str(cache.root)).announced(MODEL)[media_hash(1)][1] == back[0].file
    assert json.loads(rushes(tmp_path, "scenes", "refresh", *command).stdout) == {
        **shown,
        "files": 2,
    }


def test_damaged_files_fail_alone_and_those_of_other_content_stay(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    analyze(cache, 1, tmp_path / "1.mp4", (Scene(0, 5),))
    analyze(cache, 2, tmp_path / "2.mp4", (Scene(0, 5),))
    publish(cache, media_hash(2), np.ones((3, 2)))  # no JPEGs
    age(cache, media_hash(2))
    analyze(cache, 3, tmp_path / "3.mp4", (Scene(0, 5),))
    cache.remember_path(media_hash(3), str(tmp_path / "3.mp4"), 5, 7, changed_at=2.0)
    analyze(cache, 0, tmp_path / "0.mp4", (Scene(0, 5),))
    unreadable = cache.media_dir(media_hash(0)).path / "paths"
    shutil.rmtree(unreadable)
    unreadable.symlink_to(unreadable)
    run = rushes(tmp_path, "scenes", "refresh", "--apply", "--cache", str(cache.root))
    assert run.returncode == 1
    assert f"{media_hash(0)}: " in run.stdout
    assert f"{tmp_path}/2.mp4: The stored frame of second 0 is damaged" in run.stdout
    assert [frames(cache, media_hash(n)).scenes_by for n in (1, 2, 3)] == [SCENES_BY, 0, 0]
    missing = rushes(tmp_path, "scenes", "refresh", "--cache", str(tmp_path / "nowhere"))
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "no cache folder" in missing.stderr


def test_scenes_are_restored_for_a_day_unless_the_file_was_analyzed_again(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    for number in (1, 2, 3):
        old = analyze(cache, number, tmp_path / f"{number}.mp4", (Scene(0, 5),))
        scene_updates.publish(cache, media_hash(number), old, TRUE, "test")
    publish(cache, media_hash(2), np.ones((7, 2)))
    hour_s = 3600.0
    for number, kept_s in ((1, 23 * hour_s), (3, 25 * hour_s)):
        with cache_files.folder(cache.media_dir(media_hash(number))) as folder:
            cache_tidying.collect_media(folder, time.time() + kept_s - cache_tidying.KEPT_S)
    undone = [scene_updates.undo(cache, media_hash(n), "test") for n in (1, 2, 3)]
    assert undone == [True, False, False]
    assert frames(cache, media_hash(1)).scenes == (Scene(0, 5),)
    assert frames(cache, media_hash(2)).rows == 7
    assert frames(cache, media_hash(3)).scenes == TRUE
    for number in (1, 2, 3):
        assert cache.has_data(media_hash(number), frames(cache, media_hash(number)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with shared_desk(tmp_path_factory.mktemp("shared")) as desk:
        desk.worker()
        yield desk


@pytest.mark.parametrize("cache_is_there", [True, False])
def test_a_task_that_an_earlier_version_queued_ends_without_a_change(
    desk: Desk, tmp_path: Path, cache_is_there: bool
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    old = analyze(cache, 1, tmp_path / "1.mp4", (Scene(0, 5),))
    folder = str(cache.root) if cache_is_there else str(tmp_path / "gone")
    spec = AnalyzeSpec(folder, (), cache_id=cache.id, renewed=(media_hash(1), media_hash(2)))
    files = tuple(ItemFile(path, (ProgressType.VIDEO,)) for path in ("1.mp4", "2.mp4"))
    task = NewTask(
        kind=TaskKind.INGEST,
        items=[NewItem(msgspec.json.encode(spec), files)],
        queue=SCENES,
        exclusive=f"scenes:{cache.id}",
    )
    desk.ledger.submit(task)
    desk.jobs.enqueue([ItemJob(task.task_id, 0, SCENES, front=False)])
    record = desk.wait_final(task.task_id)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    assert frames(cache, media_hash(1)) == old


@pytest.mark.parametrize("refused", ["nothing", "utime", "link"])
def test_a_collection_in_between_leaves_the_data(
    refused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    publish(cache, media_hash(1), np.ones((5, 2)))
    old = age(cache, media_hash(1))
    os.utime(cache.data_path(media_hash(1), old).path, (1.0, 1.0))
    sync = cache_files.sync

    def tidied(fd: int) -> None:
        with cache_files.folder(cache.media_dir(media_hash(1))) as folder:
            cache_tidying.collect_media(folder, time.time() - cache_tidying.KEPT_S)
        sync(fd)

    def no(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(cache_files, "sync", tidied)
    if refused == "utime":
        monkeypatch.setattr(os, "utime", no)
    elif refused == "link":
        monkeypatch.setattr(OpenedFolder, "link", no)
    scene_updates.publish(cache, media_hash(1), old, (Scene(0, 1), Scene(1, 5)), "test")
    new = frames(cache, media_hash(1))
    assert new.scenes == (Scene(0, 1), Scene(1, 5))
    assert cache.has_data(media_hash(1), new)


def last_announced(cache: CacheDir) -> str:
    """Return the frames file that the catalogue names last."""
    entries = cache.catalogue.follow(FollowState()).entries
    frames = [e for e in entries if isinstance(e, Artefact) and e.stage is Stage.FRAMES]
    return frames[-1].file


@pytest.mark.parametrize(
    ("what", "moment"),
    [
        *(("deleted", moment) for moment in ("written", "named", "shown")),
        *(("analyzed again", moment) for moment in ("written", "shown")),
    ],
)
def test_frames_that_are_deleted_or_analyzed_again_meanwhile_stay_so(
    what: str, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    publish(cache, media_hash(1), np.ones((5, 2)))
    old = age(cache, media_hash(1))
    name = cache_files.manifest_name(Stage.FRAMES, "")
    sync, rename = cache_files.sync, OpenedFolder.rename

    def happens() -> None:
        monkeypatch.undo()
        if what == "deleted":
            deletions.delete(cache, deletions.published(cache, media_hash(1), None), "me")
        else:
            publish(cache, media_hash(1), np.ones((7, 2)))

    def synced(fd: int) -> None:
        happens()
        sync(fd)

    def renamed(folder: OpenedFolder, before: str, after: str) -> None:
        if after == name and moment == "named":
            happens()
        rename(folder, before, after)
        if after == name and moment == "shown":
            happens()

    if moment == "written":
        monkeypatch.setattr(cache_files, "sync", synced)
    monkeypatch.setattr(OpenedFolder, "rename", renamed)
    scene_updates.publish(cache, media_hash(1), old, (Scene(0, 5),), "test")
    found = cache.manifest(media_hash(1), Stage.FRAMES)
    assert not scene_updates.undo(cache, media_hash(1), "test")
    if what == "deleted":
        assert found is None
    else:
        assert found is not None
        assert (found.rows, found.file) == (7, last_announced(cache))


def test_scenes_are_published_where_the_share_knows_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    publish(cache, media_hash(1), np.ones((5, 2)))
    old = age(cache, media_hash(1))

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(OpenedFolder, "link", no_links)
    scene_updates.publish(cache, media_hash(1), old, (Scene(0, 1), Scene(1, 5)), "test")
    new = frames(cache, media_hash(1))
    assert (new.scenes, new.rows) == ((Scene(0, 1), Scene(1, 5)), 5)
    assert cache.has_data(media_hash(1), new)
    with PackReader(cache.data_path(media_hash(1), new)) as pack:
        assert pack.read(4) == f"{media_hash(1)} 4".encode()

    scene_updates.publish(cache, media_hash(1), old, (Scene(0, 5),), "test")
    assert frames(cache, media_hash(1)) == new, "others were published meanwhile"
