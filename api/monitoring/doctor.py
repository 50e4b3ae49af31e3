"""`rushes doctor` run by the API: in a process of its own, which ends in time and with the API."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import signal
import socket
import sys
import time
import urllib.parse
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from shared.msgspec_decoding import UNDECODABLE
from shared.settings import PARENT_FD, Settings

LIMIT_S = 100.0  # its own checks end within 75 s
_FRESH_S = 10.0  # so long an answer is given again
_ANSWERS_WITHIN_S = 1.8  # where there is an older result; all checks take 1.5 s on an idle machine
_LARGEST = 4 << 20  # bytes of an answer
_HIDDEN = "…"
_LEAST_SECRET = 4  # characters: fewer stand in every sentence
_LOGIN = re.compile(r"(?<=://)[^/@\s]*@")
_COMMAND = ("-m", "cli.commands.doctor")


class DoctorFinding(Struct, kw_only=True):
    """Result of a check."""

    subject: Annotated[str, Meta(examples=["disk space"])]
    """What was looked at."""
    level: Annotated[
        Literal["ok", "warning", "problem"], Meta(title="FindingLevel", examples=["warning"])
    ]
    """How it is."""
    message: Annotated[str, Meta(examples=["900 MB are free on the disk of /mnt/show1"])]
    """Half of a sentence, without a full stop."""
    cure: Annotated[str, Meta(examples=["make room there"])] | None
    """What mends it; null: nothing to mend."""


class DoctorReport(Struct, kw_only=True):
    """What `rushes doctor` says on the machine of the API process."""

    ok: Annotated[bool, Meta(examples=[True])]
    """There is no problem; there may be warnings."""
    checked_at: Annotated[float, Meta(examples=[1764028800.0])]
    """When it was looked, Unix seconds."""
    age_seconds: Annotated[float, Meta(examples=[1.4])] = 0.0
    """Seconds since `checked_at`."""
    host: Annotated[str, Meta(examples=["edit3"])]
    """The machine, or container, that this is about."""
    findings: list[DoctorFinding]
    """In the order of the checks."""


class _SaidReport(msgspec.Struct):
    """The document of the command line."""

    ok: bool
    findings: list[DoctorFinding]


class Doctor:
    """Runs `rushes doctor`: never twice at once, and not while its last result is recent."""

    def __init__(self) -> None:
        self._run: asyncio.Task[None] | None = None
        self._last: DoctorReport | None = None
        self._ended_at = 0.0  # on the clock of time.monotonic

    async def report(self, settings: Settings, *, fresh: bool = False) -> DoctorReport:
        """Return a recent result, or a new one; while that takes long, the last one with its age.

        `fresh`: wait for a run that begins after this call.
        """
        if fresh and self._run is not None:
            await asyncio.wait({self._run})
        if fresh or self._last is None or time.monotonic() - self._ended_at > _FRESH_S:
            if self._run is None or self._run.done():
                self._run = asyncio.create_task(self._look(settings), name="doctor")
            limit = None if fresh or self._last is None else _ANSWERS_WITHIN_S
            for ended in (await asyncio.wait({self._run}, timeout=limit))[0]:
                ended.result()  # raises what the run did
        assert self._last is not None
        age = max(0.0, time.time() - self._last.checked_at)
        return msgspec.structs.replace(self._last, age_seconds=round(age, 1))

    async def _look(self, settings: Settings) -> None:
        self._last = await _ask(_secrets(settings))
        self._ended_at = time.monotonic()


async def _ask(secrets: list[str]) -> DoctorReport:
    now = time.time()
    if importlib.util.find_spec("cli") is None:
        return _unable(
            now,
            "the command line is not installed beside this API",
            "run `rushes doctor` where Rushes is installed whole",
        )
    try:
        out, err = await _run()
    except TimeoutError:
        return _unable(
            now,
            f"`rushes doctor` has not ended within {LIMIT_S:.0f} s",
            "run it in a terminal on this machine, and see whether a disk or a share hangs",
        )
    except OSError as error:
        why = f"`rushes doctor` cannot be started ({error.strerror or error})"
        return _unable(now, why, "see how much memory and how many processes are left")
    try:
        said = msgspec.json.decode(out, type=_SaidReport)
    except UNDECODABLE:
        last = _hidden((err.strip().splitlines() or ["it said nothing"])[-1], secrets)
        why = f"`rushes doctor` has given no answer ({last})"
        return _unable(now, why, "run it in a terminal on this machine")
    return DoctorReport(
        ok=said.ok,
        checked_at=round(now, 3),
        host=socket.gethostname(),
        findings=[
            msgspec.structs.replace(
                one,
                message=_hidden(one.message, secrets),
                cure=_hidden(one.cure or "", secrets) or None,
            )
            for one in said.findings
        ],
    )


def _hidden(text: str, secrets: list[str]) -> str:
    """A text without what is nobody's to read, wherever a check may have put it."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return _LOGIN.sub(f"{_HIDDEN}@", text)


async def _run() -> tuple[str, str]:
    """Output and errors of the command. Its processes are gone in any case.

    Raises TimeoutError and OSError.
    """
    reading, writing = os.pipe()  # it ends when nobody holds the writing end any more
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *_COMMAND,
            env={**os.environ, PARENT_FD: str(reading)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(reading,),
            start_new_session=True,
            limit=_LARGEST,
        )
        try:
            async with asyncio.timeout(LIMIT_S):
                out, err = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
    finally:
        os.close(reading)
        os.close(writing)
    return out[:_LARGEST].decode(errors="replace"), err[:_LARGEST].decode(errors="replace")


def _unable(now: float, message: str, cure: str) -> DoctorReport:
    """A report that says why there is none."""
    finding = DoctorFinding(subject="doctor", level="problem", message=message, cure=cure)
    return DoctorReport(
        ok=False, checked_at=round(now, 3), host=socket.gethostname(), findings=[finding]
    )


def _secrets(settings: Settings) -> list[str]:
    """Texts that must not be answered, the longest first."""
    found = set(settings.license_keys)
    if password := urllib.parse.urlsplit(settings.redis_url or "").password:
        found |= {password, urllib.parse.unquote(password)}
    found = {secret for secret in found if len(secret) >= _LEAST_SECRET}
    return sorted(found, key=len, reverse=True)
