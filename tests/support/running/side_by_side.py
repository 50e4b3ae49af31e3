"""Tests in several processes, by pytest-xdist: how many, and which file goes first.

A file goes to a process as a whole. A test that measures time does so with a Stopwatch
(tests/support/system/stopwatch.py), which does not count what others compute meanwhile. In one
process all of this is idle.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_MOST = 8  # each keeps a Redis, and some a whole stack with its models
# What they have in common takes longer than the tests: footage and its analysis, faces of photos,
# rows of pictures. They last longest, and start first.
_TOGETHER = ("tests/e2e/console/", "tests/quality/people/", "tests/quality/search/")
# Kinds of one tier take turns: those that compute run beside those that wait. Those of e2e follow
# one another, since they share a stack.
_TIERS = {"e2e": 0, "quality": 1, "faults": 1, "security": 1, "integration": 2}
_LAST_TIER = 3


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes for `-n auto`: two a core and one, since half is waiting; 0: in this one."""
    named = [Path(argument.partition("::")[0]) for argument in config.args]
    if all(path.is_file() for path in named) and len(set(named)) == 1:
        return 0
    return min(2 * len(os.sched_getaffinity(0)) + 1, _MOST)


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """In a new clone, compile the tests before all processes would: pytest rewrites their code."""
    if config.args != config.getini("testpaths") or sys.dont_write_bytecode:
        return
    compiled = f"*.{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
    files = {
        folder: len(list(folder.rglob("test_*.py")))
        for folder in (config.rootpath / "tests").iterdir()
        if folder.is_dir() and not any(folder.rglob(compiled))
    }
    parts: list[list[Path]] = [[] for _ in range(len(os.sched_getaffinity(0)))]
    for folder in sorted(filter(files.get, files), key=files.__getitem__, reverse=True):
        min(parts, key=lambda part: sum(map(files.__getitem__, part))).append(folder)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    compiling = [
        subprocess.Popen([*command, *part], stdout=subprocess.DEVNULL) for part in parts if part
    ]
    for process in compiling:
        process.wait()


class _ByFile(LoadScopeScheduling):
    """What goes to a process as a whole: a file, or a folder whose tests are together."""

    def schedule(self) -> None:
        self.config.option.loadscopereorder = False  # they are in order
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid) or _file(nodeid)

    def remove_node(self, node: WorkerController) -> str | None:
        """Return the test during which a process has ended. xdist's own would run it again."""
        crashed: str | None = None
        for tests in self.assigned_work.get(node, {}).values():
            crashed = crashed or next((test for test, done in tests.items() if not done), None)
            if crashed in tests:
                tests[crashed] = True
        super().remove_node(node)
        return crashed


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile | None:
    """Ours, unless `--dist` asks for one of xdist's."""
    return _ByFile(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Kinds of tests whose files are long start first."""
    if not hasattr(config, "workerinput"):
        return  # not one of several processes
    files: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for item in items:
        files[_kind(item)][_file(item.nodeid)] = None
    places = {
        path: (
            _TIERS.get(kind, _LAST_TIER),
            _together(path) is None,
            _together(path) or "",
            number / len(paths),
        )
        for kind, paths in files.items()
        for number, path in enumerate(paths)
    }
    items.sort(key=lambda item: places[_file(item.nodeid)])


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _together(nodeid: str) -> str | None:
    """The folder of a test whose tests are together."""
    return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), None)


def _kind(item: pytest.Item) -> str:
    """The folder below tests/: unit, contract and so on."""
    return item.nodeid.removeprefix("tests/").partition("/")[0]
