"""What users say about people: the kinds of edits, as they lie in a Collection's log."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from shared.people.addition_log import Addition

ClusterId: TypeAlias = Annotated[int, Meta(ge=1, lt=2**31)]


class ClusterNaming(msgspec.Struct, frozen=True):
    cluster_id: ClusterId
    name: str  # "" clears it


class ClusterMerge(msgspec.Struct, frozen=True):
    """Clusters whose ids mean the target from now on."""

    cluster_ids: tuple[ClusterId, ...]
    target: ClusterId


class FaceMove(msgspec.Struct, frozen=True):
    """Faces, and voices, that belong to the target from now on, whatever a grouping says."""

    face_ids: tuple[str, ...]
    target: Annotated[int, Meta(ge=-1, lt=2**31)]  # may be NO_CLUSTER
    is_new: bool = False  # the target was made up for this move
    # Cluster that each face was taken out of, which teaches; one where all were in the same, () in
    # logs of earlier versions, which in turn learn nothing from the one. Not of voices.
    sources: tuple[int, ...] = ()
    voice_ids: tuple[str, ...] = ()
    voice_sources: tuple[int, ...] = ()  # clusters that the voices were taken out of, each once


class Names(msgspec.Struct, frozen=True, tag_field="kind", tag="names"):
    assignments: tuple[ClusterNaming, ...]


class Modify(msgspec.Struct, frozen=True, tag_field="kind", tag="modify"):
    """Merges and moves of one request; merges come first.

    `apart`: pairs of clusters that are two people, whatever seems so; a later merge may say
    otherwise.
    """

    merges: tuple[ClusterMerge, ...] = ()
    moves: tuple[FaceMove, ...] = ()
    apart: tuple[tuple[ClusterId, ClusterId], ...] = ()


class ClearNames(msgspec.Struct, frozen=True, tag_field="kind", tag="clear_names"):
    pass


class Undo(msgspec.Struct, frozen=True, tag_field="kind", tag="undo"):
    """Users go back: the edits that count are those that did right after edit `to`; "": none."""

    to: str


NewEdit: TypeAlias = Names | Modify | ClearNames | Undo
Edit: TypeAlias = Addition[NewEdit]
