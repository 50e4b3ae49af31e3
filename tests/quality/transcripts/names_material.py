"""Sentences full of names that no speech model expects, and the words that tell it of them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.quality.transcripts.speech_material import VOICES
from tests.support.media.speech import Said, spoken, together
from tests.support.search.word_errors import normalised

PEOPLE = (
    "Siobhan Gallagher", "Tomasz Kowalczyk", "Priya Raghunathan", "Kofi Mensah",
    "Anneliese Brandt", "Ingrid Halvorsen", "Matteo Zanetti", "Wren Thistlewood",
)  # fmt: skip
PLACES = (
    "Kestrelhaven", "Wrathmoor", "Oberlindach", "Tarrowby", "Castelvano", "Nordhagen",
    "Merrowdale", "Penhallick",
)  # fmt: skip
NAMES = (*PEOPLE, *PLACES)

# Names that are said in none of the sentences.
WRONG_NAMES = (
    "Dmitri Volkonsky", "Aoife Brennan", "Rajesh Subramanian", "Esi Owusu", "Greta Lindqvist",
    "Luca Ferrante", "Bram Hollowell", "Yusuf Demirci", "Ravensbrook", "Dunmoor", "Altenrieth",
    "Skarrowby", "Montebrisa", "Sundhavn", "Fallowmere", "Trevanion",
)  # fmt: skip

SENTENCES = (
    "This morning Siobhan Gallagher and her brother drove down to Kestrelhaven for the day.",
    "Last year I met Priya Raghunathan and Kofi Mensah at a small school in Wrathmoor.",
    "My aunt Anneliese Brandt has always lived in Oberlindach, close to the river.",
    "After lunch Matteo Zanetti showed us the old road that leads to Tarrowby.",
    "For two days in Castelvano, Siobhan waited for a letter from Tomasz Kowalczyk.",
    "Later on Halvorsen told us the story about the winter in Merrowdale.",
    "My friends Zanetti and Thistlewood both come from a village near Penhallick.",
    "In the evening Kofi asked her whether Gallagher was still in Tarrowby.",
    "Tomasz left the house before noon and took the bus to Oberlindach with Priya.",
    "Ingrid Halvorsen filmed the children near the bridge in Kestrelhaven.",
    "Wren called Anneliese Brandt from the station in Nordhagen, but nobody was at home.",
    "As a child Kowalczyk never liked Wrathmoor, or the sound of the sea.",
    "Next week Raghunathan and Brandt will meet the teachers in Penhallick.",
    "After dinner Mensah and Halvorsen walked home to Merrowdale in the rain.",
    "In the spring Priya wrote to Matteo every day, from Nordhagen and from Castelvano.",
)


CLIPS = len(SENTENCES) * len(VOICES)


def names_clip(number: int) -> Said:
    """Clip `number` of 60: each sentence by each voice."""
    voice, sentence = divmod(number, len(SENTENCES))
    return together([0.4, spoken(SENTENCES[sentence], VOICES[voice], 150), 0.6])


def inserted(said: str, found: str, names: Sequence[str]) -> set[str]:
    """Words of the names that are found, and are not said."""
    told = {word for name in names for word in normalised(name)}
    return told.intersection(normalised(found)).difference(normalised(said))
