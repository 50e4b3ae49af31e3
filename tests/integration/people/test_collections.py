"""Collections on a real disk: odd names, members, deletion under readers."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
import unicodedata
from pathlib import Path

import pytest

from api.people.people import People
from shared.errors import BadInput, CacheError, Missing
from shared.opening import RootedPath
from shared.people.collection import Collection, Members
from shared.people.edits import ClearNames
from tests.support.people.clusterings import clustering, same
from tests.support.people.reopened import again

HASH = "00112233aabbccdd"


def hashes(*numbers: int) -> list[str]:
    return [f"{number:016x}" for number in numbers]


def test_a_collection_is_made_once_and_found_again(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no collection 'Cast'"):
        Collection.open(RootedPath.alone(tmp_path), "Cast", create=False)
    assert Collection.all_names(RootedPath.alone(tmp_path)) == []
    made = Collection.open(RootedPath.alone(tmp_path), "Cast", create=True)
    written = (made.folder.path / "name.json").read_bytes()
    assert Collection.open(RootedPath.alone(tmp_path), "Cast", create=True).folder == made.folder
    assert (made.folder.path / "name.json").read_bytes() == written
    assert json.loads(written)["name"] == again(made).name == "Cast"
    assert (made.members(), made.clustering(), made.edits()) == (Members(), None, ())


@pytest.mark.parametrize(
    "name",
    ["a", "x" * 200, "👩‍👩‍👧 am Set", "a/b\\c", ".", "..", "...", "CON", "nul", " ", "a\0b", "ß",
     "ﬁ", "Ж" * 200, "-", "name.json", "%2e"],
)  # fmt: skip
def test_any_name_works(tmp_path: Path, name: str) -> None:
    Collection.open(RootedPath.alone(tmp_path), name, create=True).add("m", [HASH], "t")
    assert Collection.all_names(RootedPath.alone(tmp_path)) == [name]
    assert Collection.open(RootedPath.alone(tmp_path), name, create=False).members().hashes == (
        HASH,
    )
    (folder,) = os.listdir(tmp_path / "collections")
    assert len(folder.encode()) < 100
    assert folder.isascii()
    assert folder == folder.lower()


@pytest.mark.parametrize("name", ["", "x" * 201, "\ud800"])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    for create in (True, False):
        with pytest.raises(BadInput, match=r"1 to 200 characters|not valid Unicode"):
            Collection.open(RootedPath.alone(tmp_path), name, create=create)
    assert os.listdir(tmp_path) == []


def test_names_are_the_same_however_they_are_typed(tmp_path: Path) -> None:
    name = "Zoë é"
    Collection.open(RootedPath.alone(tmp_path), unicodedata.normalize("NFD", name), create=True)
    found = Collection.open(
        RootedPath.alone(tmp_path), unicodedata.normalize("NFC", name), create=False
    )
    assert found.name == unicodedata.normalize("NFC", name)
    assert Collection.all_names(RootedPath.alone(tmp_path)) == [found.name]


def test_names_that_differ_in_case_stay_apart_on_every_file_system(tmp_path: Path) -> None:
    for name in ("Anna", "anna", "ANNA", "bob"):
        Collection.open(RootedPath.alone(tmp_path), name, create=True).add(
            "m", hashes(len(name), ord(name[0])), ""
        )
    assert len({folder.casefold() for folder in os.listdir(tmp_path / "collections")}) == 4
    assert Collection.all_names(RootedPath.alone(tmp_path)) == ["ANNA", "Anna", "anna", "bob"]
    people = People()
    held = people.collections_of(RootedPath.alone(tmp_path), hashes(4, ord("A"), 7))
    assert list(held.values()) == [["ANNA", "Anna", "anna"], ["ANNA", "Anna"], []]
    Collection.open(RootedPath.alone(tmp_path), "bob", create=False).add("m", hashes(7), "")
    assert people.collections_of(RootedPath.alone(tmp_path), hashes(7)) == {hashes(7)[0]: ["bob"]}
    assert people.collections_of(RootedPath.alone(tmp_path) / "absent", hashes(7)) == {
        hashes(7)[0]: []
    }


def test_folders_that_do_not_read_are_skipped(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Collection.open(RootedPath.alone(tmp_path), name, create=True)
    a, b = (Collection.open(RootedPath.alone(tmp_path), name, create=False) for name in "ab")
    (a.folder.path / "name.json").write_bytes(b'{"name": ')
    shutil.copy(b.folder.path / "name.json", a.folder.path.with_name("copy"), follow_symlinks=False)
    shutil.copytree(b.folder.path, b.folder.path.with_name("a copy of b"))
    (tmp_path / "collections" / "empty").mkdir()
    assert Collection.all_names(RootedPath.alone(tmp_path)) == ["b", "c"]


def test_a_collection_outlives_its_name_file(tmp_path: Path, collection: Collection) -> None:
    collection.add("m", [HASH], "t")
    for damage in (b"", b"\xff", b"{}"):
        (collection.folder.path / "name.json").write_bytes(damage)
        assert again(collection).members().hashes == (HASH,)
    (collection.folder.path / "name.json").unlink()
    assert again(collection).members().hashes == (HASH,)
    assert Collection.open(RootedPath.alone(tmp_path), "Cast", create=True).members().hashes == (
        HASH,
    )
    assert Collection.all_names(RootedPath.alone(tmp_path)) == ["Cast"]


def test_a_folder_that_names_another_collection_is_not_touched(
    tmp_path: Path, collection: Collection
) -> None:
    (collection.folder.path / "name.json").write_text('{"name": "Crew", "created_at": 1}')
    for create in (True, False):
        with pytest.raises(CacheError, match="names another collection: 'Crew'"):
            Collection.open(RootedPath.alone(tmp_path), "Cast", create=create)
    assert Collection.all_names(RootedPath.alone(tmp_path)) == []


def test_members_are_those_of_the_model_that_was_used_last(collection: Collection) -> None:
    collection.add("a", hashes(3, 1), "t1")
    collection.add("a", hashes(2, 2), "t2")
    assert again(collection).members() == Members("a", tuple(hashes(1, 2, 3)))
    collection.add("b", hashes(1), "t3")
    assert again(collection).members() == Members("b", tuple(hashes(1)))
    collection.add("a", hashes(2), "t4")
    assert again(collection).members() == Members("a", tuple(hashes(1, 2, 3)))


def test_what_is_there_already_adds_nothing(collection: Collection) -> None:
    collection.add("a", hashes(1, 2), "t")
    before = collection.version()
    collection.add("a", hashes(2), "t")
    collection.add("b", [], "t")
    assert collection.version() == before
    with pytest.raises(BadInput, match="16 lower-case hex digits"):
        collection.add("a", [*hashes(4), "../x"], "t")
    assert collection.version() == before


def test_the_version_changes_with_every_part(collection: Collection) -> None:
    reader = again(collection)
    seen = [reader.version()]
    collection.add("a", hashes(1), "t")
    seen.append(reader.version())
    collection.append(ClearNames())
    seen.append(reader.version())
    collection.publish(clustering([1, 2, -1]))
    seen.append(reader.version())
    assert len(set(seen)) == 4
    assert [a[0] == b[0] for a, b in itertools.pairwise(seen)] == [False, True, True]
    assert reader.version() == seen[-1]


def test_the_folder_may_be_deleted_under_readers_and_writers(
    tmp_path: Path, collection: Collection
) -> None:
    collection.add("m", [HASH], "t")
    collection.append(ClearNames())
    collection.publish(clustering([1]))
    before = collection.version()
    for part in ("edits", "members", "name.json", ""):
        path = collection.folder.path / part
        path.unlink() if path.is_file() else shutil.rmtree(path)
        collection.members()
        collection.edits()
        collection.clustering()
    assert (collection.members(), collection.clustering(), collection.edits()) == (
        Members(), None, ()
    )  # fmt: skip
    assert collection.version() != before
    with pytest.raises(Missing):
        collection.append(ClearNames())
    shutil.rmtree(tmp_path / "collections")
    assert Collection.all_names(RootedPath.alone(tmp_path)) == []
    collection.add("m", [HASH], "t")
    collection.publish(clustering([2]))
    assert Collection.all_names(RootedPath.alone(tmp_path)) == ["Cast"]
    assert collection.members().hashes == (HASH,)
    assert same(collection.clustering(), clustering([2])), "not the old one of the same number"


def test_deleting_everything_again_and_again_crashes_no_reader(tmp_path: Path) -> None:
    stop = threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        collection, people = Collection(RootedPath.alone(tmp_path), "Cast"), People()
        try:
            while not stop.is_set():
                collection.version()
                collection.members()
                collection.edits()
                collection.clustering()
                Collection.all_names(RootedPath.alone(tmp_path))
                people.collections_of(RootedPath.alone(tmp_path), [HASH])
        except BaseException as error:  # noqa: BLE001  reported below
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(40):
        collection = Collection.open(RootedPath.alone(tmp_path), "Cast", create=True)
        collection.add("m", [HASH], "t")
        collection.append(ClearNames())
        collection.publish(clustering([1]))
        shutil.rmtree(tmp_path / "collections")
    stop.set()
    for reader in readers:
        reader.join()
    assert errors == []


def test_threads_that_share_a_collection_see_the_same(collection: Collection) -> None:
    errors: list[BaseException] = []

    def add(first: int) -> None:
        try:
            for n in range(first, first + 100):
                collection.add("m", hashes(n), "t")
                assert hashes(n)[0] in collection.members().hashes
                edit = collection.append(ClearNames())
                assert edit in collection.edits()
        except BaseException as error:  # noqa: BLE001  reported below
            errors.append(error)

    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(collection.members().hashes) == len(collection.edits()) == 300
    assert len(again(collection).edits()) == 300
