"""Request bodies of what is left out; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import MOST_ITEMS, CacheDir, Keyed, ListedPath


class LeaveOutBody(Keyed, kw_only=True):
    """Which files are left out, or are so no more."""

    cache_dir: CacheDir
    media_paths: Annotated[
        list[ListedPath],
        Meta(min_length=1, max_length=MOST_ITEMS, examples=[["/footage/day1/A002.mov"]]),
    ]
    """Their absolute paths."""
    left_out: Annotated[bool, Meta(examples=[True])]
    """`false`: they are taken again."""
