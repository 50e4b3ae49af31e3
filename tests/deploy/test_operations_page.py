"""docs/operations.md and deploy/README.md name commands, settings, files and units that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.commands import commands_in, parse, unknown_names
from tests.deploy.compose import PROJECT, resolved

PAGE = PROJECT / "docs" / "operations.md"
PAGES = [PAGE, PROJECT / "deploy" / "README.md"]


def code(page: Path) -> str:
    """Blocks of shell and what stands between backticks, one a line."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return "\n".join([*blocks, *inline]).replace("\\\n", " ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_setting_exists(page: Path) -> None:
    found = list(commands_in(code(page)))
    for words in found:
        parse(words)
    assert found or page != PAGE
    assert not unknown_names(page.read_text(encoding="utf-8"))


def test_every_file_unit_and_service_it_names_exists() -> None:
    text = code(PAGE)
    for name in re.findall(r"(?<![\w/])(?:deploy|scripts)/[\w./@*-]+", text):
        assert list(PROJECT.glob(name.rstrip("."))), name
    units = {
        path.name.removesuffix(".service") for path in PROJECT.glob("deploy/systemd/*.service")
    }
    for name in re.findall(r"\brushes-[a-z]+@?", text):
        assert name in units, name
    services = resolved()["services"]
    for names in re.findall(r"docker compose (?:exec|logs --follow|cp) ([a-z]+)", text):
        assert names in services, names
