"""The committed set of what is said and of what somebody might look for in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

_SET = Path(__file__).with_name("paraphrases.txt")
FITTED, HELD_OUT, DESCRIPTION = "?!~"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and which segment of which file answers it. `kind`: see paraphrases.txt."""

    kind: str
    text: str
    file: int
    segment: int


@dataclass(frozen=True, slots=True)
class Paraphrases:
    files: list[list[str]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    absent: list[str] = field(
        default_factory=list
    )  # every second one was looked at when the cut was chosen


def read() -> Paraphrases:
    found = Paraphrases()
    is_absent = False
    for line in filter(None, _SET.read_text("utf-8").splitlines()):
        mark, text = line[0], line[2:]
        if mark == "#":
            is_absent = text == "absent"
            if not is_absent:
                found.files.append([])
        elif is_absent:
            found.absent.append(text)
        elif mark in (FITTED, HELD_OUT, DESCRIPTION):
            at = len(found.files) - 1
            found.asked.append(Asked(mark, text, at, len(found.files[at]) - 1))
        elif mark != "%":
            found.files[-1].append(line)
    return found
