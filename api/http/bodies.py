"""Request bodies. These types both validate requests and make the OpenAPI document.

Defaults, limits, descriptions and examples stand here and nowhere else. A null is dropped before
validation, so `T | None` only tells readers of the document that leaving a key out has a meaning.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from api.http.times import TIME_PATTERN

# POSIX, a Windows drive, a Windows share. For the document: RUSHES_PATH_MAP may know other forms.
_ABSOLUTE = r"^(/|[A-Za-z]:[\\/]|\\\\).*"
AbsolutePath = Annotated[str, Meta(min_length=1, extra_json_schema={"pattern": _ABSOLUTE})]
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
    list[MediaPath],
    Meta(
        description="Absolute paths of media files that the backend itself can open.",
        examples=[["/footage/day1/A001.mov"]],
    ),
]
Time = Annotated[
    Annotated[float, Meta(ge=0, description="A time in seconds.", examples=[12.5])]
    | Annotated[
        str, Meta(pattern=TIME_PATTERN, description="HH:MM:SS[.mmm]", examples=["00:00:12.500"])
    ],
    Meta(description="Seconds, or HH:MM:SS[.mmm].", examples=[12.5]),
]


class Keyed(Struct, kw_only=True):
    """What every body may carry."""

    license_key: (
        Annotated[
            Any,
            Meta(
                description="Licence key, for clients that cannot send the X-License-Key header. "
                "The header wins when both are there.",
                examples=["rushes-0123456789abcdef"],
                extra_json_schema={"type": "string"},
            ),
        ]
        | None
    ) = None
