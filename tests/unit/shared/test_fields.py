"""Words of fields stand below them in the source."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from shared.fields import words_of

Named = Annotated[str, Meta(description="What it is called.")]


class Place(Struct, kw_only=True):
    """No words of a field."""

    path: str
    """Where it is, over
    two lines."""
    seen: int = 0
    "Any literal counts."
    name: Named = ""


class Shot(Place, kw_only=True):
    path: Named
    seconds: float | None = None
    """Length."""


def test_words_are_the_literal_below_a_field_as_one_line() -> None:
    assert words_of(Place) == {
        "path": "Where it is, over two lines.",
        "seen": "Any literal counts.",
    }


def test_inherited_fields_keep_theirs_and_a_field_declared_again_has_its_own() -> None:
    assert words_of(Shot) == {"seen": "Any literal counts.", "seconds": "Length."}
