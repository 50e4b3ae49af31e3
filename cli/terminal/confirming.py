"""The question before something is deleted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.terminal.output import CommandOutput

YesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask. Without a terminal: do it.", show_default=False),
]


def confirmed(out: CommandOutput, yes: bool) -> bool:
    """Whether to go on: --yes was given, or a person at a terminal says so.

    A program that gives no --yes only gets to know what would be done.
    """
    if yes:
        return True
    if out.as_json or not sys.stdin.isatty():
        out.hint("Nothing is deleted: this was a dry run. Say --yes to delete.")
        return False
    if typer.confirm("Delete this?"):
        return True
    out.hint("Nothing is deleted.")
    return False
