"""Speech with its text: made by the espeak-ng of Debian 13, and five sentences of a real voice.

Fetched once into the git-ignored samples folder; whatever cannot be had raises FetchFailed.
"""

from __future__ import annotations

import ctypes
import functools
import re
import tempfile
import wave
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.registry_packages import Package, fetch
from tests.photos import SAMPLES
from tests.quality.debian_packages import DebianPackage, fetch_deb, members
from tests.sounds import resampled, write_sounds

RATE = 16_000
# Debian's own library wants libpulse and more; this wheel holds the same release, 1.52.0, alone.
_ESPEAK = Package(
    "espeakng-loader", "0.2.4",
    "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d", 10.1, "x86_64 wheel",
)  # fmt: skip
_ESPEAK_FILES = re.compile(
    r"espeakng_loader/(libespeak-ng\.so|espeak-ng-data/"
    r"(phondata|phonindex|phontab|intonations|(en|de|es)_dict|lang/gmw/.+|lang/roa/.+|voices/.+))"
)
_SENTENCES = DebianPackage(
    "pocketsphinx-testdata", "0.8+5prealpha+1-15",
    "eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0", 2,
)  # fmt: skip
_RETRIEVAL, _UTF8, _SPEED, _BY_CHARACTER = 2, 1, 1, 1  # of espeak-ng's speak_lib.h
_WORD, _LAST = 1, 0


@dataclass(frozen=True, slots=True)
class SaidWord:
    start: float  # seconds
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Mono speech at 16 kHz, its text, and where each word begins (empty where not known)."""

    pcm: NDArray[np.float32]
    text: str
    words: tuple[SaidWord, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE

    def save(self, path: Path) -> Path:
        """Into a file whose container and codec go by its name."""
        return write_sounds(path, [self.pcm], rate=RATE)


def spoken(text: str, voice: str = "en-us", words_per_minute: int = 160) -> Said:
    """`text` by a voice of espeak-ng: en-us, en-gb, de, es, with a variant such as "en-gb+f3"."""
    library = _espeak()
    file, _, variant = voice.partition("+")
    name = {"en-gb": "en"}.get(file, file) + (f"+{variant}" if variant else "")
    if library.espeak_SetVoiceByName(name.encode()) != 0:
        raise ValueError(f"espeak-ng has no voice {voice}")
    library.espeak_SetParameter(_SPEED, words_per_minute, 0)
    heard: list[NDArray[np.int16]] = []
    words: list[SaidWord] = []

    def take(samples: object, count: int, events: object) -> int:
        if count > 0:
            heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for number in range(10_000):
            event = events[number]
            if event.type == _LAST:
                break
            if event.type == _WORD:
                at = event.text_position - 1
                word = text[at : at + event.length]
                words.append(SaidWord(event.sample / library.rate, word))
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    data = text.encode() + b"\0"
    library.espeak_Synth(data, len(data), 0, _BY_CHARACTER, 0, _UTF8, None, None)
    pcm = np.concatenate(heard).astype(np.float32) / 32768
    return Said(resampled(pcm, library.rate, RATE), text, tuple(words))


def say(text: str, path: Path, voice: str = "en-us", words_per_minute: int = 160) -> Said:
    """The same, written into a file whose container and codec go by its name."""
    said = spoken(text, voice, words_per_minute)
    said.save(path)
    return said


def together(parts: Iterable[Said | float]) -> Said:
    """Speech and pauses (seconds of silence) one after the other."""
    pieces: list[NDArray[np.float32]] = []
    texts: list[str] = []
    words: list[SaidWord] = []
    at = 0
    for part in parts:
        if isinstance(part, Said):
            texts.append(part.text)
            words += [replace(word, start=word.start + at / RATE) for word in part.words]
            pieces.append(part.pcm)
        else:
            pieces.append(np.zeros(round(part * RATE), np.float32))
        at += len(pieces[-1])
    return Said(np.concatenate(pieces), " ".join(texts), tuple(words))


def recorded_speech() -> list[Said]:
    """Five sentences of Sense and Sensibility as read for LibriVox, 26 s in all."""
    folder = SAMPLES / "librivox"
    if not folder.is_dir():
        SAMPLES.mkdir(parents=True, exist_ok=True)
        archive = fetch_deb(_SENTENCES, SAMPLES / "packages")
        with tempfile.TemporaryDirectory(dir=SAMPLES, prefix=".librivox-") as scratch:
            built = Path(scratch) / "librivox"
            built.mkdir()
            for name, content in members(archive):
                if "/librivox/" in name and name.endswith((".wav", "transcription")):
                    (built / Path(name).name).write_bytes(content.read())
            built.rename(folder)
    said = []
    for line in (folder / "transcription").read_text().splitlines():
        found = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line)
        assert found, line
        text = found[1].replace("a more a amiable", "a more amiable")  # a slip in the text
        said.append(Said(_read_wav(folder / f"{found[2]}.wav"), text))
    return said


def fetch_speech() -> None:
    """Fetch what this module needs. Raises FetchFailed with a sentence."""
    _espeak_folder()
    recorded_speech()


def _read_wav(path: Path) -> NDArray[np.float32]:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, np.int16).astype(np.float32) / 32768


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def _espeak_folder() -> Path:
    folder = SAMPLES / "espeak-ng"
    if not folder.is_dir():
        archive = fetch(_ESPEAK, SAMPLES / "packages")
        with (
            tempfile.TemporaryDirectory(dir=SAMPLES, prefix=".espeak-") as scratch,
            zipfile.ZipFile(archive) as opened,
        ):
            wanted = [name for name in opened.namelist() if _ESPEAK_FILES.fullmatch(name)]
            opened.extractall(scratch, wanted)
            (Path(scratch) / "espeakng_loader").rename(folder)
    return folder


@functools.cache
def _espeak() -> ctypes.CDLL:
    folder = _espeak_folder()
    library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
    library.rate = library.espeak_Initialize(_RETRIEVAL, 0, str(folder).encode(), 0)
    if library.rate <= 0:
        raise OSError("espeak-ng does not find its data")
    library.espeak_Synth.argtypes = (
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint),
        *(ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    )
    return library
