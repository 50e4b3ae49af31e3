"""What says nothing about the content of a picture is taken out of a query, and nothing else."""

from __future__ import annotations

import pytest

from workers.models.visual.conse import strip_prompt


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("dog", "dog"),
        ("a dog", "dog"),
        ("A photo of a dog.", "dog"),
        ("a picture showing the red car", "red car"),
        ("show me footage of elephants", "elephants"),
        ("close-up of an  insect", "insect"),
        ("a photo of a painting of a horse", "painting of a horse"),
        ("video camera on a tripod", "video camera on a tripod"),
        ("picture frame", "picture frame"),
        ("shot glass", "shot glass"),
        ("movie theater", "movie theater"),
        ("Apollo rocket", "Apollo rocket"),
        ("the", "the"),
        ("  ", "  "),
    ],
)
def test_only_the_frame_of_a_query_is_taken_away(asked: str, left: str) -> None:
    assert strip_prompt(asked) == left
