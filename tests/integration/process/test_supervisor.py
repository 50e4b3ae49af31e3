"""The supervisor's children are real processes with one behaviour each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cli import up
from cli.processes.private_redis import lives
from cli.up import Child, LifeLine
from tests.support.waiting import wait_for

PROGRAMS = Path(__file__).resolve().parents[2] / "support" / "programs"


def child(program: str, *arguments: object) -> Child:
    command = (sys.executable, str(PROGRAMS / program), *map(str, arguments))
    return Child(program, command, LifeLine())


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_for, condition, 10, "what the test says")


def supervised(one: Child, scenario: Callable[[Child], Awaitable[None]]) -> None:
    async def run() -> None:
        keeping = asyncio.create_task(one.keep())
        try:
            await scenario(one)
        finally:
            await one.stop()
            await keeping

    try:
        asyncio.run(run())
    finally:
        one.life_line.close()


def pids(folder: Path) -> list[int]:
    return [int(name.name) for name in sorted(folder.iterdir(), key=lambda f: f.stat().st_mtime)]


def test_a_killed_child_comes_back(tmp_path: Path) -> None:
    async def scenario(one: Child) -> None:
        await until(lambda: len(pids(tmp_path)) == 1)
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        await until(lambda: len(pids(tmp_path)) == 2)

    supervised(child("notes_its_pid.py", tmp_path), scenario)
    assert not any(lives(pid) for pid in pids(tmp_path))


def test_a_child_that_always_fails_at_once_is_tried_again_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(up, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(up, "LONGEST_PAUSE_S", 0.05)

    async def scenario(one: Child) -> None:
        await until(lambda: one.starts >= 8)

    supervised(child("always_fails.py"), scenario)
    pauses = [line.split()[-2] for line in caplog.messages if "starting it again" in line]
    assert pauses[:7] == ["0.01", "0.01", "0.01", "0.02", "0.04", "0.05", "0.05"]
    assert "ended with exit status 7" in caplog.text


def test_a_child_that_does_not_end_at_once_starts_again_after_the_first_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(up, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(up, "AT_ONCE_S", 0.0)

    async def scenario(one: Child) -> None:
        await until(lambda: one.starts >= 6)

    supervised(child("always_fails.py"), scenario)
    pauses = {line.split()[-2] for line in caplog.messages if "starting it again" in line}
    assert pauses == {"0.01"}


def test_ends_for_different_reasons_are_not_again_and_again() -> None:
    ends = ("was ended by SIGKILL", "ended with exit status 1") * 20
    pauses = up._Pauses()
    assert {pauses.after(end, 1.0) for end in ends} == {up.FIRST_PAUSE_S}


def test_a_child_that_is_killed_again_and_again_while_it_works_is_back_within_two_seconds() -> None:
    pauses = up._Pauses()
    assert {pauses.after("was ended by SIGKILL", 6.0) for _ in range(40)} == {0.5}


def test_a_child_that_cannot_be_started_at_all_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(up, "FIRST_PAUSE_S", 0.01)
    program = tmp_path / "later"

    async def scenario(one: Child) -> None:
        await until(lambda: "could not be started" in caplog.text)
        program.symlink_to("/bin/cat")
        await until(lambda: one.starts >= 1)

    supervised(Child("later", (str(program),), LifeLine()), scenario)


def test_a_child_deaf_to_sigterm_is_killed_with_its_own_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(up, "TERM_TO_KILL_S", 0.3)

    async def scenario(one: Child) -> None:
        await until(lambda: len(pids(tmp_path)) == 2)

    supervised(child("is_deaf_and_has_a_child.py", tmp_path), scenario)
    wait_for(lambda: not any(map(lives, pids(tmp_path))), 10, "the end of the killed session")


def test_what_a_dead_child_leaves_behind_is_killed_before_it_starts_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(up, "TERM_TO_KILL_S", 0.3)

    async def scenario(one: Child) -> None:
        await until(lambda: len(pids(tmp_path)) == 2)
        first = pids(tmp_path)
        assert one.process is not None
        os.kill(one.process.pid, signal.SIGKILL)
        await until(lambda: len(pids(tmp_path)) == 4)
        assert all(map(is_killed, first))

    supervised(child("is_deaf_and_has_a_child.py", tmp_path), scenario)


def is_killed(pid: int) -> bool:
    """Return True if it has ended, or cannot but end: SIGKILL waits for it to get a processor."""
    with contextlib.suppress(OSError):
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
        return bool(pending >> (signal.SIGKILL - 1) & 1) or not lives(pid)
    return True


def test_a_child_that_hears_nothing_of_its_parent_any_more_ends_itself(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    async def run() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAMS / "watches_its_parent.py"),
            str(tmp_path),
            env={**os.environ, "RUSHES_PARENT_FD": str(reading)},
            pass_fds=(reading,),
        )
        os.close(reading)
        await until(lambda: len(pids(tmp_path)) == 1)
        os.close(writing)
        return await asyncio.wait_for(process.wait(), 10)

    assert asyncio.run(run()) == -signal.SIGTERM


def test_a_child_deaf_to_sigterm_ends_hard_when_its_parent_is_gone(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    async def run() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAMS / "watches_its_parent.py"),
            str(tmp_path),
            "deaf",
            env={**os.environ, "RUSHES_PARENT_FD": str(reading)},
            pass_fds=(reading,),
        )
        os.close(reading)
        await until(lambda: len(pids(tmp_path)) == 1)
        os.close(writing)
        return await asyncio.wait_for(process.wait(), 10)

    assert asyncio.run(run()) == 1
