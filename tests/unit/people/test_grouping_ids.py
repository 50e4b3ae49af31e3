"""Ids of people stay theirs over groupings and are never given to somebody else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.recluster.homes import keep_ids


def ids(new: str, old: dict[int, str], taken: tuple[int, ...] = ()) -> list[int]:
    """`new`: a digit or - for each face. `old`: the faces (x) that each id had."""
    labels = np.array([-1 if letter == "-" else int(letter) for letter in new], np.int32)
    before = np.full(len(new), -1, np.int32)
    for id_, faces in old.items():
        before[[at for at, letter in enumerate(faces) if letter == "x"]] = id_
    seeds = [(f"{number:016x}", number) for number in range(labels.max(initial=-1) + 1)]
    return keep_ids(labels, [before], seeds, taken).tolist()


def test_the_same_people_in_another_order_keep_their_ids() -> None:
    assert ids("111000", {7: "xxx   ", 9: "   xxx"}) == [9, 7]


def test_when_two_become_one_the_larger_keeps_its_id() -> None:
    assert ids("00000", {7: "xx   ", 9: "  xxx"}) == [9]


def test_when_one_becomes_two_the_larger_part_keeps_the_id_and_the_other_has_a_new_one() -> None:
    kept, new = ids("00011", {7: "xxxxx"})
    assert kept == 7
    assert new not in (7, 0, -1)


def test_an_id_does_not_follow_a_few_faces_into_another_person() -> None:
    only = ids("0000000--", {7: "xxx      ", 9: "   xxxx  "})[0]
    assert only == 9
    assert 7 not in ids("011--------", {7: "xxxxxxxxxxx"})  # less than a third together


def test_new_ids_are_the_same_on_every_machine_and_avoid_what_is_taken() -> None:
    (first,) = ids("0", {})
    assert first == 1865973566
    assert ids("0", {}, taken=(first,)) == [first + 1]
    assert ids("0", {}, taken=(first, first + 1)) == [first + 2]
    assert ids("0-", {first: " x"}) == [first + 1]


def test_no_faces_have_no_ids() -> None:
    assert ids("", {}) == []
    assert ids("---", {5: "xxx"}) == []


@given(st.data())
def test_ids_are_always_unique_positive_and_never_somebody_elses(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 30))
    drawn = data.draw(st.lists(st.integers(-1, 5), min_size=count, max_size=count))
    labels = np.unique(np.array([-1, *drawn]), return_inverse=True)[1][1:].astype(np.int32) - 1
    old = data.draw(st.lists(st.sampled_from([-1, 3, 4, 5, 6]), min_size=count, max_size=count))
    taken = data.draw(st.sets(st.integers(1, 8)))
    before = np.array(old, np.int32)
    seeds = [("a", number) for number in range(labels.max() + 1)]
    found = keep_ids(labels, [before], seeds, taken)
    assert len(set(found.tolist())) == len(found)
    for cluster, id_ in enumerate(found.tolist()):
        assert 0 < id_ < 2**31
        if id_ in old:
            assert (before[labels == cluster] == id_).sum() * 3 >= old.count(id_)
        else:
            assert id_ not in taken


def test_three_thousand_people_of_a_hundred_thousand_faces_keep_their_ids() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(-1, 3000, 100_000).astype(np.int32)
    old = np.where(random.random(100_000) < 0.1, -1, labels + 10).astype(np.int32)
    seeds = [(f"{number:016x}", number) for number in range(3000)]
    found = keep_ids(labels, [old], seeds, range(100_000, 101_000))
    assert found.tolist() == list(range(10, 3010))
