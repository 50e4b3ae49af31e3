"""`scripts/check house`: the shape of the code in numbers, and what is over a limit.

Lines by room against the last release, folders, files, functions, classes, names that exist twice,
imports in a circle (also in the console's TypeScript), crumbs, docstrings that do not stand by
themselves. Reads the sources as text; imports nothing of ours. Exit status 1 where a limit is
broken.
"""

from __future__ import annotations

import ast
import os.path
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

PRODUCT = ("api", "workers", "shared", "cli")
ALL = (*PRODUCT, "tests", "benchmarks")
CONSOLE = Path("console/src")
# Lines of the last release, 0f91cb38. Not Python: what product code must not move into.
RELEASE = {"api": 41_649, "workers": 29_493, "shared": 15_111, "cli": 8_656}
RELEASE_BESIDE = {"Lua": 1_493, "TypeScript and CSS": 16_751}
LINES_OF_PRODUCT = 82_700  # Python in all rooms; an issue that needs more says so and raises it
FILES_A_FOLDER = 20  # without __init__.py, which defines nothing
LINES_A_FILE = 600
LINES_A_FUNCTION = 40  # with its docstring: read without scrolling
PUBLIC_METHODS = 12
FIELDS_A_CLASS = 20  # declared, or set by __init__; records and answers have what their format has
_OF_FORMATS = ("Struct", "TypedDict", "Keyed")
_MANY_FIELDS = {"Settings", "Endpoint", "CacheView"}  # tables of things of one kind
LINES_OF_A_CRUMB = 60  # a module that is shorter and has one importer belongs into that
CRUMBS = 2
# First lines that lean on what stands elsewhere: "The same for faces.", "Its rows are dead now."
_LEANING = re.compile(
    r"The same\b|(Those|These|Such|Both|Ditto|Likewise|As above)\b|"
    r"(\S+ |(All|One|Some|None|Each|Any) of )?(it|its|they|their|them)\b",
    re.IGNORECASE,
)
_IMPORTED = re.compile(r'^(?:import|export|\}) (?:[^;"]*)from "(\.[^"]*)"', re.MULTILINE)
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
    console = {path: path.read_text(encoding="utf-8") for path in sorted(CONSOLE.rglob("*.ts*"))}
    graph, scripts = _graph(sources), _console_graph(console)
    findings = {
        f"folders with more than {FILES_A_FOLDER} files": [
            *_full_folders([source.path for source in sources]),
            *_full_folders(list(console)),
        ],
        f"files with more than {LINES_A_FILE} lines": [
            *(f"{each.path} {each.lines}" for each in sources if each.lines > LINES_A_FILE),
            *(
                f"{path} {n}"
                for path, text in console.items()
                if (n := _lines(text)) > LINES_A_FILE
            ),
        ],
        f"functions with more than {LINES_A_FUNCTION} lines": list(_long_functions(product)),
        f"classes with more than {PUBLIC_METHODS} public methods": list(_wide_classes(product)),
        f"classes with more than {FIELDS_A_CLASS} fields": list(_full_classes(product)),
        "class names that exist twice": list(_doubled_names(product)),
        "imports in a circle": [*_circles(_of_product(graph)), *_circles(scripts)],
        "modules without a docstring": [
            str(source.path) for source in product if not ast.get_docstring(source.tree)
        ],
        "docstrings that do not stand by themselves": list(_leaning(product)),
    }
    crumbs = list(_crumbs(product, _of_product(graph)))
    total = sum(source.lines for source in product)
    if len(crumbs) > CRUMBS:
        findings[f"more than {CRUMBS} crumbs"] = crumbs
    if total > LINES_OF_PRODUCT:
        findings[f"more than {LINES_OF_PRODUCT:,} lines of Python"] = [f"{total:,}"]
    _print_lines(product, console)
    _print_numbers(product)
    print(f"modules under {LINES_OF_A_CRUMB} lines with one importer: {len(crumbs)}")
    for what, found in findings.items():
        print(f"{what}: {len(found)}")
        for line in found:
            print(f"  {line}")
    return int(any(findings.values()))


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path, ast.parse(text, str(path)), _lines(text))


