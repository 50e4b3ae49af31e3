"""Faces seen from the side that make a person all the same, because the detector is sure of them.

A single turned face may be no face at all. One that stays for seconds, always alike and always
sure, is somebody: tests/quality/people/test_turned_faces.py measures it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shared.cache.faces import FaceMark
from workers.recluster.tracks import find_tracks
from workers.recluster.types import FaceSet, Rule, Step
from workers.recluster.vectors import sound

_SURE = 0.97  # the detector's median score over the track
_LEAST_SECONDS = 2  # one picture alone shows nothing that stays


def with_steady_unmarked(faces: FaceSet, rule: Rule, step: Step) -> FaceSet:
    """The faces, without the mark of those that are only turned and steady.

    Steady: of one track, in `rule.min_samples` different seconds of one file, and sharp, large
    and sure.
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
