"""No file name commands the terminal of whoever uses the command line, or begins a line there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.cli.local_command import rushes
from tests.support.media.media import make_clip
from tests.support.media.photos import known_photos
from tests.support.stack import KEY, Stack

_EVIL = "a\nrushes: all is well\x1b[2J\x9b31m\u202egpj"
_SHOWN = r"a\nrushes: all is well\x1b[2J\x9b31m\u202egpj"
_WHOLE = {"COLUMNS": "2000"}


@pytest.mark.timeout(240)
def test_names_are_escaped_in_tables_lines_and_errors_and_whole_in_json(
    bounded_stack: Stack, tmp_path: Path
) -> None:
    footage = tmp_path / "footage"
    footage.mkdir()
    good, bad = footage / f"{_EVIL}.jpg", footage / f"{_EVIL}.png"
    film = make_clip(footage / f"{_EVIL}.mov", 1)
    good.write_bytes(known_photos()["cat"].read_bytes())
    bad.write_bytes(b"no picture")
    for kind in ("query", "analysis", "export"):
        bounded_stack.start_worker(kind)
    client = bounded_stack.start_api()
    bounded_stack.wait_ready(1, 1)
    server = {"RUSHES_SERVER": client.url, "RUSHES_KEY": KEY, **_WHOLE}
    cache = ["--cache", str(tmp_path / "cache")]

    def told(*arguments: str, **more: str) -> CompletedProcess[str]:
        result = rushes(tmp_path, *arguments, **server, **more)
        for text in (result.stdout, result.stderr):
            assert not {"\x1b", "\x9b", "\u202e"} & set(text), (arguments, text)
            assert not [line for line in text.split("\n") if line.startswith("rushes: all")]
        return result

    _named(told, "analyze", str(footage), *cache, "--no-speech")
    task = json.loads(told("tasks", "list", "--json").stdout)["tasks"][0]["task_id"]
    _named(told, "tasks", "show", task)
    _named(told, "search", "a cat", *cache)
    _named(told, "transcripts", "show", str(film), *cache)
    _named(told, "export", "clips", str(bad), "0", "1", "--to", str(tmp_path))

    asked = told("search", "a cat", *cache, "--json").stdout
    assert str(good) in {match["video_path"] for match in json.loads(asked)["matches"]}


def _named(told: Callable[..., CompletedProcess[str]], *arguments: str) -> None:
    """The command names the file, escaped."""
    result = told(*arguments)
    assert _SHOWN in result.stdout + result.stderr, (arguments, result)
