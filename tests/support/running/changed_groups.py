"""`python -m tests.support.running.changed_groups [BASE]`: names the groups whose inputs changed.

It compares the working tree with the commit BASE, else with the one for which `.ci/run` last
passed. Where neither is known every group counts as changed. Names go to stdout, reasons to stderr.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support.running.groups import GROUPS, SHARED_PATHS, Group, mentions

PROJECT = Path(__file__).resolve().parents[3]
PASSED = Path(".rushes", "ci", "passed")


def find_base(project: Path, named: str = "") -> str | None:
    """Return the commit to compare with; None if there is none in this clone."""
    if named:
        return _git(project, "rev-parse", "--verify", "--end-of-options", f"{named}^{{commit}}")
    try:
        noted = (project / PASSED).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    is_ancestor = _git(project, "merge-base", "--is-ancestor", noted, "HEAD") is not None
    return noted if is_ancestor else None


def changed_paths(project: Path, base: str) -> list[str] | None:
    """List files that differ from a commit, untracked ones included; None if git cannot tell."""
    differing = _git(project, "diff", "--name-only", "--relative", "--no-renames", "-z", base)
    untracked = _git(project, "ls-files", "--others", "--exclude-standard", "-z")
    if differing is None or untracked is None:
        return None
    return [path for path in f"{differing}\0{untracked}".split("\0") if path]


def find_inputs(project: Path, group: Group, changed: Iterable[str]) -> list[str]:
    """Return those of the changed files on which results of the group depend."""
    places = (*group.paths, *SHARED_PATHS)
    return [
        path
        for path in changed
        if any(path == place or path.startswith(f"{place}/") for place in places)
        or _holds_tests_of(project / path, group)
    ]


def _holds_tests_of(path: Path, group: Group) -> bool:
    is_test = path.match("test_*.py") and path.is_file()
    return is_test and mentions(path.read_text(encoding="utf-8"), group)


def changed_groups(project: Path, named_base: str = "") -> dict[str, str]:
    """Map the marker of each group that CI has to run to the reason, in a few words."""
    groups = [group for group in GROUPS if group.paths]
    base = find_base(project, named_base)
    changed = None if base is None else changed_paths(project, base)
    if base is None or changed is None:
        reason = f"{named_base} is not a commit here" if named_base else "no run has passed here"
        return {group.marker: reason for group in groups}
    inputs = {group.marker: find_inputs(project, group, changed) for group in groups}
    return {
        marker: f"{len(paths)} files changed since {base[:10]}, such as {paths[0]}"
        for marker, paths in inputs.items()
        if paths
    }


def _git(project: Path, *words: str) -> str | None:
    """Return what git prints; None if it fails or is missing."""
    command = ["git", "-C", str(project), *words]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return result.stdout.strip("\n") if result.returncode == 0 else None


def main(arguments: list[str]) -> None:
    for marker, reason in changed_groups(PROJECT, *arguments[:1]).items():
        print(marker)
        print(f"ci: {marker} runs: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
