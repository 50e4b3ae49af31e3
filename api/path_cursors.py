"""The parameter `after` of lists that come in pages."""

from __future__ import annotations

import base64
import binascii

from shared.errors import BadInput

_AFTER = "after must be the `next` of an earlier answer."


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
