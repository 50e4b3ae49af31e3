"""One grouping of a Collection's voices, as published: which speaker of a file is which person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import parse_voice_id, voice_id
from shared.errors import BadInput
from shared.people.face_index import GONE

_ID_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceGrouping:
    """n voices of m MediaFiles, before users' edits. Immutable.

    A voice is one speaker of one file. Voices are ordered by (media, id). Each has a cluster, whose
    id is of the same numbers as those of faces; it keeps it across groupings. Of a voice that its
    file has no more only that is remembered: its row is zeros.
    """

    number: int  # ascending: the highest published one counts
    model: str  # of voices; rows of two models never meet
    made_at: float  # Unix seconds
    media: tuple[str, ...]  # [m] hash_str, ascending
    media_files: tuple[
        str, ...
    ]  # [m] name of the speakers artefact that was read, "": none is left
    media_of: NDArray[np.int32]  # [n] index into media, ascending
    ids: NDArray[np.uint32]  # [n] of speakers, ascending within a MediaFile
    numbers: NDArray[np.int32]  # [n] place among the speakers of that artefact
    rows: NDArray[np.float16]  # [n, dim] unit rows
    seconds: NDArray[np.float32]  # [n] that they speak
    excerpts: NDArray[np.float32]  # [n, 2] begin and end of what is played of them
    labels: NDArray[np.int32]  # [n] cluster id
    is_there: NDArray[np.bool_]  # [n] whether the file has the speaker still

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls) -> VoiceGrouping:
        """The grouping of a Collection before its first one: no voices, number 0; always the same
        object."""
        return _EMPTY

    def voice_id(self, voice: int) -> str:
        return voice_id(self.media[int(self.media_of[voice])], int(self.ids[voice]))


_EMPTY = VoiceGrouping(
    number=0,
    model="",
    made_at=0.0,
    media=(),
    media_files=(),
    media_of=np.zeros(0, np.int32),
    ids=np.zeros(0, np.uint32),
    numbers=np.zeros(0, np.int32),
    rows=np.zeros((0, 0), np.float16),
    seconds=np.zeros(0, np.float32),
    excerpts=np.zeros((0, 2), np.float32),
    labels=np.zeros(0, np.int32),
    is_there=np.zeros(0, np.bool_),
)


class VoiceIndex:
    """Finds the voices of one grouping by their public ids. Immutable."""

    def __init__(self, grouping: VoiceGrouping) -> None:
        self._media = {hash_str: number for number, hash_str in enumerate(grouping.media)}
        # Behind the last voice stands a place that none has: a search may end there.
        self._places = np.append(_places(grouping.media_of, grouping.ids), -1)

    def index_of(self, text: str) -> int | None:
        """Index of the voice with this id. Raises BadInput for what is no voice_id."""
        (at,) = self._at([parse_voice_id(text)]).tolist()
        return None if at == GONE else at

    def find(self, voice_ids: Sequence[str]) -> NDArray[np.int32]:
        """Indexes of voices by id, or GONE."""
        return self._at(map(_parsed, voice_ids))

    def same(self, media: Sequence[str], ids: Sequence[int]) -> NDArray[np.int32]:
        """Indexes of the voices of these files with these ids, or GONE."""
        return self._at(zip(media, ids, strict=True))

    def _at(self, wanted: Iterable[tuple[str, int]]) -> NDArray[np.int32]:
        pairs = [(self._media.get(hash_str, GONE), number) for hash_str, number in wanted]
        media = np.array([number for number, _ in pairs], np.int32)
        places = _places(media, np.array([number for _, number in pairs], np.uint32))
        at = np.searchsorted(self._places[:-1], places)
        known = self._places[at] == places
        return np.where((media != GONE) & known, at, GONE).astype(np.int32)


def _parsed(text: str) -> tuple[str, int]:
    try:
        return parse_voice_id(text)
    except BadInput:  # nobody wrote that through us
        return "", 0


def _places(media_of: NDArray[np.int32], ids: NDArray[np.uint32]) -> NDArray[np.int64]:
    return (media_of.astype(np.int64) << _ID_BITS) | ids.astype(np.int64)
