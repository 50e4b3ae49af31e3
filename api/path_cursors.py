"""The parameters of lists of files that come in pages."""

from __future__ import annotations

import base64
import binascii

from api.http.bodies import LONGEST_PATH
from api.http.endpoint import Parameter
from shared.errors import BadInput

_AFTER = "after must be the `next` of an earlier answer."


def file_page(most: int, usual: int) -> tuple[Parameter, Parameter]:
    """`limit` and `after` of a list of files, of which a page has `usual` and can have `most`."""
    return (
        Parameter(
            "limit",
            f"At most so many files, 1 to {most}.",
            {"type": "integer", "minimum": 1, "maximum": most, "default": usual},
            usual,
        ),
        Parameter(
            "after",
            "The `next` of the page before.",
            {"type": "string", "maxLength": 2 * LONGEST_PATH},
            "L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y",
        ),
    )


def path_cursor(path: str) -> str:
    """A path of ours, or any other text, for `after`: opaque, since two clients may call it
    differently."""
    return base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")


def path_of(cursor: str) -> str:
    """What `path_cursor` was given. Raises BadInput."""
    try:
        raw = cursor.encode("ascii")
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error):
        raise BadInput(_AFTER) from None
