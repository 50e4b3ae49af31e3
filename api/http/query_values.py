"""Values of the query string, which come as text."""

from __future__ import annotations

from shared.errors import BadInput


def is_true(text: str | None) -> bool:
    """Whether a flag is given; whatever else it says means no."""
    return (text or "").lower() in ("true", "1", "yes")


def whole_number(text: str, name: str, most: int) -> int:
    """A number from 1 to `most`. Raises BadInput, naming the parameter."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise BadInput(f"{name} must be a whole number from 1 to {most}, not {text[:40]!r}.")
    return int(text)
