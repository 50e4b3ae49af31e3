"""`rushes doctor`: everything that may be wrong with this machine's server, and its cure.

`python -m cli.commands.doctor` is `rushes doctor --json` for a process that it must not outlive.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.checks.finding import Finding
from cli.options import option
from cli.terminal.output import CommandOutput, JsonOption
from shared.printable import printable

_STYLES = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}


def doctor(
    as_json: JsonOption = False,
    is_brief: Annotated[bool, option("Leave out what is fine.", "--brief")] = False,
) -> None:
    """Look for everything that is wrong with this machine's server, and say what cures it.

    Needs no server and changes nothing. Exit status: 0 without a problem, 1 with one.
    """
    from cli.checks.everything import look_at_everything  # late: it takes a while to import

    out = CommandOutput(as_json)
    findings = look_at_everything(os.environ)
    problems = sum(finding.level == "problem" for finding in findings)
    shown = [finding for finding in findings if not is_brief or finding.level != "ok"]
    if not out.document(_document(shown)):
        if shown:
            out.show(_table(shown))
        warnings = sum(finding.level == "warning" for finding in findings)
        out.line(f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}")
    raise typer.Exit(1 if problems else 0)


def _document(findings: list[Finding]) -> dict[str, Any]:
    is_ok = all(finding.level != "problem" for finding in findings)
    return {"ok": is_ok, "findings": [dataclasses.asdict(finding) for finding in findings]}


def _table(findings: Iterable[Finding]) -> Table:
    table = Table("", "what", "finding", box=None, pad_edge=False)
    for finding in findings:
        symbol, style = _STYLES[finding.level]
        text = Text(printable(finding.message))
        if finding.cure:
            text.append(f"\n→ {printable(finding.cure)}", style="bold")
        table.add_row(Text(symbol, style=style), Text(finding.subject), text)
    return table


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def main() -> None:
    """Print the findings as JSON; end with the process that asks for them."""
    from cli.checks.everything import look_at_everything
    from shared.process.ending import watch_parent

    # What the checks have started ends, too.
    watch_parent(partial(os.killpg, os.getpgrp(), signal.SIGKILL))
    print(json.dumps(_document(look_at_everything(os.environ))))


if __name__ == "__main__":
    main()
