"""Codes of embeddings in STATE_DIR: made beside searches, taken up, checked, and done without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from api.search.codes import store as code_store
from api.search.codes.store import CodeFiles, CodeState, CodeStore
from api.search.frames import log as vector_log
from api.search.frames.log import VectorLog
from api.search.types import QueryVectors
from shared.domain import Scene
from tests.support.search.plain_ranking import plain_matches
from tests.support.search.search_data import (
    DIM,
    MODEL,
    fill,
    found,
    media_hash,
    publish,
    random_units,
    search_index,
    unit,
    view_of,
)
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for

ROWS = 12_000


@pytest.fixture(params=[8, 4])
def bits(request, monkeypatch) -> int:
    """Of codes, by what memory has room for."""
    if request.param == 4:
        monkeypatch.setattr(code_store, "free_bytes", lambda: ROWS * 2 * DIM)
    return int(request.param)


@pytest.fixture
def filled(cache, index, bits) -> dict[int, np.ndarray]:
    """More rows than are searched without codes, in three files."""
    vectors = fill(cache, 3, rows=ROWS // 3)
    assert found(index, cache, vectors[1][5], max_results=1) == [(1, 5)]
    return vectors


def state_of(settings) -> Path:
    return wait_for(
        lambda: next(settings.state_dir.glob("search/*/*/generation-*/codes.json"), None),
        20,
        "the codes",
    )


def store_and_log(settings) -> tuple[CodeStore, VectorLog]:
    (current,) = settings.state_dir.glob("search/*/*/current")
    return CodeStore(), VectorLog(current.parent)


def assert_answers_are_exact(index, cache, settings) -> None:
    snapshot = store_and_log(settings)[1].snapshot()
    for number in range(6):
        away = random_units(2, DIM, 77) if number % 2 else None
        query = QueryVectors(query=random_units(1, DIM, number)[0], exclude=away)
        hits = index.search(view_of(index, cache), MODEL, query, None, 50)
        expected = plain_matches(snapshot, query, snapshot.everything, 50)
        starts = {file.hash_str: file.start for file in snapshot.by_start}
        found = [(starts[hit.hash_str] + hit.row, hit.score) for hit in hits]
        assert found == expected


def test_codes_are_made_and_used_and_answers_stay_the_same(
    cache, index, replica, settings, filled, bits, monkeypatch
) -> None:
    state_of(settings)
    store, log = store_and_log(settings)
    codes = store.current(log.snapshot())
    assert codes is not None
    assert (codes.count, codes.bits) == (ROWS, bits)
    used: list[int] = []
    estimate = type(codes).estimate
    monkeypatch.setattr(
        type(codes), "estimate", lambda self, *a: (used.append(self.count), estimate(self, *a))[1]
    )
    for one in (index, replica):
        assert_answers_are_exact(one, cache, settings)
    assert set(used) == {ROWS}, "no search went without them"


def test_a_folder_larger_than_memory_says_so_and_is_searched(
    cache, index, settings, filled, monkeypatch, caplog
) -> None:
    state_of(settings)
    assert not index.load(view_of(index, cache)).warnings
    monkeypatch.setattr(code_store, "free_bytes", lambda: 1000)
    (warning,) = index.load(view_of(index, cache)).warnings
    assert warning.startswith(f"{MODEL}: A search reads 0.0 GB of codes")
    with search_index(settings) as another:
        assert_answers_are_exact(another, cache, settings)
    (logged,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "memory has room for 0.0 GB" in logged


def test_what_is_newly_published_is_found_before_it_has_codes(
    cache, index, replica, settings, filled
) -> None:
    before = state_of(settings).read_bytes()
    new = random_units(1, DIM, 99)
    publish(cache, media_hash(9), new)
    for one in (index, replica):
        assert found(one, cache, new[0], max_results=1) == [(9, 0)]
        assert_answers_are_exact(one, cache, settings)
    assert state_of(settings).read_bytes() == before


def test_more_rows_get_codes_in_the_same_files_until_the_mean_is_of_too_few(
    cache, index, settings, filled
) -> None:
    folder = msgspec.json.decode(state_of(settings).read_bytes(), type=CodeState).folder

    def after(number: int, rows: int) -> CodeState:
        publish(cache, media_hash(number), random_units(rows, DIM, number))
        found(index, cache, random_units(1, DIM, 5)[0])
        total = sum(file.rows for file in store_and_log(settings)[1].snapshot().by_start)

        def all_coded() -> CodeState | None:
            state = msgspec.json.decode(state_of(settings).read_bytes(), type=CodeState)
            return state if state.rows == total else None

        return wait_for(all_coded, 20, "codes of the new rows")

    assert after(10, 9000).folder == folder
    assert_answers_are_exact(index, cache, settings)
    again = after(11, 9000)
    assert again.folder != folder
    assert again.mean_of == again.rows
    assert_answers_are_exact(index, cache, settings)
    assert len(list(state_of(settings).parent.glob("codes-*"))) == 1


def version(state: CodeState, folder: Path) -> CodeState:
    return msgspec.structs.replace(state, version=0)


def cut_off(state: CodeState, folder: Path) -> CodeState:
    os.truncate(folder / "codes", 100)
    return state


def factors_cut_off(state: CodeState, folder: Path) -> CodeState:
    os.truncate(folder / "factors.f32", 100)
    return state


def bounds_empty(state: CodeState, folder: Path) -> CodeState:
    """As after a power cut: a page of noughts that nobody tries."""
    with open(folder / "bounds.f32", "r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))
    return state


def bounds_beyond_the_worst(state: CodeState, folder: Path) -> CodeState:
    return msgspec.structs.replace(state, worst=(state.worst[0] / 2, state.worst[1]))


def another_mean(state: CodeState, folder: Path) -> CodeState:
    basis = np.fromfile(folder / "basis.f32", np.float32)
    (basis + 0.1).tofile(folder / "basis.f32")
    return state


def other_codes(state: CodeState, folder: Path) -> CodeState:
    codes = np.fromfile(folder / "codes", np.int8)
    np.roll(codes, DIM).tofile(folder / "codes")
    return state


def other_rows(state: CodeState, folder: Path) -> CodeState:
    return msgspec.structs.replace(state, journal_digest="0" * 64)


def no_folder(state: CodeState, folder: Path) -> CodeState:
    shutil.rmtree(folder)
    return state


def no_state(state: CodeState, folder: Path) -> None:
    return None


DAMAGE = [
    version, cut_off, factors_cut_off, bounds_empty, bounds_beyond_the_worst, another_mean,
    other_codes, other_rows, no_folder, no_state
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_codes_that_do_not_fit_are_made_anew_and_never_searched(
    cache, index, settings, filled, damage
) -> None:
    path = state_of(settings)
    index.close()
    state = msgspec.json.decode(path.read_bytes(), type=CodeState)
    changed = damage(state, path.parent / state.folder)
    path.write_bytes(msgspec.json.encode(changed) if changed else b"[]")
    store, log = store_and_log(settings)
    assert store.current(log.snapshot()) is None
    with search_index(settings) as another:
        assert_answers_are_exact(another, cache, settings)
        wait_for(lambda: store.current(log.snapshot()), 20, "new codes")
        assert_answers_are_exact(another, cache, settings)


def test_codes_that_lie_in_between_are_found_out_by_the_rows_they_lead_to(
    cache, index, settings, filled
) -> None:
    path = state_of(settings)
    index.close()
    state = msgspec.json.decode(path.read_bytes(), type=CodeState)
    file = path.parent / state.folder / "codes"
    codes = np.fromfile(file, np.uint8).reshape(ROWS, -1)
    codes[1:790] ^= (
        255  # turned around, between two rows that are looked at when codes are taken up
    )
    codes.tofile(file)
    store, log = store_and_log(settings)
    assert store.current(log.snapshot()) is not None
    with search_index(settings) as another:
        query = filled[0][400]
        away = QueryVectors(query=-unit(query))
        hit = another.search(view_of(another, cache), MODEL, away, None, 5)
        assert [h.score for h in hit] == [
            score for _, score in plain_matches(log.snapshot(), away, [(0, ROWS)], 5)
        ]
        wait_for(
            lambda: path.exists() and path.read_bytes() != msgspec.json.encode(state), 20, "others"
        )
        assert found(another, cache, query, max_results=1) == [(0, 400)]


def test_compaction_begins_new_codes(cache, index, settings, filled, monkeypatch) -> None:
    monkeypatch.setattr(vector_log, "_DEAD_ROWS_WORTH_COMPACTING", 0)
    old = state_of(settings).parent
    for turn in range(2):
        publish(cache, media_hash(1), np.roll(filled[1], turn + 1, axis=0))
        assert found(index, cache, filled[1][10], max_results=1) == [(1, 11 + turn)]
    wait_for(lambda: not old.exists(), 10, "the end of the old generation")
    found(index, cache, filled[1][10])
    assert state_of(settings).parent != old
    assert_answers_are_exact(index, cache, settings)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Room for the rows (64 bytes each and 20), not for codes (44) as well."""
    with tiny_disk(tmp_path / "small", kib=1100) as folder:
        yield folder


