"""Which way each character of a paragraph runs, and in which order a line shows what it holds.

Unicode's bidirectional algorithm (UAX #9): python-bidi's rules W1 to W7, N1, N2, I1 and I2 by
character, rule N0 for brackets, which it lacks there, and L2 for a line. Isolates are ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from bidi import algorithm
from bidi.mirror import MIRRORED

_RTL = re.compile(
    "[\u0590-\u08ff\u200f\u202a-\u202e\ufb1d-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_WITHOUT_ISOLATES = dict.fromkeys(range(0x2066, 0x206A), "\u200b")  # which the rules skip
_STACK = 63  # open brackets at most (BD16)
_SAME = {"\u2329": "\u3008", "\u232a": "\u3009"}  # canonical equivalents count as one


def levels(text: str, *, rtl: bool) -> list[int]:
    """The embedding level of each character of one paragraph: odd ones run right to left.

    `rtl` is the paragraph's direction. The text holds neither newlines nor tabs.
    """
    base = int(rtl)
    if not _RTL.search(text) and not rtl:
        return [0] * len(text)
    storage: dict[str, Any] = algorithm.get_empty_storage()
    storage["base_level"], storage["base_dir"] = base, "R" if rtl else "L"
    algorithm.get_embedding_levels(text.translate(_WITHOUT_ISOLATES), storage)
    for index, character in enumerate(storage["chars"]):
        character["index"] = index
        if not character["type"]:  # of a newer Unicode than Python's
            character["type"] = "R" if _RTL.match(character["ch"]) else "L"
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    _resolve_brackets(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    found: list[int | None] = [None] * len(text)
    for character in storage["chars"]:
        found[character["index"]] = character["level"]
    return _filled(found, base)


def is_letter(character: str) -> bool:
    """Whether a character is of a script that runs right to left, or goes with such a letter."""
    return unicodedata.bidirectional(character) in ("R", "AL", "NSM", "BN")


def visual_order(line: Sequence[int]) -> list[int]:
    """Rule L2: indices of a line's parts from left to right, given the level of each."""
    order = list(range(len(line)))
    lowest = min((level for level in line if level % 2), default=None)
    if lowest is None:
        return order
    for level in range(max(line), lowest - 1, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and line[order[end]] >= level:
                end += 1
            order[start:end] = reversed(order[start:end])
            start = end + 1
    return order


def _filled(found: list[int | None], base: int) -> list[int]:
    """What rule X9 leaves out goes with the character before it."""
    level = base
    filled = []
    for each in found:
        level = level if each is None else each
        filled.append(level)
    return filled


def _resolve_brackets(storage: dict[str, Any]) -> None:
    """Rule N0: both brackets of a pair take one direction, from what they enclose."""
    for run in storage["runs"]:
        chars = storage["chars"][run["start"] : run["start"] + run["length"]]
        if not chars:
            continue
        embedding = "R" if chars[0]["level"] % 2 else "L"
        for opening, closing in _bracket_pairs(chars):
            inside = {_strong(char["type"]) for char in chars[opening + 1 : closing]}
            if embedding in inside:
                direction = embedding
            elif inside - {None}:
                before = (_strong(char["type"]) for char in reversed(chars[:opening]))
                direction = next((found for found in before if found), run["sor"])
            else:
                continue
            for index in (opening, closing):
                _set_with_marks(chars, index, direction)


def _set_with_marks(chars: list[dict[str, Any]], index: int, direction: str) -> None:
    chars[index]["type"] = direction
    for mark in chars[index + 1 :]:
        if mark["orig"] != "NSM":
            break
        mark["type"] = direction


def _strong(bidi_type: str) -> str | None:
    return "R" if bidi_type in ("R", "EN", "AN") else "L" if bidi_type == "L" else None


def _bracket_pairs(chars: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Rule BD16: indices of brackets that belong together, by where they open."""
    stack: list[tuple[str, int]] = []
    pairs = []
    for index, char in enumerate(chars):
        bracket = _SAME.get(char["ch"], char["ch"])
        if char["type"] != "ON" or bracket not in MIRRORED:
            continue
        category = unicodedata.category(bracket)
        if category == "Ps":
            if len(stack) == _STACK:
                return []
            stack.append((MIRRORED[bracket], index))
        elif category == "Pe":
            for depth in range(len(stack) - 1, -1, -1):
                if stack[depth][0] == bracket:
                    pairs.append((stack[depth][1], index))
                    del stack[depth:]
                    break
    return sorted(pairs)
