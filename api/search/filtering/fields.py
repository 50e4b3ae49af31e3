"""The one description of filters: of searches and of all that lists files."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from api.http.bodies import LONGEST_WORD, AbsolutePath, Text, Word
from api.people.bodies import ClusterId

MOST_PEOPLE = 1_000
_MOST = 1e9  # seconds, frames a second, pixels

Amount = Annotated[float, Meta(ge=0, le=_MOST)]
Pixels = Annotated[int, Meta(ge=0, le=int(_MOST))]
# A day counts from its begin as `from` and to its end as `to`.
MOMENT_PATTERN = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$"
Moment = Annotated[
    str,
    Meta(
        pattern=MOMENT_PATTERN,
        max_length=LONGEST_WORD,
        description="YYYY-MM-DD, or a time of ISO 8601; UTC where it names no zone.",
        examples=["2026-11-25"],
    ),
]
PeopleFilterMode = Annotated[
    Literal["and", "or"],
    Meta(
        title="PeopleFilterMode",
        description="`and`: every person in the same frame, in `filters` in the same file; `or`: "
        "any of them.",
    ),
]


class PersonFilter(Struct, kw_only=True):
    """A person: a collection and either a name or a cluster; with both, the cluster counts."""

    cluster_job_name: Annotated[Text, Meta(examples=["Season 1"])]
    """The collection."""
    person_name: Annotated[Text, Meta(examples=["Ada"])] | None = None
    """A name given to clusters, all of which count; case does not matter."""
    cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])] | None = None
    """One cluster, as /faces/clusters gives it; a number is read too. "-1": frames with faces that
    are in no cluster."""


class NumberRange(Struct, kw_only=True):
    """From one number to another, both counted; either may be left out."""

    min: Annotated[Amount, Meta(examples=[10])] | None = None
    """At least this."""
    max: Annotated[Amount, Meta(examples=[60])] | None = None
    """At most this."""


class MomentRange(Struct, kw_only=True):
    """From one moment to another, both counted; either may be left out."""

    from_: Annotated[Moment, Meta(examples=["2026-11-01"])] | None = field(
        default=None, name="from"
    )
    """Not before this."""
    to: Annotated[Moment, Meta(examples=["2026-11-30"])] | None = None
    """Not after this; a day counts as a whole."""


class PictureSize(Struct, kw_only=True):
    """Upright, with square pixels; all bounds are counted and may be left out."""

    min_width: Annotated[Pixels, Meta(examples=[1920])] | None = None
    """At least so wide."""
    max_width: Annotated[Pixels, Meta(examples=[3840])] | None = None
    """At most so wide."""
    min_height: Annotated[Pixels, Meta(examples=[1080])] | None = None
    """At least so high."""
    max_height: Annotated[Pixels, Meta(examples=[2160])] | None = None
    """At most so high."""


class Filters(Struct, kw_only=True):
    """Only files of which all this holds. What is not known of a file does not hold."""

    folder: Annotated[AbsolutePath, Meta(examples=["/footage/day1"])] | None = None
    """Seen in this folder or below it, now or before."""
    watch_folder: Annotated[Word, Meta(examples=["57cb7c5c82fe2ab8"])] | None = None
    """`id` of a watch folder in which it was seen, below it too where that is recursive."""
    recorded: Annotated[
        MomentRange | None, Meta(examples=[{"from": "2026-11-01", "to": "2026-11-30"}])
    ] = None
    """When it was recorded, as the file says."""
    seconds: Annotated[NumberRange | None, Meta(examples=[{"min": 10, "max": 60}])] = None
    """Length; stills have none."""
    rate: Annotated[NumberRange | None, Meta(examples=[{"min": 23.98, "max": 23.98}])] = None
    """Frames a second; 23.98 is 24000/1001, too."""
    size: Annotated[PictureSize | None, Meta(examples=[{"min_width": 3840}])] = None
    """Of the picture, in pixels."""
    codec: Annotated[Word, Meta(examples=["prores"])] | None = None
    """Of the picture or of a sound track, as /media/metadata names it; h265, avc and the like are
    understood."""
    sound: Annotated[bool, Meta(examples=[True])] | None = None
    """With a sound track, or without."""
    language: Annotated[Word, Meta(examples=["german"])] | None = None
    """Transcribed as this language: an English name or an ISO code."""
    people: Annotated[
        list[PersonFilter],
        Meta(
            max_length=MOST_PEOPLE,
            examples=[[{"cluster_job_name": "Season 1", "person_name": "Ada"}]],
        ),
    ] = []
    """Files that show these people, not only in the frames that match; for frames there is
    people_filter. An empty list is no filter."""
    people_mode: PeopleFilterMode = "and"
