"""Reads a Dockerfile: stages of instructions, with arguments and variables put in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
KNOWN = frozenset(
    "FROM RUN COPY ENV ARG USER WORKDIR LABEL EXPOSE HEALTHCHECK ENTRYPOINT CMD".split()
)


@dataclass(frozen=True)
class Instruction:
    """`rest` is what stands behind the word, continued lines joined, nothing put in yet."""

    word: str
    rest: str


@dataclass(frozen=True)
class Stage:
    name: str
    base: str
    instructions: tuple[Instruction, ...]


def read(path: Path) -> dict[str, Stage]:
    """Its stages by name, in order. An instruction that is not in KNOWN is an AssertionError."""
    stages: dict[str, Stage] = {}
    for instruction in _instructions(path.read_text(encoding="utf-8")):
        assert instruction.word in KNOWN, f"{path.name}: {instruction.word} is not understood here"
        if instruction.word == "FROM":
            base, _, name = instruction.rest.partition(" AS ")
            stages[name or base] = Stage(name or base, base, ())
            continue
        last = list(stages)[-1]
        stage = stages[last]
        stages[last] = Stage(stage.name, stage.base, (*stage.instructions, instruction))
    return stages


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in joined.splitlines())
    return [Instruction(word.upper(), rest.strip()) for word, rest in pairs]


def put_in(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced, unknown ones by nothing, as the builder does."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def assignments(rest: str) -> dict[str, str]:
    """`NAME=value NAME="two words"` as ENV, ARG and LABEL have them."""
    found = re.findall(r'([\w.]+)=("(?:[^"]*)"|\S*)', rest)
    return {name: value.strip('"') for name, value in found}


def words(rest: str) -> list[str]:
    """An exec-form command."""
    command = json.loads(rest)
    assert isinstance(command, list)
    return [str(word) for word in command]
