"""The one description of filters: of searches and of all that lists files."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from api.http.bodies import LONGEST_TEXT, LONGEST_WORD, AbsolutePath
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

    cluster_job_name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_TEXT,
            description="The collection.",
            examples=["Season 1"],
        ),
    ]
    person_name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_TEXT,
                description="A name given to clusters, all of which count; case does not matter.",
                examples=["Ada"],
            ),
        ]
        | None
    ) = None
    cluster_id: (
        Annotated[
            ClusterId,
            Meta(
                description="One cluster, as /faces/clusters gives it; a number is read too. "
                '"-1": frames with faces that are in no cluster.',
                examples=["3"],
            ),
        ]
        | None
    ) = None


class NumberRange(Struct, kw_only=True):
    """From one number to another, both counted; either may be left out."""

    min: Annotated[Amount, Meta(description="At least this.", examples=[10])] | None = None
    max: Annotated[Amount, Meta(description="At most this.", examples=[60])] | None = None


class MomentRange(Struct, kw_only=True):
    """From one moment to another, both counted; either may be left out."""

    from_: (
        Annotated[Moment, Meta(description="Not before this.", examples=["2026-11-01"])] | None
    ) = field(default=None, name="from")
    to: (
        Annotated[
            Moment,
            Meta(description="Not after this; a day counts as a whole.", examples=["2026-11-30"]),
        ]
        | None
    ) = None


class PictureSize(Struct, kw_only=True):
    """Upright, with square pixels; all bounds are counted and may be left out."""

    min_width: Annotated[Pixels, Meta(description="At least so wide.", examples=[1920])] | None = (
        None
    )
    max_width: Annotated[Pixels, Meta(description="At most so wide.", examples=[3840])] | None = (
        None
    )
    min_height: Annotated[Pixels, Meta(description="At least so high.", examples=[1080])] | None = (
        None
    )
    max_height: Annotated[Pixels, Meta(description="At most so high.", examples=[2160])] | None = (
        None
    )


class Filters(Struct, kw_only=True):
    """Only files of which all this holds. What is not known of a file does not hold."""

    folder: (
        Annotated[
            AbsolutePath,
            Meta(
                description="Seen in this folder or below it, now or before.",
                examples=["/footage/day1"],
            ),
        ]
        | None
    ) = None
    watch_folder: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_WORD,
                description="`id` of a watch folder in which it was seen, below it too where that "
                "is recursive.",
                examples=["57cb7c5c82fe2ab8"],
            ),
        ]
        | None
    ) = None
    recorded: Annotated[
        MomentRange | None,
        Meta(
            description="When it was recorded, as the file says.",
            examples=[{"from": "2026-11-01", "to": "2026-11-30"}],
        ),
    ] = None
    seconds: Annotated[
        NumberRange | None,
        Meta(description="Length; stills have none.", examples=[{"min": 10, "max": 60}]),
    ] = None
    rate: Annotated[
        NumberRange | None,
        Meta(
            description="Frames a second; 23.98 is 24000/1001, too.",
            examples=[{"min": 23.98, "max": 23.98}],
        ),
    ] = None
    size: Annotated[
        PictureSize | None,
        Meta(description="Of the picture, in pixels.", examples=[{"min_width": 3840}]),
    ] = None
    codec: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_WORD,
                description="Of the picture or of a sound track, as /media/metadata names it; "
                "h265, avc and the like are understood.",
                examples=["prores"],
            ),
        ]
        | None
    ) = None
    sound: (
        Annotated[bool, Meta(description="With a sound track, or without.", examples=[True])] | None
    ) = None
    language: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_WORD,
                description="Transcribed as this language: an English name or an ISO code.",
                examples=["german"],
            ),
        ]
        | None
    ) = None
    people: Annotated[
        list[PersonFilter],
        Meta(
            max_length=MOST_PEOPLE,
            description="Files that show these people, not only in the frames that match; for "
            "frames there is people_filter. An empty list is no filter.",
            examples=[[{"cluster_job_name": "Season 1", "person_name": "Ada"}]],
        ),
    ] = field(default_factory=list)
    people_mode: PeopleFilterMode = "and"
