"""`python scripts/docs_site.py SOURCE`: writes what Sphinx builds the docs site from.

SOURCE gets the pages of docs/, the pages of *Reference*, which are generated here, and the files of
the clone that pages link to. Line numbers stay those of the pages, for warnings.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
DOCS = PROJECT / "docs"
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)(#[^)\s]*)?\)")
_IMAGE_OR_LINK = re.compile(rf"(!?\[(?:[^\[\]]|!?\[[^\[\]]*\](?:\([^)]*\))?)*){LINK.pattern}")
_ESCAPED = str.maketrans({"<": "\\<", "*": "\\*", "[": "\\[", "_": "\\_"})

_SCOPES = """\
# Scopes of licence keys

A key can be limited to parts of the API: `rushes keys create --scope search --scope export`, or
`POST /api/v1/keys`. Keys that were made without scopes, those of earlier versions and those in
RUSHES_LICENSE_KEYS have all of them. An operation whose scope the key lacks answers 403.

| Scope | Allows |
| --- | --- |
"""
_OF_SCOPES = {
    "search": "search and read: frames, originals, transcripts, people",
    "analyze": "start analyses and cancel one's own",
    "people": "name, merge, split and re-cluster people",
    "watch": "watch folders",
    "export": "export clips, timelines, and transcripts as files",
    "models": "load models",
    "admin": "keys and webhooks; cancel and replace the tasks of others; delete a person",
}
_ROOTS = """

## Roots

