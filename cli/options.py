"""Options and arguments of commands: what each is for first, then what few of them have."""

from __future__ import annotations

from typing import Any

import typer


def option(help: str, *flags: str, panel: str = "", **how: Any) -> Any:
    """Return an option for Annotated; `how` is what else typer.Option takes."""
    return typer.Option(*flags, help=help, rich_help_panel=panel or None, **how)


def argument(help: str, **how: Any) -> Any:
    """Return an argument for Annotated; `how` is what else typer.Argument takes."""
    return typer.Argument(help=help, **how)


def examples(*commands: str) -> str:
    """Return the end of a command's help: examples, each a paragraph."""
    return "\n\n".join(("Examples:", *commands))
