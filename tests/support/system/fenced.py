"""The programs and commands of a page in Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)((?: \w+)*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"(?:#|//) ([\w.-]+)\n")


@dataclass(frozen=True)
class Page:
    """`files`: blocks that begin with a file's name; `commands`: all others, in order.

    Blocks that are marked as examples are neither.
    """

    files: dict[str, str]
    commands: tuple[str, ...]

    @classmethod
    def parse(cls, markdown: str) -> Page:
        """Raises AssertionError for a block that is neither: nothing on the page goes unrun."""
        files: dict[str, str] = {}
        commands: list[str] = []
        for language, marks, text in _BLOCK.findall(markdown):
            if "example" in marks.split():
                continue
            name = _FILE_NAME.match(text)
            if name:
                files[name[1]] = text
            else:
                assert language == "bash", f"a block of {language!r} has no file name: {text[:80]}"
                commands.append(text)
        return cls(files, tuple(commands))

    def write(self, folder: Path) -> None:
        """The files of the page."""
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")

    def script(self) -> str:
        """One bash script of all commands, which says which block it is at."""
        steps = (f"echo '== {n}' >&2\n{text}" for n, text in enumerate(self.commands))
        return "set -euo pipefail\n" + "\n".join(steps)
