"""Groupings of voices on a real disk: one publisher a number, damaged files."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.opening import RootedPath
from shared.people.clustering import VoiceGrouping
from shared.people.collection import Collection
from tests.support.people.clusterings import clustering, same
from tests.support.people.reopened import again
from tests.support.people.voice_groupings import voice_grouping

SPAWN = multiprocessing.get_context("spawn")


def test_a_grouping_reads_as_it_was_published(collection: Collection) -> None:
    assert collection.voices() is VoiceGrouping.empty()
    before = collection.version()
    made = voice_grouping([5, 7, 5], number=3, is_there=[True, False, True])
    assert collection.voice_files.publish(made)
    assert same(again(collection).voices(), made)
    assert collection.voices() is collection.voices()
    assert collection.version() != before
    assert collection.clustering() is None
    none = replace(VoiceGrouping.empty(), number=4)
    assert collection.voice_files.publish(none)
    assert same(again(collection).voices(), none)


def test_faces_and_voices_are_numbered_each_for_themselves(collection: Collection) -> None:
    assert collection.publish(clustering([1], number=8))
    assert collection.voice_files.publish(voice_grouping([5], number=1))
    assert not collection.voice_files.publish(voice_grouping([6], number=1))
    assert (collection.face_files.next_number(), collection.voice_files.next_number()) == (9, 2)
    collection.rewrite(
        lambda found: found,
        lambda edit: edit,
        lambda found: replace(found, labels=found.labels + 1),
    )
    assert sorted(path.name for path in collection.folder.path.glob("*.npz")) == [
        "clustering-000000008.npz",
        "voices-000000002.npz",
    ]
    assert collection.voices().labels.tolist() == [6]


def test_a_grouping_that_readers_would_stumble_over_is_not_published(
    collection: Collection,
) -> None:
    good = voice_grouping([5, 7, 5])
    for change in (
        {"number": 0},
        {"labels": np.array([5, -1, 5], np.int32)},
        {"ids": np.array([2, 1, 3], np.uint32)},
        {"ids": np.array([0, 1, 3], np.uint32)},
        {"ids": np.array([1, 2, 2**31], np.uint32)},
        {"media_of": np.array([1, 0, 0], np.int32)},
        {"media_of": np.array([0, 0, 2], np.int32)},
        {"media": ("0" * 16, "../x")},
        {"media_files": ()},
        {"rows": np.full((3, 8), np.nan, np.float16)},
        {"excerpts": np.array([[2, 1]] * 3, np.float32)},
        {"seconds": np.array([1, 1, -1], np.float32)},
        {"numbers": np.array([0, 1, -1], np.int32)},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            collection.voice_files.publish(replace(good, **change))  # type: ignore[arg-type]
    assert collection.voices() is VoiceGrouping.empty()


def test_a_damaged_grouping_gives_way_to_the_one_before(
    collection: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = voice_grouping([5, 7, 5]), voice_grouping([9] * 3, number=2)
    collection.voice_files.publish(first)
    collection.voice_files.publish(second)
    path = collection.folder.path / "voices-000000002.npz"
    whole = path.read_bytes()
    for at in range(0, len(whole), 41):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x81]) + whole[at + 1 :])
        found = again(collection).voices()
        assert same(found, first) or same(found, second)
    path.write_bytes(whole[:-1])
    caplog.clear()
    reader = again(collection)
    assert same(reader.voices(), first)
    assert same(reader.voices(), first)
    assert caplog.text.count("The grouping of voices") == 1
    assert reader.voice_files.next_number() == 3


def test_a_rewriting_keeps_what_reads_and_not_what_is_damaged(collection: Collection) -> None:
    folder = collection.folder.path
    for number in (1, 2):
        assert collection.publish(clustering([number], number=number))
        assert collection.voice_files.publish(voice_grouping([number], number=number))
    for name in ("clustering-000000003.npz", "voices-000000003.npz"):
        (folder / name).write_bytes(b"torn")
    again(collection).rewrite(
        lambda found: found,
        lambda edit: edit,
        lambda found: replace(found, labels=found.labels + 1),
    )
    assert sorted(path.name for path in folder.glob("*.npz")) == [
        "clustering-000000002.npz",
        "voices-000000004.npz",
    ]
    kept = again(collection)
    assert kept.voices().labels.tolist() == [3]
    assert same(kept.clustering(), clustering([2], number=2))
    (folder / "clustering-000000002.npz").write_bytes(b"torn, too")
    again(collection).rewrite(lambda found: found, lambda edit: edit)
    assert [path.name for path in folder.glob("*.npz")] == ["voices-000000004.npz"]


def _publish_many(root: str, label: int, gate: Any, out: Any) -> None:
    collection = Collection.open(RootedPath.alone(Path(root)), "Cast", create=True)
    won = []
    for number in range(1, 16):
        made = voice_grouping([label] * 20, number=number)
        gate.wait()
        if collection.voice_files.publish(made):
            won.append(number)
    out.put((label, won))


def test_of_two_publishers_of_a_number_one_wins(tmp_path: Path) -> None:
    gate, out = SPAWN.Barrier(2), SPAWN.Queue()
    workers = [
        SPAWN.Process(target=_publish_many, args=(str(tmp_path), label, gate, out))
        for label in (1, 2)
    ]
    for worker in workers:
        worker.start()
    won = dict(out.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert sorted(won[1] + won[2]) == list(range(1, 16))
    found = Collection.open(RootedPath.alone(tmp_path), "Cast", create=False).voices()
    assert 15 in won[int(found.labels[0])]
