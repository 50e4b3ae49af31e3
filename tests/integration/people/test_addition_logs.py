"""Addition logs on a real disk: many processes at once, nothing lost, damaged files."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from shared.cache import limits
from shared.errors import BadInput
from shared.opening import RootedPath
from shared.people import addition_log
from shared.people.addition_log import AdditionLog
from shared.people.collection import Collection
from shared.people.edits import ClearNames, ClusterNaming, Names, Undo
from tests.support.people.reopened import again
from tests.support.waiting import wait_for

SPAWN = multiprocessing.get_context("spawn")


def hashes(*numbers: int) -> list[str]:
    return [f"{number:016x}" for number in numbers]


def _add_many(root: str, letter: str, gate: Any) -> None:
    collection = Collection.open(RootedPath.alone(Path(root)), "Cast", create=True)
    gate.wait()
    for n in range(200):
        collection.add("m", [f"{letter}{n:015x}"], f"task {letter}")
        if n % 10 == 0:
            collection.append(Names((ClusterNaming(n + 1, letter),)))
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
    reader = Collection.open(RootedPath.alone(tmp_path), "Cast", create=True)
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
    names = os.listdir(reader.folder.path / "members")
    assert any(name.startswith("snapshot-") for name in names)
    assert len(names) < 400


def _fold_many(root: str, gate: Any) -> None:
    log = AdditionLog(RootedPath.alone(Path(root)) / "log", int, RootedPath.alone(Path(root)))
    gate.wait()
    for n in range(40):
        log.append(n)
        log.fold()


def test_many_additions_are_folded_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addition_log, "FOLD_AT", 20)
    log = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    for n in range(21):
        log.append(n)
    wait_for(lambda: len(os.listdir(log.folder.path)) == 1, 20, "all of it in one snapshot")
    assert [added.what for added in log.read()] == [*range(21)]


def test_folding_at_once_loses_nothing(tmp_path: Path) -> None:
    gate = SPAWN.Barrier(3)
    workers = [SPAWN.Process(target=_fold_many, args=(str(tmp_path), gate)) for _ in range(2)]
    for worker in workers:
        worker.start()
    gate.wait()
    reader = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    count = 0
    while any(worker.is_alive() for worker in workers):
        found = len(reader.read())
        assert found >= count
        count = found
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path)).read()
    assert sorted(added.what for added in found) == sorted([*range(40)] * 2)
    assert [added.lamport for added in found] == sorted(added.lamport for added in found)


def test_what_was_seen_comes_before_what_is_added(tmp_path: Path) -> None:
    one, other = (
        AdditionLog(RootedPath.alone(tmp_path) / "log", str, RootedPath.alone(tmp_path))
        for _ in range(2)
    )
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
    log = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    for n in range(4):
        log.append(n)
    listdir = os.listdir

    def slowly(folder: Path) -> list[str]:
        """Misses what comes, and some of what goes meanwhile."""
        monkeypatch.setattr(os, "listdir", listdir)
        early = listdir(folder)
        AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path)).fold()
        return early[:listed]

    monkeypatch.setattr(os, "listdir", slowly)
    reader = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    assert [added.what for added in reader.read()] == [0, 1, 2, 3]


def test_a_share_that_lists_what_is_gone_does_not_hold_readers_up_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    for n in range(3):
        log.append(n)
    listed = os.listdir(log.folder.path)
    (log.folder.path / min(listed)).unlink()
    monkeypatch.setattr(os, "listdir", lambda folder: listed)
    monkeypatch.setattr(addition_log, "_READ_WAIT_S", 0.05)
    reader = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    assert [added.what for added in reader.read()] == [1, 2]
    assert "goes on listing files that are gone" in caplog.text


def test_a_damaged_addition_is_skipped_and_the_others_count(
    collection: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    first = collection.append(ClearNames())
    collection.append(Undo(""))
    collection.append(Undo(first.id))
    names = sorted(os.listdir(collection.folder.path / "edits"))
    whole = (collection.folder.path / "edits" / names[1]).read_bytes()
    for damage in (b"", whole[:-5], b"\xff" + whole, b"[]", whole.replace(b'undo"', b'sing"'),
                   whole.replace(b'"id":"0000', b'"id":"1000'), b"[" * 100_000):  # fmt: skip
        (collection.folder.path / "edits" / names[1]).write_bytes(damage)
        caplog.clear()
        reader = again(collection)
        assert [edit.what for edit in reader.edits()] == [ClearNames(), Undo(first.id)]
        assert "skipped what is damaged" in caplog.text
        reader.edits()
        assert caplog.text.count("skipped") == 1, "said once"
    (collection.folder.path / "edits" / "notes.txt").write_text("mine")
    (collection.folder.path / "edits" / f"{names[0]} (copy).json").write_text("{}")
    assert len(again(collection).edits()) == 2


def test_an_edit_with_an_impossible_id_is_skipped(collection: Collection) -> None:
    for id_ in (1, 2**31 - 1, 2**31, 0, -1):
        collection.append(Names((ClusterNaming(id_, "Anna"),)))
    assert [edit.lamport for edit in again(collection).edits()] == [1, 2]


def test_folding_keeps_damaged_and_foreign_files(tmp_path: Path) -> None:
    log = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    for n in range(4):
        log.append(n)
    damaged, *_ = sorted(os.listdir(log.folder.path))
    (log.folder.path / damaged).write_bytes(b"")
    (log.folder.path / "notes.txt").write_text("mine")
    (log.folder.path / ".x.add.00000000.tmp").write_text("half")
    (log.folder.path / ".y.add.00000000.tmp").write_text("half")
    os.utime(log.folder.path / ".y.add.00000000.tmp", (1_000_000, 1_000_000))
    reader = AdditionLog(RootedPath.alone(tmp_path) / "log", int, RootedPath.alone(tmp_path))
    reader.fold()
    left = sorted(os.listdir(log.folder.path))
    assert left[:3] == [".x.add.00000000.tmp", damaged, "notes.txt"]
    assert len(left) == 4
    assert [added.what for added in reader.read()] == [1, 2, 3]
    reader.fold()
    assert sorted(os.listdir(log.folder.path)) == left, "nothing to fold"


def test_damage_to_a_snapshot_costs_what_it_is_in_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AdditionLog(RootedPath.alone(tmp_path) / "log", str, RootedPath.alone(tmp_path))
    for n in range(5):
        log.append(f"word {n}")
    log.fold()
    (name,) = os.listdir(log.folder.path)
    whole = (log.folder.path / name).read_bytes()
    assert [added["what"] for added in json.loads(whole)] == [f"word {n}" for n in range(5)]
    (log.folder.path / name).write_bytes(whole.replace(b'"word 2"', b'\xf7word 2"'))
    reader = AdditionLog(RootedPath.alone(tmp_path) / "log", str, RootedPath.alone(tmp_path))
    assert [added.what[-1] for added in reader.read()] == ["0", "1", "3", "4"]
    assert "skipped what is damaged" in caplog.text
    for n in range(5, 8):
        reader.append(f"word {n}")
    reader.fold()
    assert name in os.listdir(log.folder.path), "somebody may be able to mend it"
    again = AdditionLog(RootedPath.alone(tmp_path) / "log", str, RootedPath.alone(tmp_path))
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


def test_what_would_not_be_read_again_is_refused_and_small_edits_go_on(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADDITION", 4000)
    monkeypatch.setattr(limits, "ADDITIONS", 8000)
    monkeypatch.setattr(addition_log, "_LARGE", 500)

    def names(count: int) -> Names:
        return Names((ClusterNaming(1, "x" * count),))

    with pytest.raises(BadInput, match="change fewer faces at once"):
        collection.append(names(4000))
    kept = [collection.append(names(1500)) for _ in range(2)]
    with pytest.raises(BadInput, match="change fewer faces at once"):
        again(collection).append(names(1500))
    collection._edits.fold()
    with pytest.raises(BadInput):
        collection.append(names(1500))
    kept += [collection.append(names(300)) for _ in range(5)]
    assert list(again(collection).edits()) == kept
    while len(kept) < 50:
        try:
            kept.append(again(collection).append(names(300)))
        except BadInput:
            break
    assert len(kept) < 30
    assert list(again(collection).edits()) == kept, "what was said to be done is there"
