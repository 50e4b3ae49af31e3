"""Level 1: near-duplicates of one moment become one track, so that long shots do not count more.

A face joins the track to whose faces it is nearest on average, if that is near enough. Within a
MediaFile faces are taken in time order and meet only tracks of that file, which costs little; then
the tracks of all files meet. Averages, not the nearest face, keep a track from creeping over to
another person.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import FaceMark
from workers.recluster.types import Embeddings, FaceSet, Rows, Rule, Step, blocks, sound

_SURE = 0.97  # the detector's median score over the track
_LEAST_SECONDS = 2  # one picture alone shows nothing that stays

_MESSAGE = "Finding shots of the same moment"


class RunningTracks:
    """Tracks that grow while rows arrive, in the order of arrival."""

    def __init__(self, dim: int, nearness: float) -> None:
        self._nearness = np.float32(nearness)
        self._centres = np.empty((256, dim), np.float32)
        self._weights = np.empty(256, np.float32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def centres(self) -> Rows:
        """[tracks, dim] averages of unit rows: the product of two is their mean cosine."""
        return self._centres[: self._count]

    @property
    def weights(self) -> NDArray[np.float32]:
        """[tracks] faces."""
        return self._weights[: self._count]

    def add(self, rows: Rows, weights: NDArray[np.float32]) -> NDArray[np.int32]:
        """[rows] number of the track that each row joined or began."""
        joined = np.full(len(rows), -1, np.int32)
        if self._count:
            cosines = rows @ self.centres.T
            best = cosines.argmax(axis=1)
            near = cosines[np.arange(len(rows)), best] >= self._nearness
            joined[near] = best[near]
        fresh = np.flatnonzero(joined < 0)
        joined[fresh] = self._count + self._begin(rows[fresh])
        self._grow(int(joined.max(initial=self._count - 1)) + 1)
        self._take(rows, weights, joined)
        return joined

    def _begin(self, rows: Rows) -> NDArray[np.int32]:
        """Numbers the tracks among rows that joined none: each first row takes those near it."""
        near = rows @ rows.T >= self._nearness
        begun = np.full(len(rows), -1, np.int32)
        count = 0
        for row in range(len(rows)):
            if begun[row] < 0:
                begun[near[row] & (begun < 0)] = count
                begun[row] = count
                count += 1
        return begun

    def _grow(self, count: int) -> None:
        while count > len(self._weights):
            self._centres = np.concatenate([self._centres, np.empty_like(self._centres)])
            self._weights = np.concatenate([self._weights, np.empty_like(self._weights)])
        self._centres[self._count : count] = 0
        self._weights[self._count : count] = 0
        self._count = count

    def _take(self, rows: Rows, weights: NDArray[np.float32], joined: NDArray[np.int32]) -> None:
        order = np.argsort(joined, kind="stable")
        first = np.flatnonzero(np.diff(joined[order], prepend=-1))
        at = joined[order[first]]
        before = self._weights[at]
        after = before + np.add.reduceat(weights[order], first)
        sums = np.add.reduceat(rows[order] * weights[order, None], first, axis=0)
        self._centres[at] = (self._centres[at] * before[:, None] + sums) / after[:, None]
        self._weights[at] = after


def find_tracks(
    embeddings: Embeddings,
    media_of: NDArray[np.int32],
    seconds: NDArray[np.uint32],
    nearness: float,
    step: Step,
) -> tuple[NDArray[np.int32], Rows, NDArray[np.float32]]:
    """Track of each face, centres of the tracks (averages, not unit rows) and faces of each."""
    order = np.lexsort((seconds, media_of))
    borders = np.flatnonzero(np.diff(media_of[order], prepend=-1, append=-1))
    found = np.empty(len(order), np.int32)
    parts: list[RunningTracks] = []
    begun = 0
    for start, end in pairwise(borders):
        tracks = RunningTracks(embeddings.shape[1], nearness)
        own = order[start:end]
        done = 0
        while done < len(own):
            part = own[done : done + next(blocks(len(own), len(tracks))).stop]
            step((start + done) / len(order), _MESSAGE)
            rows = embeddings[part].astype(np.float32)
            found[part] = begun + tracks.add(rows, np.ones(len(part), np.float32))
            done += len(part)
        parts.append(tracks)
        begun += len(tracks)
    if len(parts) == 1:
        return found, parts[0].centres, parts[0].weights
    return _join(found, parts, nearness, step)


def _join(
    found: NDArray[np.int32], parts: list[RunningTracks], nearness: float, step: Step
) -> tuple[NDArray[np.int32], Rows, NDArray[np.float32]]:
    tracks = RunningTracks(parts[0].centres.shape[1], nearness)
    centres = np.concatenate([part.centres for part in parts])
    weights = np.concatenate([part.weights for part in parts])
    joined = np.empty(len(weights), np.int32)
    done = 0
    while done < len(weights):
        part = slice(done, done + next(blocks(len(weights), len(tracks))).stop)
        step(done / len(weights), _MESSAGE)
        joined[part] = tracks.add(centres[part], weights[part])
        done = part.stop
    return joined[found], tracks.centres, tracks.weights


def with_steady_unmarked(faces: FaceSet, rule: Rule, step: Step) -> FaceSet:
    """The faces, without the mark of those that are only turned and steady.

    A single turned face may be no face. One that stays for seconds, always alike and always sure,
    is somebody: tests/quality/people/test_turned_faces.py measures it. Steady: of one track, in
    `rule.min_samples` different seconds of one file, and sharp, large and sure.
    """
    turned = np.flatnonzero((faces.marks == FaceMark.TURNED) & sound(faces.embeddings))
    if not len(turned):
        return faces
    places = faces.media_of[turned], faces.seconds[turned]
    tracks, _, _ = find_tracks(faces.embeddings[turned], *places, rule.track, step)
    order = np.lexsort((places[1], places[0], tracks))
    is_first = (np.diff(tracks[order], prepend=-1) != 0) | (
        np.diff(places[0][order], prepend=-1) != 0
    )
    marks = faces.marks.copy()
    for stretch in np.split(turned[order], np.flatnonzero(is_first)[1:]):
        seconds = len(np.unique(faces.seconds[stretch]))
        stays = seconds >= max(rule.min_samples, _LEAST_SECONDS)
        if stays and np.median(faces.scores[stretch]) >= _SURE:
            marks[stretch] = 0
    return replace(faces, marks=marks)
