"""Clusterings of a Collection on a real disk: one publisher a number, damaged files."""

from __future__ import annotations

import errno
import multiprocessing
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.opening import RootedPath
from shared.people import numbered_files
from shared.people.clustering import Clustering
from shared.people.collection import Collection
from tests.support.people.clusterings import clustering, same
from tests.support.people.reopened import again

SPAWN = multiprocessing.get_context("spawn")


def test_a_clustering_reads_as_it_was_published(collection: Collection) -> None:
    made = clustering([5, 5, -1, 7, 9, -1, 5], number=3)
    assert collection.publish(made)
    assert same(again(collection).clustering(), made)
    with np.load(collection.folder.path / "clustering-000000003.npz") as plain:
        assert plain["labels"].tolist() == [5, 5, -1, 7, 9, -1, 5]
    assert collection.publish(clustering([], media=0, number=4))
    assert same(again(collection).clustering(), clustering([], media=0, number=4))
    assert collection.face_files.next_number() == 5


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
    assert sorted(os.listdir(collection.folder.path)) == ["clustering-000000002.npz", "name.json"]


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
    assert os.listdir(collection.folder.path) == ["name.json"]


def _publish_many(root: str, letter: int, gate: Any, out: Any) -> None:
    collection = Collection.open(RootedPath.alone(Path(root)), "Cast", create=True)
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
    collection = Collection.open(RootedPath.alone(tmp_path), "Cast", create=False)
    for number in range(1, 31):
        found = numbered_files.read_whole(
            collection.folder / f"clustering-{number:09d}.npz", numbered_files.CLUSTERINGS
        )
        assert number in won[int(found.cluster_ids[0])]
    assert not list(collection.folder.path.glob("*.claim"))


def _refuse(*paths: object, **folders: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "no links here")


def _publish_many_without_links(root: str, letter: int, gate: Any, out: Any) -> None:
    os.link = _refuse  # type: ignore[assignment]
    _publish_many(root, letter, gate, out)


def test_a_number_whose_publisher_was_killed_is_passed_over(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _refuse)
    assert collection.publish(clustering([1]))
    (collection.folder.path / "clustering-000000002.npz").touch()
    assert not collection.publish(clustering([2], number=2))
    assert collection.clustering() is not None, "the one before it"
    assert collection.publish(clustering([3], number=collection.face_files.next_number()))
    found = collection.clustering()
    assert found is not None
    assert (found.number, found.labels.tolist()) == (3, [3])


def test_a_share_that_loses_the_answer_to_a_link_does_not_deceive_us(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def twice(source: str, target: str, **folders: Any) -> None:
        link(source, target, **folders)
        link(source, target, **folders)

    monkeypatch.setattr(os, "link", twice)
    assert collection.publish(clustering([1]))


def test_the_newest_three_clusterings_are_kept_and_others_for_a_minute(
    collection: Collection,
) -> None:
    for number in range(1, 6):
        collection.publish(clustering([1], number=number))
    assert len(list(collection.folder.path.glob("clustering-*"))) == 5
    for number in range(1, 5):
        os.utime(collection.folder.path / f"clustering-{number:09d}.npz", (1_000_000, 1_000_000))
    left = [
        collection.folder.path / name / ".x.t.00000000.tmp" for name in ("", "members", "edits")
    ]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (1_000_000, 1_000_000))
    collection.publish(clustering([1], number=6))
    kept = sorted(path.name for path in collection.folder.path.glob("clustering-*"))
    assert kept == [f"clustering-{number:09d}.npz" for number in (4, 5, 6)]
    assert not any(path.exists() for path in left)


def test_a_damaged_clustering_gives_way_to_the_one_before(
    collection: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = clustering([1, 2, -1] * 4), clustering([3] * 12, number=2)
    collection.publish(first)
    collection.publish(second)
    path = collection.folder.path / "clustering-000000002.npz"
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
    assert collection.face_files.next_number() == 3
    assert collection.publish(clustering([4], number=3))
    assert same(reader.clustering(), clustering([4], number=3))
