"""A Collection as it stands at one moment: how it is grouped, and what users have said."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.people.frame_filter import FrameFilter
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_id, first_key, second_of, seconds_of
from shared.errors import Missing
from shared.people.clustering import NO_CLUSTER, Clustering
from shared.people.collection import Collection
from shared.people.state import PeopleState


class ScreenTime(NamedTuple):
    """Where the faces of one cluster are."""

    seconds: int  # grid seconds of films
    stills: int  # pictures
    files: int  # MediaFiles of either kind


NOT_SEEN = ScreenTime(0, 0, 0)
_MOST_SHORT = 1 << 16  # clusters


def screen_times(
    clustering: Clustering, roots: NDArray[np.int32], is_still: NDArray[np.bool_]
) -> dict[int, ScreenTime]:
    """By cluster, NO_CLUSTER too. `roots`: [n] of each face; `is_still`: [m] of each MediaFile."""
    if not len(roots):
        return {}
    ids = np.unique(roots)
    cluster = np.searchsorted(ids, roots)
    # Sorting short numbers takes a tenth of the time.
    short = cluster.astype(np.uint16) if len(ids) <= _MOST_SHORT else cluster
    order = np.argsort(short, kind="stable")
    cluster = cluster[order]
    media, seconds = clustering.media_of[order], seconds_of(clustering.keys[order])
    # Faces are ordered by file, then by second: so what is new differs from the one before.
    is_file = np.ones(len(order), bool)
    is_file[1:] = (cluster[1:] != cluster[:-1]) | (media[1:] != media[:-1])
    is_second = is_file.copy()
    is_second[1:] |= seconds[1:] != seconds[:-1]
    of_still = is_still[media]
    columns = [
        np.bincount(cluster[counted], minlength=len(ids)).tolist()
        for counted in (is_second & ~of_still, is_file & of_still, is_file)
    ]
    return {id_: ScreenTime(*numbers) for id_, *numbers in zip(ids.tolist(), *columns, strict=True)}


def voice_totals(state: PeopleState) -> dict[int, tuple[float, int]]:
    """How long each cluster with voices speaks, and nobody, and by how many voices.

    The longest first, equal ones by id.
    """
    here = state.grouped_voices.is_there
    ids, which, counts = np.unique(state.voices[here], return_inverse=True, return_counts=True)
    seconds = np.bincount(which, state.grouped_voices.seconds[here], minlength=len(ids))
    return {
        int(ids[n]): (round(float(seconds[n]), 2), int(counts[n]))
        for n in np.argsort(-seconds, kind="stable").tolist()
    }


def voices_in_order(state: PeopleState, root: int, after: int | None = None) -> NDArray[np.int32]:
    """Voices of a cluster, or of nobody, those that speak longest first.

    `after`: only what comes behind this voice, which may have moved elsewhere since.
    """
    seconds = state.grouped_voices.seconds
    here = np.flatnonzero((state.voices == root) & state.grouped_voices.is_there)
    if after is not None:
        last = seconds[after]
        here = here[(seconds[here] < last) | ((seconds[here] == last) & (here > after))]
    return here[np.argsort(-seconds[here], kind="stable")].astype(np.int32)


_CLUSTER_ID = re.compile(r"[1-9]\d{0,9}", re.ASCII)
_MOST_FILTERS = 256


NOTHING_GROUPED = Clustering.empty()  # a Collection whose faces were never grouped


@dataclass(frozen=True, slots=True)
class CollectionSnapshot:
    """A Collection at one moment; immutable but for what it remembers of its own answers."""

    cache: CacheDir
    collection: Collection
    state: PeopleState
    _filters: dict[tuple[int, ...], FrameFilter] = field(default_factory=dict)
    # What it was made with, and what it was: at most one.
    _times: dict[object, Mapping[int, ScreenTime]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.collection.name

    @property
    def clustering(self) -> Clustering:
        return self.state.clustering

    def known(self, cluster_id: str | int, field_name: str) -> int:
        """The id of a request as a number. Raises Missing, naming the field."""
        text = str(cluster_id)
        if text == str(NO_CLUSTER):
            return NO_CLUSTER
        if _CLUSTER_ID.fullmatch(text) and self.state.root(int(text)) is not None:
            return int(text)
        raise Missing(f"{field_name}: the collection {self.name!r} has no cluster {text[:80]!r}.")

    def root(self, cluster_id: str | int, field_name: str) -> int:
        """What the id of a request stands for now. Raises Missing, naming the field."""
        found = self.known(cluster_id, field_name)
        root = None if found == NO_CLUSTER else self.state.root(found)
        return NO_CLUSTER if root is None else root

    def faces_in_order(
        self, roots: Sequence[int] | None, paths: Mapping[str, str]
    ) -> NDArray[np.int32]:
        """Faces of these clusters (None: all), by the path of their file, then by key."""
        media = self.clustering.media
        by_path = sorted(range(len(media)), key=lambda n: (paths.get(media[n], ""), media[n]))
        rank = np.empty(len(media), dtype=np.int32)
        rank[by_path] = np.arange(len(media), dtype=np.int32)
        if roots is None:
            faces = np.arange(len(self.clustering), dtype=np.int32)
        else:
            faces = self.state.faces_of(set(roots))
        return faces[np.argsort(rank[self.clustering.media_of[faces]], kind="stable")]

    def frames_of(self, roots: Sequence[int]) -> FrameFilter:
        """Where faces of any of these clusters are to be seen."""
        wanted = tuple(sorted(set(roots)))
        found = self._filters.get(wanted)
        if found is None:
            faces = self.state.faces_of(set(wanted))
            seconds = seconds_of(self.clustering.keys[faces])
            found = FrameFilter.from_columns(
                self.clustering.media, self.clustering.media_of[faces], seconds
            )
            if len(self._filters) >= _MOST_FILTERS:
                self._filters.clear()
            self._filters[wanted] = found
        return found

    def screen_times(
        self, version: object, is_still: Callable[[str], bool]
    ) -> Mapping[int, ScreenTime]:
        """How long each cluster is seen. `is_still`: whether a hash_str is that of a picture.

        What was found is kept; equal versions, equal `is_still`.
        """
        found = self._times.get(version)
        if found is None:
            stills = np.array(list(map(is_still, self.clustering.media)), bool)
            found = screen_times(self.clustering, self.state.faces, stills)
            self._times.clear()
            self._times[version] = found
        return found

    def seen_in(self, hash_str: str, first: int, end: int) -> list[int]:
        """Clusters with faces in these seconds of a file, up to before `end`; most faces first."""
        media = self.clustering.media
        number = bisect_left(media, hash_str)
        if number == len(media) or media[number] != hash_str:
            return []
        start, stop = np.searchsorted(self.clustering.media_of, [number, number + 1])
        keys = self.clustering.keys[start:stop]
        bounds = np.array([first_key(first), first_key(end)], np.uint64)
        here = np.searchsorted(keys, bounds) + start
        roots, counts = np.unique(self.state.faces[here[0] : here[1]], return_counts=True)
        in_order = np.lexsort((roots, -counts))
        return [root for root in roots[in_order].tolist() if root != NO_CLUSTER]

    def face_id(self, face: int) -> str:
        """Public id of a face, which is an index into the clustering."""
        return face_id(self.hash_of(face), int(self.clustering.keys[face]))

    def hash_of(self, face: int) -> str:
        return self.clustering.media[int(self.clustering.media_of[face])]

    def second_of(self, face: int) -> int:
        return second_of(int(self.clustering.keys[face]))


def with_state(snapshot: CollectionSnapshot, state: PeopleState) -> CollectionSnapshot:
    """A snapshot of the same faces, with other edits of users."""
    if state is snapshot.state:
        return snapshot
    is_same = np.array_equal(state.faces, snapshot.state.faces)
    times = snapshot._times if is_same else {}  # how long each is seen
    return replace(snapshot, state=state, _filters={}, _times=times)
