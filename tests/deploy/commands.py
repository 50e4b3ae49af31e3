"""Which words after `rushes` are a command, and which names with our prefix are settings."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import typer.main
from typer.core import TyperGroup

from cli.main import app
from shared.settings import OTHER_VARIABLES, PREFIX, Settings

SETTINGS = frozenset(PREFIX + field.name.upper() for field in dataclasses.fields(Settings))
KNOWN = SETTINGS | OTHER_VARIABLES.keys()


def unknown_names(text: str) -> set[str]:
    """Names with our prefix that no process of ours reads."""
    return set(re.findall(r"\bRUSHES_\w+", text)) - KNOWN


def parse(words: Sequence[str]) -> None:
    """Fails unless `rushes words` is a command with right arguments. Runs nothing."""
    command: Any = typer.main.get_command(app)
    rest, name = list(words), "rushes"
    while isinstance(command, TyperGroup):
        assert rest, f"rushes {' '.join(words)}: a command is missing"
        name = rest.pop(0)
        assert name in command.commands, f"rushes {' '.join(words)}: there is no {name}"
        command = command.commands[name]
    command.make_context(name, rest)


def commands_in(text: str) -> Iterable[list[str]]:
    """`rushes …` as it stands in lines of shell, up to what a shell would end it with."""
    for found in re.finditer(r"(?:^|\s|bin/)rushes ([a-z]+(?: [^\s|;&#`)]+)*)", text, re.M):
        yield shlex.split(found[1])
