"""What is answered about everybody who has a name."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Count
from api.people.answers import VoiceCount


class NamedIn(Struct, kw_only=True, omit_defaults=True):
    """Where a person is seen, or heard: clusters of that name in one collection."""

    cache_dir: Annotated[
        str,
        Meta(description="The cache folder, in the client's form.", examples=["/footage/.rushes"]),
    ]
    cluster_job_name: Annotated[str, Meta(description="The collection.", examples=["Season 1"])]
    cluster_ids: Annotated[
        list[str], Meta(description="Clusters of this name.", examples=[["418350733"]])
    ]
    face_count: Count
    voice_count: VoiceCount | UnsetType = UNSET


class NamedPerson(Struct, kw_only=True):
    """A name, however its letters are written, and where it is given."""

    name: Annotated[
        str,
        Meta(
            description="As it was enrolled, else as the collection with most faces has it.",
            examples=["Ada"],
        ),
    ]
    is_enrolled: Annotated[
        bool, Meta(description="Known by photos in one of the cache folders.", examples=[True])
    ]
    references: Annotated[
        int, Meta(ge=0, description="Photos that the person is known by.", examples=[2])
    ]
    collections: Annotated[
        list[NamedIn],
        Meta(description="Where the person is seen or heard, by folder and name; may be empty."),
    ]


class NamedPeople(Struct, kw_only=True):
    """By name."""

    people: Annotated[
        list[NamedPerson], Meta(description="Everybody who is named by hand or enrolled.")
    ]
