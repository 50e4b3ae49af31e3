"""The model that says what sentences mean: all-MiniLM-L6-v2, which the lite visual model holds."""

from __future__ import annotations

from shared.models.scores import Logit

KEY = "conse-lite0"  # the model whose weights it is among
# What rows of segments are; another one when they are made in another way.
ROWS = "all-MiniLM-L6-v2+neighbours"
DIM = 384
LANGUAGE = "en"  # the only one that it was trained on

# tests/quality/transcripts/test_meaning.py measures these: what is below LEAST is no match, and
# how likely a match is right.
LEAST = 0.32
LIKELY = Logit(-10.5, 22.9)


def is_understood(language: str | None) -> bool:
    """Whether a transcript in this language (a code) can be searched by what it means."""
    return language == LANGUAGE
