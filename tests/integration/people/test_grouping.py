"""Grouping a Collection on the disk: ids and manual work stay, newcomers join, two at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from api.people.editing import modify_edit, names_edit, undo_edit
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import Cancelled
from shared.people.clustering import NO_CLUSTER
from tests.support.people.grouping_desk import ADA, BO, CY, DEE, MODEL, GroupingDesk, face, shots


@pytest.fixture
def desk(tmp_path: Path) -> GroupingDesk:
    return GroupingDesk(CacheDir.open(tmp_path / "cache", create=True))


def test_people_are_found_over_files_and_keep_their_ids_when_grouped_again(
    desk: GroupingDesk,
) -> None:
    one = desk.add(1, shots(ADA, BO))
    two = desk.add(2, shots(BO, ADA))
    desk.group()
    ada, bo = desk.id_of(one, (0, ADA)), desk.id_of(one, (4, BO))
    assert ada != bo
    assert (desk.id_of(two, (4, ADA)), desk.id_of(two, (0, BO))) == (ada, bo)
    desk.add(3, shots(CY, ADA, BO))
    again = desk.group()
    assert desk.id_of(one, (0, ADA)) == ada
    assert desk.id_of(two, (0, BO)) == bo
    assert set(again.cluster_ids.tolist()) > {ada, bo}


def test_the_same_files_are_grouped_the_same_on_every_machine(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        desk = GroupingDesk(CacheDir.open(tmp_path / name, create=True))
        desk.add(1, shots(ADA, BO, CY))
        desk.add(2, shots(BO, CY))
        found.append(desk.group())
    assert found[0].labels.tolist() == found[1].labels.tolist()
    assert found[0].cluster_ids.tolist() == found[1].cluster_ids.tolist()


def test_names_merges_and_moves_survive_a_regrouping(desk: GroupingDesk) -> None:
    one = desk.add(1, shots(ADA, BO, CY, DEE, each=5))
    desk.group()
    ids = [desk.id_of(one, (5 * person, person)) for person in (ADA, BO, CY, DEE)]
    collection = desk.collection
    collection.append(names_edit(desk.state(), [(ids[ADA], "Ada"), (ids[DEE], "Dee")]))
    collection.append(modify_edit(desk.state(), merges=[([ids[BO]], ids[ADA])]))
    moved = [face(one, (10, CY)), face(one, (11, CY))]
    collection.append(modify_edit(desk.state(), moves=[(moved, None)]))
    new = desk.id_of(one, (10, CY))
    assert new not in ids
    two = desk.add(2, shots(DEE, CY, BO, ADA, each=6))
    desk.group(eps=0.4)
    assert desk.id_of(two, (12, BO)) == desk.id_of(two, (18, ADA)) == ids[ADA], "still merged"
    assert desk.id_of(one, (10, CY)) == new, "still moved"
    assert desk.id_of(one, (12, CY)) == ids[CY]
    assert desk.state().names == {ids[ADA]: "Ada", ids[DEE]: "Dee"}


def test_when_most_of_a_cluster_was_moved_out_the_rest_keeps_its_id_and_name(
    desk: GroupingDesk,
) -> None:
    one = desk.add(1, shots(ADA, each=10))
    desk.group()
    ada = desk.id_of(one, (0, ADA))
    desk.collection.append(names_edit(desk.state(), [(ada, "Ada")]))
    moved = [face(one, (second, ADA)) for second in range(6)]
    desk.collection.append(modify_edit(desk.state(), moves=[(moved, None)]))
    new = desk.id_of(one, (0, ADA))
    desk.group()
    assert [desk.id_of(one, (second, ADA)) for second in range(10)] == [new] * 6 + [ada] * 4
    assert desk.state().names[ada] == "Ada"


def test_names_and_moves_outlive_a_change_of_the_face_model(desk: GroupingDesk) -> None:
    """Vectors of two models have nothing in common, but faces are where they are."""
    one = desk.add(1, shots(ADA, BO, CY, each=5))
    desk.group()
    ada, bo = desk.id_of(one, (0, ADA)), desk.id_of(one, (5, BO))
    collection = desk.collection
    collection.append(names_edit(desk.state(), [(ada, "Ada"), (bo, "Bo")]))
    collection.append(modify_edit(desk.state(), moves=[([face(one, (10, CY))], bo)]))
    desk.people = desk.people[::-1]
    desk.add(1, shots(ADA, BO, CY, each=5), model="another", off=0.004)
    after = desk.group()
    assert after.model == "another"
    state = desk.state()
    assert state.names == {ada: "Ada", bo: "Bo"}
    assert (state.counts[ada], state.counts[bo]) == (5, 6)


def named(desk: GroupingDesk, one: str, *people: int) -> dict[int, str]:
    """Gives each person, who has five seconds of a file, a name."""
    ids = {desk.id_of(one, (5 * person, person)): f"P{person}" for person in people}
    desk.collection.append(names_edit(desk.state(), list(ids.items())))
    return ids


def test_people_thrown_together_and_taken_apart_again_have_their_ids_and_names(
    desk: GroupingDesk,
) -> None:
    desk.make_alike()
    one = desk.add(1, shots(ADA, BO, CY, DEE, each=5))
    desk.group()
    names = named(desk, one, ADA, BO, CY, DEE)
    for _ in range(2):
        assert len(desk.group(eps=1.9).cluster_ids) == 1
        assert len(desk.state().names) == 1
        desk.group()
        assert desk.state().names == names
        assert [desk.id_of(one, (5 * p, p)) for p in (ADA, BO, CY, DEE)] == list(names)
    assert not len(desk.now().retired)


def test_people_told_apart_only_later_come_back_too(desk: GroupingDesk) -> None:
    desk.make_alike()
    one = desk.add(1, shots(ADA, BO, CY, DEE, each=5))
    assert len(desk.group(eps=1.9).cluster_ids) == 1
    desk.group()
    names = named(desk, one, ADA, BO, CY, DEE)
    desk.group(eps=1.9)
    desk.group()
    assert desk.state().names == names


def test_people_with_too_few_faces_for_a_while_come_back(desk: GroupingDesk) -> None:
    one = desk.add(1, shots(ADA, BO, each=5))
    desk.group()
    names = named(desk, one, ADA, BO)
    desk.group(min_samples=6)
    assert desk.state().names == {}
    two = desk.add(2, shots(BO, ADA, each=3))
    desk.group(min_samples=6)
    assert desk.state().names == names
    assert desk.id_of(two, (0, BO)) == desk.id_of(one, (5, BO))


def test_an_undone_move_of_all_faces_brings_the_person_back_after_a_regrouping(
    desk: GroupingDesk,
) -> None:
    one = desk.add(1, shots(ADA, BO, each=5))
    desk.group()
    names = named(desk, one, ADA, BO)
    ada, bo = names
    moved = [face(one, (second, ADA)) for second in range(5)]
    before = desk.collection.edits()[-1].id
    desk.collection.append(modify_edit(desk.state(), moves=[(moved, bo)]))
    desk.group()
    assert desk.state().counts == {bo: 10}
    desk.collection.append(undo_edit(desk.collection.edits(), before))
    assert desk.state().counts == {ada: 5, bo: 5}
    assert desk.state().names == names


def test_another_face_model_comes_file_by_file_and_loses_nobody(desk: GroupingDesk) -> None:
    files = [desk.add(1, shots(ADA, each=5)), desk.add(2, [(n, BO) for n in range(5, 10)])]
    desk.group()
    names = {desk.id_of(files[0], (0, ADA)): "Ada", desk.id_of(files[1], (5, BO)): "Bo"}
    desk.collection.append(names_edit(desk.state(), list(names.items())))
    desk.people = desk.people[::-1]
    desk.add(1, shots(ADA, each=5), model="another", off=0.004)
    desk.group()
    assert desk.now().media == (files[0],)
    assert list(desk.state().names.values()) == ["Ada"]
    desk.add(2, [(n, BO) for n in range(5, 10)], model="another", off=-0.004)
    desk.group()
    assert desk.state().names == names
    assert set(desk.state().counts) == set(names)


def test_newcomers_join_whom_they_resemble_or_make_new_people(desk: GroupingDesk) -> None:
    one = desk.add(1, shots(ADA, BO, each=5))
    desk.group()
    ada, bo = desk.id_of(one, (0, ADA)), desk.id_of(one, (5, BO))
    two = desk.add(2, [*shots(ADA, CY, each=2), (9, BO)])
    desk.join(two)
    assert desk.id_of(two, (0, ADA)) == ada
    assert desk.id_of(two, (9, BO)) == bo
    assert desk.id_of(two, (2, CY)) == NO_CLUSTER, "two faces make nobody yet"
    three = desk.add(3, shots(CY, each=2))
    after = desk.join(three)
    cy = desk.id_of(three, (0, CY))
    assert cy not in (NO_CLUSTER, ada, bo)
    assert desk.id_of(two, (2, CY)) == cy, "those that came before join, too"
    assert not len(after.loose)
    at = after.cluster_ids.tolist().index(cy)
    shown = after.samples[at][after.samples[at] >= 0]
    assert {after.media[after.media_of[n]] for n in shown} == {two, three}
    assert set(after.labels[shown].tolist()) == {cy}


def test_faces_made_anew_replace_the_old_ones(desk: GroupingDesk) -> None:
    one, two = desk.add(1, shots(ADA, BO, each=4)), desk.add(2, shots(ADA, each=4))
    desk.group()
    ada = desk.id_of(two, (0, ADA))
    desk.add(1, [(20, ADA), (21, CY)])
    after = desk.join(one)
    assert len(after) == 4 + 2
    assert desk.id_of(one, (20, ADA)) == ada
    assert desk.state().index_of(face(one, (0, ADA))) is None
    assert all(after.media_of[n] >= 0 for n in after.loose)
    manifest = desk.cache.manifest(one, Stage.FACES, MODEL)
    assert manifest is not None
    assert dict(zip(after.media, after.media_files, strict=True))[one] == manifest.file


def test_marked_faces_make_nobody_and_join_whom_they_clearly_resemble(desk: GroupingDesk) -> None:
    one = desk.add(1, [*shots(ADA, each=4), *shots(BO, start=10, each=4)], marked=range(3, 8))
    desk.group()
    ada = desk.id_of(one, (0, ADA))
    assert ada != NO_CLUSTER
    assert desk.id_of(one, (3, ADA)) == ada
    assert desk.id_of(one, (10, BO)) == NO_CLUSTER


def test_a_member_without_readable_faces_is_left_out(
    desk: GroupingDesk, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = desk.add(1, shots(ADA)), desk.add(2, shots(ADA))
    manifest = desk.cache.manifest(two, Stage.FACES, MODEL)
    assert manifest is not None
    desk.cache.data_path(two, manifest).path.write_bytes(b"PK\x03\x04 damaged")
    desk.collection.add(MODEL, ["f" * 16], "task")  # published nowhere
    assert desk.group().media == (one,)
    assert f"{two} is left out" in caplog.text


def test_a_collection_without_faces_is_grouped_into_nobody(desk: GroupingDesk) -> None:
    one = desk.add(1, [])
    found = desk.group()
    assert (found.media, len(found), len(found.cluster_ids)) == ((one,), 0, 0)
    two = desk.add(2, shots(ADA))
    desk.join(two)
    assert desk.id_of(two, (0, ADA)) != NO_CLUSTER


def test_two_that_group_at_once_lose_no_face_and_no_person(desk: GroupingDesk) -> None:
    desk.add(1, shots(ADA, each=4))
    desk.group()
    hashes = [desk.add(n, shots(BO if n % 2 else CY, each=4)) for n in range(2, 10)]
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  reported below
            errors.append(error)

    threads = [
        threading.Thread(target=run, args=(lambda h=hash_str: desk.grouping().newcomers([h]),))
        for hash_str in hashes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    after = desk.now()
    assert set(hashes) < set(after.media)
    assert after.number == 1 + len(hashes)
    people = {desk.id_of(hash_str, (0, BO if n % 2 else CY))
              for n, hash_str in enumerate(hashes, 2)}  # fmt: skip
    assert len(people) == 2


def test_a_stop_before_the_publishing_leaves_the_former_grouping(desk: GroupingDesk) -> None:
    desk.add(1, shots(ADA, BO))
    before = desk.group()
    desk.add(2, shots(CY))

    def stop(share: float, _message: str) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        desk.grouping(stop).everything(lambda _: (0.48, 3))
    assert desk.now().number == before.number
    assert not [
        path for path in desk.collection.folder.path.iterdir() if path.name.endswith(".tmp")
    ]