def _lines(text: str) -> int:
    return text.count("\n")


def _print_lines(product: list[Source], console: dict[Path, str]) -> None:
    """Print the lines of each room, and those of the last release."""
    rooms = dict.fromkeys(PRODUCT, 0)
    for source in product:
        rooms[source.path.parts[0]] += source.lines
    styles = [path.read_text(encoding="utf-8") for path in CONSOLE.rglob("*.css")]
    lua = [path.read_text() for room in PRODUCT for path in Path(room).rglob("*.lua")]
    beside = {
        "Lua": sum(map(_lines, lua)),
        "TypeScript and CSS": sum(map(_lines, (*console.values(), *styles))),
    }
    print(_compared("lines of Python", sum(rooms.values()), sum(RELEASE.values())))
    for name, now in rooms.items():
        print(_compared(f"  {name}", now, RELEASE[name]))
    for name, now in beside.items():
        print(_compared(f"lines of {name}", now, RELEASE_BESIDE[name]))


def _compared(name: str, now: int, before: int) -> str:
    return f"{name:<28}{now:>8,}   last release {before:>8,}   {now - before:>+8,}"


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


def _full_folders(paths: list[Path]) -> Iterator[str]:
    count: dict[Path, int] = defaultdict(int)
    for path in paths:
        count[path.parent] += path.name != "__init__.py"
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


def _full_classes(sources: list[Source]) -> Iterator[str]:
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for source in sources
        for node in _classes(source)
    }

    def is_format(name: str) -> bool:
        return name in _OF_FORMATS or any(is_format(base) for base in bases.get(name, ()))

    for source in sources:
        for node in _classes(source):
            count = len(_fields(node))
            if count > FIELDS_A_CLASS and not (is_format(node.name) or node.name in _MANY_FIELDS):
                yield source.at(node, f"{node.name} {count}")


def _fields(node: ast.ClassDef) -> set[str]:
    """Names that a class declares, or that its __init__ sets."""
    names = {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    for each in node.body:
        if isinstance(each, Function) and each.name == "__init__":
            names |= {
                target.attr
                for target in ast.walk(each)
                if isinstance(target, ast.Attribute)
                and isinstance(target.ctx, ast.Store)
                and ast.unparse(target.value) == "self"
            }
    return names


def _graph(sources: list[Source]) -> dict[str, set[str]]:
    """What each module imports of ours, anywhere in its file, also for type checking alone."""
    modules = {source.module for source in sources}
    graph: dict[str, set[str]] = {}
    for source in sources:
        named = {name for node in ast.walk(source.tree) for name in _imported(node)}
        graph[source.module] = (
            {name if name in modules else name.rpartition(".")[0] for name in named} & modules
        ) - {source.module}
    return graph


def _of_product(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    return {module: of for module, of in graph.items() if module.partition(".")[0] in PRODUCT}


def _console_graph(console: dict[Path, str]) -> dict[str, set[str]]:
    """What each file of the console imports of others, also types; not what it loads later."""
    graph: dict[str, set[str]] = {}
    for path, text in console.items():
        places = {os.path.normpath(path.parent / name) for name in _IMPORTED.findall(text)}
        named = {f"{place}{end}" for place in places for end in (".ts", ".tsx", "/index.ts")}
        graph[str(path)] = {name for name in named if Path(name) in console}
    return graph


def _crumbs(product: list[Source], graph: dict[str, set[str]]) -> Iterator[str]:
    """Small modules that only one other imports. What is started as a program has no importer."""
    importers: dict[str, list[str]] = defaultdict(list)
    for module, names in graph.items():
        for name in names:
            importers[name].append(module)
    for source in product:
        of = importers[source.module]
        is_short = source.lines < LINES_OF_A_CRUMB and source.path.name != "__init__.py"
        if is_short and len(of) == 1:
            yield f"{source.path} {source.lines}: imported by {of[0]}"


def _circles(graph: dict[str, set[str]]) -> Iterator[str]:
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
