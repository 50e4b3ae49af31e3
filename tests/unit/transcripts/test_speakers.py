"""Voices are told apart by rows alone: groups, a voice for each word, turns; nobody is invented."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache.transcripts import Segment, Word
from tests.support.fake_voices import FakeVoices
from workers.analysis.speakers.diarizing import Diarizer
from workers.analysis.speakers.voices import linked, pieces_of
from workers.models.protocols import SAMPLE_RATE


def talk(
    *turns: tuple[float, float, int], seconds: float = 0.0
) -> tuple[NDArray[np.float32], list[Word]]:
    """Sound in which voice n hums n times 100 Hz from a second to another, and its words."""
    length = max([end for _, end, _ in turns] + [seconds]) + 1
    pcm = np.zeros(round(length * SAMPLE_RATE), np.float32)
    words = []
    for start, end, voice in turns:
        at = np.arange(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
        pcm[at] += 0.1 * np.sin(2 * np.pi * 100 * voice * at / SAMPLE_RATE).astype(np.float32)
        edges = np.linspace(start, end, max(2, round((end - start) / 0.3) + 1))
        words += [Word(a, b, "so", 0.9) for a, b in itertools.pairwise(edges)]
    return pcm, words


def told(
    pcm: NDArray[np.float32], words: list[Word], block: int = 3 * SAMPLE_RATE
) -> list[tuple[float, float, int, bool]]:
    segment = Segment(start=0, end=len(pcm) / SAMPLE_RATE, text="", words=tuple(words))
    diarizer = Diarizer([segment], FakeVoices())
    for first in range(0, len(pcm), block):
        diarizer.hear(None, pcm[first : first + block])
    speakers, turns = diarizer.finish()
    assert [turn.speaker for turn in turns] == [] or len(speakers) == 1 + max(
        turn.speaker for turn in turns
    )
    return [(round(t.start, 1), round(t.end, 1), t.speaker, t.doubtful) for t in turns]


def sure(turns: list[tuple[float, float, int, bool]]) -> list[tuple[float, float, int]]:
    """Turns of one voice in a row as one, whether their edges are doubtful or not."""
    found: list[tuple[float, float, int]] = []
    for start, end, voice, _ in turns:
        if found and found[-1][2] == voice and start - found[-1][1] <= 0.5:
            found[-1] = (found[-1][0], end, voice)
        else:
            found.append((start, end, voice))
    return found


def test_two_voices_are_two_speakers_by_first_appearance() -> None:
    turns = told(*talk((1, 9, 7), (9.5, 16, 3), (16.4, 24, 7)))
    assert sure(turns) == [(1, 9, 0), (9.5, 16, 1), (16.4, 24, 0)]


def test_a_change_without_a_pause_is_found_to_a_word() -> None:
    turns = sure(told(*talk((0, 8, 5), (8, 15, 12))))
    assert [voice for _, _, voice in turns] == [0, 1]
    assert abs(turns[0][1] - 8) < 0.65


def test_what_comes_out_does_not_depend_on_the_blocks() -> None:
    sound = talk((1, 9, 7), (9.5, 16, 3), (70, 76, 7))
    assert told(*sound) == told(*sound, block=777) == told(*sound, block=10**9)


def test_one_voice_is_one_speaker() -> None:
    assert {voice for _, _, voice, _ in told(*talk((0, 30, 4), (32, 61, 4)))} == {0}


def test_one_word_is_one_doubtful_speaker() -> None:
    assert told(*talk((5, 5.4, 4))) == [(5, 5.4, 0, True)]


def test_without_words_nobody_speaks() -> None:
    noise = np.random.default_rng(1).normal(size=20 * SAMPLE_RATE).astype(np.float32)
    assert told(noise, []) == []


def test_words_after_the_end_of_the_sound_belong_to_nobody_sure() -> None:
    pcm, words = talk((1, 8, 3))
    turns = told(pcm, [*words, Word(100, 100.4, "so", 0.9)])
    assert sure(turns)[0] == (1, 8, 0)
    assert all(is_doubtful for start, _, _, is_doubtful in turns if start >= 100)


def test_a_voice_in_two_streams_is_one_speaker() -> None:
    (first, words), (second, others) = talk((0, 8, 5), seconds=20), talk((9, 17, 5), seconds=20)
    segments = [
        Segment(start=0, end=8, text="", words=tuple(words), stream=0),
        Segment(start=9, end=17, text="", words=tuple(others), stream=1),
    ]
    diarizer = Diarizer(segments, FakeVoices())
    diarizer.hear(0, first)
    diarizer.hear(1, second)
    speakers, turns = diarizer.finish()
    assert len(speakers) == 1
    assert {turn.stream for turn in turns} == {0, 1}


def test_much_sound_is_held_a_piece_at_a_time() -> None:
    pcm, words = talk((0, 400, 5))
    voices = FakeVoices()
    diarizer = Diarizer([Segment(start=0, end=400, text="", words=tuple(words))], voices)
    for first in range(0, len(pcm), 5 * SAMPLE_RATE):
        diarizer.hear(None, pcm[first : first + 5 * SAMPLE_RATE])
    diarizer.finish()
    assert voices.longest < 64 * SAMPLE_RATE
    assert voices.windows < 1.1 * 400 / 0.8


def test_no_more_voices_are_told_apart_than_there_may_be() -> None:
    turns = [(n * 6.0, n * 6.0 + 5, n + 1) for n in range(30)]
    assert len({voice for _, _, voice, _ in told(*talk(*turns))}) <= 20


def test_pieces_end_at_pauses_and_after_a_minute() -> None:
    _, words = talk((1, 3, 1), (3.2, 5, 1), (6, 130, 1))
    pieces = [(round(p.start, 1), round(p.end, 1)) for p in pieces_of(words)]
    assert pieces[0] == (1, 5)
    assert all(end - start <= 60.01 for start, end in pieces)
    assert pieces[1][0] == 6
    assert pieces[-1][1] == 130


@pytest.mark.parametrize("count", [1, 2, 17])
def test_linking_joins_what_is_near_on_average(count: int) -> None:
    random = np.random.default_rng(count)
    centres = np.eye(3, 20)[random.integers(0, 3, count)]
    rows = centres + random.normal(size=(count, 20)) * 0.05
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    found = linked(rows, np.ones(count), 0.7)
    same = centres @ centres.T > 0.5
    assert (same == (found[:, None] == found[None, :])).all()
