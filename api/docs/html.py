"""The reference page at /api/v1/docs: plain HTML made on the server, no script, no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.docs.markdown import (
    alternatives,
    base,
    description_of,
    errors_of,
    file_types,
    operations,
    parameter_words,
    resolved,
    type_words,
)

Json = dict[str, Any]
_STYLE = (Path(__file__).parent / "static" / "docs.css").read_text(encoding="utf-8")
# A Content-Security-Policy: nothing but the page's own style, known by its hash.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)


def page(document: Json) -> str:
    """The whole page."""
    sections = [_section(document, tag) for tag in document["tags"]]
    schemas = [_schema(document, name) for name in document["components"]["schemas"]]
    title = html.escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>"
        f"<nav><h2>{title}</h2>{_navigation(document)}</nav><main>"
        f"<h1>{title} <small>{html.escape(document['info']['version'])}</small></h1>"
        f"{_introduction(document)}{_links()}"
        f"{''.join(sections)}"
        f'<h2 id="schemas">Types</h2>{"".join(schemas)}</main></body></html>'
    )


def _introduction(document: Json) -> str:
    """The types that it names are linked to their description."""
    return re.sub(
        r"<code>[A-Z]\w+</code>",
        lambda m: _linked(document, m[0]),
        _prose(document["info"]["description"]),
    )


def _links() -> str:
    names = {
        "openapi.json": "OpenAPI 3.0, JSON",
        "openapi.yaml": "OpenAPI 3.0, YAML",
        "../../api-reference/public-api-v1.md": "Guide, Markdown",
    }
    return "<p>" + " · ".join(f'<a href="{to}">{text}</a>' for to, text in names.items()) + "</p>"


def _navigation(document: Json) -> str:
    parts = []
    for tag in document["tags"]:
        parts.append(f'<h3><a href="#{_anchor(tag)}">{html.escape(tag["name"])}</a></h3><ul>')
        for path, method, operation in operations(document, tag["name"]):
            parts.append(
                f'<li><a href="#{operation["operationId"]}"><b class="{method}">{method}</b> '
                f"{html.escape(path)}</a></li>"
            )
        parts.append("</ul>")
    types = "".join(
        f'<li><a href="#type-{name}">{name}</a></li>' for name in document["components"]["schemas"]
    )
    parts.append('<h3><a href="#schemas">Types</a></h3>')
    return "".join(parts) + f"<details><summary>All of them</summary><ul>{types}</ul></details>"


def _section(document: Json, tag: Json) -> str:
    name = html.escape(tag["name"])
    articles = [
        _article(document, path, method, operation)
        for path, method, operation in operations(document, tag["name"])
    ]
    return (
        f'<section id="{_anchor(tag)}"><h2>{name}</h2>{_prose(tag["description"])}'
        f"{''.join(articles)}</section>"
    )


def _anchor(tag: Json) -> str:
    return "tag-" + str(tag["name"]).lower().replace(" ", "-")


def _article(document: Json, path: str, method: str, operation: Json) -> str:
    name = operation["operationId"]
    parts = [
        f'<article id="{name}"><h3><a href="#{name}"><b class="{method}">{method}</b> '
        f"<code>{html.escape(base(document) + path)}</code></a> <small>{name}</small></h3>"
        f"{_prose(operation['summary'])}"
    ]
    if "description" in operation:
        parts.append(_prose(operation["description"]))
    parts.append(_parameters(document, operation.get("parameters", ())))
    if "requestBody" in operation:
        parts.append("<h4>Request</h4>" + _content(document, operation["requestBody"], True))
    for status, answer in operation["responses"].items():
        found = resolved(document, answer)
        if int(status) < 400:
            parts.append(f"<h4>Answer {status}</h4>{_content(document, found, False)}")
    return "".join(parts) + _errors(document, operation) + "</article>"


def _errors(document: Json, operation: Json) -> str:
    rows = (
        f"<tr><td>{status}</td><td>{html.escape(label)}</td><td>{_inline(message)}</td></tr>"
        for status, label, message in errors_of(document, operation)
    )
    return f"<details><summary>Errors</summary><table>{''.join(rows)}</table></details>"


def _parameters(document: Json, parameters: Sequence[Json]) -> str:
    rows = (
        f"<tr><td><code>{html.escape(parameter['name'])}</code></td>"
        f"<td>{html.escape(parameter_words(document, parameter))}</td>"
        f"<td>{_inline(parameter['description'])}</td></tr>"
        for parameter in parameters
    )
    return f"<h4>Parameters</h4><table>{''.join(rows)}</table>" if parameters else ""


def _headers(document: Json, holder: Json) -> str:
    rows = (
        f"<tr><td><code>{name}</code></td>"
        f"<td>{_inline(resolved(document, header)['description'])}</td></tr>"
        for name, header in holder.get("headers", {}).items()
    )
    return f"<h5>Headers</h5><table>{''.join(rows)}</table>" if "headers" in holder else ""


def _content(document: Json, holder: Json, is_request: bool) -> str:
    content = holder["content"]["application/json"]
    types = file_types(holder)
    found = _prose(f"The file itself ({types}), or JSON:") if types else ""
    tables = alternatives(document, content["schema"])
    names = [f"<h5>{schema['title']}</h5>" if len(tables) > 1 else "" for schema in tables]
    found += "".join(
        name + _table(document, schema, is_request)
        for name, schema in zip(names, tables, strict=True)
    )
    found += _headers(document, holder)
    if "example" in content:
        text = json.dumps(content["example"], indent=2, ensure_ascii=False)
        found += f"<details><summary>Example</summary><pre>{html.escape(text)}</pre></details>"
    return found


def _schema(document: Json, name: str) -> str:
    schema = document["components"]["schemas"][name]
    body = _table(document, schema, False)
    if "enum" in schema:
        values = (f"<code>{html.escape(str(value))}</code>" for value in schema["enum"])
        body += f"<p>{', '.join(values)}</p>"
    text = _prose(schema.get("description", ""))
    return f'<article id="type-{name}"><h3><code>{name}</code></h3>{text}{body}</article>'


def _table(document: Json, schema: Json, is_request: bool) -> str:
    rows = []
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        need = "required" if name in required else ""
        cell = f"<td>{need}</td>" if is_request else ""
        rows.append(
            f"<tr><td><code>{name}</code></td><td>{_type(document, field)}</td>{cell}"
            f"<td>{_inline(description_of(field))}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _type(document: Json, schema: Json) -> str:
    """The type in words, its names linked to their description."""
    return _linked(document, html.escape(type_words(document, schema)))


def _linked(document: Json, words: str) -> str:
    known = document["components"]["schemas"]
    return re.sub(
        r"\b[A-Z]\w+",
        lambda m: f'<a href="#type-{m[0]}">{m[0]}</a>' if m[0] in known else m[0],
        words,
    )


def _prose(text: str) -> str:
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return "".join(f"<p>{_inline(part)}</p>" for part in paragraphs)


def _inline(text: str) -> str:
    """Escaped, with Markdown's `code` and **bold**."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
