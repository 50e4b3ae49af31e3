"""Segments break where another one speaks, and lose nothing."""

from __future__ import annotations

from shared.cache.speakers import SpeakerTurn
from shared.cache.spoken_by import by_speaker
from shared.cache.transcripts import Segment, Word


def segment(text: str, *, start: float = 0.0, spaces: bool = True, **more: object) -> Segment:
    """A word a second."""
    parts = text.split(" ")
    words = tuple(Word(start + n, start + n + 0.9, part, 0.9) for n, part in enumerate(parts))
    said = text if spaces else text.replace(" ", "")
    end = start + len(parts)
    return Segment(start=start, end=end, text=said, words=words, **more)  # type: ignore[arg-type]


def test_a_segment_of_two_speakers_is_two() -> None:
    whole = segment("Are you ready? Yes, I am.", doubtful=(1, 4))
    turns = [SpeakerTurn(0, 2.9, 0), SpeakerTurn(3, 5.9, 1, True)]
    first, second = by_speaker([whole], turns)
    assert (first.segment.text, first.segment.speaker) == ("Are you ready?", "S1")
    assert (second.segment.text, second.segment.speaker) == ("Yes, I am.", "S2")
    assert (first.segment.start, first.segment.end) == (0, 2.9)
    assert (second.segment.start, second.segment.end) == (3, 6)
    assert (first.segment.doubtful, second.segment.doubtful) == ((1,), (1,))
    assert first.segment.words + second.segment.words == whole.words
    assert (first.is_doubtful, second.is_doubtful) == (False, True)
    assert (first.number, second.number) == (0, 0)


def test_without_spaces_the_text_breaks_between_words() -> None:
    whole = segment("你 好 再 见", spaces=False)
    parts = by_speaker([whole], [SpeakerTurn(0, 1.9, 1), SpeakerTurn(2, 4, 0)])
    assert [(part.segment.text, part.segment.speaker) for part in parts] == [
        ("你好", "S2"),
        ("再见", "S1"),
    ]


def test_where_no_turn_is_nobody_is_named_and_streams_are_told_apart() -> None:
    one, other = segment("One two", stream=0), segment("Three four", stream=1)
    parts = by_speaker([one, other], [SpeakerTurn(0, 2, 0, False, 1)])
    assert [(part.segment.text, part.segment.speaker) for part in parts] == [
        ("One two", None),
        ("Three four", "S1"),
    ]


def test_a_segment_without_words_is_whoses_turn_it_is() -> None:
    bare = Segment(start=2, end=4, text="So it is.")
    (part,) = by_speaker([bare], [SpeakerTurn(0, 10, 2)])
    assert (part.segment.speaker, part.segment.text) == ("S3", "So it is.")


def test_words_that_the_text_writes_otherwise_lose_no_text() -> None:
    odd = Segment(
        start=0,
        end=3,
        text="Twenty-one, yes",
        words=(Word(0, 1, "21", 0.9), Word(1, 2, "hm", 0.9), Word(2, 3, "yes", 0.9)),
    )
    parts = by_speaker([odd], [SpeakerTurn(0, 1.9, 0), SpeakerTurn(2, 3, 1)])
    assert [part.segment.text for part in parts] == ["Twenty-one,", "yes"]
