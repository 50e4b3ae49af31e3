"""Tests in several processes, by pytest-xdist: how many, which file goes first, and who is alone.

A file goes to a process as a whole. Tests marked `alone` compare clocks: they come last, one after
the other, and nothing else runs meanwhile. In one process all of this is idle.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

_MOST = 8  # each keeps a Redis, and some a whole stack with its models
_ALONE = "alone"
# Locked, never written. Whoever wants the lock for itself keeps others from the gate meanwhile.
_LOCK = Path(__file__)
_GATE = Path(__file__).with_name("__init__.py")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes for `-n auto`: two a core, since half of the time is waiting; 0: in this one."""
    named = [Path(argument.partition("::")[0]) for argument in config.args]
    if all(path.is_file() for path in named) and len(set(named)) == 1:
        return 0
    return min(2 * len(os.sched_getaffinity(0)), _MOST)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files start first, and what measures time comes last."""
    if not _is_one_of_several(config):
        return
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    for item in items:
        alone = item.get_closest_marker(_ALONE)
        item.add_marker(pytest.mark.xdist_group(_ALONE if alone else _file_of(item)))
    items.sort(key=lambda item: (_is_alone(item), item.path not in slow))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Take the groups out of the names again, once xdist has told them."""
    if _is_one_of_several(session.config):
        for item in session.items:
            name, _, group = item.nodeid.rpartition("@")
            if name and group in (_ALONE, _file_of(item)):
                item._nodeid = name


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Wait for one's turn, outside of what a test may take."""
    if not _is_one_of_several(item.config):
        return (yield)
    with _turn(alone=_is_alone(item)):
        return (yield)


@contextlib.contextmanager
def _turn(*, alone: bool) -> Iterator[None]:
    with _LOCK.open() as lock:
        with _GATE.open() as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker(_ALONE) is not None


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _is_one_of_several(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
