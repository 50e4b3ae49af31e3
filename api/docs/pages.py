"""The API's documentation under all its names, made from the OpenAPI document when first read.

Also the docs site, static files that `scripts/docs` builds.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import re
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import orjson
import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from api.docs import markdown, openapi
from api.docs.markdown import base, fields_table, guide, operations
from api.http.endpoint import PREFIX, Endpoint
from shared.settings import Settings

Json = dict[str, Any]
_SITE = Path(__file__).parent / "site"
_NOT_BUILT = (
    "The docs site is not built on this server. Run scripts/docs in the clone of Rushes, then load "
    "this page again. The reference of the API is at {}/docs.\n"
)
_STYLE = (Path(__file__).parent / "static" / "docs.css").read_text(encoding="utf-8")
# A Content-Security-Policy: nothing but the page's own style, known by its hash.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_LINKS = """\
[OpenAPI 3.0, JSON](openapi.json) · [OpenAPI 3.0, YAML](openapi.yaml) · \
[Guide, Markdown](../../api-reference/public-api-v1.md) · [Docs of Rushes](../../docs/)
"""
_EXAMPLE = re.compile(r"<pre>.*?</pre>", re.DOTALL)
# A word of code, and the second cell of a row, where types stand.
_TYPES = re.compile(r"(<code>|<tr>\n<td>[^\n]*</td>\n<td>)([^<]+)")
_JSON = "application/json"
_YAML = "application/yaml"
_MARKDOWN = "text/markdown; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"


def page(document: Json) -> str:
    """The guide with a description of every type, as one page with links."""
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><nav>{_rendered(_contents(document), {})}</nav>"
        f"<main>{_main(document)}</main></body></html>"
    )


def _main(document: Json) -> str:
    text = f"{_LINKS}\n{guide(document)}\n{_types(document)}"
    known = document["components"]["schemas"]

    def linked(found: re.Match[str]) -> str:
        words = re.sub(
            r"\b[A-Z]\w+",
            lambda m: f'<a href="#type-{m[0]}">{m[0]}</a>' if m[0] in known else m[0],
            found[2],
        )
        return found[1] + words

    shown = _TYPES.sub(linked, _rendered(text, _anchors(document)))
    return _EXAMPLE.sub(r"<details><summary>Example</summary>\g<0></details>", shown)


def _rendered(text: str, anchors: dict[str, str]) -> str:
    """Markdown as HTML; headings named in `anchors` can be linked to."""
    from markdown_it import MarkdownIt  # takes a twentieth of the start of an API process

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for heading, inline in itertools.pairwise(tokens):
        if heading.type == "heading_open" and inline.content in anchors:
            heading.attrSet("id", anchors[inline.content])
    return str(parser.renderer.render(tokens, parser.options, {}))


def _anchors(document: Json) -> dict[str, str]:
    """The place of each heading of an operation, a tag or a type, by its Markdown."""
    found = {f"`{name}`": f"type-{name}" for name in document["components"]["schemas"]}
    found |= {tag["name"]: _place(tag) for tag in document["tags"]}
    for path, method, operation in operations(document):
        found[f"{method} {base(document)}{path}"] = operation["operationId"]
    return {**found, "Types": "schemas"}


def _place(tag: Json) -> str:
    return "tag-" + str(tag["name"]).lower().replace(" ", "-")


def _contents(document: Json) -> str:
    lines = [f"## {document['info']['title']} {document['info']['version']}", ""]
    for tag in document["tags"]:
        lines += [f"### [{tag['name']}](#{_place(tag)})", ""]
        for path, method, operation in operations(document, tag["name"]):
            lines.append(f"- [**{method}** {path}](#{operation['operationId']})")
    return "\n".join([*lines, "### [Types](#schemas)"])


def _types(document: Json) -> str:
    lines = ["## Types", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += [f"### `{name}`", "", schema.get("description", ""), ""]
        lines += [", ".join(f"`{value}`" for value in schema.get("enum", ())), ""]
        lines += fields_table(document, schema, is_request=False)
    return "\n".join(lines)


_Writer = Callable[[dict[str, Any]], str | bytes]


def routes(endpoints: Sequence[Endpoint], settings: Settings) -> list[Route]:
    """Open to all: they hold no data."""
    document = functools.cache(lambda: openapi.document(endpoints, settings.public_url or ""))
    pages: dict[str, tuple[_Writer, str]] = {
        f"{PREFIX}/openapi.json": (_as_json, _JSON),
        f"{PREFIX}/openapi.yaml": (_as_yaml, _YAML),
        f"{PREFIX}/docs": (page, "text/html; charset=utf-8"),
        "/api-reference/openapi.json": (_as_json, _JSON),
        "/api-reference/openapi-v1.yaml": (_as_yaml, _YAML),
        "/api-reference/public-api-v1.md": (markdown.guide, _MARKDOWN),
        "/llms.txt": (markdown.index, _TEXT),
        "/llms-full.txt": (markdown.guide, _TEXT),
    }
    found = [
        Route(path, _serving(document, writer, media_type))
        for path, (writer, media_type) in pages.items()
    ]
    found += site_routes(settings)
    if settings.console:  # which is at /
        return found
    return [
        *found,
        Route("/", RedirectResponse(f"{settings.public_path}{PREFIX}/docs"), methods=["GET"]),
    ]


def site_routes(settings: Settings, folder: Path = _SITE) -> list[Route]:
    """Serve the docs site at `/docs/`, open to all: it holds no data."""
    files = StaticFiles(directory=folder, check_dir=False)

    async def serve(request: Request) -> Response:
        if not await run_in_threadpool((folder / "index.html").is_file):
            return PlainTextResponse(_NOT_BUILT.format(settings.public_path + PREFIX), 404)
        name = request.path_params["name"] or "index.html"
        response = await files.get_response(name, request.scope)
        response.headers["Cache-Control"] = "no-cache"  # files of the next build have these names
        return response

    to_root = RedirectResponse(f"{settings.public_path}/docs/")
    return [Route("/docs", to_root, methods=["GET"]), Route("/docs/{name:path}", serve)]


def _serving(
    document: Callable[[], dict[str, Any]], writer: _Writer, media_type: str
) -> Callable[[Request], Awaitable[Response]]:
    """Written in a thread the first time: it takes up to two seconds."""
    headers = {"Content-Security-Policy": POLICY}
    written: list[str | bytes] = []

    async def serve(_request: Request) -> Response:
        if not written:
            written.append(await run_in_threadpool(lambda: writer(document())))
        return Response(written[0], headers=headers, media_type=media_type)

    return serve


def _as_json(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _as_yaml(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100).encode()
