"""Collections that an API process keeps at hand: read once, and never older than the disk."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api.people.editing import names_edit
from api.people.filtering import Person, frames_with
from api.people.people import People
from api.people.snapshot import CollectionSnapshot
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput, Missing
from shared.opening import RootedPath
from shared.people import clustering_files
from shared.people.edits import NewEdit
from tests.support.people.people_data import Seen, make_collection

ADA = 1001


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir.open(tmp_path / "cache", create=True)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the clusterings that were read."""
    names: list[str] = []
    read = clustering_files.read

    def counted(path: RootedPath) -> Any:
        names.append(path.parent.name)
        return read(path)

    monkeypatch.setattr(clustering_files, "read", counted)
    return names


def make(cache: CacheDir, name: str = "Season 1", faces: int = 3) -> None:
    make_collection(cache, name, {"0" * 16: [Seen(second, 1, ADA) for second in range(faces)]})


def named(name: str) -> Any:
    def edit(snapshot: CollectionSnapshot) -> NewEdit:
        return names_edit(snapshot.state, [(ADA, name)])

    return edit


def test_many_requests_at_once_read_a_collection_once(cache: CacheDir, reads: list[str]) -> None:
    make(cache)
    at_hand = People()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: at_hand.open(cache, "Season 1"), range(32)))
    assert len(reads) == 1
    assert all(snapshot is found[0] for snapshot in found)


def test_an_edit_reads_no_clustering_again(cache: CacheDir, reads: list[str]) -> None:
    make(cache)
    at_hand = People()
    _, after = at_hand.edit(cache, "Season 1", named("Ada"))
    assert after.state.names == {ADA: "Ada"}
    assert at_hand.open(cache, "Season 1") is after
    assert len(reads) == 1


def test_an_edit_that_is_refused_changes_nothing(cache: CacheDir) -> None:
    make(cache)
    at_hand = People()
    before = at_hand.open(cache, "Season 1")
    with pytest.raises(BadInput):
        at_hand.edit(cache, "Season 1", named("x" * 10_000))
    assert at_hand.open(cache, "Season 1") is before


def test_the_longest_unused_are_let_go_and_read_again(cache: CacheDir, reads: list[str]) -> None:
    for name in "abc":
        make(cache, name)
    at_hand = People(capacity=2)
    for name in "abcbca":
        assert at_hand.open(cache, name).name == name
    assert [name[0] for name in reads] == list("abca")


def test_a_collection_that_was_deleted_and_made_again_is_the_new_one(cache: CacheDir) -> None:
    make(cache)
    at_hand = People()
    at_hand.edit(cache, "Season 1", named("Ada"))
    shutil.rmtree(cache.root.path / "collections")
    with pytest.raises(Missing):
        at_hand.open(cache, "Season 1")
    assert at_hand.all(cache) == []
    make(cache, faces=2)
    snapshot = at_hand.open(cache, "Season 1")
    assert (snapshot.state.counts, snapshot.state.names) == ({ADA: 2}, {})


def test_a_filter_is_made_once_as_long_as_nothing_changes(cache: CacheDir) -> None:
    make(cache)
    at_hand = People()

    def pairs(mode: Any = "and") -> Any:
        return frames_with(at_hand, cache, [Person("Season 1", cluster_id=ADA)], mode).pairs

    first = pairs()
    assert pairs("or") is first
    at_hand.edit(cache, "Season 1", named("Ada"))
    assert pairs() is not first
    assert pairs().tolist() == first.tolist()
