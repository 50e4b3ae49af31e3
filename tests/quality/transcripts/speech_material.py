"""Speech, music and noise that transcripts are measured on, and the way from sound to text."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.cache.transcripts import Transcript, Word
from tests.support.lite_models import speech_model
from tests.support.media.by_path import open_sound
from tests.support.media.sounds import SoundEncoding, write_sounds
from tests.support.media.speech import RATE, Said, spoken, together
from workers.analysis.speech.transcribing import transcribe
from workers.models.protocols import Transcriber, Utterance
from workers.models.speech.voices import load_voice_detector

Pcm = NDArray[np.float32]

# Voices without breath, which is another noise at each start of the synthesiser.
VOICES = ("en-us", "en-gb", "en-us+m3", "en-us+Annie")

PLAIN = (
    "Good morning, and welcome to the second day of our little journey along the river.",
    "Yesterday evening the weather was rather cold, so most of us stayed inside the old house.",
    "We looked at photographs, drank hot tea, and talked about the people who once lived here.",
    "My grandmother used to say that a garden tells you more about a man than his letters.",
    "Please close the door behind you, because the dog likes to run into the street.",
    "The camera was moved to the left side of the room, close to the window.",
    "Could you bring the other lights as well, and put them next to the table?",
    "When the train arrived at the station, nobody was waiting on the platform.",
    "She had forgotten her keys again, and the neighbours were already asleep.",
    "After a long silence he stood up and walked slowly towards the water.",
    "There is no reason to hurry; the boat will not leave before the afternoon.",
    "Thank you very much for listening, and see you again tomorrow.",
)

NAMES_AND_NUMBERS = (
    "Margaret Thompson was born in Manchester in nineteen eighty four.",
    "The ticket costs twenty five dollars, and the train leaves at seven thirty.",
    "Doctor Miller and Professor Anderson will meet us in Boston on Wednesday.",
    "Take three hundred and fifty grams of flour, two eggs and a pinch of salt.",
    "Scene twelve, take four, camera two.",
    "In London we visited William and his sister Charlotte.",
    "The bridge is one thousand two hundred metres long.",
)

GERMAN = (
    "Guten Morgen und herzlich willkommen zu unserer kleinen Reise durch das Land.",
    "Gestern Abend war das Wetter sehr schlecht, deshalb sind wir zu Hause geblieben.",
    "Bitte machen Sie die Tür zu, wenn Sie das Zimmer verlassen.",
    "Meine Großmutter hat uns immer Geschichten aus ihrer Kindheit erzählt.",
    "Nach einer langen Pause stand er auf und ging langsam zum Wasser.",
)

SPANISH = (
    "Buenos días y bienvenidos a nuestro pequeño viaje por el país.",
    "Ayer por la noche hacía mucho frío, por eso nos quedamos en la casa.",
    "Por favor, cierre la puerta cuando salga de la habitación.",
    "Mi abuela siempre nos contaba historias de su infancia.",
    "Después de un largo silencio se levantó y caminó hacia el agua.",
)

# Seconds between the sentences: breaths, pauses, and one in which nothing happens for long.
_PAUSES = (0.5, 1.2, 0.8, 3.0, 0.6, 2.0, 0.7, 6.0, 1.0, 0.9, 1.6)


def passage(sentences: Sequence[str], voice: str, words_per_minute: int = 150) -> Said:
    """The sentences with pauses between them, after a second of silence."""
    parts: list[Said | float] = [1.0]
    for number, sentence in enumerate(sentences):
        parts += [spoken(sentence, voice, words_per_minute), _PAUSES[number % len(_PAUSES)]]
    return together(parts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A transcript, and the text that the model gave at first, before anything was doubted."""

    heard: Transcript
    first_text: str

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.heard.segments)

    @property
    def words(self) -> list[Word]:
        return [word for segment in self.heard.segments for word in segment.words]


