"""Where a folded query stands in the folded text of one transcript: exactly, or nearly.

stringzilla finds four to five times faster than `bytes.find`, which a search is all about.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence

import stringzilla
from rapidfuzz import fuzz

Span = tuple[int, int]  # first and last segment of a match

# Percent of rapidfuzz's partial ratio that a near match must reach: one wrong letter in five.
ALIKE = 80.0


def exact(folded: bytes, starts: Sequence[int], query: bytes) -> Iterator[Span]:
    """One match for each segment in which the query begins, in order."""
    at = stringzilla.find(folded, query)
    while at >= 0:
        first = bisect.bisect_right(starts, at) - 1
        yield first, bisect.bisect_right(starts, at + len(query) - 1) - 1
        if first + 1 == len(starts):
            return
        at = stringzilla.find(folded, query, starts[first + 1])


def fuzzy(folded: bytes, starts: Sequence[int], query: str) -> Iterator[Span]:
    """The same for what is at least `ALIKE` to the query.

    A segment that holds a near match alone is one; else its end with the begin of what follows.
    """
    if not _is_alike(query, folded.decode()):
        return
    for n, start in enumerate(starts):
        end = starts[n + 1] if n + 1 < len(starts) else len(folded)
        segment = folded[start:end].decode()
        if _is_alike(query, segment.rstrip()):
            yield n, n
        elif n + 1 < len(starts) and not segment.endswith("\n"):
            tail = segment[-len(query) :]
            # A character has four bytes at the most; the last one may be cut.
            after = folded[end : end + 4 * len(query)].decode(errors="ignore")
            after = after[: len(query)].partition("\n")[0]
            found = fuzz.partial_ratio_alignment(query, tail + after, score_cutoff=ALIKE)
            if found and found.dest_start < len(tail) < found.dest_end:
                reached = len(after[: found.dest_end - len(tail)].encode())
                yield n, bisect.bisect_right(starts, end + reached - 1) - 1


def _is_alike(query: str, text: str) -> bool:
    # In a text shorter than the query, the partial ratio would look for the text in the query.
    ratio = fuzz.partial_ratio if len(text) >= len(query) else fuzz.ratio
    return ratio(query, text, score_cutoff=ALIKE) > 0
