"""Scenes of footage that an earlier version has analyzed are found anew, without its media."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from api.cache.caches import Caches
from api.deleting import deletions
from api.services import Services
from api.tasks import scene_renewal
from api.tasks.scene_renewal import SceneRenewal
from shared.cache import cache_files, cache_tidying, renewed_scenes
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, FollowState
from shared.cache.frame_packs import PackReader
from shared.domain import SCENES_BY, AnalyzeSpec, Manifest, Scene, Stage, TaskKind, TaskState
from shared.ledger.jobs import queue_key
from shared.ledger.records import SCENES, ItemJob, TaskRecord
from shared.opening import OpenedFolder
from shared.settings import Settings
from tests.support.analysis.desk import INSTANCE, MODEL, Desk, shared_desk
from tests.support.ledger_1.old_ledger import OldLedger
from tests.support.media.by_path import hash_media
from tests.support.media.media import RGB, make_still, picture_video
from tests.support.search.search_data import media_hash, publish
from workers.job_consumer import ItemToDo, JobConsumer
from workers.start import ANALYSIS

TRUE = (Scene(0, 3), Scene(3, 5))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with shared_desk(tmp_path_factory.mktemp("shared")) as desk:
        desk.worker()
        yield desk


def scenery(seed: int) -> RGB:
    """A picture with structure and colours of its own."""
    blocks = np.random.default_rng(seed).integers(0, 255, (9, 16, 3)).astype(np.uint8)
    return np.repeat(np.repeat(blocks, 20, axis=0), 20, axis=1)


def age(cache: CacheDir, hash_str: str, scenes: tuple[Scene, ...] = TRUE) -> Manifest:
    """Make the frames those of an earlier version, which found these scenes."""
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    assert manifest is not None
    old = msgspec.structs.replace(manifest, scenes=scenes, scenes_by=0, made_at=1.0)
    with cache_files.folder(cache.media_dir(hash_str)) as folder:
        name = cache_files.manifest_name(Stage.FRAMES, "")
        cache_files.write_atomically(folder, name, msgspec.json.encode(old), "age")
    return old


def frames(cache: CacheDir, hash_str: str) -> Manifest:
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    assert manifest is not None
    return manifest


def looked(desk: Desk, folder: Path) -> list[TaskRecord]:
    """What an API process has submitted once it has looked at the CacheDir."""
    services = Services.of(Settings(state_dir=folder / "state", redis_url=desk.redis_url))

    services.caches.open(str(folder / "cache"))
    before = {record.task_id for record in services.ledger.recent()}
    asyncio.run(SceneRenewal(services).look())
    found = [record for record in services.ledger.recent() if record.task_id not in before]
    services.close()
    return found


def test_scenes_are_found_anew_as_ingestion_and_media_may_be_away(
    desk: Desk, tmp_path: Path
) -> None:
    here = desk.with_folder(tmp_path)
    clips = [
        picture_video(tmp_path / f"{n}.mp4", [(scenery(n), 3), (scenery(9), 2)]) for n in (1, 2)
    ]
    still = make_still(tmp_path / "still.jpg")
    hashes = [hash_media(str(path)) for path in clips]
    assert here.wait_final(here.submit(clips, [still])).status is TaskState.COMPLETED
    cache = CacheDir.open(here.cache, create=False)
    found = [frames(cache, hash_str) for hash_str in hashes]
    assert {manifest.scenes_by for manifest in found} == {SCENES_BY}
    wrong, right = age(cache, hashes[0], (Scene(0, 5),)), age(cache, hashes[1])
    for path in (*clips, still):
        path.unlink()

    (submitted,) = looked(here, tmp_path)
    assert submitted.kind is TaskKind.INGEST
    assert submitted.total == 2, "a still has no scenes"
    record = here.wait_final(submitted.task_id)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    changed, same = (frames(cache, hash_str) for hash_str in hashes)
    assert changed.scenes == found[0].scenes == TRUE
    assert (same.scenes, same.file) == (TRUE, right.file)
    assert {changed.scenes_by, same.scenes_by} == {SCENES_BY}
    assert (changed.made_at, same.made_at) == (1.0, 1.0), "of the pictures, not of the scenes"
    assert changed.file != wrong.file, "by which searches notice them"
    with PackReader(cache.data_path(hashes[0], changed)) as pack:
        assert list(pack.seconds) == [*range(changed.rows)]
    view = Caches(Settings(state_dir=tmp_path / "state")).open(str(here.cache))
    assert view.announced(MODEL)[hashes[0]][1] == changed.file

    assert looked(here, tmp_path) == [], "nothing is due"
    assert (here.cache / "catalog" / f"scenes-{SCENES_BY}").exists()


def test_damaged_frames_fail_alone_and_those_of_other_content_wait(
    desk: Desk, tmp_path: Path
) -> None:
    here = desk.with_folder(tmp_path)
    cache = CacheDir.open(here.cache, create=True)
    for number in (1, 2):
        (tmp_path / f"{number}.mp4").write_bytes(b"film")
        publish(cache, media_hash(number), np.ones((3, 2)), path=tmp_path / f"{number}.mp4")
        age(cache, media_hash(number))
    cache.remember_path(media_hash(2), str(tmp_path / "2.mp4"), 5, 7, changed_at=2.0)
    (submitted,) = looked(here, tmp_path)
    record = here.wait_final(submitted.task_id)
    assert record.status is TaskState.COMPLETED
    (failed,) = record.failed_files
    assert "The stored frame of second 0 is damaged" in failed.error
    assert [frames(cache, media_hash(n)).scenes_by for n in (1, 2)] == [0, 0]


@pytest.fixture
def clerk(tmp_path: Path, redis_url: str) -> Iterator[Desk]:
    """A Desk without a worker."""
    desk = Desk(tmp_path, redis_url)
    yield desk
    desk.close()


def old_scenes(cache: CacheDir, number: int) -> str:
    """Footage that a worker of an earlier version has published; its hash."""
    publish(cache, media_hash(number), np.ones((3, 2)))
    age(cache, media_hash(number))
    return media_hash(number)


def test_what_was_cancelled_is_submitted_again_after_five_minutes(
    clerk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_scenes(CacheDir.open(clerk.cache, create=True), 1)
    settings = Settings(state_dir=clerk.folder / "state", redis_url=clerk.redis_url)
    services = Services.of(settings)
    services.caches.open(str(clerk.cache))
    renewal = SceneRenewal(services)

    def open_after_a_look() -> list[str]:
        asyncio.run(renewal.look())
        return clerk.ledger.open_tasks(TaskKind.INGEST)

    (first,) = open_after_a_look()
    assert open_after_a_look() == [first]
    clerk.ledger.stop(first)
    assert open_after_a_look() == [], "whoever stops it has some minutes"
    monkeypatch.setattr(scene_renewal, "_AGAIN_S", 0.0)
    (second,) = open_after_a_look()
    assert open_after_a_look() == [second] != [first]
    clerk.ledger.fail_open("It is broken.")
    assert open_after_a_look() == [], "it would fail again"
    services.close()


def test_a_worker_of_an_earlier_version_never_gets_such_a_task(clerk: Desk) -> None:
    old_scenes(CacheDir.open(clerk.cache, create=True), 1)
    (submitted,) = looked(clerk, clerk.folder)
    assert [clerk.jobs.waiting(queue) for queue in ("analysis", SCENES)] == [0, 1]
    old = OldLedger(clerk.client, INSTANCE, clock=time.time, pause=lambda _: None)
    clerk.client.delete(queue_key(INSTANCE, SCENES))
    assert old.sweep() == [ItemJob(submitted.task_id, 0, SCENES, front=False)]


def test_analyses_come_before_scenes(clerk: Desk) -> None:
    clerk.jobs.enqueue(ItemJob("task", n, queue, False) for n, queue in enumerate(ANALYSIS.queues))
    consumer = JobConsumer(clerk.redis_url, INSTANCE, *ANALYSIS.queues)
    assert [consumer.take(), consumer.take()] == [ItemToDo("task", 0), ItemToDo("task", 1)]
    consumer.close()


def test_old_scenes_that_come_after_all_was_done_are_found_anew_too(clerk: Desk) -> None:
    cache = CacheDir.open(clerk.cache, create=True)
    deleted = old_scenes(cache, 1)
    deletion = deletions.delete(cache, deletions.published(cache, deleted, None), "me")
    assert looked(clerk, clerk.folder) == []
    assert looked(clerk, clerk.folder) == []
    deletions.undo(cache, deletion.id)
    late = old_scenes(cache, 2)
    (submitted,) = looked(clerk, clerk.folder)
    spec = msgspec.json.decode(clerk.ledger.spec(submitted.task_id), type=AnalyzeSpec)
    assert spec.renewed == (deleted, late)


@pytest.mark.parametrize("refused", ["nothing", "utime", "link"])
def test_who_tidies_up_meanwhile_leaves_the_data(
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
    renewed_scenes.publish(cache, media_hash(1), old, (Scene(0, 1), Scene(1, 5)), "test")
    new = frames(cache, media_hash(1))
    assert new.scenes == (Scene(0, 1), Scene(1, 5))
    assert cache.has_data(media_hash(1), new)


def last_told(cache: CacheDir) -> str:
    """The frames file that the catalogue names last."""
    entries = cache.catalogue.follow(FollowState()).entries
    told = [e for e in entries if isinstance(e, Artefact) and e.stage is Stage.FRAMES]
    return told[-1].file


@pytest.mark.parametrize(
    ("what", "moment"),
    [
        *(("deleted", moment) for moment in ("written", "named", "shown")),
        *(("made anew", moment) for moment in ("written", "shown")),
    ],
)
def test_what_is_deleted_or_made_anew_meanwhile_stays_so(
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
    renewed_scenes.publish(cache, media_hash(1), old, (Scene(0, 5),), "test")
    found = cache.manifest(media_hash(1), Stage.FRAMES)
    if what == "deleted":
        assert found is None
    else:
        assert found is not None
        assert (found.rows, found.file) == (7, last_told(cache))


def test_scenes_are_published_where_the_share_knows_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    publish(cache, media_hash(1), np.ones((5, 2)))
    old = age(cache, media_hash(1))

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(OpenedFolder, "link", no_links)
    renewed_scenes.publish(cache, media_hash(1), old, (Scene(0, 1), Scene(1, 5)), "test")
    new = frames(cache, media_hash(1))
    assert (new.scenes, new.rows) == ((Scene(0, 1), Scene(1, 5)), 5)
    assert cache.has_data(media_hash(1), new)
    with PackReader(cache.data_path(media_hash(1), new)) as pack:
        assert pack.read(4) == f"{media_hash(1)} 4".encode()

    renewed_scenes.publish(cache, media_hash(1), old, (Scene(0, 5),), "test")
    assert frames(cache, media_hash(1)) == new, "others were published meanwhile"
