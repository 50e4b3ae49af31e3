"""Edits are checked and written by one process at a time, also where one of them was killed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from api.people import people as module
from api.people.editing import hindrance, names_edit
from api.people.people import People
from api.people.snapshot import CollectionSnapshot
from shared.cache.cache_dir import CacheDir
from shared.errors import EditedMeanwhile, Unavailable
from shared.people import claims
from shared.people.claims import EDITS, turn
from shared.people.collection import Collection
from shared.people.edits import Edit, NewEdit
from tests.support.people.people_data import Seen, make_collection
from tests.support.system.stopwatch import Stopwatch

ADA = 1001


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    make_collection(cache, "Cast", {"0" * 16: [Seen(0, 1, ADA), Seen(1, 1, ADA)]})
    return cache


def ada(snapshot: CollectionSnapshot) -> NewEdit:
    return names_edit(snapshot.state, [(ADA, "Ada")])


def test_who_must_be_alone_waits_for_others_and_is_told_if_that_takes_long(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALONE_WAIT_S", 0.05)
    monkeypatch.setattr(module, "EDITS_WAIT_S", 0.05)
    folder = Collection.open(cache.root, "Cast", create=False).folder
    people = People()
    with turn(folder, EDITS, 0) as is_alone:
        assert is_alone
        with pytest.raises(Unavailable, match="editing this collection right now"):
            people.edit(cache, "Cast", ada, hindrance)
        assert people.open(cache, "Cast").state.edits == ()
        people.edit(cache, "Cast", ada)
    people.edit(cache, "Cast", ada, hindrance)
    assert len(people.open(cache, "Cast").state.edits) == 2


def test_a_claim_of_a_process_that_was_killed_counts_no_more(cache: CacheDir) -> None:
    folder = Collection.open(cache.root, "Cast", create=False).folder
    left = folder.path / EDITS
    left.touch()
    os.utime(left, times=(time.time() - 9,) * 2)
    People().edit(cache, "Cast", ada, hindrance)
    assert not left.exists()


def test_a_claim_that_is_held_for_long_is_renewed(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "TURN_KEPT_S", 0.4)
    monkeypatch.setattr(claims, "_RENEWED_S", 0.05)
    folder = Collection.open(cache.root, "Cast", create=False).folder
    with turn(folder, EDITS, 0), turn(folder, EDITS, 1.5) as is_alone:
        assert not is_alone
    assert not (folder.path / EDITS).exists()


def test_who_was_frozen_for_too_long_leaves_the_claim_of_the_next_one(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Collection.open(cache.root, "Cast", create=False).folder
    with ExitStack() as frozen:
        assert frozen.enter_context(turn(folder, EDITS, 0))
        os.utime(folder.path / EDITS, times=(time.time() - 9,) * 2)
        with turn(folder, EDITS, 2) as is_alone:
            assert is_alone
            with monkeypatch.context() as patch:
                patch.setattr(claims, "TURN_KEPT_S", 0.0)  # so long ago it was renewed
                frozen.close()
            assert (folder.path / EDITS).exists()
    assert not (folder.path / EDITS).exists()


def test_who_waits_for_another_process_holds_up_nobody_here(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EDITS_WAIT_S", 0.05)
    people = People()
    with ThreadPoolExecutor(1) as pool:
        with turn(Collection.open(cache.root, "Cast", create=False).folder, EDITS, 0):
            waiting = pool.submit(people.edit, cache, "Cast", ada, hindrance)
            for _ in range(8):
                people.edit(cache, "Cast", ada)
            assert not waiting.done()
        waiting.result(20)


def between(cache: CacheDir, *names: str) -> Callable[[CollectionSnapshot], NewEdit]:
    """Ada gets her name; while that is checked, others write without waiting any longer."""

    def make(snapshot: CollectionSnapshot) -> NewEdit:
        for name in names:
            others = Collection.open(cache.root, "Cast", create=False)
            others.append(names_edit(snapshot.state, [(ADA, name)]))
        return ada(snapshot)

    return make


def test_an_edit_that_comes_between_the_check_and_the_write_is_not_covered(
    cache: CacheDir,
) -> None:
    people = People()
    with pytest.raises(EditedMeanwhile, match="this person was named Bea"):
        people.edit(cache, "Cast", between(cache, "Bea"), hindrance)
    state = people.open(cache, "Cast").state
    assert (state.names, len(state.edits)) == ({ADA: "Bea"}, 3)
    people.edit(cache, "Cast", between(cache, "Cy"))
    assert people.open(cache, "Cast").state.names == {ADA: "Ada"}, "who does not ask"


def test_what_comes_after_an_edit_that_is_taken_back_stays(
    cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People()
    append = Collection.append

    def and_another(collection: Collection, what: NewEdit) -> Edit:
        edit = append(collection, what)
        monkeypatch.setattr(Collection, "append", append)
        between(cache, "Di")(people.open(cache, "Cast"))
        return edit

    def make(snapshot: CollectionSnapshot) -> NewEdit:
        made = between(cache, "Bea")(snapshot)
        monkeypatch.setattr(Collection, "append", and_another)
        return made

    with pytest.raises(EditedMeanwhile, match="this person was named Bea"):
        people.edit(cache, "Cast", make, hindrance)
    assert people.open(cache, "Cast").state.names == {ADA: "Di"}


def test_many_processes_have_their_turns_one_after_another(cache: CacheDir) -> None:
    folder = Collection.open(cache.root, "Cast", create=False).folder
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with turn(folder, EDITS, 30) as is_alone:
            assert is_alone
            inside.append(number)
            most.append(len(inside))
            os.sched_yield()
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 12


def test_where_the_collection_is_gone_nobody_waits(cache: CacheDir) -> None:
    stopwatch = Stopwatch()
    with turn(cache.root / "collections/gone", EDITS, 30) as is_alone:
        assert not is_alone
    assert stopwatch.seconds() < 5
