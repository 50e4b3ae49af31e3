"""Groups of tests that the short run excludes: the reason, and what their results depend on."""

from __future__ import annotations

from dataclasses import dataclass

ALL = "all"  # names every group, and the long form of tests that have one
SHORT = "short"  # marks a test of a group that the short run takes all the same


@dataclass(frozen=True)
class Group:
    """Tests that carry `marker`.

    `paths`: files and folders, relative to the project. A change in one of them can change a
    result, so `.ci/run` then runs the group. Files that hold tests of the group count without being
    listed, and so does what all groups share. The group `studio` has none: CI always runs it.
    """

    marker: str
    reason: str
    paths: tuple[str, ...] = ()


GROUPS = (
    Group(
        "quality",
        "measure models on labelled material",
        (
            *("api/cache", "api/people", "api/search", "cli/demo", "shared", "workers"),
            *("tests/contract/models", "tests/quality"),
        ),
    ),
    Group(
        "soak",
        "load a whole server for a minute each",
        ("api", "benchmarks", "cli", "shared", "workers"),
    ),
    Group(
        "releases",
        "run processes of an earlier commit beside today's",
        (
            *("api/cache", "api/people", "api/query_client.py", "api/realtime", "api/search"),
            *("api/tasks", "api/watch", "shared", "workers"),
        ),
    ),
    Group("studio", "need torch and open_clip"),
    Group(
        "generators",
        "generate and compile API clients",
        ("api/docs", "docs/api", "docs/guides/clients.md", "tests/clients"),
    ),
)
SHARED_PATHS = (
    *(".ci/run", "pyproject.toml", "scripts/setup", "scripts/test"),
    *("tests/conftest.py", "tests/support"),
)


def mentions(text: str, group: Group) -> bool:
    """Return True if the source of a test file marks tests with the group's marker."""
    return f"mark.{group.marker}" in text
