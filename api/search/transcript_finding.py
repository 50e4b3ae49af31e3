"""Where a folded query stands in the folded text of one transcript: exactly, or nearly."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence

from rapidfuzz import fuzz

Span = tuple[int, int]  # first and last segment of a match

# Percent of rapidfuzz's partial ratio that a near match must reach: one wrong letter in five.
ALIKE = 80.0


def exact(folded: str, starts: Sequence[int], query: str) -> Iterator[Span]:
    """One match for each segment in which the query begins, in order."""
    at = folded.find(query)
    while at >= 0:
        first = bisect.bisect_right(starts, at) - 1
        yield first, bisect.bisect_right(starts, at + len(query) - 1) - 1
        if first + 1 == len(starts):
            return
        at = folded.find(query, starts[first + 1])


def fuzzy(folded: str, starts: Sequence[int], query: str) -> Iterator[Span]:
    """The same for what is at least `ALIKE` to the query.

    A segment that holds a near match alone is one; else its end with the begin of what follows.
    """
    if not _is_alike(query, folded):
        return
    reach = len(query)
    for n, start in enumerate(starts):
        end = starts[n + 1] if n + 1 < len(starts) else len(folded)
        if _is_alike(query, folded[start:end].rstrip()):
            yield n, n
        elif n + 1 < len(starts) and folded[end - 1] != "\n":
            begin = max(start, end - reach)
            stop = folded.find("\n", end, end + reach)
            found = fuzz.partial_ratio_alignment(
                query, folded[begin : stop if stop >= 0 else end + reach], score_cutoff=ALIKE
            )
            if found and found.dest_start < end - begin < found.dest_end:
                yield n, bisect.bisect_right(starts, begin + found.dest_end - 1) - 1


def _is_alike(query: str, text: str) -> bool:
    # In a text shorter than the query, the partial ratio would look for the text in the query.
    ratio = fuzz.partial_ratio if len(text) >= len(query) else fuzz.ratio
    return ratio(query, text, score_cutoff=ALIKE) > 0
