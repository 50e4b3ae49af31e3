"""The speakers artefact: who speaks when in one MediaFile, as JSON that a user can read.

It belongs to a transcript, by whose words it was made, and lies beside it under its own manifest.
"""

from __future__ import annotations

import msgspec

from shared.cache import cache_files, limits
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import LONGEST_S
from shared.domain import Manifest, Stage
from shared.errors import CacheError
from shared.msgspec_decoding import UNDECODABLE

_FORMAT = 1


class Speaker(msgspec.Struct, frozen=True):
    """Somebody who speaks: for how long, and the unit row of the voice."""

    seconds: float
    row: tuple[float, ...]


class SpeakerTurn(msgspec.Struct, frozen=True, array_like=True):
    """`[start, end, speaker, doubtful, stream]`; `speaker`: number among the speakers."""

    start: float
    end: float
    speaker: int
    doubtful: bool = False
    stream: int | None = None


class SpeakerTurns(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks when in a MediaFile: speakers by first appearance, turns by start."""

    model: str  # of voices
    speakers: tuple[Speaker, ...]
    turns: tuple[SpeakerTurn, ...]
    warnings: tuple[str, ...] = ()  # what is in doubt of all of it
    format: int = _FORMAT


_DECODER = msgspec.json.Decoder(SpeakerTurns)


def encode(found: SpeakerTurns) -> bytes:
    """The bytes of the speakers artefact."""
    return msgspec.json.encode(found)


def find(cache: CacheDir, hash_str: str, transcript: Manifest) -> Manifest | None:
    """Manifest of the speakers of a transcript; None where they were not told apart since."""
    found = cache.manifest(hash_str, Stage.SPEAKERS, transcript.model)
    return found if found is not None and found.made_at >= transcript.made_at else None


def read(cache: CacheDir, hash_str: str, manifest: Manifest) -> SpeakerTurns:
    """Who speaks when. Raises CacheError with a reason when it cannot be used."""
    path = cache.data_path(hash_str, manifest)
    try:
        with cache_files.opened(path) as file:
            found = _DECODER.decode(file.read(limits.TRANSCRIPT))
    except FileNotFoundError as error:
        raise CacheError(f"The file {path.name} is missing.") from error
    except OSError as error:
        raise CacheError(f"{path.name} cannot be read: {error.strerror}.") from error
    except UNDECODABLE as error:
        raise CacheError(f"{path.name} is damaged: {error}.") from error
    if found.format > _FORMAT:
        raise CacheError(
            f"{path.name} has format {found.format}, this version of Rushes reads up to "
            f"{_FORMAT}: update Rushes."
        )
    for turn in found.turns:
        is_known = 0 <= turn.speaker < len(found.speakers)
        if not (is_known and 0 <= turn.start <= turn.end <= LONGEST_S):
            raise CacheError(f"{path.name} is damaged: it has a turn {turn}.")
    return found
