"""What is answered about everybody who has a name."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Count
from api.people.answers import VoiceCount


class NamedIn(Struct, kw_only=True, omit_defaults=True):
    """Where a person is seen, or heard: clusters of that name in one collection."""

    cache_dir: Annotated[str, Meta(examples=["/footage/.rushes"])]
    """The cache folder, in the client's form."""
    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])]
    """The collection."""
    cluster_ids: Annotated[list[str], Meta(examples=[["418350733"]])]
    """Clusters of this name."""
    face_count: Count
    voice_count: VoiceCount | UnsetType = UNSET


class NamedPerson(Struct, kw_only=True):
    """A name, however its letters are written, and where it is given."""

    name: Annotated[str, Meta(examples=["Ada"])]
    """As it was enrolled, else as the collection with most faces has it."""
    is_enrolled: Annotated[bool, Meta(examples=[True])]
    """Known by photos in one of the cache folders."""
    references: Annotated[int, Meta(ge=0, examples=[2])]
    """Photos that the person is known by."""
    collections: list[NamedIn]
    """Where the person is seen or heard, by folder and name; may be empty."""


class NamedPeople(Struct, kw_only=True):
    """By name."""

    people: list[NamedPerson]
    """Everybody who is named by hand or enrolled."""
