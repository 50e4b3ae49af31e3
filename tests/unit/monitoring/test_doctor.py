"""Where `rushes doctor` can say nothing, that is the one finding; what it says hides secrets."""

from __future__ import annotations

import asyncio

import pytest

from api.monitoring import doctor
from api.monitoring.doctor import Doctor
from api.monitoring.doctor_answers import DoctorReport
from shared.settings import Settings

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
