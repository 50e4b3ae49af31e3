"""Grouping of all faces: as good as promised on made-up people, the same every time, stoppable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.models.specs import FaceScale
from shared.people.clustering import SAMPLES
from tests.support.people.face_data import PERSON, TRACK, MadeFaces, agreement, make_faces
from tests.support.running.long_form import by_form
from workers.recluster.people import alike, group_faces
from workers.recluster.tracks import find_tracks
from workers.recluster.types import Groups, Rule


def step(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1
    assert message


def rule(kind: str, min_samples: int = 1) -> Rule:
    return Rule(FaceScale(person=PERSON[kind], track=TRACK), 0.48, min_samples)


def group(made: MadeFaces, kind: str = "mid", min_samples: int = 1) -> Groups:
    return group_faces(made.faces, rule(kind, min_samples), step)


@pytest.mark.parametrize(
    ("kind", "count", "people"),
    [
        *(("easy", 5000, 300), ("mid", 5000, 300), ("hard", 5000, 300)),
        # More than what is summed at once.
        *by_form(short=(("hard", 9000, 500),), long=(("mid", 20_000, 800), ("hard", 20_000, 800))),
    ],
)
def test_made_up_people_are_found(kind: str, count: int, people: int) -> None:
    made = make_faces(count, people, kind=kind)
    found = agreement(made.people, group(made, kind).labels)
    assert found.f1 >= 0.98
    assert found.pair_f1 >= 0.985


def test_it_makes_no_difference_whether_shots_are_told_by_files_and_times() -> None:
    made = make_faces(5000, 300, files=40)
    found = group(made)
    assert agreement(made.people, found.labels).f1 >= 0.98
    shuffled = made.take(np.random.default_rng(2).permutation(len(made)))
    shuffled = replace(shuffled, faces=replace(shuffled.faces, media_of=np.zeros(5000, np.int32)))
    assert agreement(shuffled.people, group(shuffled).labels).f1 >= 0.98


def test_marked_junk_is_in_no_cluster() -> None:
    made = make_faces(5000, 300).with_marked_junk()
    found = group(made, min_samples=5)
    assert agreement(made.people, found.labels).precision >= 0.995
    assert (found.labels[made.people < 0] < 0).all()


def test_people_with_too_few_clear_faces_are_nobody() -> None:
    made = make_faces(2000, 100)
    every, many = group(made), group(made, min_samples=20)
    assert every.sizes.min() == 1
    assert many.sizes.min() >= 20
    assert len(many.means) == (every.sizes >= 20).sum()
    assert (np.diff(many.sizes) <= 0).all()


def test_the_same_faces_are_grouped_the_same_way_every_time() -> None:
    made = make_faces(3000, 100)
    one, other = group(made), group(made)
    for name in Groups.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_samples_are_clear_and_differ_more_than_the_clearest_do() -> None:
    made = make_faces(3000, 20)
    found = group(made, min_samples=100)
    assert len(found.means) >= 3
    for cluster, shown in enumerate(found.samples):
        assert len(set(shown)) == SAMPLES
        members = np.flatnonzero(found.labels == cluster)
        quality = made.faces.quality[members]
        assert (made.faces.quality[shown] >= np.median(quality)).all()
        clearest = members[np.argsort(-quality)[:SAMPLES]]
        assert alikeness(made, shown) < alikeness(made, clearest)


def alikeness(made: MadeFaces, faces: np.ndarray) -> float:
    rows = made.faces.embeddings[faces].astype(np.float32)
    return float((rows @ rows.T).mean())


def test_grouping_stops_when_it_is_told_to() -> None:
    made = make_faces(3000, 100)
    calls: list[str] = []
    group_faces(made.faces, rule("mid"), lambda _, message: calls.append(message))
    for number in (0, len(calls) // 2, len(calls) - 1):
        left = iter(calls[:number])

        def stopping(_: float, __: str, left=left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            group_faces(made.faces, rule("mid"), stopping)


def test_a_track_does_not_creep_from_one_person_to_the_next() -> None:
    """Each face is near the one before; the ends are strangers."""
    angles = np.linspace(0, np.pi / 2, 40)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    places = np.zeros(40, np.int32), np.arange(40, dtype=np.uint32)
    tracks, centres, weights = find_tracks(rows, *places, 0.9, step)
    assert len(centres) >= 2
    assert tracks[0] != tracks[-1]
    assert weights.tolist() == np.bincount(tracks).tolist()


def test_the_same_shot_in_two_files_is_one_track() -> None:
    made = make_faces(1000, 40, files=10)
    faces = made.faces
    twice = np.concatenate([faces.embeddings, faces.embeddings])
    media_of = np.concatenate([faces.media_of, faces.media_of + 10])
    seconds = np.concatenate([faces.seconds, faces.seconds])
    tracks, centres, weights = find_tracks(twice, media_of, seconds, TRACK, step)
    np.testing.assert_array_equal(tracks[:1000], tracks[1000:])
    assert weights.sum() == 2000
    assert len(centres) < 500


def test_a_crowd_of_one_person_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is alike: of the links that would be, an even part is kept."""
    monkeypatch.setattr("workers.recluster.people._EDGES", 1)
    made = make_faces(2000, 1, kind="easy")
    rows = made.faces.embeddings[made.people == 0].astype(np.float32)
    graph = alike(rows, 0.1, step)
    assert len(graph.neighbours) <= 2 * 64 * len(rows)
    assert agreement(made.people, group(made, "easy").labels).pair_f1 > 0.99
