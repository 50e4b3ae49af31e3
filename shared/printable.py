"""Names and messages as one line that commands no terminal."""

from __future__ import annotations

import re

# Controls, line separators, and the marks that turn text round.
COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""The text with what would command a terminal or begin a line as an escape: `\n`, `\x1b`."""
    return COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
