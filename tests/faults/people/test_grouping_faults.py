"""Grouping while files are damaged, made by other models, made anew or deleted."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache.cache_dir import CacheDir
from shared.cache.faces import read_faces
from shared.domain import Stage
from shared.errors import CacheError
from shared.opening import RootedPath
from tests.support.people.grouping_desk import ADA, BO, CY, DIM, MODEL, GroupingDesk, shots
from workers.recluster.grouping import Grouping

FACES = 8


@pytest.fixture
def desk(tmp_path: Path) -> GroupingDesk:
    return GroupingDesk(CacheDir.open(tmp_path / "cache", create=True))


def data_of(desk: GroupingDesk, hash_str: str, model: str = MODEL) -> Path:
    manifest = desk.cache.manifest(hash_str, Stage.FACES, model)
    assert manifest is not None
    return desk.cache.data_path(hash_str, manifest).path


def spoil(path: Path, **arrays: NDArray[Any]) -> None:
    """Other arrays in a faces file that is whole as a file."""
    arrays = read_faces(RootedPath.alone(path)) | arrays
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("embeddings", np.ones((FACES, DIM // 2), np.float16)),
        ("embeddings", np.ones((FACES, 4, DIM // 4), np.float16)),
        ("embeddings", np.ones((3, DIM), np.float16)),
        ("boxes", np.zeros((FACES, 3), np.float32)),
        ("boxes", np.full((FACES, 4), np.nan, np.float32)),
        ("seconds", np.arange(FACES, dtype=np.uint32)[::-1]),
        ("seconds", np.array(3, np.uint32)),
        ("scores", np.array(["many"] * FACES)),
    ],
)
def test_a_file_whose_faces_make_no_sense_is_left_out_and_harms_nobody(
    desk: GroupingDesk, name: str, array: NDArray[Any], caplog: pytest.LogCaptureFixture
) -> None:
    one, two = desk.add(1, shots(ADA, BO)), desk.add(2, shots(ADA, BO))
    spoil(data_of(desk, two), **{name: array})
    assert desk.group().media == (one,)
    assert desk.join(two).media == (one,)
    assert caplog.text.count(f"{two} is left out") == 2


def test_a_field_that_claims_to_be_longer_than_memory_is_damage(desk: GroupingDesk) -> None:
    path = data_of(desk, desk.add(1, shots(ADA)))
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (10**13,)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in (members | {"scores.npy": header.getvalue()}).items():
            archive.writestr(name, raw)
    with pytest.raises(CacheError, match="damaged"):
        read_faces(RootedPath.alone(path))


def test_when_no_faces_can_be_read_there_is_nobody_and_later_ones_can_join(
    desk: GroupingDesk,
) -> None:
    one = desk.add(1, shots(ADA))
    data_of(desk, one).write_bytes(b"no faces")
    assert desk.group().media == ()
    two = desk.add(2, shots(ADA))
    assert desk.join(two).media == (two,)


def test_files_that_were_deleted_since_the_last_grouping_are_gone_after_the_next(
    desk: GroupingDesk,
) -> None:
    one, two = desk.add(1, shots(ADA)), desk.add(2, shots(BO))
    desk.group()
    shutil.rmtree(desk.cache.media_dir(two).path)
    assert desk.group().media == (one,)


def meanwhile(desk: GroupingDesk, what: Callable[[], object]) -> Grouping:
    """A grouping of everything in whose middle that is done, once."""
    done: list[object] = []

    def step(share: float, _message: str) -> None:
        if share > 0.5 and not done:
            done.append(what())

    return desk.grouping(step)


def test_faces_that_others_make_anew_while_all_are_grouped_count(desk: GroupingDesk) -> None:
    one = desk.add(1, shots(ADA))
    desk.add(2, shots(BO))
    desk.group()

    def make_anew() -> None:
        desk.join(desk.add(1, shots(CY)))

    assert meanwhile(desk, make_anew).everything(lambda _: (0.48, 3))
    after = desk.now()
    assert after.media_files[after.media.index(one)] == data_of(desk, one).name


def test_vectors_of_two_models_never_meet_though_the_model_changes_in_the_middle(
    desk: GroupingDesk,
) -> None:
    one = desk.add(1, shots(ADA))
    desk.group()
    two = desk.add(2, shots(ADA))
    late = desk.grouping()

    def change() -> None:
        desk.add(1, shots(ADA), model="another")
        desk.group()

    assert not meanwhile(desk, change).everything(lambda _: (0.48, 3))
    assert not late.newcomers([two])
    assert (desk.now().model, desk.now().media) == ("another", (one,))


def test_newcomers_to_a_collection_that_was_deleted_are_left_to_the_next_grouping(
    desk: GroupingDesk,
) -> None:
    one = desk.add(1, shots(ADA))
    desk.group()
    grouping = desk.grouping()
    shutil.rmtree(desk.collection.folder.path)
    assert not grouping.newcomers([one])
    assert desk.collection.clustering() is None


def test_a_grouping_that_names_files_elsewhere_counts_as_damaged(
    desk: GroupingDesk, caplog: pytest.LogCaptureFixture
) -> None:
    one = desk.add(1, shots(ADA))
    first, second = desk.group(), desk.group()
    path = desk.collection.folder.path / f"clustering-{second.number:09d}.npz"
    with np.load(path) as stored:
        fields = {name: stored[name] for name in stored.files}
    for media in ([b"../../../etc"], [b"e" * 15]):
        np.savez(path, **(fields | {"media": np.array(media)}))
        assert desk.now().number == first.number
        assert "media are no hashes" in caplog.text
    assert desk.join(one).media == (one,)
