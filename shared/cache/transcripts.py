"""The transcript artefact: what was said in one MediaFile, as JSON that a user can read.

Times are seconds on the container's clock: 0 is where its first picture is shown, or its sound
begins when it has no pictures.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.cache import limits
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFacts, decoded
from shared.domain import AudioStreams, Manifest, Stage
from shared.errors import CacheError

LONGEST_S = 10_000_000  # 115 days: a time beyond it is in another unit, or nonsense
_FORMAT = 1


class Word(msgspec.Struct, frozen=True, array_like=True):
    """`[start, end, text, probability]`; the text without surrounding spaces."""

    start: float
    end: float
    text: str
    probability: float


class Segment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sentence or a part of one. `stream`: number among the audio streams, when each counts.

    `doubtful`: indexes of words that are wrong more often than others.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    stream: int | None = None
    speaker: str | None = None
    doubtful: tuple[int, ...] = ()


class Doubt(StrEnum):
    """Why the guard against invented text took offence at a span."""

    REPEATS = "repeats"  # the same words over and over
    COMPRESSION = "compression"  # text that packs too well to be speech
    NO_SPEECH = "no_speech"  # words where the voice detector heard none
    TOO_FAST = "too_fast"  # more words a second than anybody speaks
    UNSURE = "unsure"  # the model itself hardly believes it


class TranscriptWarning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A span whose text was not taken as the model first gave it."""

    start: Annotated[float, Meta(examples=[61.2])]
    """Seconds."""
    end: Annotated[float, Meta(examples=[74.9])]
    """Seconds."""
    doubt: Annotated[Doubt, Meta(examples=["repeats"])]
    """`repeats`: the same words over and over; `compression`: text that packs too well to be
    speech; `no_speech`: nobody speaks there; `too_fast`: more words a second than anybody speaks;
    `unsure`: the model itself hardly believes it."""
    action: Annotated[
        Literal["dropped", "decoded_again"], Meta(title="WarningAction", examples=["dropped"])
    ]
    """`dropped`: there is no text in its place; `decoded_again`: there is other text."""
    text: Annotated[str, Meta(examples=["Thank you. Thank you. Thank you."])] = ""
    """What was refused."""
    stream: Annotated[int, Meta(examples=[0])] | None = None
    """Which audio stream, when each counts."""


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said in a MediaFile: segments by start, none where nobody speaks."""

    model: str
    language: str  # Whisper's code; see languages.language_name
    language_probability: float | None  # null: the language was given, not detected
    duration_seconds: float
    speech_seconds: float  # in which the voice detector heard somebody
    audio_streams: AudioStreams
    segments: tuple[Segment, ...]
    warnings: tuple[TranscriptWarning, ...] = ()
    format: int = _FORMAT


class SpokenSegment(msgspec.Struct, frozen=True):
    """A Segment read without its words."""

    start: float
    end: float
    text: str
    stream: int | None = None
    speaker: str | None = None


class SpokenText(msgspec.Struct, frozen=True):
    """A Transcript read for its text only: most of the file is words, which are skipped."""

    language: str
    language_probability: float | None
    segments: tuple[SpokenSegment, ...]
    format: int = _FORMAT


T = TypeVar("T", Transcript, SpokenText)

_WHOLE = msgspec.json.Decoder(Transcript)
_TEXT = msgspec.json.Decoder(SpokenText)


def find(cache: CacheDir, hash_str: str, preferred_model: str) -> Manifest | None:
    """Manifest of the transcript to read of a MediaFile: the preferred model's, else the newest."""
    if preferred := cache.manifest(hash_str, Stage.TRANSCRIPT, preferred_model):
        return preferred  # without reading every other manifest from a slow share
    found = [m for m in cache.manifests(hash_str) if m.stage is Stage.TRANSCRIPT]
    return max(found, key=lambda m: m.made_at, default=None)


def vocabulary_of(manifest: Manifest | ArtefactFacts) -> tuple[str, ...] | UnsetType:
    """Return the words that the speech model was given; UNSET: names of folders were among them.

    Versions that gave it those were the first to record a sentence_model, and did not record the
    words. Versions before them gave it none.
    """
    return () if manifest.sentence_model is manifest.vocabulary is UNSET else manifest.vocabulary


def has_folder_names(manifest: Manifest | ArtefactFacts) -> bool:
    """Return True for a transcript with text and such a vocabulary."""
    return manifest.rows > 0 and vocabulary_of(manifest) is UNSET


def read(cache: CacheDir, hash_str: str, manifest: Manifest) -> Transcript:
    """The whole Transcript. Raises CacheError with a reason when it cannot be used."""
    return _decoded(_WHOLE, cache, hash_str, manifest)


def read_text(
    cache: CacheDir, hash_str: str, manifest: Manifest, wait_s: float = 0.0
) -> SpokenText:
    """A transcript without its words. Raises CacheError. `wait_s`: as in `cache_files.opened`."""
    return _decoded(_TEXT, cache, hash_str, manifest, wait_s)


def _decoded(
    decoder: msgspec.json.Decoder[T],
    cache: CacheDir,
    hash_str: str,
    manifest: Manifest,
    wait_s: float = 0.0,
) -> T:
    path = cache.data_path(hash_str, manifest)
    found = decoded(decoder, path, limits.TRANSCRIPT, _FORMAT, wait_s)
    for segment in found.segments:
        if not 0 <= segment.start <= segment.end <= LONGEST_S:
            raise CacheError(
                f"{path.name} is damaged: it has a segment from {segment.start} to {segment.end} s."
            )
    return found
