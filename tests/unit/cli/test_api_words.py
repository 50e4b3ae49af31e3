"""What the command line prints of the API's answers: in its own words, without padding."""

from __future__ import annotations

import pytest
from rich.table import Table

from cli.api_client import in_words_of_commands
from cli.commands import search
from cli.terminal.output import CommandOutput


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        (
            "'zz' is no face_id; take them from /faces/clusters/faces.",
            "'zz' is no id of a face; `rushes people show` lists them.",
        ),
        (
            "There is no edit 'zz'; GET /faces/edits lists them.",
            "There is no edit 'zz'; `rushes people edits` lists them.",
        ),
        (
            "There is no deletion zz. GET /analysis-data/deletions lists them.",
            "There is no deletion zz. `rushes data deletions` lists them.",
        ),
        ("assignments[0].cluster_id: there is no 7.", "there is no 7."),
        ("media_paths[0]: /x lies outside.", "/x lies outside."),
        ("clips[3]: /x lies outside.", "clips[3]: /x lies outside."),
        (
            "output_dir: the folder /x does not exist; make it, or send create_dir: true.",
            "output_dir: the folder /x does not exist; make it first.",
        ),
    ],
)
def test_words_of_the_api_become_those_of_commands(message: str, printed: str) -> None:
    assert in_words_of_commands(message) == printed


def test_lines_of_a_table_end_where_their_text_ends(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("file", "/footage/" + "x" * 100)
    table.add_row("hash", "9ae0daaf81f5b2c3")
    CommandOutput(as_json=False).show(table)
    assert capsys.readouterr().out.split("\n")[1:] == ["hash  9ae0daaf81f5b2c3", ""]


@pytest.mark.parametrize(
    ("hours", "words"), [(0.01, "0.3 of 0.6 minutes"), (3, "1.5 of 3.0 hours")]
)
def test_how_much_was_searched_is_told_in_a_unit_that_shows_it(hours: float, words: str) -> None:
    known = {
        "asked": {"files": 2, "hours": hours},
        "searched": {"files": 1, "hours": hours / 2},
        "model_key": "conse-lite0",
        "reasons": [],
    }
    assert f"{words} that are known" in next(search._lines(known))
