"""`python -m api.docs.write_openapi docs/api/openapi.json`: what is committed of the documentation.

Beside the document it writes scopes.md, the table of operations and scopes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from api.app import ENDPOINTS
from api.docs.openapi import document
from api.http.endpoint import PREFIX, Endpoint
from shared.rights import KeyScope

_INTRODUCTION = f"""\
# Scopes of licence keys

A key may be kept to parts of the API: `rushes keys create --scope search --scope export`, or
`POST {PREFIX}/keys`. Keys that were made without scopes, those of earlier versions and those in
RUSHES_LICENSE_KEYS have all of them. What a key lacks is a 403 that names it.

This page is made from the endpoints by `python -m api.docs.write_openapi docs/api/openapi.json`.

"""
_ROOTS = [
    "",
    "## Roots",
    "",
    "A key with roots may use less than its scopes allow. See [rights](../guides/rights.md#keys).",
    "",
    "| Key with roots | |",
    "| --- | --- |",
    "| paths | every path of the request must lie in its roots |",
    "| target | the task, key, webhook or watch folder of the request must lie in its roots |",
    "| filtered | it reads or receives only what lies in its roots |",
    "| no | 403: the operation concerns the whole server |",
    "| yes | the operation concerns no folders |",
    "",
    "| Operation | key without roots | key with roots |",
    "| --- | --- | --- |",
]
_MEANINGS = {
    KeyScope.SEARCH: "search, and everything that is only looked at: pictures, originals, "
    "transcripts, people",
    KeyScope.ANALYZE: "start analyses, cancel one's own",
    KeyScope.PEOPLE: "name, join, part and regroup people",
    KeyScope.WATCH: "watch folders",
    KeyScope.EXPORT: "clips, timelines, transcripts as files",
    KeyScope.MODELS: "load models",
    KeyScope.ADMIN: "keys and webhooks; cancel and replace the tasks of others; delete a person",
}


def scopes_page(endpoints: Sequence[Endpoint]) -> str:
    """The page, as Markdown."""
    lines = ["| Scope | What for |", "| --- | --- |"]
    lines += [f"| `{scope}` | {_MEANINGS[scope]} |" for scope in KeyScope]
    lines += ["", f"| Operation | {' | '.join(KeyScope)} |", f"| --- |{' --- |' * len(KeyScope)}"]
    for endpoint in endpoints:
        lines.append(f"| `{endpoint.method} {endpoint.path}` | {' | '.join(_marks(endpoint))} |")
    lines += _ROOTS
    for endpoint in endpoints:
        marks = ("yes", endpoint.roots_rule) if endpoint.needs_key else ("no key", "no key")
        lines.append(f"| `{endpoint.method} {endpoint.path}` | {' | '.join(marks)} |")
    return _INTRODUCTION + "\n".join(lines) + "\n"


def _marks(endpoint: Endpoint) -> Iterable[str]:
    for scope in KeyScope:
        if not endpoint.needs_key:
            yield "no key"
        else:
            yield "yes" if endpoint.scope in (None, scope) else ""


if __name__ == "__main__":
    content = orjson.dumps(document(ENDPOINTS), option=orjson.OPT_INDENT_2)
    Path(sys.argv[1]).write_bytes(content + b"\n")
    Path(sys.argv[1]).with_name("scopes.md").write_text(scopes_page(ENDPOINTS))
