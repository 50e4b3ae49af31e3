"""Marks of the fields that the command line offers as options (cli.arguments.declared)."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Meta

MARK = "command_line"  # key of `extra` in a Meta


@dataclass(frozen=True, slots=True)
class CommandLineOption:
    """How a field is offered; "" stands for its own name, and for its own words."""

    flag: str = ""
    panel: str = ""
    help: str = ""
    metavar: str = ""


def option(flag: str = "", panel: str = "", help: str = "", metavar: str = "") -> Meta:
    """Return what makes a field an option of the commands that send its body."""
    return Meta(extra={MARK: CommandLineOption(flag, panel, help, metavar)})
