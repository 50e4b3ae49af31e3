"""Whose the voices of a Collection are, and how long they speak."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import NO_CLUSTER
from shared.people.state import PeopleState


def voice_seconds(state: PeopleState) -> dict[int, float]:
    """How long each cluster with voices speaks, and nobody, the longest first, equal ones by id."""
    grouped = state.grouped_voices
    here = grouped.is_there
    ids, which = np.unique(state.voices[here], return_inverse=True)
    seconds = np.bincount(which, grouped.seconds[here], minlength=len(ids))
    order = np.argsort(-seconds, kind="stable")
    return dict(zip(ids[order].tolist(), seconds[order].tolist(), strict=True))


def voice_counts(state: PeopleState) -> dict[int, int]:
    """How many voices each of these has."""
    nobodys = len(voices_in_order(state, NO_CLUSTER))
    return {**state.voice_counts, **({NO_CLUSTER: nobodys} if nobodys else {})}


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
