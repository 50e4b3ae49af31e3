"""The audit log read backwards: pages that stay right while it grows and its files are renamed."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from shared import audit
from shared.audit import AuditLine, AuditLog, AuditWish
from shared.errors import BadInput


def written(log: AuditLog, *numbers: int, action: str = "analyze") -> None:
    for number in numbers:
        log.write(AuditLine(at=str(number), action=action, key_id="k", details={"n": "x" * 40}))


def page(log: AuditLog, limit: int = 3, after: str = "", **words: str) -> tuple[list[int], str]:
    lines, following = log.page(AuditWish(limit=limit, **words), after)
    return [int(line.at) for line in lines], following or ""


def all_of(log: AuditLog, limit: int = 3, **words: str) -> list[int]:
    found, after = page(log, limit, **words)
    while after:
        more, after = page(log, limit, after, **words)
        found += more
    return found


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    """Some lines fill a file."""
    monkeypatch.setattr(audit, "LARGEST", 400)
    return AuditLog(tmp_path)


def test_pages_go_backwards_through_all_files(log: AuditLog, tmp_path: Path) -> None:
    assert page(log) == ([], ""), "there is no log yet"
    written(log, *range(20))
    assert len([*tmp_path.glob("audit*.jsonl")]) > 3
    assert all_of(log) == [*range(19, -1, -1)]
    assert all_of(log, 1) == [*range(19, -1, -1)]
    assert page(log, 20) == ([*range(19, -1, -1)], ""), "nothing follows the last line"


def test_a_page_goes_on_where_it_was_while_lines_come_and_files_are_renamed(
    log: AuditLog,
) -> None:
    written(log, *range(12))
    found, after = page(log)
    for number in range(12, 30):
        written(log, number)
        more, _ = page(log, 3, after)
        assert (found, more) == ([11, 10, 9], [8, 7, 6])
    written(log, *range(30, 100))
    assert page(log, 3, after) == ([], ""), "its file was removed: nothing is older"


def test_a_torn_line_hides_no_other(log: AuditLog, tmp_path: Path) -> None:
    written(log, 1, 2)
    path = tmp_path / "audit.jsonl"
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"at":"3","action":"ana')
    assert all_of(log) == [2, 1]
    _, after = page(log, 1)
    written(log, 4)
    assert all_of(log) == [4, 2, 1]
    assert page(log, 1, after) == ([1], "")
    path.write_bytes(b"\x00\xff\n" + whole + b"[]\n\n" + b'{"at":"9","action":"a","new":[1]}\n')
    assert all_of(log) == [9, 2, 1], "with fields of another version"


def test_lines_are_chosen_by_what_they_name(log: AuditLog) -> None:
    written(log, 1, 3)
    written(log, 2, action="load_model")
    log.write(AuditLine(at="4", action="other", key_id="é", details={"like": "load_model"}))
    assert all_of(log, action="load_model") == [2]
    assert all_of(log, key_id="é") == [4]
    assert all_of(log, 1, action="analyze", key_id="k") == [3, 1]
    assert all_of(log, task_id="t") == []
    with pytest.raises(BadInput, match="after must be the `next`"):
        page(log, 3, "12-x")


def test_a_large_log_is_read_from_its_end(tmp_path: Path) -> None:
    line = AuditLine(at="1", action="analyze", key_id="k", details={"paths": ["x" * 400]})
    with (tmp_path / "audit.jsonl").open("wb") as file:
        file.write((msgspec.json.encode(line) + b"\n") * 60_000)  # just below 32 MB
    log = AuditLog(tmp_path)
    written(log, 2)
    began = time.process_time()
    assert page(log, 2)[0] == [2, 1]
    assert time.process_time() - began < 0.1, "it does not read all of it"
    assert all_of(log, 1000, key_id="nobody") == []
