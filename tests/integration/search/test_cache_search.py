"""Search over real CacheDirs: loading, restarts, replicas, damage, and who sees what."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from api.cache import caches
from api.people.frame_filter import NO_FRAMES, FrameFilter
from api.search.frames.index import VectorLoader
from api.search.frames.previews import read_previews
from api.search.types import QueryVectors
from shared.cache import catalogue
from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from shared.errors import ModelError
from shared.media import MediaType
from tests.support.media.by_path import hash_media
from tests.support.search.search_data import (
    DIM,
    MODEL,
    asking,
    fill,
    found,
    media_hash,
    publish,
    random_units,
    search_index,
    unit,
    view_of,
)


def test_a_search_finds_what_was_published_and_says_where_it_is(cache, index, tmp_path) -> None:
    movie = tmp_path / "a #1 ü%.mp4"
    movie.write_bytes(b"movie")
    vectors = random_units(40, DIM, 1)
    scenes = (Scene(0, 15), Scene(15, 40))
    publish(cache, media_hash(7), vectors, scenes=scenes, path=movie)
    best = index.search(view_of(index, cache), MODEL, asking(vectors[20]), None, 1)[0]
    assert (best.hash_str, best.second, best.row) == (media_hash(7), 20, 20)
    assert (best.scene, best.path) == (Scene(15, 40), str(movie))
    assert best.score == pytest.approx(1, abs=1e-3)
    assert read_previews(
        view_of(index, cache), [(best.hash_str, best.second)], index.caches.reader(cache)
    ) == [f"{media_hash(7)} 20".encode()]


def test_many_folders_hold_neither_memory_nor_descriptors(tmp_path, settings) -> None:
    caches = [CacheDir.open(tmp_path / f"cache-{n}", create=True) for n in range(8)]
    for number, cache in enumerate(caches):
        publish(cache, media_hash(number), random_units(5, DIM, number))

    def search_all() -> int:
        for number, cache in enumerate(caches):
            vector = random_units(5, DIM, number)[3]
            assert found(index, cache, vector, max_results=1) == [(number, 3)]
        return len(os.listdir("/dev/fd"))

    before = len(os.listdir("/dev/fd"))
    with search_index(settings, capacity=2) as index:
        assert search_all() - before <= 2 * 2, "two for each folder that is kept at hand"
        new = random_units(1, DIM, 99)
        publish(caches[0], media_hash(99), new)
        assert found(index, caches[0], new[0], max_results=1) == [(99, 0)]


def test_a_folder_is_at_hand_with_all_its_models(cache, settings) -> None:
    models = ["model-a", "model-b", "model-c"]
    for number, model in enumerate(models):
        publish(cache, media_hash(number), random_units(5, DIM, number), model=model)
    with search_index(settings, capacity=1) as index:

        def search_all() -> None:
            for number, model in enumerate(models):
                vector = random_units(5, DIM, number)[3]
                assert found(index, cache, vector, max_results=1, model=model) == [(number, 3)]

        search_all()
        journals = list(settings.state_dir.glob("search/*/*/*/journal.jsonl"))
        assert len(journals) == 3
        for path in journals:
            os.utime(path, ns=(0, path.stat().st_mtime_ns))
        search_all()
        assert all(path.stat().st_atime_ns == 0 for path in journals), "none is read again"


def test_every_scene_is_found_and_the_order_is_that_of_numpy(cache, index) -> None:
    vectors = fill(cache, 30)
    query = unit(np.random.default_rng(9).standard_normal(DIM))
    scores = {
        (number, second): float(row.astype(np.float16).astype(np.float32) @ query)
        for number, rows in vectors.items()
        for second, row in enumerate(rows)
    }
    best_of_scene = {}
    for (number, second), value in scores.items():
        scene = (number, second // 10)
        if value > scores.get(best_of_scene.get(scene), -9):
            best_of_scene[scene] = (number, second)
    expected = sorted(best_of_scene.values(), key=lambda place: -scores[place])
    assert found(index, cache, query, max_results=999) == expected
    assert found(index, cache, query, max_results=7) == expected[:7]


def test_a_ten_minute_shot_with_four_subjects_gives_a_hit_in_each(cache, index) -> None:
    subjects = np.eye(4, DIM)
    random = np.random.default_rng(1)
    rows = np.repeat(subjects, 150, axis=0) + 0.02 * random.standard_normal((600, DIM))
    rows[[75, 225, 375, 525]] = subjects
    publish(cache, media_hash(1), unit(rows), scenes=(Scene(0, 600),))
    for number, subject in enumerate(subjects):
        assert found(index, cache, subject, max_results=1) == [(1, 75 + 150 * number)]
    # A subject that all four share a little: each stretch shows its clearest moment first.
    moments = np.full((600, DIM), 0.0)
    moments[:, 9] = 1
    moments[[60, 200, 401, 555]] = subjects.sum(axis=0)
    publish(cache, media_hash(2), unit(moments), scenes=(Scene(0, 600),))
    hits = found(index, cache, subjects.sum(axis=0), [media_hash(2)], max_results=4)
    assert hits == [(2, 60), (2, 200), (2, 401), (2, 555)]


def test_exclude_softens_and_never_filters(cache, index) -> None:
    wanted, hated = np.eye(2, DIM)
    random = np.random.default_rng(2)
    for number in range(24):
        rows = np.tile(0.5 * wanted + (0.6 * hated if number % 3 == 0 else 0), (12, 1))
        rows[:, 5:] += 0.2 * random.standard_normal((12, DIM - 5))
        publish(cache, media_hash(number), unit(rows))
    plain = index.search(view_of(index, cache), MODEL, asking(wanted), None, 999)
    soft = index.search(
        view_of(index, cache),
        MODEL,
        asking(wanted, exclude=hated[None].astype(np.float32)),
        None,
        999,
    )
    places = [[(hit.hash_str, hit.second) for hit in hits] for hits in (plain, soft)]
    assert len(places[0]) >= 24
    assert set(places[0]) == set(places[1])
    hurt = {(media_hash(n), second) for n in range(0, 24, 3) for second in range(12)}
    untouched = [[place for place in order if place not in hurt] for order in places]
    assert untouched[0] == untouched[1]
    last_untouched = max(places[1].index(place) for place in untouched[1])
    assert last_untouched < min(places[1].index(p) for p in places[1] if p in hurt)


def test_text_weight_decides_between_picture_and_text(cache, index) -> None:
    picture, text = np.eye(2, DIM, dtype=np.float32)
    publish(cache, media_hash(1), unit(np.array([0.9 * picture + 0.1 * text])))
    publish(cache, media_hash(2), unit(np.array([0.3 * picture + 0.7 * text])))
    orders = []
    for weight in (0.0, 5.0):
        query = QueryVectors(query=text, picture=picture, text_weight=weight)
        orders.append(
            [h.hash_str for h in index.search(view_of(index, cache), MODEL, query, None, 9)]
        )
    assert orders == [[media_hash(1), media_hash(2)], [media_hash(2), media_hash(1)]]


def test_a_search_is_restricted_to_the_files_it_names(cache, index) -> None:
    vectors = fill(cache, 6)
    hashes = [media_hash(4), media_hash(1), media_hash(99)]
    assert {n for n, _ in found(index, cache, vectors[2][3], hashes)} == {1, 4}
    assert found(index, cache, vectors[4][3], hashes)[0] == (4, 3)
    assert found(index, cache, vectors[4][3], []) == []


def test_frames_are_filtered_before_scenes_are_grouped(cache, index) -> None:
    vectors = fill(cache, 5)
    only = FrameFilter.of({media_hash(2): {4, 17}, media_hash(3): {9, 99}, media_hash(77): {0}})
    assert set(found(index, cache, vectors[2][5], only_frames=only)) == {(2, 4), (2, 17), (3, 9)}
    assert found(index, cache, vectors[2][5], [media_hash(3)], only_frames=only) == [(3, 9)]
    assert found(index, cache, vectors[2][5], only_frames=NO_FRAMES) == []


def test_a_filter_names_seconds_not_rows(cache, index) -> None:
    grids = {1: (0, 4, 30, 31, 32, 90), 2: (7,), 3: tuple(range(5, 25)), 4: (2, 3)}
    for number, seconds in grids.items():
        scenes = tuple(Scene(second, second + 1) for second in seconds)
        rows = random_units(len(seconds), DIM, number)
        publish(cache, media_hash(number), rows, seconds=seconds, scenes=scenes)
    wanted = {number: set(range(0, 100, 2)) for number in (1, 3, 4, 99)} | {2: {6, 8}}
    only = FrameFilter.of({media_hash(number): seconds for number, seconds in wanted.items()})
    expected = {(n, s) for n, seconds in grids.items() for s in seconds if s in wanted[n]}
    vector = random_units(1, DIM, 5)[0]
    assert set(found(index, cache, vector, only_frames=only)) == expected
    some = [media_hash(number) for number in (4, 1)]
    assert set(found(index, cache, vector, some, only_frames=only)) == {
        place for place in expected if place[0] in (1, 4)
    }


def test_stills_and_files_with_gaps_keep_their_seconds(cache, index) -> None:
    rows = random_units(3, DIM, 5)
    publish(cache, media_hash(1), rows, seconds=(0, 4, 30), scenes=(Scene(0, 10), Scene(30, 31)))
    publish(cache, media_hash(2), random_units(1, DIM, 6), media_type=MediaType.IMAGE)
    hits = index.search(view_of(index, cache), MODEL, asking(rows[2]), None, 9)
    assert (hits[0].second, hits[0].row, hits[0].scene) == (30, 2, Scene(30, 31))
    still = next(hit for hit in hits if hit.hash_str == media_hash(2))
    assert (still.second, still.row, still.scene) == (0, 0, Scene(0, 0))
    vector = index.stored_vector(view_of(index, cache), MODEL, media_hash(1), 4)
    assert vector is not None
    np.testing.assert_allclose(vector, rows[1], atol=1e-3)
    assert index.stored_vector(view_of(index, cache), MODEL, media_hash(1), 5) is None
    assert index.stored_vector(view_of(index, cache), MODEL, media_hash(9), 0) is None


def test_models_do_not_meet(cache, index) -> None:
    rows = random_units(20, DIM, 1)
    publish(cache, media_hash(1), rows)
    publish(cache, media_hash(2), random_units(20, 48, 2), model="other/model")
    assert {n for n, _ in found(index, cache, rows[0])} == {1}
    assert {n for n, _ in found(index, cache, np.ones(48), model="other/model")} == {2}
    assert found(index, cache, rows[0], model="never-used") == []
    with pytest.raises(ModelError, match="48 dimensions, the analysed files have 32"):
        found(index, cache, np.ones(48))


def test_a_path_leads_to_its_content_hash(cache, index, tmp_path) -> None:
    movie = tmp_path / "movie.mp4"
    movie.write_bytes(b"the movie")
    publish(cache, media_hash(5), random_units(2, DIM, 1), path=movie)
    caches = index.caches
    assert caches.hash_for(view_of(index, cache), str(movie)) == media_hash(5), "from the catalogue"
    movie.write_bytes(b"another movie")
    assert caches.hash_for(view_of(index, cache), str(movie)) == hash_media(str(movie))
    movie.unlink()
    assert caches.hash_for(view_of(index, cache), str(movie)) == media_hash(5), (
        "where it was last seen"
    )
    other = tmp_path / "other.mp4"
    assert caches.hash_for(view_of(index, cache), str(other)) is None
    other.write_bytes(b"unknown")
    assert caches.hashes_for(view_of(index, cache), [str(other), str(tmp_path), "/a\0b"]) == [
        hash_media(str(other)),
        None,
        None,
    ]


def test_the_path_of_a_hit_is_the_oldest_that_opens(cache, index, tmp_path) -> None:
    places = [tmp_path / name for name in ("z.mp4", "copy.mp4", "third.mp4")]
    rows = random_units(3, DIM, 1)
    publish(cache, media_hash(1), rows)

    def path() -> str | None:
        return index.search(view_of(index, cache), MODEL, asking(rows[0]), None, 1)[0].path

    assert path() is None
    for mtime, place in enumerate([*places, places[0]]):  # the first is seen again, last of all
        place.write_bytes(b"x")
        cache.remember_path(media_hash(1), str(place), 1, mtime)
        assert path() == str(places[0])
    places[0].unlink()
    assert path() == str(places[1])
    places[1].write_bytes(b"something else")
    assert path() == str(places[2])
    places[2].unlink()
    assert path() == str(places[0]), "none opens: the one seen first"


def test_what_is_excluded_changes_the_order_of_matches_and_not_what_each_is_worth(
    cache, index
) -> None:
    rows = random_units(40, DIM, 1)
    publish(cache, media_hash(1), rows, scenes=tuple(Scene(n, n + 1) for n in range(40)))
    view, query = view_of(index, cache), asking(rows[0])
    plain = index.search(view, MODEL, query, None, 40)
    soft = index.search(view, MODEL, replace(query, exclude=rows[1:4]), None, 40)
    assert {hit.row: hit.base for hit in soft} == {hit.row: hit.score for hit in plain}
    assert [hit.row for hit in soft] != [hit.row for hit in plain]
    assert all(hit.score <= hit.base for hit in soft)


def test_places_of_a_file_are_told_those_that_open_first(
    cache, index, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(caches, "_PATIENCE_S", 30)  # other tests keep the processors busy
    places = [tmp_path / name for name in ("gone.mp4", "first.mp4", "copy.mp4", "taken.mp4")]
    for number, place in enumerate(places):
        place.write_bytes(b"x")
        cache.remember_path(media_hash(1), str(place), 1, number)
    cache.remember_path(media_hash(2), str(places[3]), 1, 9)  # other content of the same size
    places[0].unlink()
    found = index.caches.places(view_of(index, cache), [media_hash(1)])[media_hash(1)]
    assert found == [
        (str(places[1]), True), (str(places[2]), True), (str(places[0]), False),
        (str(places[3]), False),
    ]  # fmt: skip


def test_what_is_seen_first_is_remembered_over_compaction_and_in_another_process(
    cache, index, replica, tmp_path, monkeypatch
) -> None:
    rows = random_units(1, DIM, 1)
    publish(cache, media_hash(1), rows)
    first, copy = tmp_path / "z.mp4", tmp_path / "a.mp4"
    for mtime, place in enumerate([first, copy, first]):
        place.write_bytes(b"x")
        cache.remember_path(media_hash(1), str(place), 1, mtime)
    monkeypatch.setattr(catalogue, "_COMPACT_AFTER_S", -1.0)
    monkeypatch.setattr(catalogue, "_writers", {})
    publish(cache, media_hash(2), rows)  # by another writer
    assert cache.catalogue.compact() >= 2
    for one in (index, replica):
        places = one.caches.places(view_of(one, cache), [media_hash(1)])
        assert places == {media_hash(1): [(str(first), True), (str(copy), True)]}


def test_previews_come_from_the_nearest_second(cache, index) -> None:
    publish(cache, media_hash(1), random_units(2, DIM, 1), seconds=(0, 8))
    frames = [(media_hash(1), 5), (media_hash(3), 0), (media_hash(1), 2)]
    previews = read_previews(view_of(index, cache), frames, index.caches.reader(cache))
    assert previews == [f"{media_hash(1)} 8".encode(), None, f"{media_hash(1)} 0".encode()]
    next(cache.media_dir(media_hash(1)).path.glob("frames.*.pack")).write_bytes(b"damaged")
    assert read_previews(
        view_of(index, cache), [(media_hash(1), 5)], index.caches.reader(cache)
    ) == [None]


def test_paths_outside_the_roots_are_not_touched(cache, settings, tmp_path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "movie.mp4").write_bytes(b"the movie")
    (inside / "link.mp4").symlink_to(outside / "movie.mp4")
    rows = random_units(3, DIM, 1)
    publish(cache, media_hash(1), rows)
    for place in (inside / "movie.mp4", outside / "movie.mp4", inside / "link.mp4"):
        cache.remember_path(media_hash(1), str(place), len(b"the movie"), 1)
    with search_index(
        replace(settings, media_roots=(inside,), cache_roots=(cache.root.path,))
    ) as walled:
        view = view_of(walled, cache)
        hit = walled.search(view, MODEL, asking(rows[0]), None, 1)[0]
        assert hit.path == str(inside / "movie.mp4")
        assert walled.caches.hash_for(view, str(inside / "link.mp4")) is None


def test_a_search_ends_where_a_result_is_back_before_it_is_forgotten(
    cache, index, monkeypatch
) -> None:
    """As when a deletion is undone just then, or a share comes and goes."""
    vectors = fill(cache, 2, rows=5)
    assert found(index, cache, vectors[1][3], max_results=1) == [(1, 3)]
    manifest = next(cache.media_dir(media_hash(1)).path.glob("manifest.visual.*"))
    aside = manifest.with_name("aside")
    manifest.rename(aside)
    remove = VectorLoader.remove

    def comes_back(loader, *how) -> None:
        if aside.exists():
            aside.rename(manifest)
        remove(loader, *how)

    monkeypatch.setattr(VectorLoader, "remove", comes_back)
    assert found(index, cache, vectors[1][3], max_results=1) == [(1, 3)]
