"""Output of a command: tables for people, or with --json the API's own answer for programs.

Results go to stdout, everything else (progress, hints, errors) to stderr, so that pipes work.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from cli.options import option
from shared.printable import printable

JsonOption = Annotated[bool, option("Print the answer as JSON, for programs.", "--json")]
# Halves of characters, and what of COMMANDS json.dumps leaves as it is.
_ESCAPED_IN_JSON = re.compile("[\ud800-\udfff\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# What stands before the name of a column of numbers, of paths, of ids that are typed again.
_COLUMNS: dict[str, dict[str, Any]] = {
    ">": {"justify": "right"},
    "…": {"overflow": "fold"},
    "!": {"no_wrap": True},
}
_WIDE = 4096  # columns of a pipe or a file: nothing is cut there


class CommandOutput:
    """Where one command prints to."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = PlainConsole(sys.stdout)
        self.aside = PlainConsole(sys.stderr)

    def document(self, answer: Any) -> bool:
        """Print an answer as JSON if JSON was asked for; whether it was."""
        if self.as_json:
            text = json.dumps(answer, ensure_ascii=False, indent=2)
            text = _ESCAPED_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
            sys.stdout.write(text + "\n")
        return self.as_json

    def message(self, answer: dict[str, Any]) -> None:
        """Print the message of an answer, or all of it as JSON."""
        if not self.document(answer):
            self.line(answer["message"])

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows as a table; see table_of."""
        self.show(table_of(columns, rows))

    def listing(
        self,
        answer: dict[str, Any],
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        empty: str = "",
    ) -> None:
        """Print an answer as JSON, or its rows as a table; a hint where there are none."""
        if not self.document(answer):
            given = list(rows)
            if given or not empty:
                self.table(columns, given)
            else:
                self.hint(empty)

    def show(self, what: RenderableType) -> None:
        """Print a table or another renderable of rich, without spaces at the ends of lines."""
        with self.console.capture() as shown:
            self.console.print(what)
        self.console.file.write(re.sub(" +$", "", shown.get(), flags=re.MULTILINE))

    def line(self, text: str) -> None:
        """Print one line of a result: never wrapped, never taken for markup."""
        self.console.print(text, soft_wrap=True)

    def hint(self, text: str) -> None:
        """Print something beside the result; left out with --json."""
        if not self.as_json:
            self.aside.print(text, soft_wrap=True)


def table_of(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of rows; see _COLUMNS for what stands before the names of columns.

    A column with `?` is left out where all its cells are empty.
    """
    given = list(rows)
    shown = [n for n, name in enumerate(columns) if "?" not in name or any(row[n] for row in given)]
    table = Table()
    for name in (columns[n] for n in shown):
        table.add_column(name.lstrip(">…!?"), **_COLUMNS.get(name[:1], {}))
    for row in given:
        table.add_row(*(row[n] for n in shown))
    return table


class PlainConsole(Console):
    """A console to which names are names: no markup, no emoji codes, no controls, no new lines."""

    def __init__(self, stream: TextIO, **how: Any) -> None:
        if not stream.isatty() and "COLUMNS" not in os.environ:
            how.setdefault("width", _WIDE)
        super().__init__(file=stream, highlight=False, markup=False, emoji=False, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(printable(text), **how)


def accept_any_name() -> None:
    """Let stdout and stderr print every file name that there can be."""
    for stream in (sys.stdout, sys.stderr):
        is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
        stream.reconfigure(  # type: ignore[union-attr]
            errors="surrogateescape" if is_utf8 else "replace"
        )


def size_of(count: float) -> str:
    """Bytes in words, such as `1.2 GB`."""
    units = ["TB", "GB", "MB", "KB", "bytes"]
    while count >= 1000 and len(units) > 1:
        count, _ = count / 1000, units.pop()
    return f"{count:,.0f} {units[-1]}" if units[-1] == "bytes" else f"{count:,.1f} {units[-1]}"


YesOption = Annotated[bool, option("Do not ask. Without a terminal: do it.", "--yes", "-y")]


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


def moment_of(unix_seconds: float) -> str:
    """A moment by this machine's clock, such as `2026-11-30 18:05`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_seconds))
