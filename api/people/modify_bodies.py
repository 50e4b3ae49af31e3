"""The request body that merges clusters and moves faces and voices; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.bodies import Word
from api.people.bodies import MOST_NAMED, ClusterId, ToldClusters

# Faces, or voices, in one request: checking them takes some 0.2 s, of 100,000.
MOST_MOVED = 20_000


class Merge(Struct, kw_only=True):
    """Clusters that are the same person."""

    cluster_ids: Annotated[
        list[ClusterId], Meta(min_length=1, max_length=MOST_NAMED, examples=[["77031420"]])
    ]
    """Clusters that become a part of the target."""
    target_cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])]
    """The cluster that stays. It keeps its name, or inherits theirs if it has none."""


class Parting(Struct, kw_only=True):
    """Two clusters that are two people."""

    cluster_ids: Annotated[
        list[ClusterId], Meta(min_length=2, max_length=2, examples=[["418350733", "1590043"]])
    ]
    """A face and a voice, mostly, that /faces/proposals took for one person. They are not proposed
    again; a merge may still make them one."""


class Move(Struct, kw_only=True):
    """Faces and voices that belong elsewhere.

    `face_ids`, `voice_ids` or both; or all of `cluster_ids`, without these two.
    """

    face_ids: (
        Annotated[
            list[Annotated[Word, Meta(examples=["9ae0daaf81f5b2c3-67-7ff5c1"])]],
            Meta(min_length=1, max_length=MOST_MOVED, examples=[["9ae0daaf81f5b2c3-67-7ff5c1"]]),
        ]
        | None
    ) = None
    """The faces; at most 20,000 in all moves of a request."""
    voice_ids: (
        Annotated[
            list[Annotated[Word, Meta(examples=["9ae0daaf81f5b2c3-voice-1f2e3d4c"])]],
            Meta(
                min_length=1, max_length=MOST_MOVED, examples=[["9ae0daaf81f5b2c3-voice-1f2e3d4c"]]
            ),
        ]
        | None
    ) = None
    """The voices, as /faces/clusters/voices gives them; at most 20,000 in all moves of a
    request."""
    cluster_ids: (
        Annotated[
            list[ClusterId], Meta(min_length=1, max_length=MOST_NAMED, examples=[["77031420"]])
        ]
        | None
    ) = None
    """All faces and voices of these clusters, however many, as they are after the merges of the
    request. With `target_cluster_id` "-1": they are no people."""
    face_count: Annotated[int, Meta(ge=0, examples=[40])] | None = None
    """With `cluster_ids`: how many faces the caller saw in them. Where they are others by now, as
    after a grouping anew, which is no edit, nothing is done: 409. Null or left out: however
    many."""
    voice_count: Annotated[int, Meta(ge=0, examples=[4])] | None = None
    """With `cluster_ids`: how many voices the caller saw in them, as `face_count`."""
    target_cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])] | None = None
    """The cluster they belong to. Null or left out: a new one. "-1": none, they are nobody."""


class ModifyBody(ToldClusters, kw_only=True):
    """Merges, moves and people apart, done all together or not at all, in this order."""

    merges: Annotated[list[Merge], Meta(max_length=MOST_NAMED)] = []
    """Clusters to make one."""
    moves: Annotated[list[Move], Meta(max_length=MOST_NAMED)] = []
    """Faces and voices to move."""
    apart: Annotated[list[Parting], Meta(max_length=MOST_NAMED)] = []
    """Clusters that are not one person."""