A key with roots may use less than its scopes allow. See [rights](../guides/rights.md#keys).

| Key with roots | Meaning |
| --- | --- |
| paths | every path of the request must lie in its roots |
| target | the task, key, webhook or watch folder of the request must lie in its roots |
| filtered | it reads or receives only what lies in its roots |
| no | 403: the operation concerns the whole server |
| yes | the operation concerns no folders |

| Operation | key without roots | key with roots |
| --- | --- | --- |
"""


@functools.cache
def reference() -> dict[str, str]:
    """Return the generated pages as Markdown, by their paths below docs/."""
    return {
        "reference/settings.md": _settings(),
        "reference/commands.md": _commands(),
        "reference/scopes.md": _scopes(),
        "reference/events.md": _events(),
        **_endpoints(),
    }


def _shown(default: object) -> str:
    """Return the default of a setting as a cell of a table."""
    if default is None or default == ():
        return "unset"
    if isinstance(default, bool):
        return "`on`" if default else "`off`"
    return f"`{default}`"


def _settings() -> str:
    from shared.settings import OTHER_VARIABLES, PREFIX, Settings

    lines = [
        "# Settings",
        "",
        "Every process reads its settings from the environment when it starts. An empty value",
        "counts as unset. [Configuration](../operate/configuration.md) says how to use them.",
        "",
        "| Setting | Default | What it does |",
        "| --- | --- | --- |",
    ]
    for field in dataclasses.fields(Settings):
        unit, words = (field.metadata[key].replace("|", "\\|") for key in ("unit", "help"))
        name = PREFIX + field.name.upper()
        default = f"{_shown(field.default)} {unit}".strip()
        lines.append(f"| `{name}` | {default} | {words} |")
    lines += ["", "## Variables of the scripts and the command line", ""]
    lines += ["| Variable | What it does |", "| --- | --- |"]
    lines += [f"| `{name}` | {words} |" for name, words in OTHER_VARIABLES.items()]
    return "\n".join(lines) + "\n"


def _commands() -> str:
    import typer.main

    from cli.main import app

    lines = [
        "# Commands",
        "",
        "Every command with its arguments and options, as `rushes COMMAND --help` prints them.",
        "[The command line](../guides/command-line.md) shows them at work.",
        "",
    ]
    for command in _subcommands(typer.main.get_command(app), "rushes"):
        lines += command
    return "\n".join(lines)


def _subcommands(command: Any, name: str) -> Iterator[list[str]]:
    if hasattr(command, "commands"):
        for word, each in command.commands.items():
            yield from _subcommands(each, f"{name} {word}")
        return
    context = command.context_class(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    words = inspect.cleandoc(command.help or "").replace("\b\n", "")
    lines = [f"## {name}", "", words, "", "```text", f"{name} {usage}", "```", ""]
    rows = []
    for parameter in command.params:
        record = None if "--help" in parameter.opts else parameter.get_help_record(context)
        if record:
            name, meaning = (" ".join(part.split()).replace("|", "\\|") for part in record)
            rows.append(f"| `{name}` | {meaning.translate(_ESCAPED)} |")
    if rows:
        lines += ["| Argument or option | Meaning |", "| --- | --- |", *rows, ""]
    if command.epilog:
        lines += ["```text", re.sub(r"\n\n", "\n", inspect.cleandoc(command.epilog)), "```", ""]
    yield lines


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DOCS / "api" / "openapi.json").read_text("utf-8"))
    return document


def _endpoints() -> dict[str, str]:
    """Return the page of the API and one for each tag."""
    from api.docs import markdown

    document = _document()
    front, *tags = re.split(r"^## ", markdown.guide(document), flags=re.MULTILINE)
    pages = {}
    for tag in tags:
        name = "reference/api/" + tag.partition("\n")[0].lower().replace(" ", "-")
        pages[f"{name}.md"] = "# " + re.sub(r"^###", "##", tag, flags=re.MULTILINE)
    contents = "\n".join(name.removeprefix("reference/").removesuffix(".md") for name in pages)
    about = front.partition("\n")[2]
    pages["reference/api.md"] = (
        "# API\n\nGenerated from the OpenAPI document. A running server has the same reference,\n"
        "with every type, at `/api/v1/docs`.\n"
        f"{about}\n```{{toctree}}\n:caption: Endpoints\n\n{contents}\n```\n"
    )
    return pages


def _scopes() -> str:
    from api.app import ENDPOINTS
    from shared.rights import KeyScope

    lines = _SCOPES.splitlines()
    lines += [f"| `{scope}` | {_OF_SCOPES[scope]} |" for scope in KeyScope]
    lines += ["", f"| Operation | {' | '.join(KeyScope)} |", f"| --- |{' --- |' * len(KeyScope)}"]
    for endpoint in ENDPOINTS:
        allowed = (None, *KeyScope) if endpoint.scope is None else (endpoint.scope,)
        marks = ["yes" if scope in allowed else "" for scope in KeyScope]
        if not endpoint.needs_key:
            marks = ["no key"] * len(KeyScope)
        lines.append(f"| `{endpoint.method} {endpoint.path}` | {' | '.join(marks)} |")
    lines += _ROOTS.splitlines()
    for endpoint in ENDPOINTS:
        marks = ["yes", endpoint.roots_rule] if endpoint.needs_key else ["no key", "no key"]
        lines.append(f"| `{endpoint.method} {endpoint.path}` | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _events() -> str:
    from api.docs import markdown
    from api.realtime.events import EVENTS
    from shared.webhooks.events import WebhookEvent

    document = _document()
    schemas = document["components"]["schemas"]
    lines = [
        "# Events",
        "",
        "What a server sends by itself: events over Socket.IO and messages to webhooks.",
        "[Clients](../guides/clients.md) shows how to receive them.",
        "",
        "## Socket.IO",
        "",
    ]
    for event in EVENTS:
        schema = schemas[event.__name__]
        lines += [f"### {event.__name__}", "", schema["description"], ""]
        lines += markdown.fields_table(document, schema, is_request=False)
    lines += [
        "## Webhooks",
        "",
        "[Rights and notices](../guides/rights.md#webhooks) has their data.",
        "",
    ]
    lines += [f"- `{event}`" for event in WebhookEvent]
    return "\n".join(lines) + "\n"


def main(target: Path) -> None:
    """Write all sources of the site; what is there already and has not changed stays as it is."""
    written = {target / place: content for place, content in _sources().items()}
    for path, content in written.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for path in target.rglob("*"):
        if path.is_file() and path not in written:
            path.unlink()


def _sources() -> dict[PurePosixPath, bytes]:
    """Return all files of the site's sources, by their places in it."""
    texts = {path.relative_to(PROJECT).as_posix(): "" for path in sorted(DOCS.rglob("*.md"))}
    texts = {name: (PROJECT / name).read_text("utf-8") for name in texts}
    texts |= {f"docs/{name}": text for name, text in reference().items()}
    files = {"docs/conf.py", *_names("docs/**/*.webp"), *_names("docs/**/*.svg")}
    sources: dict[PurePosixPath, bytes] = {}
    while texts:
        name, text = texts.popitem()
        text, targets = _relinked(name, text)
        sources[_place(name)] = text.encode()
        for target in targets:
            is_page = target.endswith(".md")
            if is_page and not target.startswith("docs/") and _place(target) not in sources:
                texts[target] = (PROJECT / target).read_text("utf-8")
            elif not is_page:
                files.add(target)
    return sources | {_place(name): (PROJECT / name).read_bytes() for name in files}


def _names(pattern: str) -> list[str]:
    return [path.relative_to(PROJECT).as_posix() for path in PROJECT.glob(pattern)]


def _place(name: str) -> PurePosixPath:
    """Return the place in the site of a file of the clone."""
    is_inside = name.startswith("docs/") and not name.startswith("docs/api/")
    return (
        PurePosixPath(name.removeprefix("docs/")) if is_inside else PurePosixPath("project", name)
    )


def _relinked(name: str, text: str) -> tuple[str, set[str]]:
    """Return a page with links to places in the site, and the files that they lead to.

    A folder has no place there: its link becomes text.
    """
    targets = set()
    folder = _place(name).parent

    def replace(match: re.Match[str]) -> str:
        before, link, anchor = match[1], match[2], match[3] or ""
        before = _IMAGE_OR_LINK.sub(replace, before) if "](" in before else before
        target = os.path.normpath(os.path.join(os.path.dirname(name), link))
        if (PROJECT / target).is_dir():
            return before.lstrip("[")
        if not (PROJECT / target).exists() and target.removeprefix("docs/") not in reference():
            return f"{before}]({link}{anchor})"  # Sphinx says that it leads nowhere
        targets.add(target)
        return f"{before}]({os.path.relpath(_place(target), folder)}{anchor})"

    return _IMAGE_OR_LINK.sub(replace, text), targets


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    main(Path(sys.argv[1]).resolve())
