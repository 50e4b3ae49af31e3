"""Commands that cannot be meant: one sentence, before any server is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from shared.errors import BadInput

# Nothing listens there: a command that asked would end with ServerAway.
NOWHERE = {"RUSHES_SERVER": "127.0.0.1:9", "RUSHES_KEY": "k", "RUSHES_CACHE_DIR": "/cache"}


def result_of(*arguments: str | Path, **environ: str) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={**NOWHERE, **environ})


def why(*arguments: str | Path, **environ: str) -> str:
    """The sentence that a command is refused with."""
    result = result_of(*arguments, **environ)
    assert isinstance(result.exception, BadInput), result.output
    return result.exception.message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("no footage")
    (tmp_path / "stills").mkdir()
    (tmp_path / "stills" / "coffee.png").write_bytes(b"a picture")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["notes.txt"], "There is no media file"),
        (["nosuch"], "nor a media file by its name"),
        (["stills", "--no-visual"], "There is nothing to do for 1 file (1 image)"),
        (["stills", "--faces"], "--collection"),
        (["stills", "--cache", ""], "--cache DIR"),
    ],
)
def test_an_analysis_that_cannot_be_meant_is_not_sent(
    folder: Path, arguments: list[str], reason: str
) -> None:
    place, *options = arguments
    assert reason in why("analyze", folder / place, *options)


def test_names_that_no_request_can_hold_are_left_out_or_told(tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    name.touch()
    result = result_of("analyze", tmp_path)
    assert "files whose names are not UTF-8 (1)" in result.stderr
    told = why("search", "--image", os.fsdecode(b"caf\xe9.jpg"))
    assert told.endswith("/caf\\udce9.jpg' is not UTF-8: no request can hold it.")
    assert "{" not in told


def test_a_key_that_cannot_be_one_is_not_told() -> None:
    told = why("tasks", "list", RUSHES_KEY="schlüssel")
    assert "RUSHES_KEY" in told
    assert "schlüssel" not in told


def test_clips_are_named_by_three_words_or_come_from_a_search_that_found() -> None:
    clips = ["export", "clips", "--to", "/out"]
    assert "FILE IN OUT" in why(*clips, "a.mov", "1")
    assert "one of both" in why(*clips)
    assert "has the search failed?" in why(*clips, "--from", "-")


def test_people_are_in_a_cache_folder_that_is_named() -> None:
    assert "--cache DIR" in why("people", "list", RUSHES_CACHE_DIR="")


def test_an_empty_list_on_stdin_is_no_analysis() -> None:
    assert "nothing is sent" in why("analyze", "-")
