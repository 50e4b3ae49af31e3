"""The captions artefact: words that lie in one MediaFile already, as JSON that a user can read.

Times are seconds on the container's clock, as in its transcript.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.cache import limits
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import decoded
from shared.cache.transcripts import LONGEST_S
from shared.domain import Manifest, Stage
from shared.errors import CacheError

CaptionKind = Literal["subtitles", "captions"]
# Only data of another length than was published is noticed without force.
CURE = (
    "Analyze its speech again; where that does not help, with force, which transcribes it again "
    "too."
)
_FORMAT = 1
_MOST_SEGMENTS = 400_000  # of a file; workers stop at half of them


class CaptionSegment(msgspec.Struct, frozen=True, array_like=True):
    """`[start, text, end]`."""

    start: float
    text: str
    end: float


class CaptionTrack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Words of one language, by start.

    `captions` are for those who do not hear: they tell sounds too. `language`, `title`: as the
    file names them. `stream`: index in the container; `service`: CC1 to CC4, of CEA-608.
    """

    kind: CaptionKind
    segments: tuple[CaptionSegment, ...]
    language: str | None = None
    title: str | None = None
    stream: int | None = None
    service: str | None = None


class Captions(msgspec.Struct, frozen=True, kw_only=True):
    """All tracks of a MediaFile that have words."""

    tracks: tuple[CaptionTrack, ...]
    format: int = _FORMAT


_DECODER = msgspec.json.Decoder(Captions)


def find(cache: CacheDir, hash_str: str) -> Manifest | None:
    """Manifest of the captions of a MediaFile; None where they were not looked for."""
    return cache.manifest(hash_str, Stage.CAPTIONS)


def read(cache: CacheDir, hash_str: str, manifest: Manifest, wait_s: float = 0.0) -> Captions:
    """The tracks. Raises CacheError with a reason. `wait_s`: as in `cache_files.opened`."""
    path = cache.data_path(hash_str, manifest)
    found = decoded(_DECODER, path, limits.CAPTIONS, _FORMAT, wait_s)
    if sum(len(track.segments) for track in found.tracks) > _MOST_SEGMENTS:
        raise CacheError(f"{path.name} holds more captions than any film.")
    for track in found.tracks:
        for segment in track.segments:
            if not 0 <= segment.start <= segment.end <= LONGEST_S:
                raise CacheError(f"{path.name} is damaged: it has a caption {segment}.")
    return found
