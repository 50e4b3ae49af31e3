"""Groups of tests: which the short run takes, and which CI runs after a change."""

from __future__ import annotations

import ast
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running.changed_groups import PASSED, changed_groups
from tests.support.running.groups import GROUPS, SHARED_PATHS, SHORT, Group, mentions
from tests.support.stack import PROJECT

TEST_FILES = sorted((PROJECT / "tests").rglob("test_*.py"))
FILES = {
    "test_mixed.py": """
import pytest
from tests.support.running.long_form import by_form
def test_plain(): pass
def test_form(): assert by_form(short="short", long="long") == "long"
@pytest.mark.quality
def test_measures(): pass
@pytest.mark.quality
@pytest.mark.short
def test_measures_a_little(): pass
""",
    "test_torch.py": """
import pytest
pytestmark = pytest.mark.studio
def test_torch(): pass
""",
    "test_plain_only.py": "def test_other(): pass",
}
# Many runs in one process: to import pytest takes longer than a run.
PROGRAM = """
import json, sys
import pytest
for arguments in json.loads(sys.argv[1]):
    status = pytest.main(["-q", "-rA", "-p", "no:hypothesispytest", *arguments])
    print(f"status {int(status)}", flush=True)
    print("=== end of the run", flush=True)
"""
RUNS = {
    "short": ["-n", "1"],
    "group": ["--groups=quality"],
    "all": ["--groups=all"],
    "file": ["test_torch.py", "test_plain_only.py"],
    "expression": ["-m", "quality and not short"],
    "unknown": ["--groups=qualty"],
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each of RUNS prints in a project of three files."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.support.running.selection"]\n')
    for name, text in FILES.items():
        (folder / name).write_text(text)
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(list(RUNS.values()))],
        cwd=folder,
        env={"PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return dict(zip(RUNS, result.stdout.split("=== end of the run\n"), strict=False))


def names(output: str) -> set[str]:
    """The tests that have run."""
    return {
        line.split("::")[1].split()[0]
        for line in output.splitlines()
        if line.startswith(("PASSED ", "FAILED "))
    }


def test_the_short_run_excludes_groups_and_says_in_its_last_line_what_and_how_to_run_it(
    outputs: dict[str, str],
) -> None:
    short = outputs["short"]
    assert names(short) == {"test_plain", "test_form", "test_measures_a_little", "test_other"}
    assert short.splitlines()[-2] == (
        "Not run, tests of groups: quality 1 (measure models on labelled material), "
        "studio 1 (need torch and open_clip). "
        "Run a group with `scripts/test NAME`, everything with `scripts/test all`."
    )


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("group", {"test_measures", "test_measures_a_little"}),
        ("file", {"test_torch", "test_other"}),
        ("expression", {"test_measures"}),
    ],
)
def test_what_is_named_runs_and_nothing_is_said(
    outputs: dict[str, str], run: str, expected: set[str]
) -> None:
    assert names(outputs[run]) == expected
    assert "status 0" in outputs[run]
    assert "Not run" not in outputs[run]


def test_all_takes_every_group_and_the_long_form(outputs: dict[str, str]) -> None:
    assert len(names(outputs["all"])) == 6
    assert "status 0" in outputs["all"]
    assert "FAILED test_mixed.py::test_form" in outputs["short"]


def test_an_unknown_group_is_a_sentence(outputs: dict[str, str]) -> None:
    assert "status 4" in outputs["unknown"]
    assert "no group qualty of tests, only all, generators, quality, releases" in outputs["unknown"]


def test_every_folder_of_tests_is_in_the_short_run() -> None:
    """By files that have no test of a group, or one that is marked `short`."""
    of_folders: dict[Path, list[bool]] = {}
    for path in TEST_FILES:
        text = path.read_text(encoding="utf-8")
        has_group = any(mentions(text, group) for group in GROUPS)
        of_folders.setdefault(path.parent, []).append(not has_group or f"mark.{SHORT}" in text)
    assert [str(folder) for folder, are_in in of_folders.items() if not any(are_in)] == []


