"""Request bodies. These types both validate requests and make the OpenAPI document.

Defaults, limits, words and examples stand here and nowhere else. The words of a field are the
literal below it (shared.fields), those of a shared type its `description`. Null for an
optional key equals leaving it out, and so does "" where its text may not be empty
(api.http.body_reading), so `T | None` only tells readers of the document that leaving a key out has
a meaning.
A list of choices has a `title`: its name in the document, and so that of one type in each client.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from api.http.times import TIME_PATTERN
from shared.models.vocabulary import LONGEST_ENTRY, MOST_ENTRIES, MOST_WORDS

LONGEST_PATH = 4_096  # characters; what Linux takes
LONGEST_TEXT = 10_000  # of what people write: queries, names, comments
LONGEST_WORD = 1_000  # of what is chosen from a list: ids, keys, languages; and of times
MOST_PATHS = 500_000  # that choose what to work on; commas in them count in body_reading too
MOST_ITEMS = 100_000  # of which each gets an answer of its own
LONGEST_TIME_S = 1e9
LONGEST_IMAGE = 40_000_000  # base64 of 30 MB

Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]
Word = Annotated[str, Meta(min_length=1, max_length=LONGEST_WORD)]
# POSIX, a Windows drive, a Windows share. For the document: RUSHES_PATH_MAP may know other forms.
_ABSOLUTE = r"^(/|[A-Za-z]:[\\/]|\\\\).*"
AbsolutePath = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_PATH,
        extra_json_schema={"pattern": _ABSOLUTE},
    ),
]
# In a list one that can be used by none, such as "", is its item's own error.
ListedPath = Annotated[
    str,
    Meta(
        max_length=LONGEST_PATH,
        extra_json_schema={"pattern": _ABSOLUTE},
        description="Absolute path of a media file that the backend itself can open.",
        examples=["/footage/day1/A001.mov"],
    ),
]
ListedPaths = Annotated[
    list[ListedPath], Meta(max_length=MOST_PATHS, examples=[["/footage/day1/A001.mov"]])
]
MediaPath = Annotated[
    AbsolutePath,
    Meta(
        description="Absolute path of a media file that the backend itself can open.",
        examples=["/footage/day1/A001.mov"],
    ),
]
CacheDir = Annotated[
    AbsolutePath,
    Meta(
        description="Folder with the analysis data, chosen by the caller; an absolute path.",
        examples=["/footage/.rushes"],
    ),
]
MediaPaths = Annotated[
    list[ListedPath],
    Meta(
        max_length=MOST_ITEMS,
        description="Absolute paths of media files that the backend itself can open.",
        examples=[["/footage/day1/A001.mov"]],
    ),
]
# How many and how long the entries may be is checked, and explained, by shared.models.vocabulary.
Vocabulary = Annotated[
    list[Annotated[str, Meta(max_length=LONGEST_TEXT)]],
    Meta(
        max_length=MOST_ITEMS,
        description="Names and rare words that may be said, the most important first: at most "
        f"{MOST_ENTRIES} entries of up to {LONGEST_ENTRY} characters. The speech model is given "
        f"{MOST_WORDS} words: names of people of the collection (without one: of all in the cache "
        "folder), half of them at the most, then these. Left out: the names of people; an empty "
        "list: none at all. A file that is transcribed already is heard again only by force.",
        examples=[["Siobhan Gallagher", "Kestrelhaven"]],
    ),
]
Time = Annotated[
    Annotated[
        float,
        Meta(ge=0, le=LONGEST_TIME_S, description="A time in seconds.", examples=[12.5]),
    ]
    | Annotated[
        str,
        Meta(
            pattern=TIME_PATTERN,
            max_length=LONGEST_WORD,
            description="HH:MM:SS[.mmm], MM:SS or seconds as text",
            examples=["00:00:12.500"],
        ),
    ],
    Meta(description="Seconds, or HH:MM:SS[.mmm].", examples=[12.5]),
]


class Keyed(Struct, kw_only=True):
    """What every body may carry."""

    license_key: (
        Annotated[
            Any,
            Meta(
                examples=["rushes-0123456789abcdef"],
                extra_json_schema={"type": "string", "maxLength": LONGEST_WORD},
            ),
        ]
        | None
    ) = None
    """Licence key, for clients that cannot send the X-License-Key header. The header wins when both
    are there."""
