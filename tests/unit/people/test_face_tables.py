"""Tables of faces: put together, and found again in one another."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.people.clustering import FaceIndex
from workers.recluster.homes import GONE, at_new_places, merged
from workers.recluster.loading import FaceTable

Content = dict[str, list[int]]  # hash_str -> keys

contents = st.dictionaries(
    st.sampled_from("abcdef"),
    st.lists(st.integers(0, 2**56), max_size=5, unique=True).map(sorted),
    max_size=6,
)


def table(content: Content, version: str = "1") -> FaceTable:
    media = sorted(content)
    counts = [len(content[hash_str]) for hash_str in media]
    return FaceTable(
        media=tuple(media),
        media_files=tuple(f"{hash_str}.{version}" for hash_str in media),
        media_of=np.repeat(np.arange(len(media), dtype=np.int32), counts),
        keys=np.array([key for hash_str in media for key in content[hash_str]], np.uint64),
        rows=np.array([row for count in counts for row in range(count)], np.int32),
    )


def faces(of: FaceTable) -> list[tuple[str, str, int, int]]:
    return [
        (of.media[media], of.media_files[media], int(key), int(row))
        for media, key, row in zip(of.media_of, of.keys, of.rows, strict=True)
    ]


@given(contents, contents)
def test_a_merge_holds_each_file_once_and_the_new_faces_of_those_made_anew(
    old: Content, new: Content
) -> None:
    before, news = table(old), table(new, "2")
    both = merged(before, news)
    kept = [face for face in faces(before) if face[0] not in new]
    assert faces(both.table) == sorted(kept + faces(news), key=lambda face: (face[0], face[2]))
    assert both.table.media == tuple(sorted({*old, *new}))
    found = faces(both.table)
    for place, face in zip(both.new_at, faces(news), strict=True):
        assert found[place] == face
    for place, face in zip(both.old_at, faces(before), strict=True):
        assert place == GONE if face[0] in new else found[place] == face


@given(contents, contents)
def test_the_same_face_is_found_by_its_file_and_key(old: Content, new: Content) -> None:
    before, now = table(old), table(new)
    places = {(face[0], face[2]): place for place, face in enumerate(faces(before))}
    found = FaceIndex(before).same(now)
    assert [int(place) for place in found] == [
        places.get((face[0], face[2]), GONE) for face in faces(now)
    ]


def test_places_move_along_and_those_of_faces_that_are_gone_are_empty() -> None:
    now_at = np.array([3, GONE, 0], np.int64)
    places = np.array([[0, 1, -1], [2, -1, -1]], np.int32)
    assert at_new_places(places, now_at).tolist() == [[3, -1, -1], [0, -1, -1]]
    assert at_new_places(places, np.zeros(0, np.int64)).tolist() == [[-1] * 3] * 2
