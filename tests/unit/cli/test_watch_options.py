"""Options of watch folders, and the fields of the API that they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.arguments.watch_options import FolderOptions
from shared.errors import BadInput


def test_only_what_was_given_is_sent() -> None:
    assert FolderOptions(visual=False, speech=None, settle=0.0).fields() == {
        "analyze_visual": False,
        "settle_seconds": 0.0,
    }


def test_an_empty_word_resets_a_field() -> None:
    reset = FolderOptions(language="", collection="", schedule="", exclude=[""])
    assert reset.fields() == {
        "language": None,
        "cluster_job_name": None,
        "schedule": None,
        "excluded_filename_globs": [],
    }


def test_a_collection_is_there_for_faces_unless_they_are_refused() -> None:
    assert FolderOptions(collection="Ada").fields() == {
        "cluster_job_name": "Ada",
        "analyze_faces": True,
    }
    assert FolderOptions(collection="Ada", faces=False).fields()["analyze_faces"] is False


def test_hours_are_written_as_a_pair() -> None:
    assert FolderOptions(schedule="20:00-06:00").fields() == {
        "schedule": {"start": "20:00", "stop": "06:00"}
    }


def test_words_are_typed_or_stand_in_a_file_one_a_line(tmp_path: Path) -> None:
    cast = tmp_path / "cast.txt"
    cast.write_text("\ufeffSiobhan Gallagher\n\n  Wren \n", encoding="utf-8")
    options = FolderOptions(vocabulary=["Tarrowby", f"@{cast}"])
    assert options.fields() == {"vocabulary": ["Tarrowby", "Siobhan Gallagher", "  Wren "]}
    assert FolderOptions(vocabulary=[""]).fields() == {"vocabulary": []}
    with pytest.raises(BadInput, match=r"--vocabulary: .*none cannot be read"):
        FolderOptions(vocabulary=[f"@{tmp_path / 'none'}"]).fields()


def test_speakers_are_told_apart_as_the_server_is_set_unless_something_is_said() -> None:
    assert FolderOptions(speech=True).fields() == {"analyze_speech": True}
    assert FolderOptions(speakers=False).fields() == {"speakers": False}
