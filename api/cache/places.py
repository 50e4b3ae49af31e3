"""Where the content of a MediaFile was seen."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A path, and whether it opens and still holds that content."""

    path: str
    opens: bool
