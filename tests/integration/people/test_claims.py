"""Edits are checked and written by one process at a time, also where one of them was killed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from api.people import people as module
from api.people.editing import names_edit
from api.people.people import People
from api.people.snapshot import CollectionSnapshot
from shared.cache.cache_dir import CacheDir
from shared.errors import EditedMeanwhile
from shared.people.claims import EDITS, turn
from shared.people.collection import Collection
from shared.people.edits import NewEdit
from tests.support.people.people_data import Seen, make_collection

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
        with pytest.raises(EditedMeanwhile, match="editing this collection right now"):
            people.edit(cache, "Cast", ada, must_be_alone=True)
        assert people.open(cache, "Cast").state.edits == ()
        people.edit(cache, "Cast", ada)
    people.edit(cache, "Cast", ada, must_be_alone=True)
    assert len(people.open(cache, "Cast").state.edits) == 2


def test_a_claim_of_a_process_that_was_killed_counts_no_more(cache: CacheDir) -> None:
    folder = Collection.open(cache.root, "Cast", create=False).folder
    left = folder.path / EDITS
    left.touch()
    os.utime(left, (1_000_000, 1_000_000))
    People().edit(cache, "Cast", ada, must_be_alone=True)
    assert not left.exists()


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
    began = time.monotonic()
    with turn(cache.root / "collections/gone", EDITS, 30) as is_alone:
        assert not is_alone
    assert time.monotonic() - began < 5
