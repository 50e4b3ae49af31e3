"""Links between the pages of documentation lead somewhere, and every page can be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
README = PROJECT / "README.md"
FOLDERS = ("docs", "deploy", "benchmarks")
SECURITY = PROJECT / "SECURITY.md"
PAGES = [README, SECURITY, *(page for name in FOLDERS for page in PROJECT.glob(f"{name}/**/*.md"))]


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(
        r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def links(page: Path) -> list[tuple[Path, str]]:
    """File and anchor ("" for none) of every link to a place in the project."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    parts = [target.partition("#") for target in targets if not re.match(r"[a-z]+:", target)]
    return [((page.parent / file).resolve() if file else page, anchor) for file, _, anchor in parts]


def anchors(page: Path) -> set[str]:
    """Anchors of headings, as GitHub and GitLab make them."""
    heads = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for place, anchor in links(page):
        assert place.exists(), place
        assert not anchor or anchor in anchors(place), f"{place}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    found, ahead = set[Path](), [README]
    while ahead:
        page = ahead.pop()
        if page in found:
            continue
        found.add(page)
        ahead += [place for place, _ in links(page) if place.suffix == ".md"]
    assert set(PAGES) <= found


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


def test_files_that_pages_and_comments_name_exist() -> None:
    named = re.compile(
        r"(?<![\w/.-])(?:api|shared|workers|cli|tests|scripts)/[\w/-]+\.(?:py|lua)\b"
    )
    sources = [*PAGES, *PROJECT.glob("pyproject.toml")]
    for folder in ("api", "workers", "shared", "cli", "tests", "benchmarks"):
        sources += PROJECT.glob(f"{folder}/**/*.py")
    missing = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in sources
        for name in named.findall(path.read_text(encoding="utf-8"))
        if not (PROJECT / name).exists() and "__pycache__" not in name
    }
    assert not missing
