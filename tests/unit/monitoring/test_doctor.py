"""Where `rushes doctor` can say nothing, that is the one finding; what it says hides secrets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from api.monitoring import doctor
from api.monitoring.doctor import Doctor, DoctorReport
from shared.settings import Settings
from tests.support.system.stopwatch import Stopwatch

_SECRETS = Settings(
    redis_url="redis://me:pass%20word@there:6379/0", license_keys=("key-of-the-studio",)
)


def report(monkeypatch: pytest.MonkeyPatch, program: str) -> DoctorReport:
    """With a program of Python's in place of the command line."""
    monkeypatch.setattr(doctor, "_COMMAND", ("-c", program))
    return asyncio.run(Doctor().report(_SECRETS))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import signal; signal.pause()", "has not ended within 0 s"),
        ("raise ValueError('pass word')", "has given no answer (ValueError: …)"),
        ("print('[]')", "has given no answer (it said nothing)"),
    ],
)
def test_a_doctor_without_an_answer_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    if "pause" in program:
        monkeypatch.setattr(doctor, "LIMIT_S", 0.2)
    found = report(monkeypatch, program)
    [finding] = found.findings
    assert (found.ok, finding.subject, finding.level) == (False, "doctor", "problem")
    assert said in finding.message
    assert finding.cure


def test_without_the_command_line_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _name: None)
    [finding] = report(monkeypatch, "").findings
    assert "the command line is not installed beside this API" in finding.message


def test_secrets_are_taken_out_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "import json; print(json.dumps({'ok': True, 'of a later version': 1, 'findings': ["
        "{'level': 'warning', 'subject': 'Redis', 'cure': 'not key-of-the-studio',"
        " 'message': 'redis://me:pass%20word@there and pass word and unix://:x@/a'}]}))"
    )
    [finding] = report(monkeypatch, said).findings
    assert finding.message == "redis://…@there and … and unix://…@/a"
    assert finding.cure == "not …"


def test_while_a_run_takes_long_the_last_result_is_returned_with_its_age(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = tmp_path / "held"
    program = (
        f'import os, time; p = {str(held)!r}; r = \'{{"ok": true, "findings": []}}\'\n'
        "while os.path.exists(p): time.sleep(0.01)\nprint(r)"
    )
    monkeypatch.setattr(doctor, "_COMMAND", ("-c", program))
    monkeypatch.setattr(doctor, "_FRESH_S", -1.0)  # each call wants a new result

    async def ask() -> None:
        asked = Doctor()
        first = await asked.report(_SECRETS)  # there is none before it: it waits
        held.touch()
        stopwatch = Stopwatch()
        second = await asked.report(_SECRETS)
        assert stopwatch.seconds() < 5
        assert second.checked_at == first.checked_at
        assert second.age_seconds >= round(doctor._ANSWERS_WITHIN_S, 1)
        awaited = asyncio.create_task(asked.report(_SECRETS, fresh=True))
        third = await asked.report(_SECRETS)
        assert third.checked_at == first.checked_at
        assert not awaited.done(), "fresh waits for a run of its own"
        held.unlink()
        fresh = await awaited
        assert fresh.checked_at > first.checked_at
        assert fresh.age_seconds < third.age_seconds

    asyncio.run(ask())
