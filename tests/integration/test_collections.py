"""Collections on a real disk: many processes at once, nothing lost, odd names, damaged files."""

from __future__ import annotations

import errno
import itertools
import json
import multiprocessing
import os
import shutil
import threading
import unicodedata
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import BadInput, CacheError, Missing
from shared.people import addition_log, clustering_files
from shared.people.addition_log import AdditionLog
from shared.people.clustering import Clustering, Memory
from shared.people.collection import Collection, Members
from shared.people.edits import Assignment, ClearNames, Names, Undo
from shared.people.memberships import collections_of
from tests.clusterings import clustering
from tests.waiting import wait_for

SPAWN = multiprocessing.get_context("spawn")
HASH = "00112233aabbccdd"


def hashes(*numbers: int) -> list[str]:
    return [f"{number:016x}" for number in numbers]


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection.open(tmp_path, "Cast", create=True)


def again(collection: Collection) -> Collection:
    """As another process sees it."""
    return Collection.open(collection.folder.parent.parent, collection.name, create=False)


def same(one: Clustering | Memory | None, other: Clustering | Memory) -> bool:
    assert one is not None
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(other)]
    return all(
        same(mine, yours)
        if isinstance(mine, Memory)
        else np.array_equal(mine, yours) and np.asarray(mine).dtype == np.asarray(yours).dtype
        for mine, yours in pairs
    )


