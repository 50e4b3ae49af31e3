"""Groupings of a Collection as published: which face, and which voice, is in which cluster.

Faces and voices are found in them by their public ids.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import centres_of, first_key, parse_face_id, second_of
from shared.cache.speakers import parse_voice_id, voice_id
from shared.errors import BadInput
from shared.models.specs import DEFAULT_EPS, DEFAULT_MIN_SAMPLES

NO_CLUSTER = -1  # the label of faces that belong to nobody
SAMPLES = 16  # faces kept ready to be shown for each cluster
T = TypeVar("T", "Clustering", "Memory", "VoiceGrouping")


# Axes of arrays are letters: of one letter all have one length, and of these a fixed one.
FIXED_LENGTHS = {"s": SAMPLES, "t": 2}


def shapes_of(kind: type) -> dict[str, tuple[str, Any]]:
    """The arrays of a kind of grouping: their axes and their types, as the fields declare them."""
    shapes = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is Annotated:
            dtype = get_args(hint.__origin__)[-1]  # np.dtype[np.int32], or from NumPy 2.5 np.int32
            shapes[name] = (hint.__metadata__[0], (get_args(dtype) or (dtype,))[0])
    return shapes


def _no_arrays(kind: type) -> dict[str, Any]:
    return {
        name: np.zeros([FIXED_LENGTHS.get(letter, 0) for letter in axes], dtype)
        for name, (axes, dtype) in shapes_of(kind).items()
    }


def take(grouping: T, at: NDArray[np.integer] | NDArray[np.bool_], axis: str = "") -> T:
    """Return a grouping, or a memory, of only these rows of an axis; "": of faces or voices."""
    shapes = {name: axes for name, (axes, _) in shapes_of(type(grouping)).items()}
    axis = axis or next(iter(shapes.values()))[0]
    kept = (name for name, axes in shapes.items() if axes[0] == axis)
    return replace(grouping, **{name: getattr(grouping, name)[at] for name in kept})


@dataclass(frozen=True, slots=True)
class Memory:
    """Home of each face that was ever grouped: the id that its person got when it was new.

    Faces are ordered by (media, key). While people are thrown together, or are too few for
    `min_samples`, homes stay; so their ids can come back, with all that was said about them.
    MediaFiles stay whose faces another model has yet to find.
    """

    media: tuple[str, ...]  # hash_str, ascending
    media_of: Annotated[NDArray[np.int32], "h"]  # index into media, ascending
    keys: Annotated[NDArray[np.uint64], "h"]  # ascending within a MediaFile
    homes: Annotated[NDArray[np.int32], "h"]  # cluster id, or NO_CLUSTER

    @classmethod
    def empty(cls) -> Memory:
        return cls((), **_no_arrays(cls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """n faces of m MediaFiles in c clusters, before users' edits. Immutable.

    Faces are ordered by (media, key). A cluster's id is a positive number below 2**31 that is
    kept across groupings and never given to another person; `retired` lists those once used.
    """

    number: int  # ascending: the highest published one counts
    model: str  # key of the face model; vectors of two models never meet
    eps: float
    min_samples: int
    made_at: float  # Unix seconds
    grouped_faces: int  # faces at the last grouping of everything; later ones were assigned
    media: tuple[str, ...]  # [m] hash_str, ascending
    media_files: tuple[str, ...]  # [m] name of the faces artefact that was read
    media_of: Annotated[NDArray[np.int32], "n"]  # index into media, ascending
    keys: Annotated[NDArray[np.uint64], "n"]  # faces.face_keys, ascending within a MediaFile
    rows: Annotated[NDArray[np.int32], "n"]  # row in the faces artefact
    labels: Annotated[NDArray[np.int32], "n"]  # cluster id or NO_CLUSTER
    cluster_ids: Annotated[NDArray[np.int32], "c"]  # ascending
    means: Annotated[NDArray[np.float32], "cd"]  # unit rows
    sizes: Annotated[NDArray[np.int32], "c"]  # faces that made the mean
    samples: Annotated[NDArray[np.int32], "cs"]  # faces (indexes), best first; -1: no more
    retired: Annotated[NDArray[np.int32], "r"]  # ids that were used before and are not now
    loose: Annotated[NDArray[np.int32], "l"]  # unmarked faces in no cluster (indexes)
    loose_embeddings: Annotated[NDArray[np.float16], "ld"]
    memory: Memory = field(default_factory=Memory.empty)

    def __bool__(self) -> bool:
        return True  # also without faces: it knows the ids that are taken

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def empty(cls, model: str = "") -> Clustering:
        """The clustering of a Collection before its first grouping: no faces, number 0."""
        return cls(
            number=0,
            model=model,
            eps=DEFAULT_EPS,
            min_samples=DEFAULT_MIN_SAMPLES,
            made_at=0.0,
            grouped_faces=0,
            media=(),
            media_files=(),
            **_no_arrays(cls),
        )


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
    media_files: tuple[str, ...]  # [m] name of the speakers artefact that was read, "": none left
    media_of: Annotated[NDArray[np.int32], "n"]  # index into media, ascending
    ids: Annotated[NDArray[np.uint32], "n"]  # of speakers, ascending within a MediaFile
    numbers: Annotated[NDArray[np.int32], "n"]  # place among the speakers of that artefact
    rows: Annotated[NDArray[np.float16], "nd"]  # unit rows
    seconds: Annotated[NDArray[np.float32], "n"]  # that they speak
    excerpts: Annotated[NDArray[np.float32], "nt"]  # begin and end of what is played of them
    labels: Annotated[NDArray[np.int32], "n"]  # cluster id
    is_there: Annotated[NDArray[np.bool_], "n"]  # whether the file has the speaker still

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls) -> VoiceGrouping:
        """The grouping of a Collection before its first one: no voices, number 0; always the same
        object."""
        return _EMPTY

    @property
    def keys(self) -> NDArray[np.uint64]:
        """[n] ids, which tell the voices of a MediaFile apart."""
        return self.ids.astype(np.uint64)

    def voice_id(self, voice: int) -> str:
        return voice_id(self.media[int(self.media_of[voice])], int(self.ids[voice]))


def slices_of(grouping: Clustering | Memory | VoiceGrouping) -> dict[str, slice]:
    """Return where the faces, or voices, of each MediaFile are."""
    files = np.arange(len(grouping.media))
    ends = np.searchsorted(grouping.media_of, files, side="right").tolist()
    return dict(zip(grouping.media, map(slice, [0, *ends], ends), strict=True))


_EMPTY = VoiceGrouping(
    number=0, model="", made_at=0.0, media=(), media_files=(), **_no_arrays(VoiceGrouping)
)


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
