"""Fields of all searches that say which files are looked at and how matches are given."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from api.http.bodies import Keyed
from api.search.filtering.fields import Filters
from shared.fields import option

LONGEST_CURSOR = 1_000_000  # the vectors of a query with as many excluded concepts as there may be
MOST_A_FILE = 100
SHOWN = "What is shown"  # a panel of the command line
MOST_MATCHES = 10_000  # of one search, on all its pages together

Sort = Annotated[
    Literal["score", "time", "date", "date_desc"],
    Meta(
        title="MatchOrder",
        description="`score`: best first. `time`: by file (in request order, without media_paths "
        "by path), then by time in it. `date`, `date_desc`: by when the file was recorded, oldest "
        "or newest first, then as `time`; files that do not say it come last. What is sorted are "
        f"the {MOST_MATCHES:,} best matches; without min_strength and min_score, what is no match "
        "at all is left out, where the model's scores are known well enough to tell. Left out: "
        "as usual.",
        examples=["date"],
    ),
    option(panel=SHOWN, help="By score, by file and time, or by when it was recorded."),
]


class PageFields(Keyed, kw_only=True):
    """What searches share that can be filtered, sorted, grouped and paged."""

    filters: Annotated[
        Filters | None, Meta(examples=[{"folder": "/footage/day1", "sound": True}])
    ] = None
    """Only files of which all this holds."""
    sort: Sort | None = None
    group_by: Annotated[Literal["file"], Meta(title="MatchGrouping", examples=["file"])] | None = (
        None
    )
    """`file`: matches stand in `groups`, under the file that holds them; max_results counts files,
    and `matches` is empty."""
    matches_per_file: Annotated[int, Meta(ge=1, le=MOST_A_FILE, examples=[3])] = 3
    """With group_by: at most this many matches of each file."""
    cursor: Annotated[str, Meta(max_length=LONGEST_CURSOR, examples=[""])] | None = None
    """Empty: the first page, with `next` where there is more. The `next` of an answer, with all
    else as it was: the page after that. Of the fields only max_results, images and details may
    change. What is published meanwhile is found where it comes after the page before; nothing is
    given twice or left out."""
