"""Ids of 31 bits that every machine makes alike."""

from __future__ import annotations

import hashlib
from collections.abc import Container

HIGHEST_ID = 2**31 - 1


def seeded_id(seed: str, taken: Container[int]) -> int:
    """The positive id that a seed stands for, or the next one that nobody has."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") & HIGHEST_ID
    while number == 0 or number in taken:
        number = number % HIGHEST_ID + 1
    return number
