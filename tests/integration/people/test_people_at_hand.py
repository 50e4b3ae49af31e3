"""Collections that an API process keeps at hand: read once, and never older than the disk."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from api.folders import Folders
from api.people import people
from api.people.editing import names_edit
from api.people.enrol_routes import list_named_people
from api.people.filtering import Person, frames_with
from api.people.people import CollectionVoices, FolderRoster, People, people_seen, voices_in
from api.people.snapshot import CollectionSnapshot
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput, CacheError, Missing, Unavailable
from shared.opening import RootedPath
from shared.people import numbered_files
from shared.people.collection import Collection
from shared.people.edits import NewEdit
from tests.support.people.people_data import Seen, make_collection
from tests.support.people.voices_desk import Talk, add_voices

ADA = 1001


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir.open(tmp_path / "cache", create=True)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the clusterings that were read."""
    names: list[str] = []
    read = numbered_files.read_whole

    def counted(path: RootedPath, kind: Any) -> Any:
        if kind is numbered_files.CLUSTERINGS:
            names.append(path.parent.name)
        return read(path, kind)

    monkeypatch.setattr(numbered_files, "read_whole", counted)
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


def test_who_is_named_pushes_nothing_out_that_is_kept(cache: CacheDir, reads: list[str]) -> None:
    for name in "abc":
        make(cache, name)
    at_hand = People(capacity=1)
    at_hand.edit(cache, "b", named("Ada"))
    kept = at_hand.open(cache, "b")
    found = at_hand.roster(cache)
    assert [(name, list(names)) for name, names in found.collections] == [
        ("a", []),
        ("b", ["ada"]),
        ("c", []),
    ]
    assert at_hand.open(cache, "b") is kept
    at_hand.roster(cache)
    assert sorted(name[0] for name in reads) == list("abc")


def test_who_looks_for_names_too_long_stops_and_goes_on_from_there(
    cache: CacheDir, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        make(cache, name)
    at_hand = People()
    begun, goes_on = threading.Event(), threading.Event()
    read = numbered_files.read_whole

    def slowly(path: RootedPath, kind: Any) -> Any:
        begun.set()
        assert goes_on.wait(20)
        return read(path, kind)

    monkeypatch.setattr(numbered_files, "read_whole", slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(at_hand.roster, cache, 0.05)
        assert begun.wait(20)
        with pytest.raises(Unavailable):  # somebody looks already
            at_hand.roster(cache, 0.1)
        goes_on.set()
        with pytest.raises(Unavailable):
            first.result(20)
    assert [name[0] for name in reads] == ["a"]
    assert len(at_hand.roster(cache, 20).collections) == 2
    assert [name[0] for name in reads] == ["a", "b"]


def test_of_very_many_folders_those_used_last_are_looked_at(tmp_path: Path) -> None:
    folders = [str(tmp_path / f"{number:02}") for number in range(40)]
    for folder in folders:
        CacheDir.open(folder, create=True)
    looked_at: list[str] = []

    def roster(cache: CacheDir, within_s: float) -> FolderRoster:
        assert within_s < 10
        looked_at.append(str(cache.root))
        return FolderRoster(str(cache.root), {}, [], [])

    services = SimpleNamespace(
        used_cache_dirs=lambda: dict.fromkeys(folders),
        folders=Folders(),
        people=SimpleNamespace(roster=roster),
        paths=SimpleNamespace(cache_roots=None, back=lambda path, like=None: path),
    )
    call: Any = SimpleNamespace(query={}, warnings=[])
    assert anyio.run(list_named_people, call, services).people == []
    assert sorted(looked_at) == folders[:32]
    assert call.warnings == [
        "Only the 32 cache folders used last were looked at, of 40: name another one by cache_dir."
    ]
    services.folders.close()


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


def test_a_collection_that_cannot_be_read_names_no_speaker(
    cache: CacheDir, caplog: pytest.LogCaptureFixture
) -> None:
    talks = [Talk(9, ADA, [(0.0, 4.0, "Ready")])]
    for number, name in enumerate("ab"):
        add_voices(cache, name, {f"{number:016x}": talks})
    edits = Collection.open(cache.root, "b", create=False).folder / "edits"
    edits.path.symlink_to("/etc")
    found = People().voices(cache)
    assert list(found.of("0" * 16)) == [9]
    assert found.of(f"{1:016x}") == {}
    assert found.warnings == ["The collection 'b' cannot be read: whom it names is not known here."]
    assert "leads outside" in caplog.text


def test_who_is_seen_in_collections_that_can_be_read_is_told_unless_none_can(
    cache: CacheDir,
) -> None:
    def damage(name: str) -> None:
        edits = Collection.open(cache.root, name, create=False).folder / "edits"
        edits.path.symlink_to("/etc")

    make(cache, "a")
    make(cache, "b")
    stretches = [("0" * 16, 0, 10)]
    damage("b")
    [seen], unread = people_seen(People(), cache, stretches)
    assert [one.collection for one in seen] == ["a"]
    assert unread == ["b"]
    damage("a")
    with pytest.raises(CacheError, match="leads outside"):
        people_seen(People(), cache, stretches)


def test_a_file_that_joins_changes_nothing_of_who_is_who(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(cache)
    add_voices(cache, "Season 1", {"0" * 16: [Talk(9, ADA, [(0.0, 4.0, "Ready")])]})
    at_hand = People()
    made: list[CollectionSnapshot] = []

    def counted(snapshot: CollectionSnapshot) -> CollectionVoices:
        made.append(snapshot)
        return voices_in(snapshot)

    monkeypatch.setattr(people, "voices_in", counted)
    at_hand.voices(cache)
    Collection.open(cache.root, "Season 1", create=False).add("face", ["1" * 16], "t")
    at_hand.voices(cache)
    assert len(made) == 1
    at_hand.edit(cache, "Season 1", named("Ada"))
    assert at_hand.voices(cache).called("ada") == {"0" * 16: {9}}
