"""`python -m tests.support.documentation`: lists what pages name that does not exist.

Each line of output has the page, the line, and what is wrong. Exit status 1 if there is any.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main

from cli.main import app
from scripts.docs_site import LINK, reference
from tests.deploy.commands import KNOWN

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [
    PROJECT / "README.md",
    PROJECT / "SECURITY.md",
    *(
        path
        for name in ("docs", "deploy", "benchmarks")
        for path in PROJECT.glob(f"{name}/**/*.md")
    ),
]
SHELL = frozenset(("sh", "bash", "console", "shell"))
EXAMPLE = "example"  # the second word of a fence whose commands no test runs
# Pages whose commands a test runs, all but those of blocks that are marked as examples.
RUN = {"docs/guides/clients.md": "tests/e2e/http/test_clients_page.py"}

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```[ ]*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_ROOMS = "api|shared|workers|cli|tests|scripts|deploy|docs|benchmarks|console"
_FILE = re.compile(rf"(?<![\w/.$~<-])(?:{_ROOMS})/(?!v1\b)[\w/*.@-]*[\w*/](?![\w…<])")
_MODULE = re.compile(rf"-m ((?:{_ROOMS})(?:\.\w+)+)")
_SETTING = re.compile(r"\bRUSHES_[A-Z0-9_]*[A-Z0-9]\b")
_COMMAND = re.compile(r"(?:^|[\s(]|bin/)rushes ([a-z][^|;&#`()>\n]*)", re.MULTILINE)
_ENDPOINT = re.compile(r"\b(GET|POST|PUT|DELETE|PATCH) (?:\$API)?(/[^\s`?|,;)\"']*)")
_PATH = re.compile(r"(?:\$API|/api/v1)(/[^\s`?|,;)\"']+)")
# What is served, or built, without being in the OpenAPI document or committed.
_SERVED = (
    *("/docs", "/openapi.json", "/openapi.yaml", "/metrics", "/socket.io"),
    *("/frames/", "/media/original/", "/media/preview/"),
)
_BUILT = ("api/docs/site", "docs/reference/")


@dataclass(frozen=True)
class Problem:
    """What is wrong on a line of a page."""

    page: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Block:
    """A fenced block: `kind` is its language, `marks` the words after that."""

    kind: str
    marks: tuple[str, ...]
    text: str
    start: int  # offsets in the page: of the fence, of its text
    text_start: int

    @property
    def is_shell(self) -> bool:
        return self.kind in SHELL


class Source:
    """A page in Markdown, its blocks, and the prose around them."""

    def __init__(self, page: Path, text: str) -> None:
        self.page = page
        self.text = text
        self.blocks = [
            Block(*_words(found[2]), found[3], found.start(), found.start(3))
            for found in _FENCE.finditer(text)
        ]
        self.prose = _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)

    def problem(self, offset: int, what: str) -> Problem:
        return Problem(self.page, self.text.count("\n", 0, offset) + 1, what)

    def code(self) -> Iterator[tuple[int, str]]:
        """Yield the offset and the text of commands in blocks, and of inline code."""
        for block in self.blocks:
            if block.kind == "console":
                text = re.sub(
                    r"^(?!\$ |    ).*$", lambda m: " " * len(m[0]), block.text, flags=re.M
                )
                yield block.text_start, text
            elif block.is_shell:
                yield block.text_start, block.text
        for found in _INLINE.finditer(self.prose):
            yield found.start(1), found[1]


def _words(info: str) -> tuple[str, tuple[str, ...]]:
    kind, *marks = info.split() or [""]
    return kind, tuple(marks)


def anchors_of(text: str) -> set[str]:
    """Return the anchors of headings, as code forges and the docs site make them."""
    heads = re.findall(r"^#+ (.*)$", _FENCE.sub("", text), flags=re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
    counts = Counter[str]()
    anchors = set()
    for slug in slugs:
        anchors.add(f"{slug}-{counts[slug]}" if counts[slug] else slug)
        counts[slug] += 1
    return anchors


def links_of(source: Source) -> Iterator[tuple[int, Path, str]]:
    """Yield the offset, the file and the anchor ("" for none) of each link into the project."""
    for found in re.finditer(r"\]\(#([^)\s]+)\)", source.prose):
        yield found.start(), source.page, found[1]
    for found in LINK.finditer(source.prose):
        place = (source.page.parent / found[1]).resolve()
        yield found.start(), place, (found[2] or "")[1:]


def find_problems(page: Path, text: str | None = None) -> list[Problem]:
    """Check one page; `text` stands for what the file has."""
    source = Source(page, page.read_text(encoding="utf-8") if text is None else text)
    checks = (_links, _files, _settings, _commands, _endpoints, _blocks)
    return sorted(
        {problem for check in checks for problem in check(source)}, key=lambda each: each.line
    )


def _links(source: Source) -> Iterator[Problem]:
    for offset, place, anchor in links_of(source):
        name = place.relative_to(PROJECT).as_posix() if place.is_relative_to(PROJECT) else ""
        generated = reference().get(name.removeprefix("docs/"))
        if generated is None and not place.exists():
            yield source.problem(offset, f"the link leads to {name}, which does not exist")
        elif anchor:
            text = source.text if place == source.page else generated
            if anchor not in anchors_of(place.read_text("utf-8") if text is None else text):
                yield source.problem(offset, f"{name} has no heading #{anchor}")


def _files(source: Source) -> Iterator[Problem]:
    for found in _FILE.finditer(source.text):
        name = found[0].rstrip(".")
        if name.startswith(_BUILT) or any(PROJECT.glob(name.rstrip("/"))):
            continue
        if "/" in name.removesuffix("/") and _is_path(source, found.start(), name):
            yield source.problem(found.start(), f"there is no file or folder {name}")
    for found in _MODULE.finditer(source.text):
        place = PROJECT.joinpath(*found[1].split("."))
        if not place.with_suffix(".py").exists() and not place.is_dir():
            yield source.problem(found.start(), f"there is no module {found[1]}")


def _is_path(source: Source, offset: int, name: str) -> bool:
    """Tell a path from words that a slash parts; a link has been checked already."""
    before = source.text[max(0, offset - 2) : offset]
    return "." in name or (before[-1:] in ("`", "/", " ", "") and before != "](")


def _settings(source: Source) -> Iterator[Problem]:
    for found in _SETTING.finditer(source.text):
        if found[0] not in KNOWN and source.text[found.end() : found.end() + 1] not in ("…", "*"):
            yield source.problem(found.start(), f"there is no setting {found[0]}")


def _commands(source: Source) -> Iterator[Problem]:
    for start, text in source.code():
        for found in _COMMAND.finditer(text.replace("\\\n", "  ")):
            if what := wrong_command(found[1].split()):
                yield source.problem(start + found.start(1), what)


@functools.cache
def _all_commands() -> Any:
    return typer.main.get_command(app)


def wrong_command(words: list[str]) -> str:
    """Say what of `rushes WORDS` does not exist; empty if all of it does.

    Words in capitals stand for others, and a command may lack its arguments.
    """
    command = _all_commands()
    name, rest = "rushes", list(words)
    while rest and hasattr(command, "commands") and re.fullmatch(r"[a-z][a-z-]*", rest[0]):
        word = rest.pop(0)
        if word not in command.commands:
            return f"{name} has no command {word}"
        command, name = command.commands[word], f"{name} {word}"
    known = {"--help", "-h", "--install-completion", "--show-completion", "--version"}
    if hasattr(command, "params"):
        known |= {opt for each in command.params for opt in (*each.opts, *each.secondary_opts)}
    for word in rest:
        option = word.partition("=")[0].rstrip(",.:'\"")
        if re.fullmatch(r"--[a-z][a-z-]+\d?", option) and option not in known:
            return f"{name} has no option {option}"
    return ""


@functools.cache
def _paths() -> dict[str, set[str]]:
    """Return the patterns of the paths of the OpenAPI document, with their methods."""
    document = json.loads((PROJECT / "docs" / "api" / "openapi.json").read_text("utf-8"))
    return {
        re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)): {method.upper() for method in methods}
        for path, methods in document["paths"].items()
    }


def _has_endpoint(method: str | None, path: str) -> bool:
    path = path.removeprefix("/api/v1").rstrip("/.:") or "/"
    if path == "/" or path.startswith(_SERVED) or "…" in path:
        return True
    group = path.removesuffix("*") if path.endswith("/*") else None
    return any(
        (re.fullmatch(pattern, path) or (group and pattern.startswith(re.escape(group))))
        and (method is None or method in methods)
        for pattern, methods in _paths().items()
    )


def _endpoints(source: Source) -> Iterator[Problem]:
    for found in _ENDPOINT.finditer(source.text):
        if not _has_endpoint(found[1], found[2]):
            yield source.problem(found.start(), f"there is no endpoint {found[1]} {found[2]}")
    for found in _PATH.finditer(source.text):
        if not _has_endpoint(None, found[1]):
            yield source.problem(found.start(), f"there is no endpoint {found[1]}")
    firsts = {pattern.replace("\\", "").split("/")[1] for pattern in _paths()}
    for found in _INLINE.finditer(source.prose):
        path = re.fullmatch(r"/([\w-]+)(?:/[\w{}-]+)*", found[1])
        if path and path[1] in firsts and not _has_endpoint(None, found[1]):
            yield source.problem(found.start(), f"there is no endpoint {found[1]}")


def _blocks(source: Source) -> Iterator[Problem]:
    name = source.page.relative_to(PROJECT).as_posix()
    for block in source.blocks:
        if not block.is_shell and re.match(r"\s*\$ ", block.text):
            yield source.problem(block.start, "the block of commands has no language")
        elif block.is_shell and EXAMPLE not in block.marks and name not in RUN:
            yield source.problem(
                block.start, f"no test runs this block: mark it as ```{block.kind} {EXAMPLE}"
            )


def main() -> int:
    """Print the problems of all pages; return the exit status."""
    problems = [problem for page in PAGES for problem in find_problems(page)]
    for problem in problems:
        print(problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
