"""Bounds of what a query worker is asked, which the API refuses and its document names.

They stand apart from the messages, which need numpy.
"""

from __future__ import annotations

LONGEST_QUERY = 10_000  # characters of one text
MOST_TEXTS = 101  # of one question: a query and what it excludes
