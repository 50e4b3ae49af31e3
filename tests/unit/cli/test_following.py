"""What is printed of a Task that has ended."""

from __future__ import annotations

import pytest
import typer

from cli.api_client import ApiClient
from cli.commands.following import finish
from cli.remote import Remote
from cli.terminal.output import CommandOutput


def test_failed_files_are_named_and_what_stopped_them_all_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = "The disk is full."
    files = [("/m/a.mov", full), ("/m/b.mov", "It is torn."), ("/m/c.mov", full)]
    event = {
        "status": "failed",
        "failed_files": [{"media_path": path, "error": error} for path, error in files],
        "error": full,
        "message": full,
    }
    api = ApiClient("127.0.0.1:9")
    with pytest.raises(typer.Exit) as end:
        finish(Remote(api, CommandOutput(as_json=False)), event)
    api.close()
    assert end.value.exit_code == 1
    assert capsys.readouterr().out == f"failed: /m/b.mov: It is torn.\n{full}\n"
