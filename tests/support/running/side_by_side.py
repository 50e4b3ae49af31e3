"""Tests in several processes, by pytest-xdist: how many, which file goes first, and who is alone.

A file goes to a process as a whole. Tests marked `alone` compare clocks: they come last, one after
the other, and nothing else runs meanwhile. In one process all of this is idle.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_MOST = 8  # each keeps a Redis, and some a whole stack with its models
_ALONE = "alone"
_TOGETHER = ("tests/e2e/console/",)  # their footage and its analysis take longer than the tests
# Kinds of one tier take turns: those that compute run beside those that wait.
_TIERS = {"quality": 0, "e2e": 0, "faults": 0, "integration": 1}
_LAST_TIER = 2
_TOLD = "rushes/alone"  # in pytest's cache
_LOCKS = "rushes"  # a folder there


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes for `-n auto`: two a core and one, since half is waiting; 0: in this one."""
    named = [Path(argument.partition("::")[0]) for argument in config.args]
    if all(path.is_file() for path in named) and len(set(named)) == 1:
        return 0
    return min(2 * len(os.sched_getaffinity(0)) + 1, _MOST)


class _ByFile(LoadScopeScheduling):
    """What goes to a process as a whole: a file, a folder, or all tests that are alone."""

    def schedule(self) -> None:
        self.config.option.loadscopereorder = False  # they are in order
        self._alone = set(self.config.cache.get(_TOLD, []))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        if nodeid in self._alone:
            return _ALONE
        folder = next((one for one in _TOGETHER if nodeid.startswith(one)), None)
        return folder or nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile | None:
    """Ours, unless `--dist` asks for one of xdist's."""
    return _ByFile(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Kinds of tests whose files are long start first, and what measures time comes last."""
    if _is_one_of_several(config):
        files: defaultdict[str, dict[Path, None]] = defaultdict(dict)
        for item in items:
            files[_kind(item)][item.path] = None
        places = {
            path: (_TIERS.get(kind, _LAST_TIER), number / len(paths))
            for kind, paths in files.items()
            for number, path in enumerate(paths)
        }
        items.sort(key=lambda item: (_is_alone(item), *places[item.path]))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the process that schedules, which collects nothing itself, who is alone."""
    if _is_one_of_several(session.config):
        session.config.cache.set(_TOLD, [item.nodeid for item in session.items if _is_alone(item)])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Wait for one's turn, outside of what a test may take."""
    if not _is_one_of_several(item.config):
        return (yield)
    with _turn(item.config.cache.mkdir(_LOCKS), alone=_is_alone(item)):
        return (yield)


@contextlib.contextmanager
def _turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Whoever wants the lock for itself keeps others from the gate until it has it."""
    with (folder / "lock").open("a") as lock:
        with (folder / "gate").open("a") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def _kind(item: pytest.Item) -> str:
    """The folder below tests/: unit, contract and so on."""
    return item.nodeid.removeprefix("tests/").partition("/")[0]


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker(_ALONE) is not None


def _is_one_of_several(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
