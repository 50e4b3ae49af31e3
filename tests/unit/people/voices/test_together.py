"""Which face fits which voice, by the seconds in which both are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from api.people.voices import proposals
from api.people.voices.proposals import FILE_BITS, Presence, fits

ADA, BO, CY = 10, 20, 30  # faces
TOM, UMA, NARRATOR = 100, 200, 300  # voices
Span = tuple[int, int, int]  # file, first second, end


def presence(of: Mapping[int, Iterable[Span]]) -> Presence:
    rows = [
        (cluster, file << FILE_BITS | second)
        for cluster, spans in of.items()
        for file, first, end in spans
        for second in range(first, end)
    ]
    return Presence(
        np.array([cluster for cluster, _ in rows], np.int32),
        np.array([moment for _, moment in rows], np.int64),
    )


def found(
    faces: Mapping[int, Iterable[Span]], voices: Mapping[int, Iterable[Span]]
) -> list[tuple[int, int, int, int]]:
    return [
        (one.face, one.voice, one.seconds, one.spoken)
        for one in fits(presence(faces), presence(voices))
    ]


def turns(file: int, first: int, count: int = 4, length: int = 10) -> list[Span]:
    """Every other stretch of so many seconds."""
    starts = [first + 2 * length * n for n in range(count)]
    return [(file, start, start + length) for start in starts]


TALK = {TOM: turns(0, 0), UMA: turns(0, 10)}


def test_two_who_take_turns_on_screen_are_each_ones_own() -> None:
    shown = {ADA: turns(0, 0), BO: [*turns(0, 10, 3), (0, 70, 75)]}
    assert found(shown, TALK) == [(ADA, TOM, 40, 40), (BO, UMA, 35, 40)]


def test_a_narrator_who_is_never_seen_is_nobody() -> None:
    pictures = {ADA: [(0, 0, 25), (0, 40, 60)], BO: [(0, 25, 40), (0, 60, 80)]}
    assert found(pictures, {NARRATOR: [(0, 0, 80)]}) == []
    shown = {ADA: [*turns(0, 0), (0, 80, 90)], BO: [*turns(0, 10), (0, 90, 100)]}
    heard = {**TALK, NARRATOR: [(0, 80, 100)]}
    assert {(face, voice) for face, voice, *_ in found(shown, heard)} == {(ADA, TOM), (BO, UMA)}


def test_a_face_that_is_always_in_the_picture_says_nothing() -> None:
    assert found({CY: [(0, 0, 80)]}, TALK) == []
    beside = {CY: [(0, 0, 80)], ADA: turns(0, 0)}
    assert found(beside, TALK) == [(ADA, TOM, 40, 40)]


def test_two_faces_that_are_always_together_are_not_told_apart() -> None:
    assert found({ADA: turns(0, 0), BO: turns(0, 0)}, TALK) == []


@pytest.mark.parametrize(
    ("count", "length"), [(3, 3), (1, 40), (2, 20)], ids=["9 seconds", "one time", "two times"]
)
def test_little_is_no_evidence(count: int, length: int) -> None:
    heard = {TOM: turns(0, 0, count, length), UMA: turns(0, length, 4, length)}
    assert found({ADA: turns(0, 0, count, length)}, heard) == []


def test_who_talks_alone_in_a_file_is_known_by_the_other_files() -> None:
    alone = {TOM: [(0, 0, 60)], UMA: [(1, 0, 60)]}
    shown = {ADA: [(0, 0, 20), (0, 30, 45), (0, 50, 60)], BO: [(1, 0, 55)]}
    assert found(shown, {TOM: [(0, 0, 60)]}) == [], "nobody else to compare with"
    assert found(shown, alone) == [(ADA, TOM, 45, 60)], "Bo is there but once"


def test_one_face_may_have_a_voice_in_each_file() -> None:
    heard = {TOM: turns(0, 0), UMA: turns(0, 10), 101: turns(1, 0), 201: turns(1, 10)}
    shown = {ADA: [*turns(0, 0), *turns(1, 0)]}
    assert found(shown, heard) == [(ADA, TOM, 40, 40), (ADA, 101, 40, 40)]


def test_nothing_comes_of_nothing() -> None:
    assert found({}, {}) == found({ADA: [(0, 0, 9)]}, {}) == found({}, TALK) == []


def test_what_is_joined_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {ADA: turns(0, 0), BO: [*turns(0, 10, 3), (0, 70, 75)], CY: [(0, 0, 80), (1, 0, 9)]}
    heard = {**TALK, NARRATOR: [(1, 0, 40)]}
    whole = found(shown, heard)
    assert whole
    for block in (1, 2, 7):
        monkeypatch.setattr(proposals, "_BLOCK", block)
        assert found(shown, heard) == whole
