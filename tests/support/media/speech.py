"""Speech with its text: made by the espeak-ng of Debian 13, and five sentences of a real voice.

Fetched once into the git-ignored samples folder; whatever cannot be had raises FetchFailed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import wave
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.models.registry_packages import Package, fetch
from tests.quality.debian_packages import DebianPackage, fetch_deb, members
from tests.support.media import espeak
from tests.support.media.photos import SAMPLES
from tests.support.media.sounds import resampled, write_sounds
from tests.support.running.once import kept_value

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
    begins: tuple[float, ...] = (0.0,)  # of the parts that it was put together of

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE

    def save(self, path: Path) -> Path:
        """Into a file whose container and codec go by its name."""
        return write_sounds(path, [self.pcm], rate=RATE)


def spoken(text: str, voice: str = "en-us", words_per_minute: int = 160) -> Said:
    """`text` by a voice of espeak-ng: en-us, en-gb, de, es, with a variant such as "en-gb+f3".

    It is said once a run.
    """
    return kept_value(
        f"espeak {voice} {words_per_minute} {text}",
        lambda: _synthesize(text, voice, words_per_minute),
    )


def _synthesize(text: str, voice: str, words_per_minute: int) -> Said:
    file, _, variant = voice.partition("+")
    name = {"en-gb": "en"}.get(file, file) + (f"+{variant}" if variant else "")
    command = [sys.executable, "-S", espeak.__file__, str(_espeak_folder()), name]
    result = subprocess.run(
        [*command, str(words_per_minute)], input=text.encode(), capture_output=True, check=True
    )
    head, _, sound = result.stdout.partition(b"\n")
    rate, words = json.loads(head)
    pcm = np.frombuffer(sound, np.int16).astype(np.float32) / 32768
    return Said(
        resampled(pcm, rate, RATE), text, tuple(SaidWord(at / rate, word) for at, word in words)
    )


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
    begins: list[float] = []
    at = 0
    for part in parts:
        if isinstance(part, Said):
            texts.append(part.text)
            begins += [begin + at / RATE for begin in part.begins]
            words += [replace(word, start=word.start + at / RATE) for word in part.words]
            pieces.append(part.pcm)
        else:
            pieces.append(np.zeros(round(part * RATE), np.float32))
        at += len(pieces[-1])
    return Said(np.concatenate(pieces), " ".join(texts), tuple(words), tuple(begins))


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
