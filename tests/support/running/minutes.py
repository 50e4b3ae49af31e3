"""Where the minutes of a test run go: a table by folder, and the slowest tests."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

_FROM_S = 60.0  # a shorter run needs no table
_SLOWEST = 15


@dataclass(eq=False)
class Minutes:
    """What every test took, with what it set up and cleared away; waiting for a turn is not in."""

    processes: int
    began: float = field(default_factory=time.monotonic)
    took: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.took[report.nodeid] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        wall = time.monotonic() - self.began
        if wall < _FROM_S:
            return
        terminalreporter.section("where the minutes go")
        for line in self.table():
            terminalreporter.line(line)
        total = sum(self.took.values())
        terminalreporter.line(
            f"{total / 60:.1f} minutes of tests in {wall / 60:.1f} minutes,"
            f" in {self.processes or 1} processes at a time"
        )

    def table(self) -> list[str]:
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for test in self.took:
            folders[test.partition("::")[0].rpartition("/")[0]].append(test)
        rows = sorted(((sum(map(self.took.__getitem__, t)), f, t) for f, t in folders.items()))
        total = sum(self.took.values())
        lines = [f"{'seconds':>8} {'share':>6} {'tests':>6}  folder, and its slowest test"]
        for seconds, folder, tests in reversed(rows):
            slowest = max(tests, key=self.took.__getitem__)
            lines.append(
                f"{seconds:8.1f} {seconds / total:6.1%} {len(tests):6}  {folder}:"
                f" {self.took[slowest]:.1f} s {slowest.removeprefix(folder + '/')}"
            )
        lines.append(f"{'seconds':>8}  the slowest tests")
        for test in sorted(self.took, key=self.took.__getitem__, reverse=True)[:_SLOWEST]:
            lines.append(f"{self.took[test]:8.1f}  {test}")
        return lines


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Minutes(len(config.getoption("tx", None) or [])))