def test_a_disk_that_fills_while_codes_are_written_leaves_search_by_stored_rows(
    cache, settings, small_disk, monkeypatch, caplog
) -> None:
    vectors = fill(cache, 3, rows=ROWS // 3)
    settings = replace(settings, state_dir=small_disk)
    with search_index(settings) as index:
        assert found(index, cache, vectors[2][7], max_results=1) == [(2, 7)]
        wait_for(lambda: "no codes could be written" in caplog.text, 20, "the warning")
        generation = next(small_disk.glob("search/*/*/generation-*"))
        assert not list(generation.glob("codes*.json")) + list(generation.glob("codes-*/"))
        assert_answers_are_exact(index, cache, settings)
        monkeypatch.setattr(code_store, "_AGAIN_AFTER_S", 0.0)
        new = random_units(1, DIM, 99)
        publish(cache, media_hash(9), new)
        assert found(index, cache, new[0], max_results=1) == [(9, 0)]


def test_what_is_stopped_in_between_leaves_nothing_half_made(
    cache, index, settings, filled
) -> None:
    path = state_of(settings)
    index.close()
    path.unlink()
    store, log = store_and_log(settings)
    looks = iter([False, True, True, True])
    store.make(log.snapshot(), lambda: next(looks))
    assert not path.exists()
    assert len(list(path.parent.glob("codes-*"))) == 1, "the set that was there before"
    store.make(log.snapshot(), lambda: False)
    assert store.current(log.snapshot()) is not None
    assert len(list(path.parent.glob("codes-*"))) == 1


def test_codes_that_are_given_up_while_more_are_added_to_them_do_not_come_back(
    cache, index, settings, filled, monkeypatch
) -> None:
    path = state_of(settings)
    index.close()
    publish(cache, media_hash(10), random_units(9000, DIM, 10))
    with monkeypatch.context() as idle, search_index(settings) as another:
        idle.setattr(CodeStore, "begin", lambda *_: False)
        another.load(view_of(another, cache))
    monkeypatch.setattr(code_store, "_STEP", 2000)
    snapshot = store_and_log(settings)[1].snapshot()
    assert snapshot.journal is not None
    is_first = iter([True])

    def given_up() -> bool:
        if next(is_first, False):
            path.unlink(missing_ok=True)
        return False

    CodeFiles(path.with_name("journal.jsonl")).make(
        snapshot.vectors, snapshot.journal.size, 8, given_up
    )
    assert not path.exists()


@pytest.mark.parametrize("width", [8, 4])
def test_pictures_that_are_all_the_same_have_codes(cache, index, settings, width, monkeypatch):
    if width == 4:
        monkeypatch.setattr(code_store, "free_bytes", lambda: ROWS * 2 * DIM)
    same = np.repeat(random_units(1, DIM, 1), ROWS, axis=0)
    publish(cache, media_hash(1), same, scenes=tuple(Scene(n, n + 1) for n in range(ROWS)))
    assert found(index, cache, same[0], max_results=1) == [(1, 0)]
    state_of(settings)
    store, log = store_and_log(settings)
    codes = store.current(log.snapshot())
    assert codes is not None
    assert codes.bits == width
    assert_answers_are_exact(index, cache, settings)


def test_one_process_at_a_time_makes_codes(cache, index, settings, filled) -> None:
    path = state_of(settings)
    path.unlink()
    store, log = store_and_log(settings)
    snapshot = log.snapshot()
    assert store.begin(snapshot)
    assert not store.begin(snapshot), "it is being made"
    is_first = iter([True])

    def other_tries() -> bool:
        if next(is_first, False):
            other = CodeStore()
            other.make(snapshot, lambda: False)
            assert other.current(snapshot) is None
        return False

    store.make(snapshot, other_tries)
    codes = store.current(snapshot)
    assert codes is not None
    assert codes.count == ROWS
    assert CodeFiles(path.with_name("journal.jsonl")).signature() is not None
