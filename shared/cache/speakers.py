"""The speakers artefact: who speaks when in one MediaFile, as JSON that a user can read.

It belongs to a transcript, by whose words it was made, and lies beside it under its own manifest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import msgspec

from shared.cache import limits
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import decoded
from shared.cache.transcripts import LONGEST_S
from shared.domain import Manifest, Stage
from shared.errors import BadInput, CacheError
from shared.seeded_ids import HIGHEST_ID, seeded_id

_FORMAT = 1
# More than any file has: twenty speakers are told apart, and rows have 256 numbers.
_MOST_SPEAKERS, _MOST_TURNS, _LONGEST_ROW = 1_000, 1_000_000, 4_096
_VOICE_ID = re.compile(r"([0-9a-f]{16})-voice-([0-7][0-9a-f]{7})")


class Speaker(msgspec.Struct, frozen=True):
    """Somebody who speaks: for how long, and the unit row of the voice.

    `id` is kept when the file is analyzed anew; 0 where an earlier version has written it. Without
    a row where the person was deleted.
    """

    seconds: float
    row: tuple[float, ...]
    id: int = 0


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


def voice_id(hash_str: str, number: int) -> str:
    """The public id of a voice: names the file and the speaker's id."""
    return f"{hash_str}-voice-{number:08x}"


def parse_voice_id(text: str) -> tuple[str, int]:
    """(hash_str, id) of a voice_id. Raises BadInput for what is none."""
    found = _VOICE_ID.fullmatch(text)
    if found is None:
        raise BadInput(f"{text[:80]!r} is no voice_id; take them from /faces/clusters/voices.")
    return found[1], int(found[2], 16)


def with_ids(hash_str: str, found: SpeakerTurns, taken: Iterable[int] = ()) -> SpeakerTurns:
    """Who speaks when, with an id for each speaker without one: by where the first turn begins."""
    used = {*taken, *(speaker.id for speaker in found.speakers)}
    starts: dict[int, float] = {}
    for turn in found.turns:
        starts.setdefault(turn.speaker, turn.start)
    speakers = []
    for number, speaker in enumerate(found.speakers):
        if not speaker.id:
            id_ = seeded_id(f"{hash_str} {int(starts.get(number, 0))}", used)
            used.add(id_)
            speaker = msgspec.structs.replace(speaker, id=id_)
        speakers.append(speaker)
    return msgspec.structs.replace(found, speakers=tuple(speakers))


def find(cache: CacheDir, hash_str: str, transcript: Manifest) -> Manifest | None:
    """Manifest of the speakers of a transcript; None where they were not told apart since."""
    found = cache.manifest(hash_str, Stage.SPEAKERS, transcript.model)
    return found if found is not None and found.made_at >= transcript.made_at else None


def newest(cache: CacheDir, hash_str: str, *, outdated: bool = False) -> Manifest | None:
    """Manifest of the speakers of a file that were told last, by the words of whatever model.

    `outdated`: also of such as are older than their transcript.
    """
    return newest_of(cache.manifests(hash_str), outdated=outdated)


def newest_of(manifests: Sequence[Manifest], *, outdated: bool = False) -> Manifest | None:
    """As `newest`, among the manifests of one file."""
    heard = {found.model: found.made_at for found in manifests if found.stage is Stage.TRANSCRIPT}
    told = (found for found in manifests if found.stage is Stage.SPEAKERS)
    counting = (f for f in told if outdated or f.made_at >= heard.get(f.model, 0.0))
    return max(counting, key=lambda found: (found.made_at, found.file), default=None)


def read(cache: CacheDir, hash_str: str, manifest: Manifest) -> SpeakerTurns:
    """Who speaks when; every speaker has an id. Raises CacheError when it cannot be used."""
    path = cache.data_path(hash_str, manifest)
    found = decoded(_DECODER, path, limits.TRANSCRIPT, _FORMAT)
    if damage := _damage(found):
        raise CacheError(f"{path.name} is damaged: {damage}.")
    return with_ids(hash_str, found)


def _damage(found: SpeakerTurns) -> str:
    """Why readers could stumble over it, or take too long for it; "": they do not."""
    for what, there, most in (
        ("speakers", len(found.speakers), _MOST_SPEAKERS),
        ("turns", len(found.turns), _MOST_TURNS),
        ("numbers in a row", max((len(s.row) for s in found.speakers), default=0), _LONGEST_ROW),
    ):
        if there > most:
            return f"it has {there:,} {what}, of which {most:,} are the most"
    lengths = sorted({len(speaker.row) for speaker in found.speakers if speaker.row})
    if len(lengths) > 1:
        return f"its rows are of {lengths[0]} and of {lengths[-1]} numbers"
    for number, speaker in enumerate(found.speakers):
        if not all(map(math.isfinite, (speaker.seconds, *speaker.row))):
            return f"what it says of the speaker {number} is no number"
    for turn in found.turns:
        is_known = 0 <= turn.speaker < len(found.speakers)
        if not (is_known and 0 <= turn.start <= turn.end <= LONGEST_S):
            return f"it has a turn {turn}"
    ids = [speaker.id for speaker in found.speakers if speaker.id]
    if len({*ids}) < len(ids) or not all(0 < id_ <= HIGHEST_ID for id_ in ids):
        return f"its speakers have the ids {ids[:3]}"
    return ""
