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
from shared.people.clustering import NO_CLUSTER, Clustering
from shared.people.names import spoken
from shared.people.state import PeopleState

MOST_PROPOSALS = 100
MOST_FILES = 2_000  # that are looked at: those in which is spoken longest
# In all of them; what is beyond is left out, a file at a time: up to 500 MB for a moment.
_MOST_FRAMES = 3_000_000  # in which voices speak
_MOST_FACES = 6_000_000
_MOST_MEETINGS = 12_000_000  # of a voice and a face in one frame
_MOST_PAIRS = 500_000  # of a person heard and one seen in one file
_SHOWN_FILES = 5
_NOWHERE = Presence(np.zeros(0, np.int32), np.zeros(0, np.int64))


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
) -> tuple[list[Proposal], int]:
    """Best first, none that users have decided on; and how many files were too much."""
    state = snapshot.state
    media, faces, voices = _together(snapshot, turns)
    found = fits(faces, voices, lambda face, voice: _may_be_one(state, face, voice))
    undecided = [one for one in found if one.face != one.voice]
    beyond = sum(of_file is not None for of_file in turns.values()) - len(media)
    return [Proposal(one, _files(one, media)) for one in undecided[:MOST_PROPOSALS]], beyond


def _together(
    snapshot: CollectionSnapshot, turns: Mapping[str, VoiceTurns | None]
) -> tuple[list[str], Presence, Presence]:
    """Files that are looked at, and where clusters of faces and of voices are in them."""
    ids, of_faces = _clusters_by_id(snapshot.state), _faces_by_file(snapshot.clustering)
    media: list[str] = []
    seen, heard = [_NOWHERE], [_NOWHERE]
    left = np.array([_MOST_FRAMES, _MOST_FACES, _MOST_MEETINGS, _MOST_PAIRS])
    for hash_str, of_file in turns.items():
        if of_file is None or of_file.frames > left[0]:
            continue
        faces = _seen(snapshot, of_faces.get(hash_str, slice(0)))
        voices = _heard(of_file, ids.get(hash_str, {}))
        meetings, pairs = _meetings(faces, voices), _count(faces) * _count(voices)
        cost = of_file.frames, len(faces.moments), meetings, pairs
        if (left >= cost).all():
            left -= cost
            seen.append(_in_file(faces, len(media)))
            heard.append(_in_file(voices, len(media)))
            media.append(hash_str)
    return media, _all(seen), _all(heard)


def _seen(snapshot: CollectionSnapshot, here: slice) -> Presence:
    """Where clusters of faces are seen in a file, whose faces are `here`, in order of time."""
    faces = snapshot.state.faces[here]
    is_somebody = faces != NO_CLUSTER
    seconds = seconds_of(snapshot.clustering.keys[here][is_somebody]).astype(np.int64)
    return Presence(faces[is_somebody], seconds)


def _faces_by_file(clustering: Clustering) -> dict[str, slice]:
    ends = np.cumsum(np.bincount(clustering.media_of, minlength=len(clustering.media))).tolist()
    return dict(zip(clustering.media, map(slice, [0, *ends], ends), strict=True))


def _heard(turns: VoiceTurns, ids: Mapping[int, int]) -> Presence:
    """Where clusters of voices speak in a file; those of nobody are somebody, too."""
    who = np.array([ids.get(id_, NO_CLUSTER) for id_ in turns.ids.tolist()], np.int32)
    counts = (turns.ends - turns.firsts).astype(np.int64)
    ends = np.cumsum(counts)
    within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
    return Presence(np.repeat(who, counts), np.repeat(turns.firsts, counts) + within)


def _meetings(faces: Presence, voices: Presence) -> int:
    """How often a voice and a face are in one second of a file."""
    ends = np.searchsorted(faces.moments, voices.moments, side="right")
    return int((ends - np.searchsorted(faces.moments, voices.moments)).sum())


def _count(found: Presence) -> int:
    return len(np.unique(found.clusters))


def _in_file(found: Presence, number: int) -> Presence:
    return Presence(found.clusters, number << FILE_BITS | found.moments)


def _all(found: Sequence[Presence]) -> Presence:
    clusters, moments = zip(*found, strict=True)
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
