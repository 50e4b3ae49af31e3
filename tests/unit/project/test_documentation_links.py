"""Pages name only what exists, can be found, and say which of their commands no test runs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from scripts.docs_site import reference
from shared.settings import OTHER_VARIABLES, PREFIX, Settings
from tests.support.documentation import PAGES, PROJECT, RUN, Source, find_problems, links_of

README = PROJECT / "README.md"
SECURITY = PROJECT / "SECURITY.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_everything_that_a_page_names_exists(page: Path) -> None:
    assert [str(problem) for problem in find_problems(page)] == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[a](gone.md)", "the link leads to docs/gone.md, which does not exist"),
        ("[a](limits.md#gone)", "docs/limits.md has no heading #gone"),
        ("[a](reference/settings.md#gone)", "docs/reference/settings.md has no heading #gone"),
        ("![a](images/gone.webp)", "the link leads to docs/images/gone.webp, which does not exist"),
        ("[a](#gone)", "docs/index.md has no heading #gone"),
        ("see `api/gone/x.py`", "there is no file or folder api/gone/x.py"),
        ("run `scripts/gone`", "there is no file or folder scripts/gone"),
        ("`python -m api.gone`", "there is no module api.gone"),
        ("set `RUSHES_GONE`", "there is no setting RUSHES_GONE"),
        ("`rushes gone FILE`", "rushes has no command gone"),
        ("`rushes tasks gone`", "rushes tasks has no command gone"),
        ("`rushes search a car --gone`", "rushes search has no option --gone"),
        ("```sh example\nrushes up \\\n  --gone\n```", "rushes up has no option --gone"),
        ("`POST /gone`", "there is no endpoint POST /gone"),
        ("`DELETE /health`", "there is no endpoint DELETE /health"),
        ("`/search/gone`", "there is no endpoint /search/gone"),
        ('```sh example\ncurl "$API/gone"\n```', "there is no endpoint /gone"),
        ("```sh\nls\n```", "no test runs this block: mark it as ```sh example"),
        ("```\n$ ls\n```", "the block of commands has no language"),
    ],
)
def test_what_does_not_exist_is_named_with_page_and_line(text: str, what: str) -> None:
    problems = find_problems(PROJECT / "docs" / "index.md", f"# Title\n\n{text}\n")
    assert len(problems) == 1
    line = 4 if text.startswith("```") and "no " in what and "block" not in what else 3
    assert str(problems[0]) == f"docs/index.md:{line}: {what}"


def test_the_pages_that_a_test_runs_are_those_that_it_reads() -> None:
    for page, test in RUN.items():
        assert (PROJECT / page).is_file()
        text = (PROJECT / test).read_text(encoding="utf-8")
        assert f'"{Path(page).name}"' in text
        assert "Page.parse" in text


def test_every_page_is_reached_from_the_readme() -> None:
    found, ahead = set[Path](), [README]
    while ahead:
        page = ahead.pop()
        if page in found or not page.exists():
            continue
        found.add(page)
        places = [place for _, place, _ in links_of(Source(page, page.read_text("utf-8")))]
        ahead += [place for place in places if place.suffix == ".md"]
    assert set(PAGES) <= found


def test_every_page_stands_in_the_navigation_of_the_site() -> None:
    index = (PROJECT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {
        *(page.relative_to(PROJECT / "docs").as_posix() for page in PROJECT.glob("docs/**/*.md")),
        *(name for name in reference() if name.count("/") == 1),
    }
    assert [name for name in pages if f"\n{name.removesuffix('.md')}\n" not in index] == [
        "index.md"
    ]


def test_every_promise_of_security_names_its_test_and_every_test_its_promise() -> None:
    rows = re.findall(r"^\| (?!who \||---).*\|$", SECURITY.read_text(), flags=re.MULTILINE)
    named = [re.findall(r"`(test_\w+\.py)`", row.split("|")[-2]) for row in rows]
    assert rows
    assert all(named), rows
    there = {path.name for path in PROJECT.glob("tests/security/test_*.py")}
    assert {name for row in named for name in row} == there - {"test_address_space.py"}


def test_pages_that_code_and_settings_point_to_exist() -> None:
    sources = [
        path
        for folder in ("api", "workers", "shared", "cli", "scripts", "deploy")
        for path in PROJECT.glob(f"{folder}/**/*")
        if path.is_file() and path.suffix in ("", ".py", ".yml", ".yaml", ".service", ".env")
    ]
    named = {
        name
        for path in sources
        for name in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text(encoding="utf-8"))
    }
    assert named
    assert [name for name in named if not (PROJECT / name).exists()] == []


def test_files_that_comments_name_exist() -> None:
    named = re.compile(
        r"(?<![\w/.-])(?:api|shared|workers|cli|tests|scripts)/[\w/-]+\.(?:py|lua)\b"
    )
    sources = [*PROJECT.glob("pyproject.toml")]
    for folder in ("api", "workers", "shared", "cli", "tests", "benchmarks", "scripts"):
        sources += PROJECT.glob(f"{folder}/**/*.py")
    missing = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in sources
        for name in named.findall(path.read_text(encoding="utf-8"))
        if not (PROJECT / name).exists() and "__pycache__" not in name and "/gone" not in name
    }
    assert not missing


def test_the_reference_has_every_setting_with_default_and_help() -> None:
    page = reference()["reference/settings.md"]
    for field in dataclasses.fields(Settings):
        name, text = PREFIX + field.name.upper(), field.metadata["help"].replace("|", "\\|")
        [row] = re.findall(rf"^\| `{name}` \| (.+) \|$", page, re.MULTILINE)
        assert row.endswith(f"| {text}")
        assert row.startswith("`") or not field.default
    for name, text in OTHER_VARIABLES.items():
        assert f"| `{name}` | {text} |" in page


def test_the_reference_has_every_command_endpoint_and_event() -> None:
    pages = reference()
    for heading in ("## rushes search\n", "## rushes tasks retry\n"):
        assert heading in pages["reference/commands.md"]
    assert "| `--max " in pages["reference/commands.md"]
    assert "## POST /api/v1/search/text\n" in pages["reference/api/search.md"]
    assert "| `POST /search/text` | yes | " in pages["reference/scopes.md"]
    for word in ("### TasksChanged\n", "`task.ended`"):
        assert word in pages["reference/events.md"]
