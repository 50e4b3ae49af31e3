"""The CacheDir on a real disk: all at once, for any number of processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from api.media.cache_path_routes import artefact_path
from shared import private_files
from shared.cache import cache_files, catalogue, publishing
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, FollowState
from shared.domain import Scene, Stage
from shared.errors import BadInput, CacheError
from shared.opening import RootedPath
from tests.integration.cache.publishing import HASH, MODEL, SPAWN, data_of, publish
from tests.support.system.disk_steps import (
    names_of_unsynced_files,
    names_that_may_be_lost,
    record_disk_steps,
)
from tests.support.waiting import wait_for


def flip_a_bit(folder: Path, name: str, of_text: bytes) -> None:
    path = next(folder.glob(name))
    whole = path.read_bytes()
    at = whole.index(of_text)
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])


def nobody_knows(writer: str) -> bool:
    return False


def is_whole(cache: CacheDir) -> bool:
    """Whether the manifest that `publish` wrote is there, and its data in full length."""
    manifest = cache.manifest(HASH, Stage.VISUAL, MODEL)
    return manifest is not None and cache.has_data(HASH, manifest)


def test_what_is_published_is_found_again_by_another_reader(cache: CacheDir) -> None:
    assert cache.manifest(HASH, Stage.VISUAL, MODEL) is None
    publish(cache, b"12345")
    reader = CacheDir.open(cache.root.path, create=False)
    assert reader.id == cache.id
    manifest = reader.manifest(HASH, Stage.VISUAL, MODEL)
    assert manifest is not None
    assert (manifest.rows, manifest.bytes, manifest.scenes) == (5, 5, (Scene(0, 2),))
    assert (manifest.model, manifest.seconds) == (MODEL, (0, 3))
    assert data_of(reader) == b"12345"
    assert reader.manifests(HASH) == [manifest]
    assert artefact_path(reader, HASH, Stage.VISUAL, MODEL) == (
        cache.data_path(HASH, manifest),
        True,
    )


def test_a_power_cut_never_leaves_a_manifest_without_its_data(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(cache, b"old")
    steps = record_disk_steps(monkeypatch)
    data = publish(cache, b"new")
    assert names_of_unsynced_files(steps) == []
    shown = [step.name.startswith("manifest.") for step in steps if step.kind == "name"]
    assert shown == [False, True], "the data comes first"
    at = next(n for n, step in enumerate(steps) if step.name.startswith("manifest."))
    assert data in {step.name for step in steps[:at]}
    assert names_that_may_be_lost(steps[:at]) == []
    assert names_that_may_be_lost(steps) == []


def test_a_small_file_has_all_its_bytes_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = record_disk_steps(monkeypatch)
    with cache_files.folder(RootedPath.alone(tmp_path)) as folder:
        cache_files.write_atomically(folder, "small.json", b"{}", "token")
    private_files.publish(tmp_path / "keys.json", b"{}")
    assert [step.name for step in steps if step.kind == "name"] == ["small.json", "keys.json"]
    assert names_of_unsynced_files(steps) == []
    assert "small.json" not in names_that_may_be_lost(steps)


def test_where_names_a_place_before_anything_is_published(cache: CacheDir) -> None:
    path, exists = artefact_path(cache, HASH, Stage.FRAMES)
    assert (path.name, exists) == ("manifest.frames.json", False)


def test_captions_of_a_file_that_has_none_are_announced_only_where_it_had_some(
    cache: CacheDir,
) -> None:
    def announced(rows: int) -> list[int]:
        state = FollowState()
        with cache.draft(HASH, Stage.CAPTIONS, "", "json", "writer") as draft:
            draft.file.write(b"{}")
            draft.publish(rows=rows)
        found = cache.catalogue.follow(state).entries
        return [one.rows for one in found if isinstance(one, Artefact)]

    assert announced(0) == announced(0) == []
    assert announced(2) == [2]
    assert announced(0) == [2, 0]
    assert announced(0) == [2, 0]


def test_models_do_not_see_each_other(cache: CacheDir) -> None:
    for model in ("a", "a.b", "a/b", "A b", "x" * 300, "x" * 299 + "y"):
        publish(cache, model.encode(), model)
    for model in ("a", "a.b", "a/b", "A b", "x" * 300, "x" * 299 + "y"):
        assert data_of(cache, model) == model.encode()


def test_a_draft_that_is_left_leaves_nothing(cache: CacheDir) -> None:
    with cache.draft(HASH, Stage.FRAMES, "", "pack", "1") as draft:
        draft.file.write(b"half")
        assert len(os.listdir(cache.media_dir(HASH).path)) == 1
    assert os.listdir(cache.media_dir(HASH).path) == []


def test_replaced_data_stays_for_a_day_and_is_then_collected(cache: CacheDir) -> None:
    old = cache.media_dir(HASH).path / publish(cache, b"old")
    os.utime(old, (1_000_000, 1_000_000))  # published long ago
    publish(cache, b"new")
    assert old.exists(), "a reader may just be opening it"
    os.utime(old, (1_000_000, 1_000_000))  # replaced long ago
    foreign = cache.media_dir(HASH).path / "my notes.txt"
    foreign.write_text("keep")
    os.utime(foreign, (1_000_000, 1_000_000))
    assert publishing.collect(cache.root, nobody_knows) == 1
    assert not old.exists()
    assert foreign.exists()
    assert data_of(cache) == b"new"


def test_the_folder_is_tidied_once_a_day_by_whoever_comes_first(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_LOOK_EVERY_S", 0.0)
    old = cache.media_dir(HASH).path / publish(cache, b"old")
    publish(cache, b"new")
    os.utime(old, (1_000_000, 1_000_000))
    tidying = cache.collect_when_due(nobody_knows)
    assert tidying is not None
    tidying.join(30)
    assert not old.exists()
    assert CacheDir.open(cache.root.path, create=False).collect_when_due(nobody_knows) is None
    os.utime(cache.root.path / "catalog" / "collected", (1_000_000, 1_000_000))
    again = cache.collect_when_due(nobody_knows)
    assert again is not None
    again.join(30)
    assert data_of(cache) == b"new"


def test_a_worker_that_starts_soon_removes_what_a_dead_one_left(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_LOOK_EVERY_S", 0.0)
    publish(cache, b"x")
    first = cache.collect_when_due(nobody_knows)
    assert first is not None
    first.join(30)
    left = cache.media_dir(HASH).path / ".visual.0a1b2c3d4e5f-4-1.0a0b0c0d.tmp"
    left.touch()
    monkeypatch.setattr(publishing, "_LOOK_EVERY_S", 3600.0)
    monkeypatch.setattr(publishing, "_next_look", {})  # as in a process that has just started
    assert cache.collect_when_due(lambda _writer: True) is None, "somebody did within an hour"
    hour_ago = time.time() - 3700
    os.utime(cache.root.path / "catalog" / "collected", (hour_ago, hour_ago))
    monkeypatch.setattr(publishing, "_next_look", {})
    tidying = cache.collect_when_due(lambda _writer: True)
    assert tidying is not None
    tidying.join(30)
    assert not left.exists()


def test_what_lost_its_data_does_not_count_as_published(cache: CacheDir) -> None:
    data = cache.media_dir(HASH).path / publish(cache, b"data")
    assert is_whole(cache)
    data.write_bytes(b"dat")
    assert not is_whole(cache)
    data.unlink()
    assert not is_whole(cache)
    assert cache.manifest(HASH, Stage.FRAMES) is None


def test_what_dead_writers_left_anywhere_goes_with_the_next_collection(cache: CacheDir) -> None:
    publish(cache, b"x")
    cache.remember_path(HASH, "/a.mp4", 1, 2)
    root, media = cache.root.path, cache.media_dir(HASH).path
    over, held = "0a1b2c3d4e5f-4-1", "0a1b2c3d4e5f-4-2"
    places = {
        media: ".visual.{}.0a0b0c0d.tmp",
        media / "paths": ".0a.json.{}.0a0b0c0d.tmp",
        root / "catalog": ".snapshot-0a.jsonl.{}.0a0b0c0d.tmp",
        root: ".rushes.json.{}.0a0b0c0d.tmp",
    }
    for folder, name in places.items():
        for writer in (over, held, "somebody"):
            (folder / name.format(writer)).touch()
    (media / ".manifest.visual.m.json.0a1b2c3d4e5f-4-1.0a0b0c0d.tmp").touch()
    assert publishing.collect(cache.root, lambda writer: writer == over) == 5
    for folder, name in places.items():
        assert {path.name for path in folder.glob(".*.tmp")} == {
            name.format(held), name.format("somebody")
        }  # fmt: skip
        os.utime(folder / name.format("somebody"), (1_000_000, 1_000_000))
    assert publishing.collect(cache.root, lambda writer: False) == 4
    assert is_whole(cache)


def test_an_analysis_may_take_longer_than_a_day(cache: CacheDir) -> None:
    with cache.draft(HASH, Stage.VISUAL, MODEL, "npy", "1.0.1") as draft:
        (begun,) = cache.media_dir(HASH).path.glob(".visual.*.tmp")
        two_days_ago = begun.stat().st_mtime - 2 * 86_400
        os.utime(begun, (two_days_ago, two_days_ago))
        with cache.draft(HASH, Stage.FRAMES, "", "pack", "1.0.1") as frames:
            frames.publish(rows=1)
        draft.file.write(b"rows")
        draft.publish(rows=1)
    assert is_whole(cache)


def test_paths_are_kept_newest_first(cache: CacheDir) -> None:
    cache.remember_path(HASH, "/a/ü #1.mp4", 1, 2)
    cache.remember_path(HASH, "/b/100%.mp4", 1, 2)
    cache.remember_path(HASH, "/a/ü #1.mp4", 1, 3)
    assert [(p.path, p.mtime_ns) for p in catalogue.read_paths(cache.media_dir(HASH))] == [
        ("/a/ü #1.mp4", 3),
        ("/b/100%.mp4", 2),
    ]
    before = cache.catalogue.follow(FollowState()).entries
    cache.remember_path(HASH, "/a/ü #1.mp4", 1, 3)
    assert cache.catalogue.follow(FollowState()).entries == before, "known already: no new line"


@pytest.mark.parametrize("hash_str", ["../../../etc/pwd", "", "ABCDEF0123456789", HASH + "\n"])
def test_a_hash_from_a_client_cannot_lead_out_of_the_folder(cache: CacheDir, hash_str: str) -> None:
    with pytest.raises(BadInput, match="16 lower-case hex digits"):
        cache.manifests(hash_str)


def test_a_manifest_cannot_lead_out_of_the_folder(cache: CacheDir) -> None:
    publish(cache, b"x")
    (path,) = cache.media_dir(HASH).path.glob("manifest.*")
    manifest = json.loads(path.read_bytes()) | {"file": "visual./../../x.00000000.npy"}
    path.write_text(json.dumps(manifest))
    assert cache.manifest(HASH, Stage.VISUAL, MODEL) is None


def test_any_part_may_be_deleted_or_damaged_under_a_reader(cache: CacheDir) -> None:
    publish(cache, b"x")
    cache.remember_path(HASH, "/a.mp4", 1, 2)
    (manifest,) = cache.media_dir(HASH).path.glob("manifest.*")
    manifest.write_bytes(b'{"stage": "vis')
    assert cache.manifests(HASH) == []
    assert cache.manifest(HASH, Stage.VISUAL, MODEL) is None
    next(cache.media_dir(HASH).path.glob("paths/*")).write_bytes(b"\x00")
    assert catalogue.read_paths(cache.media_dir(HASH)) == []
    for part in ("catalog", "media", ""):
        shutil.rmtree(cache.root.path / part)
        assert cache.manifests(HASH) == []
        assert catalogue.read_paths(cache.media_dir(HASH)) == []
        assert [entry.bytes for entry in cache.catalogue.walk()] == [0] * (part == "catalog")
    publish(cache, b"again")
    assert data_of(cache) == b"again"


def test_a_flipped_bit_costs_no_more_than_what_it_is_in(cache: CacheDir) -> None:
    publish(cache, b"x")
    publish(cache, b"y", model="other")
    for path in ("/footage/a.mp4", "/footage/b.mp4"):
        cache.remember_path(HASH, path, 1, 2)
    flip_a_bit(cache.media_dir(HASH).path, "manifest.visual.ViT*", b"laion")
    flip_a_bit(cache.media_dir(HASH).path, "paths/*", b"footage")
    flip_a_bit(cache.root.path, "catalog/*", b"laion")
    reader = CacheDir.open(cache.root.path, create=False)
    assert [manifest.model for manifest in reader.manifests(HASH)] == ["other"]
    assert reader.manifest(HASH, Stage.VISUAL, MODEL) is None
    assert len(catalogue.read_paths(reader.media_dir(HASH))) == 1
    followed = reader.catalogue.follow(FollowState()).entries
    assert [entry.model for entry in followed if isinstance(entry, Artefact)] == ["other"]
    walked = [entry for entry in reader.catalogue.walk() if isinstance(entry, Artefact)]
    assert [entry.bytes for entry in walked if entry.model == "other"] == [1]
    flip_a_bit(cache.root.path, "rushes.json", reader.id.encode())
    with pytest.raises(CacheError, match=r"rushes\.json is damaged"):
        CacheDir.open(cache.root.path, create=False)


def test_a_folder_without_its_identity_is_still_read(cache: CacheDir) -> None:
    publish(cache, b"x")
    (cache.root.path / "rushes.json").unlink()
    reader = CacheDir.open(cache.root.path, create=False)
    assert reader.id.startswith("path-")
    assert data_of(reader) == b"x"


def test_a_newer_format_is_refused_with_what_to_do(cache: CacheDir) -> None:
    (cache.root.path / "rushes.json").write_text('{"format": 2, "id": "x"}')
    with pytest.raises(CacheError, match="format 2, this version of Rushes reads up to 1: update"):
        CacheDir.open(cache.root.path, create=False)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CacheError, match="is not a folder"):
            CacheDir.open(path, create=True)
    with pytest.raises(BadInput, match="There is no cache folder"):
        CacheDir.open(tmp_path / "absent", create=False)


def _open_and_report(path: str, gate: object, out: object) -> None:
    gate.wait()  # type: ignore[attr-defined]
    out.put(CacheDir.open(path, create=True).id)  # type: ignore[attr-defined]


def test_processes_that_create_the_folder_at_once_agree_on_its_id(tmp_path: Path) -> None:
    gate, out = SPAWN.Barrier(4), SPAWN.Queue()
    workers = [
        SPAWN.Process(target=_open_and_report, args=(str(tmp_path / "new"), gate, out))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    ids = {out.get(timeout=30) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(ids) == 1


def _publish_often(path: str, letter: int, gate: object) -> None:
    cache = CacheDir.open(path, create=True)
    gate.wait()  # type: ignore[attr-defined]
    for round_ in range(20):
        publish(cache, bytes([letter]) * (1000 + round_), token=str(letter))


def test_two_processes_that_publish_the_same_media_never_show_a_mixture(cache: CacheDir) -> None:
    gate = SPAWN.Barrier(3)
    workers = [
        SPAWN.Process(target=_publish_often, args=(str(cache.root), letter, gate))
        for letter in (65, 66)
    ]
    for worker in workers:
        worker.start()
    gate.wait()
    seen = 0
    while any(worker.is_alive() for worker in workers):
        manifest = cache.manifest(HASH, Stage.VISUAL, MODEL)
        if manifest is not None:
            data = cache.data_path(HASH, manifest).path.read_bytes()
            assert len(data) == manifest.bytes == manifest.rows
            assert len(set(data)) == 1
            seen += 1
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert seen > 0
    entries = cache.catalogue.follow(FollowState()).entries
    assert len(entries) == 40


KILLED = """
import sys
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
cache = CacheDir.open(sys.argv[1], create=True)
turn = 0
while True:
    turn += 1
    with cache.draft(sys.argv[2], Stage.VISUAL, "m", "npy", "1") as draft:
        draft.file.write(bytes([turn % 256]) * 300_000)
        draft.publish(rows=turn)
    print(turn, flush=True)
"""


@pytest.mark.parametrize("turns", [1, 3, 6])
def test_kill_9_in_the_middle_of_publishing_leaves_the_last_whole_artefact(
    tmp_path: Path, turns: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), HASH], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(turns):
        child.stdout.readline()
    folder = tmp_path / "media" / HASH[:2] / HASH
    wait_for(lambda: list(folder.glob(".visual*.tmp")), 20, "a write in progress")
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    cache = CacheDir.open(tmp_path, create=False)
    manifest = cache.manifest(HASH, Stage.VISUAL, "m")
    assert manifest is not None
    assert manifest.rows >= turns
    data = cache.data_path(HASH, manifest).path.read_bytes()
    assert data == bytes([manifest.rows % 256]) * 300_000


def test_a_reader_that_knows_of_a_manifest_insists(cache: CacheDir) -> None:
    assert cache.manifest(HASH, Stage.VISUAL, MODEL, wait_s=0.1) is None
    found = []
    reader = threading.Thread(
        target=lambda: found.append(cache.manifest(HASH, Stage.VISUAL, MODEL, wait_s=30))
    )
    reader.start()
    publish(cache, b"late")
    reader.join()
    assert found[0] is not None
