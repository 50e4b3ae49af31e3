"""Finding of a check: fine, a warning or a problem, and what cures it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from shared.errors import SettingsError

Level = Literal["ok", "warning", "problem"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check; `message` and `cure` are halves of a sentence without a full stop."""

    level: Level
    subject: str
    message: str
    cure: str = ""

    @property
    def sentence(self) -> str:
        message = self.message[:1].upper() + self.message[1:]
        return f"{message}: {self.cure}." if self.cure else f"{message}."


def fine(subject: str, message: str) -> Finding:
    return Finding("ok", subject, message)


def warning(subject: str, message: str, cure: str) -> Finding:
    return Finding("warning", subject, message, cure)


def problem(subject: str, message: str, cure: str) -> Finding:
    return Finding("problem", subject, message, cure)


def refuse_problems(findings: Iterable[Finding]) -> list[Finding]:
    """The warnings among findings. Raises SettingsError with the first problem's sentence."""
    warnings = []
    for finding in findings:
        if finding.level == "problem":
            raise SettingsError(finding.sentence)
        if finding.level == "warning":
            warnings.append(finding)
    return warnings


def within(seconds: float, call: Callable[[], T]) -> T:
    """The result of `call`; TimeoutError when it hangs, as shares do that are away."""
    result: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:  # noqa: BLE001 (raised again below)
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not result:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return result[0]
