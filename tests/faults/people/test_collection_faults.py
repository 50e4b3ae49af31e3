"""Collections after kill -9 at any moment and on full disks: the former or the new state."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import CacheError
from shared.opening import RootedPath
from shared.people import addition_log
from shared.people.collection import Collection
from shared.people.edits import ClearNames, ClusterNaming, Names, NewEdit, Undo
from tests.support.people.clusterings import clustering
from tests.support.programs.killed_in_people import NEW_HASH, OPERATIONS
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for

HASHES = tuple(f"{n:016x}" for n in range(5))
EDITS: tuple[NewEdit, ...] = (
    Names((ClusterNaming(5, "Anna"), ClusterNaming(7, "Bo"))),
    ClearNames(),
    Names((ClusterNaming(5, "x" * 200),)),
)


def prepared(root: Path) -> Collection:
    collection = Collection.open(RootedPath.alone(root), "Cast", create=True)
    for hash_str in HASHES:
        collection.add("m", [hash_str], "t")
    for edit in EDITS:
        collection.append(edit)
    assert collection.publish(clustering([5, 5, -1]))
    return collection


def contents(root: Path) -> tuple[tuple[str, ...], tuple[NewEdit, ...], int]:
    collection = Collection.open(RootedPath.alone(root), "Cast", create=False)
    found = collection.clustering()
    assert found is not None
    assert found.labels.tolist() == {1: [5, 5, -1], 2: [7, 7, 7]}[found.number]
    edits = tuple(edit.what for edit in collection.edits())
    return collection.members().hashes, edits, found.number


OLD = (HASHES, EDITS, 1)
NEW = {
    "add": ((*HASHES, NEW_HASH), EDITS, 1),
    "append": (HASHES, (*EDITS, Undo("")), 1),
    "fold": OLD,
    "publish": (HASHES, EDITS, 2),
    "publish without links": (HASHES, EDITS, 2),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_kill_9_at_any_moment_leaves_the_former_or_the_new_state(
    tmp_path: Path, operation: str
) -> None:
    prepared(tmp_path / "base")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.programs.killed_in_people", str(tmp_path), operation],
        capture_output=True, text=True, timeout=100,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last = int(done.stdout)
    found = [contents(tmp_path / str(moment)) for moment in range(last + 1)]
    assert found[0] == OLD
    assert found[-1] == NEW[operation]
    states = [state for state, _ in itertools.groupby(found)]
    assert states in ([OLD, NEW[operation]], [OLD]), "and once it is there, it stays"
    assert last >= 6
    for moment in range(last + 1):
        goes_on(tmp_path / str(moment))


def goes_on(root: Path) -> None:
    """Everything works after the kill, and what it left is tidied up."""
    _, edits, _ = contents(root)
    for path in (*root.rglob(".*.tmp"), *root.rglob("*.claim")):
        os.utime(path, (1_000_000, 1_000_000))
    collection = Collection.open(RootedPath.alone(root), "Cast", create=True)
    collection.add("m", [NEW_HASH], "t")
    collection.append(ClearNames())
    collection._edits.fold()
    assert collection.publish(clustering([9], number=collection.face_files.next_number()))
    again = Collection.open(RootedPath.alone(root), "Cast", create=False)
    assert again.members().hashes == (*HASHES, NEW_HASH)
    assert tuple(edit.what for edit in again.edits()) == (*edits, ClearNames())
    assert not [*root.rglob("*.tmp"), *root.rglob("*.claim")]


ALL_AT_ONCE = """
import sys
from pathlib import Path
from shared.opening import RootedPath
from shared.people import addition_log
from shared.people.collection import Collection
from shared.people.edits import ClusterNaming, Names
from tests.support.people.clusterings import clustering
addition_log.FOLD_AT = 4
collection = Collection.open(RootedPath.alone(Path(sys.argv[1])), "Cast", create=True)
for turn in range(1, 10**6):
    collection.add("m", [f"{turn:016x}"], "t")
    collection.append(Names((ClusterNaming(turn, "Anna"),)))
    collection.publish(clustering([turn] * 3000, number=turn))
    print(turn, flush=True)
"""


@pytest.mark.parametrize("turns", [1, 6, 13, 27])
def test_kill_9_at_a_random_moment_loses_nothing_that_was_done(tmp_path: Path, turns: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", ALL_AT_ONCE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(turns):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = turns + len(child.stdout.read().splitlines())
    child.stdout.close()
    collection = Collection.open(RootedPath.alone(tmp_path), "Cast", create=False)
    found = collection.clustering()
    assert found is not None
    assert found.number in (done, done + 1)
    assert set(found.labels.tolist()) == {found.number}
    hashes = [f"{turn:016x}" for turn in range(1, done + 2)]
    assert list(collection.members().hashes) in (hashes, hashes[:-1])
    named = [
        edit.what.assignments[0].cluster_id
        for edit in collection.edits()
        if isinstance(edit.what, Names)
    ]
    assert named in (list(range(1, done + 1)), list(range(1, done + 2)))


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    with tiny_disk(tmp_path / "tiny", kib=512) as folder:
        yield folder


def fill(folder: Path, *, leave: int) -> None:
    """Use the disk up but for so many bytes."""
    (folder / "filler").write_bytes(b"x" * (shutil.disk_usage(folder).free - leave))


def test_a_full_disk_says_so_and_keeps_what_was_there(mounted: Path) -> None:
    collection = prepared(mounted)
    before = collection.version()
    fill(mounted, leave=0)
    for write in (
        lambda: collection.add("m", [NEW_HASH], "t"),
        lambda: collection.append(ClearNames()),
        lambda: collection.publish(clustering([7, 7, 7], number=2)),
        collection._members.fold,
        lambda: Collection.open(RootedPath.alone(mounted), "Crew", create=True),
    ):
        with pytest.raises(CacheError, match=r"is full\. Free some space and try again"):
            write()
        assert contents(mounted) == OLD
    assert collection.version() == before
    assert not list(mounted.rglob("*.tmp"))
    assert Collection.all_names(RootedPath.alone(mounted)) == ["Cast"]
    (mounted / "filler").unlink()
    goes_on(mounted)


def test_an_edit_counts_although_there_is_no_room_to_fold(
    mounted: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collection = prepared(mounted)
    long = Names(tuple(ClusterNaming(id_, "x" * 200) for id_ in range(1, 41)))
    for _ in range(3):
        collection.append(long)
    monkeypatch.setattr(addition_log, "FOLD_AT", 3)
    fill(mounted, leave=8192)
    collection.append(ClearNames())
    wait_for(lambda: "could not fold" in caplog.text, 20, "a try to fold")
    assert contents(mounted) == (HASHES, (*EDITS, long, long, long, ClearNames()), 1)


def test_a_read_only_disk_is_read(mounted: Path) -> None:
    collection = prepared(mounted)
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    with pytest.raises(CacheError, match="read-only file system"):
        collection.append(ClearNames())
    assert (
        Collection.open(RootedPath.alone(mounted), "Cast", create=True).members().hashes == HASHES
    )
    assert contents(mounted) == OLD
