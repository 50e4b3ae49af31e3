"""Searches that cannot be meant: one sentence, before any server is asked."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cli.main import app
from shared.errors import BadInput


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Say what to look for"),
        (["--image", "a.jpg", "--frame", "b.mov@1"], "not by both"),
        (["--frame", "b.mov"], "FILE@TIME"),
        (["--frame", "b.mov@1:2:3:4"], "is no time"),
        (["x", "--fuzzy"], "--fuzzy, --by and --subtitles need --said"),
        (["x", "--by", "semantic"], "--fuzzy, --by and --subtitles need --said"),
        (["x", "--said", "--fuzzy", "--by", "auto"], "--fuzzy is --by fuzzy"),
        (["x", "--said", "--exclude", "snow"], "--said goes with"),
        (["x", "--said", "--fast"], "--said goes with"),
        (["x", "--fast"], "--fast needs --image or --frame"),
        (["--said"], "Say which words"),
        (["x", "--person", "Anna"], "COLLECTION/NAME"),
        (["x", "--in", "/nowhere"], "nor a media file by its name"),
        (["x", "--cache", ""], "--cache DIR"),
        (["x", "--where", "codec"], "write KEY=VALUE; keys are folder, watch-folder, recorded"),
        (["x", "--where", "colour=red"], "keys are folder"),
        (["x", "--where", "codec=h264", "--where", "codec=hevc"], "codec is given twice"),
        (["x", "--where", "length=.."], "is no range"),
        (["x", "--where", "length=long"], "is no time"),
        (["x", "--where", "rate=fast"], "is no number"),
        (["x", "--where", "size=4k.."], "write WIDTHxHEIGHT"),
        (["x", "--where", "sound=loud"], "sound=yes or sound=no"),
        (["x", "--where", "person=Ada"], "COLLECTION/NAME"),
    ],
)
def test_a_search_that_cannot_be_meant_says_why(arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(
        app, ["search", *arguments], env={"RUSHES_CACHE_DIR": "/cache", "RUSHES_PORT": "9"}
    )
    assert isinstance(result.exception, BadInput), result.output
    assert reason in result.exception.message
