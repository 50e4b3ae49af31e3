"""The parameters of lists of files that come in pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from api.http.bodies import LONGEST_PATH
from api.http.parameters import text_parameter, whole_number
from shared.errors import BadInput

_AFTER = "after must be the `next` of an earlier answer."


MOST_FILES = 1_000  # of one page
FILE_LIMIT = whole_number("limit", f"At most so many files, 1 to {MOST_FILES}.", MOST_FILES, 100)
AFTER_FILE = text_parameter(
    "after",
    "The `next` of the page before.",
    "L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y",
    longest=2 * LONGEST_PATH,
)


def path_after(query: Mapping[str, str]) -> str | None:
    """The path behind which a page of files begins; None: the first page. Raises BadInput."""
    cursor = AFTER_FILE.read(query)
    return path_of(cursor) if cursor else None


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
