"""The pages of operations and of deploy/ name commands and units that exist and can be run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.commands import commands_in, parse
from tests.deploy.compose import PROJECT, resolved

PAGE = PROJECT / "docs" / "operate" / "operations.md"
PAGES = [PAGE, PROJECT / "deploy" / "README.md"]


def code(page: Path) -> str:
    """Blocks of shell and what stands between backticks, one a line."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh example\n(.*?)^```", text, re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return "\n".join([*blocks, *inline]).replace("\\\n", " ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_arguments_that_it_takes(page: Path) -> None:
    found = list(commands_in(code(page)))
    for words in found:
        parse(words)
    assert found or page != PAGE


def test_the_backup_holds_what_the_table_names_and_comes_back(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = re.findall(r"^\| [^|]+ \| `STATE_DIR/([\w./*-]+\.jsonl?)`", text, re.M)
    assert "webhooks.json" in names
    state = tmp_path / "state"
    for name in (*names, "audit-20261130.jsonl", "first-key"):
        (state / name.replace("*", "1")).parent.mkdir(parents=True, exist_ok=True)
        (state / name.replace("*", "1")).write_text(name)
    shell = re.findall(r"^```sh example\n(.*?)^```", text, re.M | re.S)
    blocks = "\n".join(shell).replace("\\\n", " ")
    save, *_ = re.findall(r"^cd \S+ && (tar --create .*)$", blocks, re.M)
    restore, *_ = re.findall(r"^(tar --extract .*)$", blocks, re.M)
    in_compose, *_ = re.findall(r"sh -c 'cd \S+ && (tar --create [^']*)'", blocks)
    for number, command in enumerate((save, f"{in_compose} >/mnt/backup/state.tar")):
        target = tmp_path / f"restored {number}"
        target.mkdir()
        for line in (command, restore):
            line = line.replace("/mnt/backup", str(tmp_path))
            line = line.replace("/var/lib/rushes", f"'{target}'")
            subprocess.run(line, shell=True, cwd=state, check=True)
        found = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
        there = {str(p.relative_to(state)) for p in state.rglob("*") if p.is_file()}
        assert found == there - {"first-key"}


def test_every_unit_and_service_it_names_exists() -> None:
    text = code(PAGE)
    units = {
        path.name.removesuffix(".service") for path in PROJECT.glob("deploy/systemd/*.service")
    }
    for name in re.findall(r"\brushes-[a-z]+@?", text):
        assert name in units, name
    services = resolved()["services"]
    for names in re.findall(r"docker compose (?:exec|logs --follow|cp) ([a-z]+)", text):
        assert names in services, names
