"""Faces and voices of a Collection that may be one person, as they are seen and heard together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from api.people.snapshot import CollectionSnapshot
from api.people.voices.heard import VoiceTurns
from api.people.voices.together import FILE_BITS, Fit, Presence, fits
from shared.cache.faces import seconds_of
from shared.people.clustering import NO_CLUSTER
from shared.people.names import spoken
from shared.people.state import PeopleState

MOST_PROPOSALS = 100
MOST_FILES = 2_000  # that are looked at: those in which is spoken longest
_MOST_SECONDS = 3_000_000  # of turns in them: some 400 MB for a moment
_SHOWN_FILES = 5


class Proposal(NamedTuple):
    """A face and a voice that may be one person, with the files that say so most, by hash_str."""

    fit: Fit
    files: tuple[str, ...]


def files_to_hear(snapshot: CollectionSnapshot) -> list[tuple[str, str]]:
    """Files with faces and voices, those in which is spoken longest first.

    Each with the name of its speakers artefact.
    """
    grouped = snapshot.state.grouped_voices
    there = grouped.is_there & (snapshot.state.voices != NO_CLUSTER)
    seconds = np.bincount(
        grouped.media_of[there], grouped.seconds[there], minlength=len(grouped.media)
    )
    with_faces = set(snapshot.clustering.media)
    order = sorted(range(len(grouped.media)), key=lambda n: (-seconds[n], grouped.media[n]))
    return [
        (grouped.media[n], grouped.media_files[n])
        for n in order
        if seconds[n] and grouped.media[n] in with_faces
    ]


def proposals(
    snapshot: CollectionSnapshot, turns: Mapping[str, VoiceTurns | None]
) -> list[Proposal]:
    """Best first; none that users have decided on."""
    state = snapshot.state
    media = [hash_str for hash_str, of_file in turns.items() if of_file is not None]
    found = fits(
        _seen(snapshot, media),
        _heard(snapshot, media, turns),
        lambda face, voice: _may_be_one(state, face, voice),
    )
    undecided = [one for one in found if one.face != one.voice]
    return [Proposal(one, _files(one, media)) for one in undecided[:MOST_PROPOSALS]]


def _seen(snapshot: CollectionSnapshot, media: Sequence[str]) -> Presence:
    """Where clusters of faces are seen in these files."""
    place = {hash_str: n for n, hash_str in enumerate(media)}
    clustering, faces = snapshot.clustering, snapshot.state.faces
    places = np.array([place.get(hash_str, -1) for hash_str in clustering.media], np.int64)
    of_faces = places[clustering.media_of] if len(places) else np.zeros(0, np.int64)
    kept = (of_faces >= 0) & (faces != NO_CLUSTER)
    seconds = seconds_of(clustering.keys[kept]).astype(np.int64)
    return Presence(faces[kept], of_faces[kept] << FILE_BITS | seconds)


def _heard(
    snapshot: CollectionSnapshot, media: Sequence[str], turns: Mapping[str, VoiceTurns | None]
) -> Presence:
    """Where clusters of voices speak in these files; those of nobody are somebody, too."""
    clusters = [np.zeros(0, np.int32)]
    moments = [np.zeros(0, np.int64)]
    left = float(_MOST_SECONDS)
    ids = _clusters_by_id(snapshot.state)
    for n, hash_str in enumerate(media):
        of_file = turns[hash_str]
        if of_file is None or of_file.seconds > left:
            continue
        left -= of_file.seconds
        known = ids.get(hash_str, {})
        who = np.array([known.get(id_, NO_CLUSTER) for id_ in of_file.ids.tolist()], np.int32)
        # The frames of the grid that a turn holds.
        first = np.ceil(of_file.starts).astype(np.int64)
        counts = np.ceil(of_file.ends).astype(np.int64) - first
        ends = np.cumsum(counts)
        within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        clusters.append(np.repeat(who, counts))
        moments.append(n << FILE_BITS | np.repeat(first, counts) + within)
    return Presence(np.concatenate(clusters), np.concatenate(moments))


def _clusters_by_id(state: PeopleState) -> dict[str, dict[int, int]]:
    """The cluster of each voice by file and id of the speaker."""
    grouped = state.grouped_voices
    found: dict[str, dict[int, int]] = {}
    columns = (grouped.media_of.tolist(), grouped.ids.tolist(), state.voices.tolist())
    for file, id_, cluster in zip(*columns, strict=True):
        found.setdefault(grouped.media[file], {})[id_] = cluster
    return found


def _may_be_one(state: PeopleState, face: int, voice: int) -> bool:
    """Whether nobody has said that they are two people."""
    if voice == NO_CLUSTER or (min(face, voice), max(face, voice)) in state.apart:
        return False
    names = state.names.get(face), state.voice_names.get(voice)
    return None in names or spoken(names[0] or "") == spoken(names[1] or "")


def _files(fit: Fit, media: Sequence[str]) -> tuple[str, ...]:
    counts = Counter((fit.moments >> FILE_BITS).tolist())
    return tuple(media[n] for n, _ in counts.most_common(_SHOWN_FILES))
