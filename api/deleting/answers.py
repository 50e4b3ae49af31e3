"""Answers about deleting, as types; see api.http.answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import ClientPath, Count, HashStr, Message, ModelKey, Moment, Problem

_Bytes = Annotated[int, Meta(ge=0, description="Bytes of data files.", examples=[52_428_800])]
_DeletionId = Annotated[
    str, Meta(description="Id of a deletion, to undo it.", examples=["5f0c1de2a49b7c38"])
]
DataKind = Literal["frames", "visual", "transcription", "speakers", "captions", "faces"]


class DeletedData(Struct, kw_only=True):
    """One result of a file."""

    kind: Annotated[DataKind, Meta(title="DataKind", examples=["visual"])]
    """What it is."""
    model_key: ModelKey | None
    """What made it; null: no model."""
    bytes: _Bytes


class DeletedMedia(Struct, kw_only=True):
    """What of a file is deleted."""

    media_path: ClientPath | None
    """Where it was seen last."""
    hash_str: HashStr
    data: list[DeletedData]
    """Its results."""


class UndeletableMedia(Struct, kw_only=True):
    """A file of the request of which nothing can be deleted."""

    media_path: ClientPath
    error: Problem


class DataDeleted(Struct, kw_only=True):
    """What was deleted, or would be."""

    message: Message
    dry_run: bool
    """Whether it would be, and nothing was."""
    deletion_id: _DeletionId | None
    kept_until: Annotated[Moment, Meta(examples=[1764115200.0])] | None
    """Until when it can be undone."""
    files: Count
    bytes: _Bytes
    media: list[DeletedMedia]
    """The first thousand files."""
    failed: list[UndeletableMedia]
    """Files that are not known."""


class DeletionItem(Struct, kw_only=True):
    """A deletion that can still be undone."""

    deletion_id: _DeletionId
    at: Moment
    by: Annotated[str, Meta(examples=["Edit 3"])]
    """Label of the licence key."""
    kept_until: Annotated[Moment, Meta(examples=[1764115200.0])]
    files: Count
    bytes: _Bytes


class Deletions(Struct):
    """The newest first."""

    deletions: list[DeletionItem]
    """Those that can be undone."""


class DeletionUndone(Struct, kw_only=True):
    """What is back, in results of files."""

    message: Message
    restored: Count
    replaced: Annotated[int, Meta(ge=0)]
    """Were made anew meanwhile, and stay so."""
    lost: Annotated[int, Meta(ge=0)]
    """Had been collected, and are gone."""


class DeletedFaces(Struct, kw_only=True):
    """What of a person lies in one collection."""

    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])]
    """The collection."""
    cluster_ids: Annotated[list[str], Meta(examples=[["418350733"]])]
    """Clusters of that person."""
    names: Annotated[list[str], Meta(examples=[["Ada"]])]
    """Names that these clusters have."""
    face_count: Count


class PersonDeleted(Struct, kw_only=True):
    """What was deleted of a person, or would be."""

    message: Message
    dry_run: bool
    """Whether it would be, and nothing was."""
    files: Annotated[int, Meta(ge=0, examples=[3])]
    """Files in which the person is seen. In how many the voice is, `message` says."""
    faces: Annotated[int, Meta(ge=0, examples=[12])]
    """Faces, with their vectors and pictures."""
    voices: Annotated[int, Meta(ge=1, examples=[2])] | UnsetType = UNSET
    """Voices, with their vectors; left out where none is heard."""
    damaged: Annotated[int, Meta(ge=0)]
    """Results of faces, and of speakers, that nobody could read, and that went as a whole."""
    collections: list[DeletedFaces]
    """Where the person is."""
