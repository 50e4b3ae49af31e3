"""A new analysis hands the ids of speakers on to those who speak at the same times."""

from __future__ import annotations

from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns, with_ids
from workers.analysis.stages.speakers import with_lasting_ids

HASH = "9ae0daaf81f5b2c3"


def told(*turns: tuple[float, float, int], ids: tuple[int, ...] = ()) -> SpeakerTurns:
    count = 1 + max(speaker for _, _, speaker in turns)
    return SpeakerTurns(
        model="resemblyzer",
        speakers=tuple(Speaker(1.0, (1.0,), ids[n] if ids else 0) for n in range(count)),
        turns=tuple(SpeakerTurn(start, end, speaker) for start, end, speaker in turns),
    )


def ids_of(found: SpeakerTurns, former: SpeakerTurns | None) -> list[int]:
    return [speaker.id for speaker in with_lasting_ids(HASH, found, former).speakers]


def test_the_first_analysis_makes_ids_by_where_each_one_begins() -> None:
    found = told((1.2, 5, 0), (6, 9, 1))
    assert ids_of(found, None) == [speaker.id for speaker in with_ids(HASH, found).speakers]
    assert ids_of(told((1.9, 5, 0), (6.4, 9, 1)), None) == ids_of(found, None)


def test_ids_stay_with_who_speaks_whatever_the_order_of_speakers() -> None:
    former = told((0, 10, 0), (10, 20, 1), (20, 30, 2), ids=(7, 8, 9))
    assert ids_of(told((0.3, 9, 0), (10.2, 19, 1), (21, 30, 2)), former) == [7, 8, 9]
    moved = told((3, 4, 2), (5, 10, 1), (10, 20, 0), (20, 30, 2))
    assert ids_of(moved, former) == [8, 7, 9]


def test_one_speaker_has_the_id_of_one() -> None:
    former = told((0, 30, 0), ids=(7,))
    kept, new = ids_of(told((0, 20, 0), (20, 30, 1)), former)
    assert kept == 7
    assert new not in (0, 7)
    both = told((0, 20, 0), (20, 30, 1), ids=(7, 8))
    assert ids_of(told((0, 30, 0)), both) == [7], "of who speaks most of it"


def test_who_shares_less_than_half_is_somebody_new() -> None:
    former = told((0, 10, 0), ids=(7,))
    assert ids_of(told((6, 20, 0)), former) != [7]
    assert ids_of(told((4, 20, 0)), former) == [7]
    assert ids_of(told((40, 50, 0)), former) != [7]


def test_who_says_a_word_while_another_one_spoke_long_is_somebody_new() -> None:
    former = told((0, 100, 0), (100, 160, 1), ids=(7, 8))
    new, kept = ids_of(told((50, 50.6, 0), (100, 160, 1)), former)
    assert (kept, new not in (7, 8)) == (8, True)
    assert ids_of(told((50, 70, 0)), former) == [7], "a fifth of it"
    assert ids_of(told((50, 69, 0)), former) != [7]


def test_the_id_of_a_former_speaker_is_given_to_nobody_else() -> None:
    (own,) = ids_of(told((30, 40, 0)), None)
    former = told((0, 10, 0), ids=(own,))
    assert own not in ids_of(told((30, 40, 0)), former)


def test_turns_of_several_streams_count_once() -> None:
    twice = SpeakerTurns(
        model="resemblyzer",
        speakers=(Speaker(1.0, (1.0,)),),
        turns=(SpeakerTurn(0, 10, 0, stream=0), SpeakerTurn(0, 10, 0, stream=1)),
    )
    assert ids_of(twice, told((0, 4, 0), (4, 30, 1), ids=(7, 8))) == [8]
