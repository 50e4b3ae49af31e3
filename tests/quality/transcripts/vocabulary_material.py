"""Plain speech with clear sentence ends, and lists of words that none of it needs.

`fit` is what rules were fitted on; the combinations of `measured` were not looked at meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.quality.transcripts.speech_material import VOICES
from tests.support.media.speech import Said, spoken, together
from tests.support.media.voices import FLITE, uttered

_PAUSES = (0.35, 0.6, 0.45, 0.8, 0.5)


class Combination(NamedTuple):
    """A clip and the list that the model is given with it."""

    text: Sequence[str]  # sentences
    voice: str
    words: Sequence[str]

    def speak(self) -> Said:
        """The clip, 14 to 20 s."""
        parts: list[Said | float] = [0.4]
        for number, sentence in enumerate(self.text):
            if self.voice in FLITE:
                said = Said(uttered(sentence, self.voice), sentence)
            else:
                said = spoken(sentence, self.voice, 155)
            parts += [said, _PAUSES[number % len(_PAUSES)]]
        return together(parts)


FIT_TEXTS = (
    (
        "The market opens early in the morning and closes late in the evening.",
        "Nobody expected the ferry to arrive before midnight.",
        "A small orange boat was waiting at the end of the pier.",
        "The captain asked us to leave our bags on the deck.",
        "We had never travelled in such weather.",
    ),
    (
        "The bakery on the corner has been in the family for five generations.",
        "They still use the oven that was built by the great grandfather.",
        "Bread is sold until noon, and after that there is only coffee.",
        "Visitors come from far away to taste the apple cake.",
    ),
    (
        "Can you tell us what you saw that night?",
        "I was walking home when I heard a loud noise behind the church.",
        "At first I thought it was thunder.",
        "Then I saw the smoke above the roofs.",
        "I ran as fast as I could.",
    ),
    (
        "The road to the summit is closed during the winter months.",
        "Snow covers the stones, and the wind never stops.",
        "A single hut offers shelter to those who lose their way.",
        "Its door is always open.",
    ),
    (
        "Welcome back to the programme.",
        "Tonight we talk about water, and about those who have none.",
        "Our first guest has spent ten years digging wells in the desert.",
        "She says that patience is more important than money.",
        "Let us find out why.",
    ),
    (
        "My father repaired clocks in a room above the shop.",
        "I remember the ticking better than his voice.",
        "When he died, the clocks stopped one after the other.",
        "We never wound them again.",
    ),
    (
        "The team arrived at the stadium two hours before the game.",
        "It had rained all day, and the grass was heavy.",
        "In the second half they scored three times.",
        "The crowd could hardly believe it.",
        "Who would have thought so in the spring?",
    ),
    (
        "First we cut the onions into thin slices.",
        "Then they go into the hot oil for about ten minutes.",
        "Do not let them burn, or the sauce will be bitter.",
        "Add the tomatoes, some salt and a little sugar.",
        "Now it has to rest for an hour.",
    ),
    (
        "The museum has bought a painting that was lost for a century.",
        "It was found behind a wardrobe in a country house.",
        "Experts believe that it is worth several million.",
        "The owner had used it to cover a hole in the wall.",
    ),
    (
        "There are four bridges across the river in this town.",
        "Only one of them is older than the railway.",
        "Children jump from it when the days are hot.",
        "The police look the other way.",
        "That has always been so.",
    ),
)
FIT_LISTS = (
    ("Siobhan Gallagher", "Tomasz Kowalczyk", "Priya Raghunathan", "Kofi Mensah", "Søren Ødegård"),
    ("Kestrelhaven", "Oberlindach", "Castelvano", "Nordhagen"),
    ("Zentrix", "Novaplex 3000", "Hoverly", "BrightPath"),
    ("contract",),
    ("politics", "news"),
    ("monday", "berlin", "footage", "ada"),
    ("渡辺さくら", "Наталья Иванова", "محمد الحسن", "Ελένη"),
    ("Season Two", "Episode Three"),
    ("agents", "contract", "media", "project", "delivery", "invoice"),
    (
        *("Dmitri Volkonsky", "Aoife Brennan", "Rajesh Subramanian", "Esi Owusu"),
        *("Greta Lindqvist", "Luca Ferrante", "Bram Hollowell", "Yusuf Demirci", "Ravensbrook"),
        *("Dunmoor", "Altenrieth", "Skarrowby", "Montebrisa", "Sundhavn", "Fallowmere"),
        *("Trevanion", "Ferrowick", "Orchard Films", "Calloway", "producer", "gaffer", "slate"),
        *("ferry", "orange", "captain", "weather"),
    ),
)  # fmt: skip


TEXTS = (
    (
        "We have known each other since the first year of school.",
        "Her brother taught me how to swim in the harbour.",
        "In those days the water was full of fish.",
        "Now you can hardly find a crab.",
    ),
    (
        "The judge asked the witness to speak a little louder.",
        "She had seen two men leave the bank by the back door.",
        "One of them carried a green umbrella.",
        "Was it raining at that time?",
        "No, it had been dry since noon.",
    ),
    (
        "Every pilot remembers the first night alone in the air.",
        "The lights of the villages look like stars below.",
        "You listen to the engine and count the minutes.",
        "Nothing else exists until the wheels touch the ground.",
    ),
    (
        "The factory made bicycles before the war.",
        "Later they built machines for the farms in the valley.",
        "When the orders stopped, most of the workers left.",
        "A few of them bought the building and began again.",
        "Today they make bicycles once more.",
    ),
    (
        "Good evening, and thank you all for coming.",
        "The doors will be closed in five minutes.",
        "Please switch off your telephones during the concert.",
        "There will be one break of twenty minutes.",
    ),
    (
        "Bees find their way home by the position of the sun.",
        "A single hive may visit a million flowers in one day.",
        "In a cold spring they stay inside and live on honey.",
        "The keeper must not open the box too early.",
        "Patience is what he learns first.",
    ),
    (
        "The letter had been lying in the drawer for sixty years.",
        "Nobody in the family knew the name on the envelope.",
        "My sister opened it with a kitchen knife.",
        "It was a recipe for plum jam.",
        "We all had to laugh.",
    ),
    (
        "How do you light a scene in which nothing is bright?",
        "You begin with the window, even if the audience never sees it.",
        "Then you take away more than you add.",
        "Shadows are cheaper than lamps.",
    ),
    (
        "The patient complained of pain in the left shoulder.",
        "It became worse when she lifted heavy things.",
        "We took pictures and found a small crack in the bone.",
        "She should rest for six weeks.",
        "After that she may go back to work.",
    ),
    (
        "Trains used to stop here four times a day.",
        "The station master grew roses beside the tracks.",
        "His wife sold tea through the window of the waiting room.",
        "Grass covers everything now, but the roses still bloom.",
    ),
)
LISTS = (
    ("Jürgen Prochnow", "Anaïs Delacroix", "Oluwaseun Adeyemi", "Haruto Tanaka", "Niamh Kearney"),
    ("Thornbury", "Cala Dorada", "Vestergrund", "Lake Minnewaska", "Zabrze"),
    ("Quorix", "Lumena", "OptiGrain 5", "Velvetone", "B&H"),
    ("budget",),
    ("contract media", "agents"),
    ("interview", "office", "monday", "client", "final cut"),
    ("Ольга Смирнова", "山田花子", "فاطمة", "김민준", "Γιώργος"),
    ("The Long Way Home", "Chapter Nine"),
    ("sunny",),
    (
        *("Aldo Marchetti", "Berit Solheim", "Cormac Doyle", "Dagny Holt", "Emeka Obi"),
        *("Freya Lund", "Gustavo Prieto", "Hanneke Visser", "Ilse Baumann", "Jory Tremaine"),
        *("Windmere", "Saltash Point", "Brackenfell", "Novatel", "kestrel", "harbor", "director"),
        *("rose", "bone", "beekeeper", "plum", "Judge Harrow", "Mrs Penhaligon", "umbra"),
    ),
)  # fmt: skip


def fit() -> list[Combination]:
    """200 combinations that the rules were fitted on."""
    return _combined(FIT_TEXTS, FIT_LISTS)


def measured() -> list[Combination]:
    """200 others: each text by a voice of espeak-ng and one of flite, with each list."""
    return _combined(TEXTS, LISTS)


def _combined(texts: Sequence[Sequence[str]], lists: Sequence[Sequence[str]]) -> list[Combination]:
    return [
        Combination(tuple(text), voice, tuple(words))
        for number, text in enumerate(texts)
        for voice in (VOICES[number % 4], FLITE[(number + 1) % 4])
        for words in lists
    ]