def test_a_collection_is_made_once_and_found_again(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no collection 'Cast'"):
        Collection.open(tmp_path, "Cast", create=False)
    assert Collection.all_names(tmp_path) == []
    made = Collection.open(tmp_path, "Cast", create=True)
    written = (made.folder / "name.json").read_bytes()
    assert Collection.open(tmp_path, "Cast", create=True).folder == made.folder
    assert (made.folder / "name.json").read_bytes() == written
    assert json.loads(written)["name"] == again(made).name == "Cast"
    assert (made.members(), made.clustering(), made.edits()) == (Members(), None, ())


@pytest.mark.parametrize(
    "name",
    ["a", "x" * 200, "👩‍👩‍👧 am Set", "a/b\\c", ".", "..", "...", "CON", "nul", " ", "a\0b", "ß",
     "ﬁ", "Ж" * 200, "-", "name.json", "%2e"],
)  # fmt: skip
def test_any_name_works(tmp_path: Path, name: str) -> None:
    Collection.open(tmp_path, name, create=True).add("m", [HASH], "t")
    assert Collection.all_names(tmp_path) == [name]
    assert Collection.open(tmp_path, name, create=False).members().hashes == (HASH,)
    (folder,) = os.listdir(tmp_path / "collections")
    assert len(folder.encode()) < 100
    assert folder.isascii()
    assert folder == folder.lower()


@pytest.mark.parametrize("name", ["", "x" * 201, "\ud800"])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    for create in (True, False):
        with pytest.raises(BadInput, match=r"1 to 200 characters|not valid Unicode"):
            Collection.open(tmp_path, name, create=create)
    assert os.listdir(tmp_path) == []


def test_names_are_the_same_however_they_are_typed(tmp_path: Path) -> None:
    name = "Zoë é"
    Collection.open(tmp_path, unicodedata.normalize("NFD", name), create=True)
    found = Collection.open(tmp_path, unicodedata.normalize("NFC", name), create=False)
    assert found.name == unicodedata.normalize("NFC", name)
    assert Collection.all_names(tmp_path) == [found.name]


def test_names_that_differ_in_case_stay_apart_on_every_file_system(tmp_path: Path) -> None:
    for name in ("Anna", "anna", "ANNA", "bob"):
        Collection.open(tmp_path, name, create=True).add("m", hashes(len(name), ord(name[0])), "")
    assert len({folder.casefold() for folder in os.listdir(tmp_path / "collections")}) == 4
    assert Collection.all_names(tmp_path) == ["ANNA", "Anna", "anna", "bob"]
    held = collections_of(tmp_path, hashes(4, ord("A"), 7))
    assert list(held.values()) == [["ANNA", "Anna", "anna"], ["ANNA", "Anna"], []]
    Collection.open(tmp_path, "bob", create=False).add("m", hashes(7), "")
    assert collections_of(tmp_path, hashes(7)) == {hashes(7)[0]: ["bob"]}
    assert collections_of(tmp_path / "absent", hashes(7)) == {hashes(7)[0]: []}


def test_folders_that_do_not_read_are_skipped(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Collection.open(tmp_path, name, create=True)
    a, b = (Collection.open(tmp_path, name, create=False) for name in "ab")
    (a.folder / "name.json").write_bytes(b'{"name": ')
    shutil.copy(b.folder / "name.json", a.folder.with_name("copy"), follow_symlinks=False)
    shutil.copytree(b.folder, b.folder.with_name("a copy of b"))
    (tmp_path / "collections" / "empty").mkdir()
    assert Collection.all_names(tmp_path) == ["b", "c"]


def test_a_collection_outlives_its_name_file(tmp_path: Path, collection: Collection) -> None:
    collection.add("m", [HASH], "t")
    for damage in (b"", b"\xff", b"{}"):
        (collection.folder / "name.json").write_bytes(damage)
        assert again(collection).members().hashes == (HASH,)
    (collection.folder / "name.json").unlink()
    assert again(collection).members().hashes == (HASH,)
    assert Collection.open(tmp_path, "Cast", create=True).members().hashes == (HASH,)
    assert Collection.all_names(tmp_path) == ["Cast"]


def test_a_folder_that_names_another_collection_is_not_touched(
    tmp_path: Path, collection: Collection
) -> None:
    (collection.folder / "name.json").write_text('{"name": "Crew", "created_at": 1}')
    for create in (True, False):
        with pytest.raises(CacheError, match="names another collection: 'Crew'"):
            Collection.open(tmp_path, "Cast", create=create)
    assert Collection.all_names(tmp_path) == []


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


def _add_many(root: str, letter: str, gate: Any) -> None:
    collection = Collection.open(Path(root), "Cast", create=True)
    gate.wait()
    for n in range(200):
        collection.add("m", [f"{letter}{n:015x}"], f"task {letter}")
        if n % 10 == 0:
            collection.append(Names((Assignment(n + 1, letter),)))
    collection._members.fold()


def test_two_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    gate = SPAWN.Barrier(3)
    workers = [
        SPAWN.Process(target=_add_many, args=(str(tmp_path), letter, gate)) for letter in "ab"
    ]
    for worker in workers:
        worker.start()
    gate.wait()
    wanted = {f"{letter}{n:015x}" for letter in "ab" for n in range(200)}
    reader = Collection.open(tmp_path, "Cast", create=True)
    known: set[str] = set()
    while any(worker.is_alive() for worker in workers):
        now = set(reader.members().hashes)
        assert now >= known, "what was seen once is seen from then on, also during folding"
        known = now
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert set(reader.members().hashes) == set(again(reader).members().hashes) == wanted
    assert len(again(reader).edits()) == 40
    names = os.listdir(reader.folder / "members")
    assert any(name.startswith("snapshot-") for name in names)
    assert len(names) < 400


def _fold_many(root: str, gate: Any) -> None:
    log = AdditionLog(Path(root) / "log", int, Path(root))
    gate.wait()
    for n in range(40):
        log.append(n)
        log.fold()


def test_many_additions_are_folded_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addition_log, "FOLD_AT", 20)
    log = AdditionLog(tmp_path / "log", int, tmp_path)
    for n in range(21):
        log.append(n)
    wait_for(lambda: len(os.listdir(log.folder)) == 1, 20, "all of it in one snapshot")
    assert [added.what for added in log.read()] == [*range(21)]


def test_folding_at_once_loses_nothing(tmp_path: Path) -> None:
    gate = SPAWN.Barrier(3)
    workers = [SPAWN.Process(target=_fold_many, args=(str(tmp_path), gate)) for _ in range(2)]
    for worker in workers:
        worker.start()
    gate.wait()
    reader = AdditionLog(tmp_path / "log", int, tmp_path)
    count = 0
    while any(worker.is_alive() for worker in workers):
        found = len(reader.read())
        assert found >= count
        count = found
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = AdditionLog(tmp_path / "log", int, tmp_path).read()
    assert sorted(added.what for added in found) == sorted([*range(40)] * 2)
    assert [added.lamport for added in found] == sorted(added.lamport for added in found)


def test_what_was_seen_comes_before_what_is_added(tmp_path: Path) -> None:
    one, other = (AdditionLog(tmp_path / "log", str, tmp_path) for _ in range(2))
    for n in range(20):
        (one, other)[n % 2].append(str(n))
        if n == 10:
            one.fold()
    assert [added.what for added in other.read()] == [str(n) for n in range(20)]
    assert other.read() is other.read(), "read once"


@pytest.mark.parametrize("listed", [0, 2, 4])
def test_a_listing_made_while_others_fold_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    log = AdditionLog(tmp_path / "log", int, tmp_path)
    for n in range(4):
        log.append(n)
    listdir = os.listdir

    def slowly(folder: Path) -> list[str]:
        """Misses what comes, and some of what goes meanwhile."""
        monkeypatch.setattr(os, "listdir", listdir)
        early = listdir(folder)
        AdditionLog(tmp_path / "log", int, tmp_path).fold()
        return early[:listed]

    monkeypatch.setattr(os, "listdir", slowly)
    reader = AdditionLog(tmp_path / "log", int, tmp_path)
    assert [added.what for added in reader.read()] == [0, 1, 2, 3]


def test_a_share_that_lists_what_is_gone_does_not_hold_readers_up_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = AdditionLog(tmp_path / "log", int, tmp_path)
    for n in range(3):
        log.append(n)
    listed = os.listdir(log.folder)
    (log.folder / min(listed)).unlink()
    monkeypatch.setattr(os, "listdir", lambda folder: listed)
    monkeypatch.setattr(addition_log, "_READ_WAIT_S", 0.05)
    reader = AdditionLog(tmp_path / "log", int, tmp_path)
    assert [added.what for added in reader.read()] == [1, 2]
    assert "goes on listing files that are gone" in caplog.text


def test_a_damaged_addition_is_skipped_and_the_others_count(
    collection: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    first = collection.append(ClearNames())
    collection.append(Undo(""))
    collection.append(Undo(first.id))
    names = sorted(os.listdir(collection.folder / "edits"))
    whole = (collection.folder / "edits" / names[1]).read_bytes()
    for damage in (b"", whole[:-5], b"\xff" + whole, b"[]", whole.replace(b'undo"', b'sing"'),
                   whole.replace(b'"id":"0000', b'"id":"1000'), b"[" * 100_000):  # fmt: skip
        (collection.folder / "edits" / names[1]).write_bytes(damage)
        caplog.clear()
        reader = again(collection)
        assert [edit.what for edit in reader.edits()] == [ClearNames(), Undo(first.id)]
        assert "skipped what is damaged" in caplog.text
        reader.edits()
        assert caplog.text.count("skipped") == 1, "said once"
    (collection.folder / "edits" / "notes.txt").write_text("mine")
    (collection.folder / "edits" / f"{names[0]} (copy).json").write_text("{}")
    assert len(again(collection).edits()) == 2


def test_an_edit_with_an_impossible_id_is_skipped(collection: Collection) -> None:
    for id_ in (1, 2**31 - 1, 2**31, 0, -1):
        collection.append(Names((Assignment(id_, "Anna"),)))
    assert [edit.lamport for edit in again(collection).edits()] == [1, 2]


def test_folding_keeps_damaged_and_foreign_files(tmp_path: Path) -> None:
    log = AdditionLog(tmp_path / "log", int, tmp_path)
    for n in range(4):
        log.append(n)
    damaged, *_ = sorted(os.listdir(log.folder))
    (log.folder / damaged).write_bytes(b"")
    (log.folder / "notes.txt").write_text("mine")
    (log.folder / ".x.add.00000000.tmp").write_text("half")
    (log.folder / ".y.add.00000000.tmp").write_text("half")
    os.utime(log.folder / ".y.add.00000000.tmp", (1_000_000, 1_000_000))
    reader = AdditionLog(tmp_path / "log", int, tmp_path)
    reader.fold()
    left = sorted(os.listdir(log.folder))
    assert left[:3] == [".x.add.00000000.tmp", damaged, "notes.txt"]
    assert len(left) == 4
    assert [added.what for added in reader.read()] == [1, 2, 3]
    reader.fold()
    assert sorted(os.listdir(log.folder)) == left, "nothing to fold"


def test_damage_to_a_snapshot_costs_what_it_is_in_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AdditionLog(tmp_path / "log", str, tmp_path)
    for n in range(5):
        log.append(f"word {n}")
    log.fold()
    (name,) = os.listdir(log.folder)
    whole = (log.folder / name).read_bytes()
    assert [added["what"] for added in json.loads(whole)] == [f"word {n}" for n in range(5)]
    (log.folder / name).write_bytes(whole.replace(b'"word 2"', b'\xf7word 2"'))
    reader = AdditionLog(tmp_path / "log", str, tmp_path)
    assert [added.what[-1] for added in reader.read()] == ["0", "1", "3", "4"]
    assert "skipped what is damaged" in caplog.text
    for n in range(5, 8):
        reader.append(f"word {n}")
    reader.fold()
    assert name in os.listdir(log.folder), "somebody may be able to mend it"
    again = AdditionLog(tmp_path / "log", str, tmp_path)
    assert [added.what[-1] for added in again.read()] == ["0", "1", "3", "4", "5", "6", "7"]


def test_edits_of_a_newer_version_are_kept_and_skipped(collection: Collection) -> None:
    old = AdditionLog(collection.folder / "edits", dict[str, str], collection.folder)
    old.append({"kind": "clear_names"})
    old.append({"kind": "split", "how": "in two"})
    old.fold()
    reader = again(collection)
    assert [edit.what for edit in reader.edits()] == [ClearNames()]
    reader.append(Undo(""))
    reader._edits.fold()
    found = AdditionLog(collection.folder / "edits", dict[str, str], collection.folder).read()
    assert [added.what["kind"] for added in found] == ["clear_names", "split", "undo"]


def test_a_clustering_reads_as_it_was_published(collection: Collection) -> None:
    made = clustering([5, 5, -1, 7, 9, -1, 5], number=3)
    assert collection.publish(made)
    assert same(again(collection).clustering(), made)
    with np.load(collection.folder / "clustering-000000003.npz") as plain:
        assert plain["labels"].tolist() == [5, 5, -1, 7, 9, -1, 5]
    assert collection.publish(clustering([], media=0, number=4))
    assert same(again(collection).clustering(), clustering([], media=0, number=4))
    assert collection.next_number() == 5


def test_a_clustering_is_read_once(collection: Collection) -> None:
    collection.publish(clustering([1, 1]))
    reader = again(collection)
    assert reader.clustering() is reader.clustering()
    collection.publish(clustering([2, 2], number=2))
    newer = reader.clustering()
    assert newer is not None
    assert newer.number == 2


def test_a_number_is_published_once(collection: Collection) -> None:
    assert collection.publish(clustering([1], number=2))
    for number in (1, 2):
        assert not collection.publish(clustering([3], number=number))
    assert same(collection.clustering(), clustering([1], number=2))
    assert sorted(os.listdir(collection.folder)) == ["clustering-000000002.npz", "name.json"]


def test_a_clustering_that_readers_would_stumble_over_is_not_published(
    collection: Collection,
) -> None:
    good = clustering([1, 2, -1])
    for change in (
        {"labels": np.array([1, 2, 3], np.int32)},
        {"labels": good.labels.astype(np.int64)},
        {"labels": good.labels[:2]},
        {"media_of": np.array([0, 1, 5], np.int32)},
        {"keys": good.keys[::-1], "media_of": np.zeros(3, np.int32)},
        {"samples": good.samples + 3},
        {"cluster_ids": np.array([2, 1], np.int32)},
        {"number": 0},
        {"media_files": ()},
        {"loose_embeddings": np.zeros((1, 3), np.float16)},
    ):
        changed = {field.name: getattr(good, field.name) for field in fields(good)} | change
        with pytest.raises(ValueError, match=r"\w"):
            collection.publish(Clustering(**changed))
    assert os.listdir(collection.folder) == ["name.json"]


def _publish_many(root: str, letter: int, gate: Any, out: Any) -> None:
    collection = Collection.open(Path(root), "Cast", create=True)
    won = []
    for number in range(1, 31):
        made = clustering([letter] * 100, number=number)
        gate.wait()
        if collection.publish(made):
            won.append(number)
    out.put((letter, won))


@pytest.mark.parametrize("has_links", [True, False])
def test_of_two_publishers_of_a_number_one_wins(
    tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, out = SPAWN.Barrier(2), SPAWN.Queue()
    target = _publish_many if has_links else _publish_many_without_links
    workers = [
        SPAWN.Process(target=target, args=(str(tmp_path), letter, gate, out)) for letter in (1, 2)
    ]
    for worker in workers:
        worker.start()
    won = dict(out.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert sorted(won[1] + won[2]) == list(range(1, 31))
    collection = Collection.open(tmp_path, "Cast", create=False)
    for number in range(1, 31):
        found = clustering_files.read(collection.folder / f"clustering-{number:09d}.npz")
        assert number in won[int(found.cluster_ids[0])]
    assert not list(collection.folder.glob("*.claim"))


def _refuse(*paths: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "no links here")


def _publish_many_without_links(root: str, letter: int, gate: Any, out: Any) -> None:
    os.link = _refuse  # type: ignore[assignment]
    _publish_many(root, letter, gate, out)


def test_a_claim_whose_owner_was_killed_is_taken_over(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _refuse)
    claim = collection.folder / "clustering-000000001.claim"
    claim.touch()
    assert not collection.publish(clustering([1]))
    os.utime(claim, (1_000_000, 1_000_000))
    assert collection.publish(clustering([1]))
    assert sorted(os.listdir(collection.folder)) == ["clustering-000000001.npz", "name.json"]


def test_a_share_that_loses_the_answer_to_a_link_does_not_deceive_us(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    assert collection.publish(clustering([1]))


def test_the_newest_three_clusterings_are_kept_and_others_for_a_minute(
    collection: Collection,
) -> None:
    for number in range(1, 6):
        collection.publish(clustering([1], number=number))
    assert len(list(collection.folder.glob("clustering-*"))) == 5
    for number in range(1, 5):
        os.utime(collection.folder / f"clustering-{number:09d}.npz", (1_000_000, 1_000_000))
    left = [collection.folder / name / ".x.t.00000000.tmp" for name in ("", "members", "edits")]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (1_000_000, 1_000_000))
    collection.publish(clustering([1], number=6))
    kept = sorted(path.name for path in collection.folder.glob("clustering-*"))
    assert kept == [f"clustering-{number:09d}.npz" for number in (4, 5, 6)]
    assert not any(path.exists() for path in left)


def test_a_damaged_clustering_gives_way_to_the_one_before(
    collection: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = clustering([1, 2, -1] * 4), clustering([3] * 12, number=2)
    collection.publish(first)
    collection.publish(second)
    path = collection.folder / "clustering-000000002.npz"
    whole = path.read_bytes()
    for at in [*range(0, len(whole), 97), *range(len(whole) - 1500, len(whole), 3)]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x81]) + whole[at + 1 :])
        found = again(collection).clustering()
        assert same(found, first) or same(found, second)
    for damage in (b"", whole[:-1], whole[: len(whole) // 2], b"x" * len(whole)):
        path.write_bytes(damage)
        caplog.clear()
        reader = again(collection)
        assert same(reader.clustering(), first)
        assert same(reader.clustering(), first)
        assert caplog.text.count("is damaged") == 1
    assert collection.next_number() == 3
    assert collection.publish(clustering([4], number=3))
    assert same(reader.clustering(), clustering([4], number=3))


def test_the_folder_may_be_deleted_under_readers_and_writers(
    tmp_path: Path, collection: Collection
) -> None:
    collection.add("m", [HASH], "t")
    collection.append(ClearNames())
    collection.publish(clustering([1]))
    before = collection.version()
    for part in ("edits", "members", "name.json", ""):
        path = collection.folder / part
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
    assert Collection.all_names(tmp_path) == []
    collection.add("m", [HASH], "t")
    collection.publish(clustering([2]))
    assert Collection.all_names(tmp_path) == ["Cast"]
    assert collection.members().hashes == (HASH,)
    assert same(collection.clustering(), clustering([2])), "not the old one of the same number"


def test_deleting_everything_again_and_again_crashes_no_reader(tmp_path: Path) -> None:
    stop = threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        collection = Collection(tmp_path, "Cast")
        try:
            while not stop.is_set():
                collection.version()
                collection.members()
                collection.edits()
                collection.clustering()
                Collection.all_names(tmp_path)
                collections_of(tmp_path, [HASH])
        except BaseException as error:  # noqa: BLE001  reported below
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(40):
        collection = Collection.open(tmp_path, "Cast", create=True)
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
