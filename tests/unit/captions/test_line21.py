"""CEA-608 by the book: what is shown, from when until when, in which service."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.support.media.captions import (
    CR,
    EDM,
    RDC,
    RU2,
    BasicPair,
    command,
    odd,
    pop_on,
    row,
    written,
)
from workers.media.captions.line21 import Line21Field
from workers.media.captions.sources import pairs_beside_pictures

Told = list[tuple[float, str, float]]


def told(*events: tuple[float, Sequence[BasicPair]], until: float = 100) -> tuple[Told, Told]:
    """What two channels tell; the pairs of an event come one each frame of 1/30 s."""
    first, second = Told(), Told()
    field = Line21Field(lambda *cue: first.append(cue), lambda *cue: second.append(cue))
    for start, pairs in events:
        for number, (a, b) in enumerate(pairs):
            field.take(round(start + number / 30, 3), odd(a), odd(b))
    field.finish(until)
    return first, second


def test_a_caption_is_shown_at_once_when_it_is_complete_until_it_is_erased() -> None:
    pairs = pop_on("Guten Tag")
    cues, others = told((1, pairs), (4, command(EDM)))
    assert cues == [(round(1 + (len(pairs) - 2) / 30, 3), "Guten Tag", 4)]
    assert not others


def test_a_caption_that_follows_ends_the_one_before_and_the_last_one_ends_with_the_film() -> None:
    cues, _ = told((1, pop_on("one")), (3, pop_on("two")), until=9)
    assert [text for _, text, _ in cues] == ["one", "two"]
    assert cues[0][2] == cues[1][0]
    assert cues[1][2] == 9


def test_rows_are_one_line_and_letters_beyond_english_are_there() -> None:
    text = [*row(is_last=False), *written("Müßiggang,"), *row(), *written("schöne Äpfel ♪")]
    cues, _ = told((0, [*command(RDC), *text]), (5, command(EDM)))
    assert [text for _, text, _ in cues] == ["Müßiggang, schöne Äpfel ♪"]


def test_lines_that_roll_up_are_told_once_each() -> None:
    cues, _ = told(
        (1, [*command(RU2), *command(CR), *row(), *written("first line")]),
        (3, [*command(RU2), *command(CR), *row(), *written("second line")]),
        (5, command(CR)),
    )
    assert [text for _, text, _ in cues] == ["first line", "second line"]
    assert cues[0][0] < 1.3
    assert 3 < cues[0][2] < 3.1
    assert cues[1][0] > cues[0][2]


def test_what_is_painted_over_is_told_before() -> None:
    cues, _ = told(
        (1, [*command(RDC), *row(), *written("painted")]), (4, [*row(), *written("anew")])
    )
    assert [text for _, text, _ in cues] == ["painted", "anew"]


def test_both_channels_of_a_field_are_kept_apart() -> None:
    first, second = pop_on("english"), pop_on("espa", channel=2)
    mixed = [*first[:-2], *second[:-2], *first[-2:], *second[-2:]]
    cues, others = told((1, mixed))
    assert [text for _, text, _ in cues] == ["english"]
    assert [text for _, text, _ in others] == ["espa"]


def test_other_data_between_captions_and_broken_bytes_are_not_read() -> None:
    pairs = pop_on("clean")
    data = [(0x01, 0x03), (ord("X"), ord("Y")), (0x0F, 0x1D)]
    cues, _ = told((0, data), (1, pairs[:-2]), (2, data), (3, pairs[-2:]))
    assert [text for _, text, _ in cues] == ["clean"]
    seen = Told()
    field = Line21Field(lambda *cue: seen.append(cue), lambda *cue: seen.append(cue))
    for a, b in pairs:
        field.take(0, odd(a) ^ 0x80, odd(b))  # parity says that they are not what was sent
    field.finish(9)
    assert not seen


def test_nonsense_tells_no_more_than_it_brings() -> None:
    made = random.Random(3)
    noise = [(made.randrange(128), made.randrange(128)) for _ in range(20_000)]
    cues, others = told((0, noise))
    told_characters = sum(len(text) for _, text, _ in (*cues, *others))
    assert told_characters < 4 * len(noise)
    assert all(start <= end for start, _, end in (*cues, *others))


def test_user_data_that_ends_early_or_claims_more_gives_what_is_there() -> None:
    mark = b"\xb5\x00\x31GA94\x03"
    pair = bytes((0xFC, 0x94, 0x20))
    assert pairs_beside_pictures("h264", b"picture") is None
    assert pairs_beside_pictures("h264", mark) == []
    assert pairs_beside_pictures("h264", mark + b"\x5f\xff" + pair) == [(0, 0x94, 0x20)]
    assert pairs_beside_pictures("h264", mark + b"\x1f\xff" + pair) == [], "says it has none"
    many = (mark + b"\x41\xff" + pair) * 10_000
    assert len(pairs_beside_pictures("hevc", many) or ()) == 4
