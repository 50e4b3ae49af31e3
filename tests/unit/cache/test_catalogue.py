"""The catalogue: read on from where one was, torn lines, snapshots, and walking when it is gone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, Catalogue, FollowState, Seen
from shared.domain import Stage
from shared.opening import RootedPath

HASHES = [f"{number:016x}" for number in range(1, 6)]


def artefact(hash_str: str, file: str = "visual.m.00000000.npy") -> Artefact:
    return Artefact(hash_str, Stage.VISUAL, "m", file, 3, 100)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(RootedPath.alone(tmp_path))


def only_file(root: Path) -> Path:
    (path,) = (root / "catalog").glob("*.jsonl")
    return path


def test_a_follower_gets_each_entry_once(catalogue: Catalogue) -> None:
    state = FollowState()
    catalogue.append([artefact(HASHES[0]), Seen(HASHES[0], "/a b.mp4", 5, 6, 7.0)])
    first = catalogue.follow(state)
    assert first.entries == [artefact(HASHES[0]), Seen(HASHES[0], "/a b.mp4", 5, 6, 7.0)]
    assert catalogue.follow(state).entries == []
    catalogue.append([artefact(HASHES[1])])
    assert catalogue.follow(state, thorough=True).entries == [artefact(HASHES[1])]


def test_a_torn_last_line_waits_until_it_is_whole(catalogue: Catalogue, tmp_path: Path) -> None:
    state = FollowState()
    catalogue.append([artefact(HASHES[0]), artefact(HASHES[1])])
    whole = only_file(tmp_path).read_bytes()
    only_file(tmp_path).write_bytes(whole[:-9])
    assert catalogue.follow(state).entries == [artefact(HASHES[0])]
    only_file(tmp_path).write_bytes(whole)
    assert catalogue.follow(state).entries == [artefact(HASHES[1])]


def test_a_line_after_a_torn_one_is_not_swallowed(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.append([artefact(HASHES[0])])
    with open(only_file(tmp_path), "ab") as file:
        file.write(b'{"type":"artefact","hash_st')  # the disk was full
    catalogue.append([artefact(HASHES[1])])
    assert catalogue.follow(FollowState()).entries == [artefact(HASHES[0]), artefact(HASHES[1])]


def test_idle_files_are_merged_and_nothing_is_lost(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.append([artefact(HASHES[0]), artefact(HASHES[1], "visual.m.aaaaaaaa.npy")])
    old = only_file(tmp_path)
    other = tmp_path / "catalog" / "other-1-x.jsonl"
    other.write_bytes(old.read_bytes().replace(HASHES[0].encode(), HASHES[2].encode()))
    for path in (old, other):
        os.utime(path, (1_000_000, 1_000_000))
    state = FollowState()
    catalogue.follow(state)
    assert catalogue.compact() == 2
    assert only_file(tmp_path).name.startswith("snapshot-")
    fresh = catalogue.follow(FollowState()).entries
    assert sorted(entry.hash_str for entry in fresh) == HASHES[:3]
    followed = catalogue.follow(state)
    assert not followed.lost
    assert len(followed.entries) == 3  # read again from the snapshot, which does no harm


def test_a_file_in_use_is_not_merged(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.append([artefact(HASHES[0])])
    assert catalogue.compact() == 0
    assert len(list((tmp_path / "catalog").glob("*.jsonl"))) == 1


def test_when_the_folder_is_deleted_a_follower_hears_of_the_loss(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    state = FollowState()
    catalogue.append([artefact(HASHES[0])])
    assert not catalogue.follow(state).lost
    shutil.rmtree(tmp_path / "catalog")
    assert catalogue.follow(state).lost
    catalogue.append([artefact(HASHES[1])])
    assert catalogue.follow(state).entries == [artefact(HASHES[1])]


def test_a_walk_finds_all_that_the_catalogue_knew(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path, create=True)
    for hash_str in HASHES:
        with cache.draft(hash_str, Stage.VISUAL, "m/1", "npy", "t") as draft:
            draft.file.write(b"x" * 10)
            draft.publish(rows=1)
        cache.remember_path(hash_str, f"/media/{hash_str} ü.mp4", 10, 20)
    known = cache.catalogue.follow(FollowState()).entries
    walked = list(cache.catalogue.walk())
    assert sorted(map(str, walked)) == sorted(map(str, known))
    assert {e.hash_str for e in cache.catalogue.walk(skip=HASHES[:4])} == {HASHES[4]}
