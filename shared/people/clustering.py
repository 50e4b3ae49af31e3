"""Groupings of a Collection as published: which face, and which voice, is in which cluster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import voice_id
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
