"""What is printed of a Task that has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer

from cli.api_client import ApiClient, Event
from cli.commands.tasks import finish, follow_to_the_end
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


class Told(ApiClient):
    """A client whose server tells of a Task that waits for two things, one after the other."""

    def follow(self, task_id: str) -> Iterator[Event]:
        turn = {"code": "turn", "message": "Another analysis is running.", "owner": "Ann"}
        model = {"code": "model", "message": "The model m is on no machine.", "owner": None}
        common = {
            "current": 0,
            "total": 1,
            "eta_seconds": None,
            "media_path": None,
            "type": "video",
        }
        common |= {"overall_progress": 0.0, "progress": 0.0, "message": ""}
        for status, waiting_for, place in (
            ("queued", turn, 2),
            ("queued", turn, 2),
            ("queued", turn, 1),
            ("queued", model, None),
            ("completed", None, None),
        ):
            yield {**common, "status": status, "waiting_for": waiting_for, "place": place}


def test_in_a_pipe_each_reason_to_wait_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    api = Told("127.0.0.1:9")
    follow_to_the_end(Remote(api, CommandOutput(as_json=False)), "task")
    api.close()
    assert capsys.readouterr().err.splitlines() == [
        "It waits: Another analysis is running. It is of Ann. Place 2 in line.",
        "It waits: The model m is on no machine.",
    ]
