"""What is declared of fields beside their types: words, and whether they are options of commands.

A field is declared in one place, and so are its words, the string literal below it: the OpenAPI
document and the help of the command line have them from here. Python keeps no docstring of a field,
so sources are parsed, once a module; they are there wherever Python can import a package from.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec
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


@functools.cache
def words_of(kind: type) -> dict[str, str]:
    """Return the words of the fields of a class by name, inherited ones too.

    A field whose type has words, a shared alias, may have none of its own.
    """
    words: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            copied = base.__dict__.get("WORDS_FROM")  # see api.watch.copied_fields
            words |= words_of(copied) if copied else {}
            words |= _classes(base.__module__).get(base.__qualname__, {})
    return {name: text for name, text in words.items() if text}


@functools.cache
def _classes(module: str) -> dict[str, dict[str, str]]:
    """Fields of all classes of a module, by class, with "" where there are no words."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, SyntaxError):  # no sources, or those of another version, installed meanwhile
        return {}
    return {node.name: dict(_fields(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in pairwise([*node.body, ast.Pass()]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            literal = below.value if isinstance(below, ast.Expr) else None
            text = literal.value if isinstance(literal, ast.Constant) else ""
            yield field.target.id, " ".join(str(text).split())
