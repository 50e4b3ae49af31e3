"""Which words after `rushes` are a command, and which names with our prefix are settings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence

import click
import typer.main

from cli.main import app
from shared.settings import OTHER_VARIABLES, PREFIX, Settings

SETTINGS = frozenset(PREFIX + field.name.upper() for field in dataclasses.fields(Settings))
KNOWN = SETTINGS | OTHER_VARIABLES.keys()


def unknown_names(text: str) -> set[str]:
    """Names with our prefix that no process of ours reads."""
    return set(re.findall(r"\bRUSHES_\w+", text)) - KNOWN


def parse(words: Sequence[str]) -> None:
    """Fails unless `rushes words` is a command with right arguments. Runs nothing."""
    command: click.Command = typer.main.get_command(app)
    context = click.Context(command, info_name="rushes")
    rest = list(words)
    while isinstance(command, click.Group):
        assert rest, f"rushes {' '.join(words)}: a command is missing"
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"rushes {' '.join(words)}: there is no {name}"
        command = found
        context = click.Context(command, parent=context, info_name=name)
    command.parse_args(context, rest)


def commands_in(text: str) -> Iterable[list[str]]:
    """`rushes …` as it stands in lines of shell, up to what a shell would end it with."""
    for found in re.finditer(r"(?:^|[\s/])rushes ((?:[a-z-]+)(?: [^\s|;&#`)]+)*)", text, re.M):
        yield found[1].split()