class _Remembering:
    """A transcriber that keeps what it said when it was asked for the first time."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self.texts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transcriber, name)

    def transcribe(
        self, pieces: Sequence[Pcm], language: str, *, cautious: bool = False, **more: Any
    ) -> list[list[Utterance]]:
        found = self._transcriber.transcribe(pieces, language, cautious=cautious, **more)
        if not cautious:
            self.texts += [spoken.text for piece in found for spoken in piece]
        return found


def hear(
    pcm: Pcm,
    language: str | None = None,
    *,
    model: str = "whisper-base",
    vocabulary: Sequence[str] = (),
) -> Outcome:
    """The text of sound at 16 kHz, by way of a film with an AAC track."""
    with tempfile.TemporaryDirectory(prefix="rushes-speech-") as folder:
        how = SoundEncoding(codec="aac", options={"b": "96000"}, pictures_at=[0.0])
        path = write_sounds(Path(folder) / "film.mp4", [pcm], rate=RATE, encoding=how)
        return hear_file(path, speech_model(model), language, vocabulary)


def hear_file(
    path: Path,
    transcriber: Transcriber,
    language: str | None = None,
    vocabulary: Sequence[str] = (),
    second: Transcriber | None = None,
) -> Outcome:
    remembering = _Remembering(transcriber)
    with open_sound(str(path)) as reader:
        heard = transcribe(
            reader.blocks("mix"),
            remembering,
            load_voice_detector,
            language=language,
            call=lambda work: work(),
            heard=lambda seconds: None,
            vocabulary=vocabulary,
            second=second,
        )
    return Outcome(heard, " ".join(remembering.texts))


def _times(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * RATE)) / RATE


def _notes(seconds: float, beat: float, pick: Callable[[int], Sequence[float]]) -> Pcm:
    """A note or chord on each beat, plucked: harmonics that die away."""
    out = np.zeros(round(seconds * RATE))
    for number in range(int(seconds / beat)):
        length = min(2 * beat, seconds - number * beat)
        times = _times(length)
        tone = np.zeros(len(times))
        for hertz in pick(number):
            for harmonic in (1, 2, 3, 4):
                wave = np.sin(2 * np.pi * hertz * harmonic * times)
                tone += wave * np.exp(-times * (2 + harmonic)) / harmonic**1.5
        first = round(number * beat * RATE)
        out[first : first + len(tone)] += tone
    return (out / np.abs(out).max() * 0.5).astype(np.float32)


def _hertz(half_tones: float) -> float:
    return float(220 * 2 ** (half_tones / 12))


def chords(seconds: float = 30) -> Pcm:
    roots = (0, 5, 7, 3)
    return _notes(
        seconds, 1.0, lambda n: [_hertz(roots[n % 4] + step) for step in (-12, 0, 4, 7, 12)]
    )


def melody(seconds: float = 30) -> Pcm:
    scale = (0, 2, 4, 5, 7, 9, 11, 12)
    order = np.random.default_rng(5).integers(0, len(scale), 1000)
    return _notes(seconds, 0.3, lambda n: [_hertz(12 + scale[order[n]])])


def drums(seconds: float = 30) -> Pcm:
    random = np.random.default_rng(6)
    out = np.zeros(round(seconds * RATE))
    for number in range(int(seconds * 4)):
        times = _times(0.2)
        kick = np.sin(2 * np.pi * (50 + 80 * np.exp(-times * 30)) * times) * np.exp(-times * 15)
        snare = random.normal(size=len(times)) * np.exp(-times * 25) * 0.5
        hat = np.diff(random.normal(size=len(times) + 1)) * np.exp(-times * 60) * 0.2
        hit = hat + (kick if number % 4 == 0 else snare if number % 4 == 2 else 0)
        first = number * RATE // 4
        out[first : first + len(hit)] += hit[: len(out) - first]
    return (out / np.abs(out).max() * 0.6).astype(np.float32)


def band(seconds: float = 30) -> Pcm:
    return (chords(seconds) * 0.5 + melody(seconds) * 0.4 + drums(seconds) * 0.5).clip(-1, 1)


def white_noise(seconds: float = 30, level: float = 0.1) -> Pcm:
    random = np.random.default_rng(7)
    return (random.normal(size=round(seconds * RATE)) * level).clip(-1, 1).astype(np.float32)


def pink_noise(seconds: float = 30, level: float = 0.1) -> Pcm:
    """Equal energy in every octave, by shaping the spectrum of white noise."""
    spectrum = np.fft.rfft(white_noise(seconds, 1.0))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise = np.fft.irfft(spectrum, round(seconds * RATE))
    return (noise / noise.std() * level).clip(-1, 1).astype(np.float32)


def hum(seconds: float = 30) -> Pcm:
    """A mains hum with its harmonics."""
    times = _times(seconds)
    waves = [np.sin(2 * np.pi * 50 * n * times) / n for n in (1, 2, 3, 5)]
    return (np.sum(waves, axis=0) * 0.15).astype(np.float32)


def wind(seconds: float = 30) -> Pcm:
    """Low noise that swells and falls, as in a microphone outdoors."""
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.15 * _times(seconds))
    noise = np.convolve(white_noise(seconds, 1.0), np.ones(40) / 40, mode="same")
    return (noise * swell * 0.8).clip(-1, 1).astype(np.float32)


def footsteps(seconds: float = 30) -> Pcm:
    random = np.random.default_rng(8)
    out = random.normal(size=round(seconds * RATE)) * 0.002
    for first in range(0, len(out) - RATE // 4, round(0.55 * RATE)):
        step = random.normal(size=RATE // 8) * np.exp(-_times(0.125) * 45)
        out[first : first + len(step)] += np.convolve(step, np.ones(12) / 12, mode="same")
    return (out * 0.6).clip(-1, 1).astype(np.float32)


def bursts(seed: int, hertz: float, seconds: float = 20) -> Pcm:
    """Short sounds shaped like vowels, of noise or (`hertz` > 0) voiced, that nobody says.

    Silero's detector takes some of them for speech.
    """
    random = np.random.default_rng(seed)
    out = random.normal(size=round(seconds * RATE)) * 0.001
    at = 0
    while at < len(out) - RATE // 2:
        times = _times(random.uniform(0.05, 0.4))
        sound = random.normal(size=len(times))
        if hertz:
            phase = 2 * np.pi * hertz * random.uniform(0.8, 1.25) * times
            sound = np.sum([np.sin(n * phase) / n**0.5 for n in range(1, 25)], axis=0)
        spectrum, centre = np.fft.rfft(sound), random.uniform(300, 900)
        frequencies = np.fft.rfftfreq(len(times), 1 / RATE)
        shape = sum(
            share * np.exp(-(((frequencies - centre * factor) / 280) ** 2))
            for share, factor in ((1, 1), (0.6, 2.3), (0.3, 4))
        )
        sound = np.fft.irfft(spectrum * shape, len(times)) * np.minimum(1, times * 50)
        out[at : at + len(times)] += sound / np.abs(sound).max() * random.uniform(0.1, 0.6)
        at += len(times) + round(random.uniform(0.05, 1.5) * RATE)
    return out.astype(np.float32)


NO_SPEECH: dict[str, Callable[[], Pcm]] = {
    "silence": lambda: np.zeros(30 * RATE, np.float32),
    "chords": chords,
    "melody": melody,
    "drums": drums,
    "a band": band,
    "white noise": white_noise,
    "loud white noise": lambda: white_noise(level=0.4),
    "pink noise": pink_noise,
    "hum": hum,
    "wind": wind,
    "footsteps": footsteps,
    **{f"bursts of noise {n}": functools.partial(bursts, n, 0) for n in range(4)},
    **{f"bursts of a pitch {n}": functools.partial(bursts, n, 110 + 60 * n) for n in range(6)},
}
