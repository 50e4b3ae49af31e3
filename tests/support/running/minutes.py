"""Where the minutes of a test run go: a table by folder, and the most expensive files and tests."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.running.processes import server_pid
from tests.support.running.processor_time import cpu_of_tree

_FROM_S = 60.0  # a shorter run needs no table
_MOST_EXPENSIVE = 10
_HEAD = f"{'CPU s':>8} {'wall s':>8} {'share':>6} {'tests':>6}"


@dataclass(eq=False)
class Minutes:
    """The time of every test with its fixtures.

    CPU seconds are those of all processes that a file of tests has started, once it has ended.
    """

    processes: int
    began: float = field(default_factory=time.monotonic)
    wall: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))  # by test
    cpu: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))  # by file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.wall[report.nodeid] += report.duration
        self.cpu[_file(report.nodeid)] += getattr(report, "cpu_s", 0.0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        wall = time.monotonic() - self.began
        if wall < _FROM_S:
            return
        terminalreporter.section("where the minutes go")
        for line in self.table():
            terminalreporter.line(line)
        terminalreporter.line(
            f"{sum(self.wall.values()) / 60:.1f} minutes of tests in {wall / 60:.1f} minutes,"
            f" in {self.processes or 1} processes at a time;"
            f" {cpu_of_tree(os.getpid()) / 60:.1f} CPU minutes with collection and fixtures"
        )

    def table(self) -> list[str]:
        """Return the lines: folders, then files by CPU time, then tests by wall time."""
        files: defaultdict[str, list[str]] = defaultdict(list)
        for test in self.wall:
            files[_file(test)].append(test)
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for file in files:
            folders[file.rpartition("/")[0]].append(file)
        lines = [f"{_HEAD}  folder, and its slowest test"]
        for folder in _most(folders, lambda folder: self._cpu_of(folders[folder])):
            tests = [test for file in folders[folder] for test in files[file]]
            slowest = max(tests, key=self.wall.__getitem__)
            lines.append(
                f"{self._row(folders[folder], tests)}  {folder}:"
                f" {self.wall[slowest]:.1f} s {slowest.removeprefix(folder + '/')}"
            )
        lines.append(f"{_HEAD}  the most expensive files")
        for file in _most(files, self.cpu.__getitem__)[:_MOST_EXPENSIVE]:
            lines.append(f"{self._row([file], files[file])}  {file}")
        lines.append(f"{'':8} {'wall s':>8}  the slowest tests")
        for test in _most(self.wall, self.wall.__getitem__)[:_MOST_EXPENSIVE]:
            lines.append(f"{'':8} {self.wall[test]:8.1f}  {test}")
        return lines

    def _row(self, files: list[str], tests: list[str]) -> str:
        wall, cpu = sum(map(self.wall.__getitem__, tests)), self._cpu_of(files)
        share = cpu / (sum(self.cpu.values()) or 1)
        return f"{cpu:8.1f} {wall:8.1f} {share:6.1%} {len(tests):6}"

    def _cpu_of(self, files: list[str]) -> float:
        return sum(map(self.cpu.__getitem__, files))


class _CpuOfFiles:
    """In a process that runs tests: adds the CPU time of a file to its last report."""

    def __init__(self) -> None:
        self._before = 0.0
        self._is_last = False

    def pytest_collection_finish(self) -> None:
        self._before = _cpu_of_all()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        self._is_last = nextitem is None or _file(item.nodeid) != _file(nextitem.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if self._is_last and call.when == "teardown":
            now = _cpu_of_all()
            report.cpu_s = now - self._before  # type: ignore[attr-defined]
            self._before = now
        return report


def pytest_configure(config: pytest.Config) -> None:
    is_one_of_several = hasattr(config, "workerinput")
    processes = len(config.getoption("tx", None) or [])
    if not is_one_of_several:
        config.pluginmanager.register(Minutes(processes))
    if not processes or is_one_of_several:
        config.pluginmanager.register(_CpuOfFiles())


def _cpu_of_all() -> float:
    server = server_pid()
    return cpu_of_tree(os.getpid()) + (cpu_of_tree(server) if server else 0.0)


def _most(names: Iterable[str], by: Callable[[str], float]) -> list[str]:
    return sorted(names, key=by, reverse=True)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
