"""Searches in the mode "fast": their index in STATE_DIR is made beside, checked, done without."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from api.search.frames import log as vector_log
from api.search.frames.index import SearchIndex
from api.search.frames.log import VectorLog
from api.search.scenes import scene_store
from api.search.scenes.scene_store import SceneIndex, SceneState, SceneStore
from api.search.types import Hit, QueryVectors
from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from tests.support.search.search_data import (
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

ROWS = 6000
SCENES = tuple(Scene(at, at + 10) for at in range(0, ROWS // 3, 10))
NOT_READY = "the index of this cache_dir is not ready yet"


@pytest.fixture
def _forgetful() -> Iterator[None]:
    """What is found out about the library holds for a process, and here for a test."""
    scene_store.missing.cache_clear()
    scene_store.installed.cache_clear()
    yield
    scene_store.missing.cache_clear()
    scene_store.installed.cache_clear()


@pytest.fixture
def filled(cache) -> dict[int, np.ndarray]:
    """Three files of scenes whose frames are alike."""
    vectors = {}
    for number in range(3):
        subjects = np.repeat(random_units(ROWS // 30, 32, number), 10, axis=0)
        vectors[number] = unit(subjects + 0.3 * random_units(ROWS // 3, 32, 50 + number))
        publish(cache, media_hash(number), vectors[number], scenes=SCENES)
    return vectors


def fast(
    index: SearchIndex, cache: CacheDir, vector: np.ndarray, most: int = 50, **more
) -> tuple[list[Hit], str | None]:
    """Matches, and why they are exact, if they are."""
    reasons: list[str] = []
    query = QueryVectors(picture=unit(np.asarray(vector)), exclude=more.pop("exclude", None))
    hashes = more.pop("hashes", None)
    hits = index.search(
        view_of(index, cache), MODEL, query, hashes, most, instead=reasons.append, **more
    )
    return hits, (reasons or [None])[-1]


def when_ready(index: SearchIndex, cache: CacheDir, vector: np.ndarray, **more) -> list[Hit]:
    def answer() -> list[Hit] | None:
        hits, reason = fast(index, cache, vector, **more)
        assert reason in (None, NOT_READY)
        return None if reason else hits

    return wait_for(answer, 30, "an answer by the index")


def exact(index: SearchIndex, cache: CacheDir, vector: np.ndarray, **more) -> list[Hit]:
    query = QueryVectors(picture=unit(np.asarray(vector)), exclude=more.pop("exclude", None))
    return index.search(view_of(index, cache), MODEL, query, more.pop("hashes", None), 50)


def state_path(settings) -> Path:
    return next(settings.state_dir.glob("search/*/*/generation-*/scenes.json"))


def state_of(path: Path) -> SceneState:
    return msgspec.json.decode(path.read_bytes(), type=SceneState)


def only_files_of(path: Path) -> None:
    """Those of older states are deleted a moment after."""
    wait_for(lambda: len(list(path.parent.glob("scenes-*"))) == 2, 10, "the end of the others")


def test_the_answer_is_exact_and_says_so_until_the_index_is_there(
    cache, index, replica, filled
) -> None:
    hits, reason = fast(index, cache, filled[1][7])
    assert reason == NOT_READY
    assert hits == exact(index, cache, filled[1][7])
    for one in (index, replica):
        shares = []
        for number in range(0, ROWS // 3, 100):
            picture = filled[number % 3][number]
            hits = when_ready(one, cache, picture)
            best = exact(one, cache, picture)
            assert hits[0] == best[0]
            shares.append(len([hit for hit in hits if hit in best]) / len(best))
        assert np.mean(shares) > 0.9


def test_only_some_rows_are_looked_at(cache, index, filled, monkeypatch) -> None:
    when_ready(index, cache, filled[1][7])
    looked_at = []
    ranges = SceneIndex.ranges
    monkeypatch.setattr(
        SceneIndex, "ranges", lambda self, *a: looked_at.append(found := ranges(self, *a)) or found
    )
    when_ready(index, cache, filled[1][7], most=5)
    assert sum(stop - start for start, stop in looked_at[-1]) == 64 * 10


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"hashes": [media_hash(0), media_hash(1)]}, "media_paths or filters leave files out"),
        ({"exclude": random_units(2, 32, 9)}, "exclude needs the scores of all frames"),
        ({"most": 251}, "max_results is over 250"),
        ({"hashes": [media_hash(n) for n in range(4)]}, None),
    ],
)
def test_what_needs_all_frames_is_exact_and_says_so(cache, index, filled, asked, reason) -> None:
    when_ready(index, cache, filled[1][7])
    hits, why = fast(index, cache, filled[1][7], **asked)
    assert why == reason
    if reason:
        most = asked.pop("most", 50)
        assert hits[:50] == exact(index, cache, filled[1][7], **asked)[:most]


def test_few_frames_need_no_index(cache, index, settings) -> None:
    vectors = fill(cache, 2)
    assert fast(index, cache, vectors[0][3])[1] == "so few frames need no index"
    assert not list(settings.state_dir.glob("search/*/*/generation-*/scenes*"))


def test_new_files_are_found_at_once_and_replaced_or_deleted_ones_no_more(
    cache, index, replica, settings, filled
) -> None:
    when_ready(index, cache, filled[1][7])
    before = state_path(settings).read_bytes()
    new = random_units(5, 32, 99)
    publish(cache, media_hash(9), new)
    publish(cache, media_hash(1), filled[1][::-1], scenes=SCENES)
    for one in (index, replica):
        hits = when_ready(one, cache, new[3], most=5)
        assert (hits[0].hash_str, hits[0].second) == (media_hash(9), 3)
        hits = when_ready(one, cache, filled[1][7])
        assert (hits[0].hash_str, hits[0].second) == (media_hash(1), ROWS // 3 - 8)
        assert len({(h.hash_str, h.row) for h in hits}) == len(hits)
    assert state_path(settings).read_bytes() == before
    index.load(index.caches.open(str(cache.root), thorough=True))
    shutil.rmtree(cache.media_dir(media_hash(2)).path)
    assert media_hash(2) not in {h.hash_str for h in when_ready(index, cache, filled[2][7])}


def test_scenes_of_a_deleted_file_take_no_place_of_others(
    cache, index, filled, monkeypatch
) -> None:
    when_ready(index, cache, filled[2][7])
    shutil.rmtree(cache.media_dir(media_hash(2)).path)
    monkeypatch.setattr(scene_store, "_LEAST", 1)
    monkeypatch.setattr(scene_store, "_FOR_EACH", 1)
    hits = when_ready(index, cache, filled[2][7], most=50)
    assert len(hits) == 50
    assert media_hash(2) not in {hit.hash_str for hit in hits}


def test_it_grows_with_the_folder_and_keeps_what_it_has(
    cache, index, settings, filled, monkeypatch
) -> None:
    when_ready(index, cache, filled[1][7])
    added: list[int] = []
    add = scene_store.add
    monkeypatch.setattr(
        scene_store, "add", lambda g, v, pieces, key: (added.append(key), add(g, v, pieces, key))[1]
    )
    more = np.repeat(random_units(430, 32, 77), 10, axis=0)
    scenes = tuple(Scene(at, at + 10) for at in range(0, 4300, 10))
    publish(cache, media_hash(7), more, scenes=scenes)
    when_ready(index, cache, more[50])
    wait_for(lambda: state_of(state_path(settings)).rows == ROWS + 4300, 20, "the new rows")
    assert added == [ROWS // 10], "only the new file's"
    hits = when_ready(index, cache, more[50], most=1)
    assert (hits[0].hash_str, hits[0].second // 10) == (media_hash(7), 5)
    only_files_of(state_path(settings))


def version(path: Path) -> None:
    changed(path, version=0)


def other_library(path: Path) -> None:
    changed(path, library="1.0")


def other_journal(path: Path) -> None:
    changed(path, journal_digest="0" * 64)


def cut_off(path: Path) -> None:
    os.truncate(path.with_name(state_of(path).name + ".usearch"), 5000)


def damaged(path: Path) -> None:
    graph = path.with_name(state_of(path).name + ".usearch")
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 0xFF
    graph.write_bytes(content)


def other_pieces(path: Path) -> None:
    pieces = path.with_name(state_of(path).name + ".pieces")
    pieces.write_bytes(pieces.read_bytes()[::-1])


def other_vectors(path: Path) -> None:
    rows = np.fromfile(path.with_name("vectors.f16"), np.float16)
    np.roll(rows, 32 * 500).tofile(path.with_name("vectors.f16"))


def no_files(path: Path) -> None:
    for one in path.parent.glob("scenes-*"):
        one.unlink()


def no_state(path: Path) -> None:
    path.write_bytes(b"[]")


def changed(path: Path, **fields) -> None:
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(state_of(path), **fields)))


@pytest.mark.parametrize(
    "damage",
    [
        version, other_library, other_journal, cut_off, damaged, other_pieces, other_vectors,
        no_files, no_state,
    ],
    ids=lambda damage: damage.__name__,
)  # fmt: skip
def test_an_index_that_does_not_fit_is_made_anew_and_never_searched(
    cache, index, settings, filled, damage, monkeypatch
) -> None:
    when_ready(index, cache, filled[1][7])
    path = state_path(settings)
    index.close()
    damage(path)
    wrong = path.read_bytes()
    (current,) = settings.state_dir.glob("search/*/*/current")
    snapshot = VectorLog(current.parent).snapshot()
    with monkeypatch.context() as patch:
        patch.setattr(scene_store.SceneFiles, "make", lambda *_: None)
        store = SceneStore()
        assert store.begin(snapshot)
        store.bring_up(snapshot, lambda: False)
        assert store.current(snapshot) == NOT_READY
    with search_index(settings) as another:
        picture = snapshot.vectors[2007].astype(np.float32)
        assert when_ready(another, cache, picture)[0] == exact(another, cache, picture)[0]
    assert path.read_bytes() != wrong
    only_files_of(path)


def test_compaction_begins_another_index(cache, index, settings, filled, monkeypatch) -> None:
    monkeypatch.setattr(vector_log, "_DEAD_ROWS_WORTH_COMPACTING", 0)
    when_ready(index, cache, filled[1][7])
    old = state_path(settings).parent
    for turn in range(2):
        publish(cache, media_hash(1), np.roll(filled[1], turn + 1, axis=0), scenes=SCENES)
        found(index, cache, filled[1][7])
    wait_for(lambda: not old.exists(), 10, "the end of the old generation")
    assert when_ready(index, cache, filled[1][7])[0].second == 9
    assert state_path(settings).parent != old


def test_a_full_disk_leaves_exact_search_and_nothing_half_written(
    cache, settings, filled, tmp_path, caplog
) -> None:
    with tiny_disk(tmp_path / "small", kib=560) as disk:  # rows 504 KB, graph 120 KB
        settings = replace(settings, state_dir=disk)
        with search_index(settings) as index:
            fast(index, cache, filled[1][7])
            wait_for(lambda: "the mode fast is not ready" in caplog.text, 20, "a warning")
            hits, reason = fast(index, cache, filled[1][7])
            assert reason == NOT_READY
            assert hits == exact(index, cache, filled[1][7])
            assert not list(disk.glob("search/*/*/generation-*/*scenes-*"))


def test_a_folder_that_memory_does_not_hold_is_searched_exactly(
    cache, index, filled, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(scene_store, "free_bytes", lambda: 100_000)
    fast(index, cache, filled[1][7])
    wait_for(lambda: "of memory" in caplog.text, 20, "a warning")
    assert fast(index, cache, filled[1][7])[1] == NOT_READY


@pytest.mark.usefixtures("_forgetful")
def test_without_usearch_the_answer_is_exact_and_names_the_package(
    cache, settings, filled, monkeypatch
) -> None:
    monkeypatch.setattr(scene_store, "_PACKAGE", "no-such-package")
    with search_index(settings) as index:
        hits, reason = fast(index, cache, filled[1][7])
        assert reason == "usearch is not installed (pip install 'rushes[fast]')"
        assert hits == exact(index, cache, filled[1][7])


@pytest.mark.usefixtures("_forgetful")
def test_a_usearch_that_ends_its_process_ends_a_child_alone(
    cache, index, filled, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(
        scene_store, "_TRIAL", f"import os; os.kill(os.getpid(), {signal.SIGILL.value})"
    )
    fast(index, cache, filled[1][7])
    reason = "usearch does not work on this machine (the server's log says more)"
    wait_for(lambda: fast(index, cache, filled[1][7])[1] == reason, 20, "the verdict")
    assert f"({-signal.SIGILL})" in caplog.text
