"""Finding of a check: fine, a warning or a problem, and what cures it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
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
    return in_thread(call).result(seconds)


def in_thread(call: Callable[[], T]) -> Future[T]:
    """The result to be of a call that may hang for ever: no end of this process waits for it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised again by `result`)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
