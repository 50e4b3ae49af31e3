"""Request bodies of searches and of loading; see api.http.bodies for what holds of all."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from api.http.bodies import (
    LONGEST_IMAGE,
    AbsolutePath,
    CacheDir,
    Keyed,
    ListedPaths,
    MediaPath,
    Text,
    Time,
    Word,
)
from api.search.filtering.fields import MOST_PEOPLE, PeopleFilterMode, PersonFilter
from api.search.paging.fields import MOST_MATCHES, PageFields
from api.search.paging.fields import SHOWN as SHOWN
from shared.fields import option
from shared.query.bounds import LONGEST_QUERY, MOST_TEXTS

BY, WHERE = "What is searched for", "Where"  # panels of the command line
_MOST_EXCLUDED = MOST_TEXTS - 1  # beside the query

Concept = Annotated[str, Meta(min_length=1, max_length=500)]

MaxResults = Annotated[
    int,
    Meta(
        ge=1,
        description=f"At most this many matches; more than {MOST_MATCHES:,} are never given.",
        examples=[50],
    ),
    option("--max", SHOWN),
]
MatchStrength = Annotated[
    Literal["strong", "fair", "weak"],
    Meta(
        title="MatchStrength",
        description="How likely a match is right. `strong`: more often than not; `fair`: about as "
        "often as not; `weak`: seldom. In an answer with `details`, left out: it is no "
        "match. As `min_strength`: what is weaker is left out, with `weak` what is no match.",
        examples=["fair"],
    ),
]
Speaker = Annotated[Word, Meta(examples=["Ada"]), option(panel=WHERE)]  # a label or a name
WithCoverage = Annotated[
    bool,
    Meta(
        description="Say how much of what is asked was searched: how many files and hours are "
        "analyzed, waiting, failed, unknown or offline, and why."
    ),
    option(panel=SHOWN),
]


class SearchFields(PageFields, kw_only=True):
    """What all three visual searches share."""

    cache_dir: CacheDir
    media_paths: ListedPaths | None = None
    """Search in these files only; ignored with search_all. Left out: all loaded media of the
    cache_dir. An empty list: no matches."""
    max_results: MaxResults = 50
    text_weight: Annotated[float, Meta(ge=-1e6, le=1e6, examples=[1]), option(panel=BY)] = 1.0
    """Weight of the text in the score."""
    exclude: Annotated[
        list[Concept], Meta(max_length=_MOST_EXCLUDED, examples=[["snow"]]), option(panel=BY)
    ] = []
    """Results that match these concepts rank lower; nothing is filtered out."""
    search_all: bool = False
    """Search all loaded media."""
    people_filter: Annotated[
        list[PersonFilter],
        Meta(
            max_length=MOST_PEOPLE,
            examples=[[{"cluster_job_name": "Season 1", "person_name": "Ada"}]],
        ),
    ] = []
    """Only frames with these people. An empty list or null is no filter; who is unknown is on no
    frame, which is no error."""
    spoken: Annotated[Text, Meta(examples=["rolling thunder"])] | None = None
    """Only frames while these words are said, and up to two seconds before and after, as
    /search/transcript finds them with `substring`: in files that are transcribed. With
    `people_filter` both must hold."""
    speaker: Speaker | None = None
    """Only frames while this person speaks; with `spoken` only while this person says that, and up
    to two seconds before and after. The name of a person whose voice it is, in any collection, or a
    label as /transcriptions gives it, whatever the case. With `people_filter` both must hold."""
    images: Annotated[
        bool
        | Annotated[
            Literal["url"], Meta(title="ImagesAsUrl", description="Addresses, in `image_url`.")
        ],
        Meta(examples=["url"]),
    ] = True
    """`true`: a picture in each match; `false`: none; `url`: its address in `image_url`, signed, so
    that an <img> can show it without a licence key."""
    people_filter_mode: PeopleFilterMode = "and"
    details: bool = False
    """Say more: of each match its score, its strength and all places of its content, and beside
    `matches` what there is to know of the search."""
    coverage: WithCoverage = False
    min_strength: MatchStrength | None = None
    min_score: Annotated[float, Meta(ge=0, le=1, examples=[0.5])] | None = None
    """Leave out what scores less."""


class SearchTextBody(SearchFields, kw_only=True):
    """A search by words."""

    query: Annotated[
        str, Meta(min_length=1, max_length=LONGEST_QUERY, examples=["a red car in the rain"])
    ]
    """What to look for."""


OptionalQuery = (
    Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_QUERY,
            description="Combined with the picture by text_weight.",
            examples=["at night"],
        ),
    ]
    | None
)


Mode = Annotated[
    Literal["exact", "fast"],
    Meta(
        title="SearchMode",
        description="`exact`: all frames are looked at. `fast`: only those of scenes that are like "
        "the picture as a whole, found in an index of scenes, so that the time hardly grows with "
        "the folder; most of the 50 best frames are found (docs/limits.md says how many). The "
        "score of a match is the same in both. Where `fast` cannot be had (the index is not ready "
        "or not installed; exclude, people_filter, speaker, cursor, media_paths or filters that "
        "leave files out or more than 250 matches are asked for), the answer is the exact one and "
        "the header X-Rushes-Warnings says why.",
    ),
]


class SearchImageBody(SearchFields, kw_only=True):
    """A search by a picture: `image_path` or `image`."""

    image_path: Annotated[AbsolutePath, Meta(examples=["/footage/reference/car.jpg"])] | None = None
    """Absolute path of a picture that the backend can open."""
    image: (
        Annotated[str, Meta(min_length=1, max_length=LONGEST_IMAGE, examples=["/9j/4AAQSkZJRg=="])]
        | None
    ) = None
    """The picture itself, base64."""
    query: OptionalQuery = None
    mode: Mode = "exact"


class SearchFrameBody(SearchFields, kw_only=True):
    """A search by a frame of a file, which need not be analysed."""

    media_path: MediaPath
    time_seconds: Time
    query: OptionalQuery = None
    mode: Mode = "exact"


class LoadBody(Keyed, kw_only=True):
    """Which analysis data to load."""

    cache_dir: CacheDir


class LoadForMediaBody(Keyed, kw_only=True):
    """The files whose visual data to load; an empty list loads nothing."""

    cache_dir: CacheDir
    media_paths: ListedPaths
    """Absolute paths of media files that the backend itself can open."""


class LoadTranscriptionsBody(Keyed, kw_only=True):
    """The files whose transcripts to load."""

    cache_dir: CacheDir
    media_paths: ListedPaths | None = None
    """Left out: all of the cache_dir. An empty list loads nothing."""


class SearchTranscriptBody(PageFields, kw_only=True):
    """A search in what was said."""

    query: Annotated[Text, Meta(examples=["rolling thunder"])]
    """Words as they were said."""
    cache_dir: CacheDir
    media_paths: ListedPaths | None = None
    """Search in these files only, in this order; ignored with search_all. Left out: all loaded
    media of the cache_dir. An empty list: no matches."""
    search_all: bool = False
    """Search all loaded media."""
    max_results: MaxResults = 50
    speaker: Speaker | None = None
    """Only what this speaker says: a label as /transcriptions gives it, which is another one's in
    each file, or the name of a person whose voice it is, in any collection; whatever the case.
    Without data about speakers it matches nothing."""
    mode: Annotated[
        Literal["substring", "fuzzy", "semantic", "auto"],
        Meta(title="TranscriptSearchMode"),
        option("--by", BY),
    ] = "substring"
    """`substring`: the query itself. `fuzzy`: also with about one wrong letter in five; the order
    of the matches is the same. `semantic`: what means the same in other words, the likest first;
    English only. `auto`: first what `substring` finds, then what else `fuzzy` does, then what else
    `semantic` does; `matched_by` says which."""
    captions: Annotated[bool, option("--subtitles", BY)] = False
    """Search the subtitles and captions that are in the files themselves too, by their words; their
    matches have `kind`. With `speaker` there are none, since nobody is known to say them, nor in
    the mode `semantic`: a warning says so."""
    details: bool = False
    """Say more: of each match all places of its content, and how likely it is right where it was
    found by its meaning; beside `matches` what there is to know of the search."""
    coverage: WithCoverage = False
