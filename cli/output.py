"""What a command prints: tables for people, or with --json the API's own answer for programs.

Results go to stdout, everything else (progress, hints, errors) to stderr, so that pipes work.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the answer as JSON, for programs.", show_default=False)
]


class Output:
    """Where one command prints to."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False)
        self.aside = Console(stderr=True, highlight=False)

    def document(self, answer: Any) -> bool:
        """Print the answer as JSON if that was asked for; whether it was."""
        if self.as_json:
            json.dump(answer, sys.stdout, ensure_ascii=False, indent=2)
            sys.stdout.write("\n")
        return self.as_json

    def show(self, what: RenderableType) -> None:
        """A table or another renderable of rich."""
        self.console.print(what)

    def line(self, text: str) -> None:
        """One line of a result: never wrapped, never taken for markup."""
        self.console.print(text, soft_wrap=True, markup=False)

    def hint(self, text: str) -> None:
        """Something beside the result; left out with --json."""
        if not self.as_json:
            self.aside.print(text, soft_wrap=True, markup=False)