def test_the_page_of_contributors_has_every_group_with_its_reason() -> None:
    page = (PROJECT / "docs" / "contributing.md").read_text(encoding="utf-8")
    rows = [f"| `{group.marker}` | {group.reason} |" for group in GROUPS]
    assert [row for row in rows if row not in page] == []


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.marker)
def test_what_tests_of_a_group_import_of_ours_is_among_its_paths(group: Group) -> None:
    places = [PROJECT / path for path in (*group.paths, *SHARED_PATHS)]
    assert [place for place in places if not place.exists()] == []
    files = [path for path in TEST_FILES if mentions(path.read_text("utf-8"), group)]
    assert files
    missing = {
        str(module.relative_to(PROJECT))
        for path in files
        for module in imported_modules(path)
        if group.paths and not any(place in (module, *module.parents) for place in places)
    }
    assert missing == set()


def imported_modules(path: Path) -> Iterator[Path]:
    """Files of the project that a file imports itself."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
            module = PROJECT.joinpath(*name.split(".")).with_suffix(".py")
            if module.is_file():
                yield module


class Repository:
    """A clone of a project with files that groups depend on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = itertools.count()
        self.git("init", "--quiet")
        self.write(".gitignore", ".rushes/\n")
        self.base = self.commit("workers/models/load.py", "docs/guides/clients.md", "README.md")

    def git(self, *words: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        command = ["git", "-C", str(self.folder), *identity, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def write(self, path: str, text: str = "changed\n") -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, *paths: str) -> str:
        for path in paths:
            self.write(path, f"version {next(self.versions)}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def note_passed(self, commit: str) -> None:
        self.write(str(PASSED), f"{commit}\n")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


RUN_BY_CHANGE = {group.marker for group in GROUPS} - {"studio"}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("README.md", "", set()),
        ("docs/guides/clients.md", "", {"generators"}),
        ("workers/models/load.py", "", {"quality", "releases", "soak"}),
        ("workers/models/visual/open_clip.py", "", {"quality", "releases", "soak"}),
        ("docs/guides/clients.md.txt", "", set()),
        ("tests/unit/project/test_groups.py", "@pytest.mark.generators", {"generators"}),
        ("tests/support/waiting.py", "", RUN_BY_CHANGE),
        ("pyproject.toml", "", RUN_BY_CHANGE),
    ],
)
def test_groups_run_whose_inputs_have_changed(
    repository: Repository, path: str, text: str, expected: set[str]
) -> None:
    repository.write(path, text or "changed\n")
    assert set(changed_groups(repository.folder, repository.base)) == expected
    repository.commit()
    assert set(changed_groups(repository.folder, repository.base)) == expected


def test_a_file_that_is_gone_or_moved_is_a_change(repository: Repository) -> None:
    repository.git("mv", "workers/models/load.py", "elsewhere.py")
    reasons = changed_groups(repository.folder, "HEAD")
    assert set(reasons) == {"quality", "releases", "soak"}
    assert reasons["quality"].endswith(", such as workers/models/load.py")


def test_without_a_named_base_it_is_the_commit_that_passed_last(repository: Repository) -> None:
    assert set(changed_groups(repository.folder)) == RUN_BY_CHANGE, "none is known"
    repository.note_passed(repository.base)
    assert changed_groups(repository.folder) == {}
    repository.commit("docs/guides/clients.md")
    assert set(changed_groups(repository.folder)) == {"generators"}


@pytest.mark.parametrize("base", ["0" * 40, "nonsense", "--all"])
def test_with_a_base_that_is_not_here_every_group_runs(repository: Repository, base: str) -> None:
    reasons = changed_groups(repository.folder, base)
    assert set(reasons) == RUN_BY_CHANGE
    assert reasons["soak"] == f"{base} is not a commit here"


def test_a_passed_commit_of_another_branch_does_not_count(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--create", "other")
    other = repository.commit("README.md")
    repository.git("switch", "--quiet", "-")
    repository.note_passed(other)
    assert set(changed_groups(repository.folder)) == RUN_BY_CHANGE


def test_a_shallow_clone_and_a_folder_without_git_run_every_group(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit("README.md")
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{repository.folder}", shallow], check=True
    )
    assert set(changed_groups(shallow, repository.base)) == RUN_BY_CHANGE
    unpacked = tmp_path.parent / f"{tmp_path.name}-unpacked"
    unpacked.mkdir()
    assert set(changed_groups(unpacked, repository.base)) == RUN_BY_CHANGE


def test_without_the_program_git_every_group_runs(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = repository.base
    monkeypatch.setenv("PATH", "/nowhere")
    assert set(changed_groups(repository.folder, base)) == RUN_BY_CHANGE
