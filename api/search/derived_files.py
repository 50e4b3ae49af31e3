"""What all files have in common that are derived from a journal, and lie beside it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def signature(state: Path) -> tuple[int, int] | None:
    """Changes whenever a file that is replaced as a whole is; None where there is none."""
    try:
        found = os.stat(state)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def journal_digest(journal: Path, size: int) -> str:
    """Of the first `size` bytes of a journal: what was made from them fits as long as they stay."""
    with open(journal, "rb") as file:
        return hashlib.sha256(file.read(size)).hexdigest()
