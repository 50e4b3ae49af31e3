"""Names that a speech model was told of and wrote where something else is said."""

from __future__ import annotations

from tests.support.fake_models import FakeTranscriber, FakeVoiceDetector, said
from workers.analysis.speech.insertions import replaced, unsaid
from workers.analysis.speech.transcribing import transcribe
from workers.media.sound.sound_reader import SoundBlock
from workers.models.protocols import SpokenWord, Utterance


def spoken(text: str, start: float = 0.0, **probabilities: float) -> Utterance:
    words = tuple(
        SpokenWord(start + n, start + n + 0.5, word, probabilities.get(word.strip(".,"), 0.8))
        for n, word in enumerate(text.split())
    )
    return Utterance(start, start + len(words), text, words, -0.2, 1.0, 0.0)


def mended(plain: str, *heard: Utterance, told: tuple[str, ...] = ("Dmitri Volkonsky",)) -> str:
    found = replaced(heard, unsaid(heard, told), [spoken(plain)], " ")
    assert [word.text for each in found for word in each.words] == " ".join(
        each.text for each in found
    ).split()
    return " | ".join(each.text for each in found)


def test_a_name_that_is_not_in_the_sound_is_heard_untold_and_the_others_stay() -> None:
    heard = spoken("For today Dmitri Castelvano, Siobhan waited.", Dmitri=0.002, Siobhan=0.05)
    assert mended("For two days in Castile one, she waited.", heard) == (
        "For two days in Castile one, she waited."  # nothing between them is heard alike
    )
    heard = spoken("For today Dmitri in Castelvano, Siobhan waited.", Dmitri=0.002)
    assert mended("For two days in Castile one, she waited.", heard) == (
        "For two days in Castelvano, Siobhan waited."
    )


def test_a_name_that_was_added_goes_and_an_utterance_of_nothing_else_with_it() -> None:
    heard = [spoken("To Oberlindach with Priya.", 0), spoken("Volkonsky.", 4, Volkonsky=0.003)]
    assert mended("To Oberlindach with Priya.", *heard) == "To Oberlindach with Priya."


def test_only_names_that_were_told_and_are_unlikely_enough_are_looked_at() -> None:
    assert unsaid([spoken("Dmitri left.", Dmitri=0.02, left=0.001)], ("Dmitri",)) == set()
    assert unsaid([spoken("Dmitri, he left.", Dmitri=0.001)], ("DMITRI Volkonsky",)) == {0}
    assert unsaid([spoken("Dmitri left.", Dmitri=0.001)], ()) == set()


def test_a_window_is_heard_once_more_only_where_a_name_is_not_in_it() -> None:
    sound = said([(1, "Alpha"), (2, "bravo"), (3, "charlie")], 6)

    def heard(*words: str) -> tuple[str, list[tuple[str, ...]]]:
        class Told(FakeTranscriber):
            def transcribe(self, pieces, language, **more):  # type: ignore[no-untyped-def]
                plain = super().transcribe(pieces, language, **more)
                if not more.get("vocabulary"):
                    return plain
                return [[spoken("Alpha Dmitri charlie", 1, Dmitri=0.002)]]

        model = Told()
        found = transcribe(
            [SoundBlock(None, 0, sound)],
            model,
            FakeVoiceDetector,
            language="en",
            call=lambda work: work(),
            heard=lambda _seconds: None,
            vocabulary=words,
        )
        return " ".join(segment.text for segment in found.segments), model.vocabularies

    assert heard("Dmitri") == ("Alpha bravo charlie", [("Dmitri",), ()])
    assert heard("Ada") == ("Alpha Dmitri charlie", [("Ada",)])
