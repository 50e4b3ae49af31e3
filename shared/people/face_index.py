"""Finds faces and voices of a Collection by their public ids."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import centres_of, first_key, parse_face_id, second_of
from shared.cache.speakers import parse_voice_id
from shared.errors import BadInput

GONE = -1
_NEAR = 0.1  # of the picture: as far as the centre of a face may have moved


class Observations(Protocol):
    """Faces, or voices, ordered by (media, key), as in a grouping."""

    @property
    def media(self) -> tuple[str, ...]: ...
    @property
    def media_of(self) -> NDArray[np.int32]: ...
    @property
    def keys(self) -> NDArray[np.uint64]: ...


class ObservationIndex:
    """Finds faces, or voices, of one grouping by id, or by MediaFile and key. Immutable."""

    _parse: Callable[[str], tuple[str, int]]  # raises BadInput for what is no id

    def __init__(self, observations: Observations) -> None:
        self._keys = observations.keys
        self._media = {hash_str: n for n, hash_str in enumerate(observations.media)}
        count = len(observations.media)
        self._starts = np.searchsorted(observations.media_of, np.arange(count + 1)).tolist()
        # One ascending number for each of them: searching it finds many at once.
        self._known = np.sort(self._keys)
        ranks = np.searchsorted(self._known, self._keys)
        self._places = self._place(observations.media_of, ranks)

    def index_of(self, public_id: str) -> int | None:
        """Index of the one with exactly this id. Raises BadInput for what is no id."""
        hash_str, key = self._parse(public_id)
        media = self._media.get(hash_str)
        if media is None:
            return None
        end = self._starts[media + 1]
        at = bisect_left(self._keys, key, self._starts[media], end)
        return at if at < end and self._keys[at] == key else None

    def same(self, others: Observations) -> NDArray[np.int32]:
        """[n] index here of each of the others (same MediaFile and key), or GONE."""
        numbers = np.array([self._media.get(h, GONE) for h in others.media], np.int64)
        media = numbers[others.media_of] if len(numbers) else np.zeros(0, np.int64)
        return self._exactly(media, others.keys)

    def find(self, public_ids: Sequence[str]) -> NDArray[np.int32]:
        """Indexes by id, or GONE."""
        return self._exactly(*self._parsed(public_ids))

    def _parsed(self, public_ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        media, keys = [], []
        for public_id in public_ids:
            try:
                hash_str, key = self._parse(public_id)
            except BadInput:  # nobody wrote that through us
                hash_str, key = "", 0
            media.append(self._media.get(hash_str, GONE))
            keys.append(key)
        return np.array(media, np.int64), np.array(keys, np.uint64)

    def _exactly(self, media: NDArray[np.int64], keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        found = np.full(len(keys), GONE, np.int32)
        if not len(self._keys):
            return found
        ranks = np.minimum(np.searchsorted(self._known, keys), len(self._known) - 1)
        wanted = self._place(media, ranks)
        at = np.minimum(np.searchsorted(self._places, wanted), len(self._places) - 1)
        right = (media != GONE) & (self._known[ranks] == keys) & (self._places[at] == wanted)
        found[right] = at[right]
        return found

    def _place(self, media: NDArray[np.integer], ranks: NDArray[np.integer]) -> NDArray[np.int64]:
        return media.astype(np.int64) * len(self._known) + ranks


class FaceIndex(ObservationIndex):
    """Finds faces, also when they were detected anew and lie a little elsewhere."""

    _parse = staticmethod(parse_face_id)

    def find(self, public_ids: Sequence[str]) -> NDArray[np.int32]:
        """Indexes of faces by id; for one that is gone the nearest of its second, or GONE."""
        media, keys = self._parsed(public_ids)
        found = self._exactly(media, keys)
        lost = np.flatnonzero((found == GONE) & (media != GONE))
        if len(lost):
            taken = set(found.tolist())
            for n in lost.tolist():
                found[n] = self._nearest(int(media[n]), int(keys[n]), taken)
        return found

    def _nearest(self, media: int, key: int, taken: set[int]) -> int:
        first, end = (
            bisect_left(self._keys, first_key(second), *self._starts[media : media + 2])
            for second in (second_of(key), second_of(key) + 1)
        )
        if first == end:
            return GONE
        there = centres_of(self._keys[first:end])
        far = np.linalg.norm(there - centres_of(np.array([key], np.uint64)), axis=1)
        near = np.argsort(far, kind="stable")[: int((far <= _NEAR).sum())] + first
        return next((face for face in near.tolist() if face not in taken), GONE)


class VoiceIndex(ObservationIndex):
    """Finds voices."""

    _parse = staticmethod(parse_voice_id)
