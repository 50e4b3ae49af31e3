"""Selects the tests of a run: the short run, named groups (`--groups`), or everything.

The short run excludes the tests of all groups, except those marked `short` and those of a file that
the command line names. An `-m` of the command line replaces this rule.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import long_form
from tests.support.running.groups import ALL, GROUPS, SHORT, mentions

_EXCLUDED = pytest.StashKey[Counter[str]]()
_SENT = "excluded by group"  # from a process of pytest-xdist to the one that reports


def pytest_addoption(parser: pytest.Parser) -> None:
    names = ", ".join(group.marker for group in GROUPS)
    parser.addoption(
        "--groups", default="", help=f"run these groups of tests alone ({names}), or {ALL}"
    )


def pytest_configure(config: pytest.Config) -> None:
    for group in GROUPS:
        config.addinivalue_line("markers", f"{group.marker}: {group.reason}; not in the short run")
    config.addinivalue_line("markers", f"{SHORT}: of a group, but quick: in the short run, too")
    config.stash[_EXCLUDED] = Counter()
    long_form.is_long = ALL in _named_groups(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip files without tests of the named groups: importing all takes each process 10 seconds."""
    names = _named_groups(config)
    if not names or ALL in names or not collection_path.match("test_*.py"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    wanted = [group for group in GROUPS if group.marker in names]
    return None if any(mentions(text, group) for group in wanted) else True


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = _named_groups(config)
    if ALL in names or (not names and config.getoption("markexpr")):
        return
    named_files = {Path(argument.partition("::")[0]).absolute() for argument in config.args}
    kept: list[pytest.Item] = []
    excluded: list[pytest.Item] = []
    for item in items:
        groups = [g for g in GROUPS if item.get_closest_marker(g.marker)]
        if names:
            is_kept = any(group.marker in names for group in groups)
        else:
            is_kept = not groups or _is_short(item) or item.path in named_files
            config.stash[_EXCLUDED].update([] if is_kept else [groups[0].marker])
        (kept if is_kept else excluded).append(item)
    if excluded:
        items[:] = kept
        config.hook.pytest_deselected(items=excluded)


def _is_short(item: pytest.Item) -> bool:
    return item.get_closest_marker(SHORT) is not None


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_SENT] = dict(session.config.stash[_EXCLUDED])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process has excluded; all of them exclude the same."""
    node.config.stash[_EXCLUDED] = Counter(getattr(node, "workeroutput", {}).get(_SENT, {}))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Report in one line, the last of the run, what it has excluded."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    excluded = config.stash[_EXCLUDED]
    if reporter is None or not excluded:
        return
    parts = [
        f"{group.marker} {excluded[group.marker]} ({group.reason})"
        for group in GROUPS
        if excluded[group.marker]
    ]
    reporter.write_line(
        f"Not run, tests of groups: {', '.join(parts)}. "
        "Run a group with `scripts/test NAME`, everything with `scripts/test all`."
    )


def _named_groups(config: pytest.Config) -> set[str]:
    names = set(filter(None, config.getoption("groups").split(",")))
    known = {group.marker for group in GROUPS} | {ALL}
    if unknown := sorted(names - known):
        raise pytest.UsageError(
            f"there is no group {', '.join(unknown)} of tests, only {', '.join(sorted(known))}"
        )
    return names
