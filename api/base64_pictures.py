"""Pictures that come in a body as base64."""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Iterator

from shared.errors import BadInput

_PIECE = 1 << 20  # characters of base64, in fours; some milliseconds
_NO_WHITESPACE = str.maketrans("", "", string.whitespace)


def picture_bytes(text: str, field: str = "image") -> bytes:
    """Base64, also with line breaks or a `data:` prefix, as some clients send it.

    Raises BadInput, naming the field.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    if any(c in text for c in string.whitespace):
        text = "".join(piece.translate(_NO_WHITESPACE) for piece in _pieces(text))
    try:
        if "=" in text[:-2]:
            raise binascii.Error
        content = b"".join(base64.b64decode(piece, validate=True) for piece in _pieces(text))
    except (binascii.Error, ValueError):
        raise BadInput(f"{field} is not valid base64.") from None
    if not content:
        raise BadInput(f"{field} must not be empty.")
    return content


def _pieces(text: str) -> Iterator[str]:
    """So that other threads have their turn in between."""
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
