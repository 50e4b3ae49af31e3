"""`--vocabulary`: words as they are typed, and files of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shared.errors import BadInput


def vocabulary(given: Sequence[str]) -> list[str]:
    """The words of the option; of "@FILE" each line that is not empty. Raises BadInput."""
    found: list[str] = []
    for word in given:
        found += _lines(Path(word[1:])) if word.startswith("@") else [word]
    return [word for word in found if word.strip()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"--vocabulary: {path} cannot be read: {reason}.") from error
