"""Takes away from a query what says nothing about the picture's content: "a photo of a …"."""

from __future__ import annotations

import re

_ARTICLE = r"(?:an?|the|some|my)\s+"
_MEDIUM = (
    r"(?:photo(?:graph)?|picture|image|video|clip|movie|footage|shot|still|frame|snapshot|"
    r"close[- ]?up|view|scene)s?"
)
_PREFIX = re.compile(
    rf"^(?:show\s+me\s+|find\s+(?:me\s+)?|search\s+(?:for\s+)?)?(?:{_ARTICLE})?"
    rf"(?:(?:good|close|wide|old|colou?r|black[- ]and[- ]white)\s+)?{_MEDIUM}\s+"
    r"(?:of|showing|with|containing|that\s+shows?)\s+",
    re.IGNORECASE,
)
_LEADING_ARTICLE = re.compile(rf"^{_ARTICLE}", re.IGNORECASE)


def strip_prompt(text: str) -> str:
    """A query without its prompt: "A photo of a dog." -> "dog"; unchanged if nothing is left."""
    stripped = " ".join(text.split()).strip(" .!?\"'")
    before = None
    while before != stripped:
        before = stripped
        stripped = _PREFIX.sub("", stripped, count=1)
    return _LEADING_ARTICLE.sub("", stripped) or text
