"""`scripts/setup samples` by itself, where only the extra `lite` is installed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.support.stack import PROJECT

NAMES = "import sys, tests.support.samples; print(*sys.modules)"


def test_what_fetches_samples_imports_nothing_that_only_the_tests_bring() -> None:
    result = subprocess.run(
        [sys.executable, "-c", NAMES], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    brought_by = packages_distributions()
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = " ".join(project["optional-dependencies"]["test"])
    only_for_tests = {
        module
        for module in loaded
        if any(f"{package}>=" in told for package in brought_by.get(module, ()))
    }
    assert only_for_tests == set()
