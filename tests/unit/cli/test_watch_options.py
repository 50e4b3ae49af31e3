"""Options of watch folders, and the fields of the API that they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands.watch import folder_fields
from shared.errors import BadInput


def test_an_empty_word_resets_a_field() -> None:
    typed = {"language": "", "cluster_job_name": "", "excluded_filename_globs": [""]}
    assert folder_fields(typed, schedule="") == {
        "language": None,
        "cluster_job_name": None,
        "schedule": None,
        "excluded_filename_globs": [],
    }


def test_a_collection_is_there_for_faces_unless_they_are_refused() -> None:
    into = {"cluster_job_name": "Ada"}
    assert folder_fields(into) == {**into, "analyze_faces": True}
    refused = {**into, "analyze_faces": False}
    assert folder_fields(refused) == refused


def test_hours_are_written_as_a_pair() -> None:
    assert folder_fields({}, schedule="20:00-06:00") == {
        "schedule": {"start": "20:00", "stop": "06:00"}
    }


def test_words_are_typed_or_stand_in_a_file_one_a_line(tmp_path: Path) -> None:
    cast = tmp_path / "cast.txt"
    cast.write_text("\ufeffSiobhan Gallagher\n\n  Wren \n", encoding="utf-8")
    read = folder_fields({}, ["Tarrowby", f"@{cast}"])
    assert read == {"vocabulary": ["Tarrowby", "Siobhan Gallagher", "  Wren "]}
    assert folder_fields({}, [""]) == {"vocabulary": []}
    with pytest.raises(BadInput, match=r"--vocabulary: .*none cannot be read"):
        folder_fields({}, [f"@{tmp_path / 'none'}"])
