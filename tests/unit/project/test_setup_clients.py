"""Set-up and the generators of API clients and of the docs site."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.project.test_scripts import ROOT, clone, run, stub

__all__ = ["clone"]
PYTHON = """echo "$*" >>"{asked}"
while [ $# -gt 0 ]; do if [ "$1" = --target ]; then mkdir -p "$2"; fi; shift; done"""
NPM = """echo "npm $*" >>"{asked}"
mkdir node_modules && [ ! -e "{asked}.away" ]"""


@pytest.fixture
def asked(clone: Path, tmp_path: Path) -> Path:
    """A file with what Python and npm were asked, a line each; `.away` makes npm fail."""
    shutil.copytree(ROOT / "tests" / "clients", clone / "tests" / "clients")
    asked = tmp_path / "asked"
    stub(tmp_path / "bin", "npm", NPM.format(asked=asked))
    stub(tmp_path / "venv" / "bin", "python", PYTHON.format(asked=asked))
    return asked


def set_up(clone: Path, asked: Path, what: str = "clients") -> str:
    """What it says; it must end well."""
    asked.write_text("")
    path = f"{asked.parent}/bin:/usr/local/bin:/usr/bin:/bin"
    result = run(clone, "setup", what, PATH=path, RUSHES_VENV=str(asked.parent / "venv"))
    assert result.returncode == 0, result.stderr
    return result.stderr


def test_they_are_installed_once_without_a_lock_file(clone: Path, asked: Path) -> None:
    set_up(clone, asked)
    assert "npm install --no-package-lock --ignore-scripts" in asked.read_text()
    assert "-r tests/clients/requirements.txt" in asked.read_text()
    assert (clone / ".rushes" / "node" / "node_modules").is_dir()
    set_up(clone, asked)
    assert "npm" not in asked.read_text()
    assert "requirements.txt" not in asked.read_text()


def test_another_version_is_installed_in_place_of_the_old_one(clone: Path, asked: Path) -> None:
    set_up(clone, asked)
    for name in ("package.json", "requirements.txt"):
        wanted = clone / "tests" / "clients" / name
        wanted.write_text(wanted.read_text() + "\n")
    set_up(clone, asked)
    assert "npm install" in asked.read_text()
    assert "requirements.txt" in asked.read_text()


def test_another_python_has_its_own_installation(clone: Path, asked: Path) -> None:
    set_up(clone, asked)
    python = 'case "$1" in -c) echo 3.12;; esac\n' + PYTHON.format(asked=asked)
    stub(asked.parent / "venv" / "bin", "python", python)
    set_up(clone, asked)
    assert "-r tests/clients/requirements.txt" in asked.read_text()
    assert (clone / ".rushes" / "client-generator-3.12").is_dir()


def test_a_registry_that_is_away_is_told_and_tried_again(clone: Path, asked: Path) -> None:
    away = asked.with_suffix(".away")
    away.touch()
    said = set_up(clone, asked)
    assert "tests of clients in TypeScript cannot run" in said
    assert not (clone / ".rushes" / "node").exists()
    away.unlink()
    assert "cannot run" not in set_up(clone, asked)
    assert (clone / ".rushes" / "node" / "node_modules").is_dir()


def test_the_generator_of_the_docs_site_is_installed_once_apart_from_the_server(
    clone: Path, asked: Path
) -> None:
    (clone / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "requirements.txt", clone / "docs")
    said = set_up(clone, asked, "docs")
    assert "installing what builds the docs site" in said
    [line] = [line for line in asked.read_text().splitlines() if "docs/requirements.txt" in line]
    assert f"--target {clone}/.rushes/docs-generator-" in line
    set_up(clone, asked, "docs")
    assert "docs/requirements.txt" not in asked.read_text()
