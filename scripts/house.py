"""`scripts/check house`: the shape of the code in numbers, and what is over a limit.

Folders, files, functions, classes, names that exist twice, imports in a circle, docstrings that do
not stand by themselves. Reads the sources as text; imports nothing of ours. Exit status 1 where a
limit is broken.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

PRODUCT = ("api", "shared", "workers", "cli")
ALL = (*PRODUCT, "tests", "benchmarks")
FILES_A_FOLDER = 20  # without __init__.py, which defines nothing
LINES_A_FILE = 600
LINES_A_FUNCTION = 40  # with its docstring: read without scrolling
PUBLIC_METHODS = 12
# First lines that lean on what stands elsewhere: "The same for faces.", "Its rows are dead now."
_LEANING = re.compile(
    r"The same\b|(Those|These|Such|Both|Ditto|Likewise|As above)\b|"
    r"(\S+ |(All|One|Some|None|Each|Any) of )?(it|its|they|their|them)\b",
    re.IGNORECASE,
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    path: Path
    tree: ast.Module
    lines: int

    @property
    def module(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def at(self, node: ast.AST, word: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)} {word}"


def main() -> int:
    sources = [_read(path) for root in ALL for path in sorted(Path(root).rglob("*.py"))]
    product = [source for source in sources if source.path.parts[0] in PRODUCT]
    findings = {
        f"folders with more than {FILES_A_FOLDER} files": list(_full_folders(sources)),
        f"files with more than {LINES_A_FILE} lines": [
            f"{source.path} {source.lines}" for source in sources if source.lines > LINES_A_FILE
        ],
        f"functions with more than {LINES_A_FUNCTION} lines": list(_long_functions(product)),
        f"classes with more than {PUBLIC_METHODS} public methods": list(_wide_classes(product)),
        "class names that exist twice": list(_doubled_names(product)),
        "imports in a circle": list(_circles(product)),
        "modules without a docstring": [
            str(source.path) for source in product if not ast.get_docstring(source.tree)
        ],
        "docstrings that do not stand by themselves": list(_leaning(product)),
    }
    _print_numbers(product)
    for what, found in findings.items():
        print(f"{what}: {len(found)}")
        for line in found:
            print(f"  {line}")
    return int(any(findings.values()))


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path, ast.parse(text, str(path)), text.count("\n"))


def _print_numbers(product: list[Source]) -> None:
    lengths = sorted(_length(node) for source in product for node in _functions(source))
    docs = sum(1 for source in product for node in _functions(source) if ast.get_docstring(node))
    print(
        f"product code: {len(product)} files, {sum(s.lines for s in product)} lines, "
        f"{len(lengths)} functions: median {median(lengths):g} lines, "
        f"nine of ten up to {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]}; "
        f"{docs} docstrings of functions"
    )


def _functions(source: Source) -> Iterator[Function]:
    return (node for node in ast.walk(source.tree) if isinstance(node, Function))


def _classes(source: Source) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef))


def _length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _full_folders(sources: list[Source]) -> Iterator[str]:
    count: dict[Path, int] = defaultdict(int)
    for source in sources:
        count[source.path.parent] += source.path.name != "__init__.py"
    return (f"{folder} {n}" for folder, n in count.items() if n > FILES_A_FOLDER)


def _long_functions(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        for node in _functions(source):
            if _length(node) > LINES_A_FUNCTION:
                yield source.at(node, f"{node.name} {_length(node)}")


def _wide_classes(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        for node in _classes(source):
            public = [f for f in node.body if isinstance(f, Function) and f.name[0] != "_"]
            if len(public) > PUBLIC_METHODS:
                yield source.at(node, f"{node.name} {len(public)}")


def _doubled_names(sources: list[Source]) -> Iterator[str]:
    where: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in _classes(source):
            where[node.name].append(str(source.path))
    return (f"{name}: {', '.join(at)}" for name, at in sorted(where.items()) if len(at) > 1)


def _circles(sources: list[Source]) -> Iterator[str]:
    """Imports anywhere in a file count, also those for type checking alone."""
    modules = {source.module for source in sources}
    graph: dict[str, set[str]] = {}
    for source in sources:
        named = {name for node in ast.walk(source.tree) for name in _imported(node)}
        graph[source.module] = (
            {name if name in modules else name.rpartition(".")[0] for name in named} & modules
        ) - {source.module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " -> ".join(reversed(error.args[1]))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _leaning(sources: list[Source]) -> Iterator[str]:
    """Docstrings of errors are sentences for users: shared/errors.py says so."""
    for source in sources:
        classes = () if source.path.name == "errors.py" else _classes(source)
        for node in (source.tree, *classes, *_functions(source)):
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if _LEANING.match(first):
                yield source.at(node, first)


if __name__ == "__main__":
    sys.exit(main())
