"""Text that any format can hold: without what XML, subtitles or spreadsheets choke on."""

from __future__ import annotations

import re
import unicodedata

LONGEST_TITLE = 255  # what the core properties of a Word document hold
# C0 controls except tab and newline, DEL and C1, lone surrogates, the noncharacters U+FFFE/FFFF.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
# OWASP ASVS 1.2.10 and CWE-1236, with the full-width forms that spreadsheets take for the same.
_FORMULA = re.compile(" *[=+\\-@\t\r\n\x00＝＋－＠]")
_RTL = ("R", "AL")


def clean(text: str) -> str:
    """Text without controls, lone surrogates and U+FFFE/FFFF; every line break is `\\n`."""
    return _UNWRITABLE.sub("", _BREAKS.sub("\n", text))


def one_line(text: str) -> str:
    """Clean text on one line, runs of white space as one space, none around it."""
    return " ".join(clean(text).split())


def title(text: str, otherwise: str) -> str:
    """One line of at most LONGEST_TITLE characters; `otherwise` where nothing is left."""
    return one_line(text)[:LONGEST_TITLE].rstrip() or otherwise


def without_blank_lines(text: str) -> str:
    """Lines with something on them only: a blank one ends a cue of a subtitle file."""
    return "\n".join(line for line in text.split("\n") if line.strip())


def guarded(cell: str) -> str:
    """A spreadsheet cell that is no formula: one that looks like it gets a leading `'`."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def is_rtl(text: str) -> bool:
    """Whether the first strong character is right-to-left (UAX #9, rules P2 and P3)."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in _RTL:
            return True
        if direction == "L":
            return False
    return False
