"""Tests in several processes, by pytest-xdist: how many, which file goes first, and who is alone.

A file goes to a process as a whole. Tests marked `quiet` compare clocks and mostly wait: they come
late, two at a time, and nothing else runs meanwhile. Those marked `alone` compute as well: they
come last, one after the other. In one process all of this is idle.
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
from xdist.workermanage import WorkerController

_MOST = 8  # each keeps a Redis, and some a whole stack with its models
_ALONE, _QUIET, _PLAIN = "alone", "quiet", "plain"
_LANES = ("quiet", "quiet and alone")  # the second does what is alone after its quiet ones
# What they have in common takes longer than the tests: footage and its analysis, faces of photos,
# rows of pictures. They last longest, and start first.
_TOGETHER = ("tests/e2e/console/", "tests/quality/people/", "tests/quality/search/")
# Kinds of one tier take turns: those that compute run beside those that wait. Those of e2e follow
# one another, since they share a stack.
_TIERS = {"e2e": 0, "quality": 1, "faults": 1, "integration": 2}
_LAST_TIER = 3
_TOLD = "rushes/lanes"  # in pytest's cache
_LOCKS = "rushes"  # a folder there


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes for `-n auto`: two a core and one, since half is waiting; 0: in this one."""
    named = [Path(argument.partition("::")[0]) for argument in config.args]
    if all(path.is_file() for path in named) and len(set(named)) == 1:
        return 0
    return min(2 * len(os.sched_getaffinity(0)) + 1, _MOST)


class _ByFile(LoadScopeScheduling):
    """What goes to a process as a whole: a file, a folder, or a lane of what compares clocks."""

    def schedule(self) -> None:
        self.config.option.loadscopereorder = False  # they are in order
        self._lanes = dict(self.config.cache.get(_TOLD, {}))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._lanes.get(nodeid) or _together(nodeid) or _file(nodeid)

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
    """Kinds of tests whose files are long start first, and what measures time comes last."""
    if _is_one_of_several(config):
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
        lanes = _lanes(items)
        items.sort(
            key=lambda item: (
                item in lanes,
                _LANES.index(lanes.get(item, _LANES[0])),
                _company(item) == _ALONE,
                *places[_file(item.nodeid)],
            )
        )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the process that schedules, which collects nothing itself, what is in which lane."""
    if _is_one_of_several(session.config):
        lanes = _lanes(session.items)
        session.config.cache.set(_TOLD, {item.nodeid: lane for item, lane in lanes.items()})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Wait for one's turn, outside of what a test may take."""
    if not _is_one_of_several(item.config):
        return (yield)
    with _turn(item.config.cache.mkdir(_LOCKS), _company(item)):
        return (yield)


@contextlib.contextmanager
def _turn(folder: Path, company: str) -> Iterator[None]:
    """Plain ones run beside plain ones, quiet ones beside quiet ones, and others alone.

    Whoever waits until others have ended keeps newcomers from the gate meanwhile.
    """
    with contextlib.ExitStack() as held:
        gate = held.enter_context((folder / "gate").open("a"))
        fcntl.flock(gate, fcntl.LOCK_EX)
        for of_kind in (_PLAIN, _QUIET):
            lock = held.enter_context((folder / of_kind).open("a"))
            fcntl.flock(lock, fcntl.LOCK_SH if company == of_kind else fcntl.LOCK_EX)
            if company not in (of_kind, _ALONE):
                fcntl.flock(lock, fcntl.LOCK_UN)  # they are waited for, no more
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def _lanes(items: list[pytest.Item]) -> dict[pytest.Item, str]:
    """Of tests that compare clocks: the files of quiet ones in turn, and all that are alone."""
    files: dict[str, str] = {}
    for item in sorted(items, key=lambda item: item.nodeid):
        if _company(item) == _QUIET:
            files.setdefault(_file(item.nodeid), _LANES[len(files) % len(_LANES)])
    lanes = {}
    for item in items:
        if _company(item) == _ALONE:
            lanes[item] = _LANES[-1]
        elif _company(item) == _QUIET:
            lanes[item] = files[_file(item.nodeid)]
    return lanes


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _together(nodeid: str) -> str | None:
    """The folder of a test whose tests are together."""
    return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), None)


def _kind(item: pytest.Item) -> str:
    """The folder below tests/: unit, contract and so on."""
    return item.nodeid.removeprefix("tests/").partition("/")[0]


def _company(item: pytest.Item) -> str:
    """With whom a test may run."""
    return next((kind for kind in (_ALONE, _QUIET) if item.get_closest_marker(kind)), _PLAIN)


def _is_one_of_several(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
