"""The API's documentation under all its names, made from the OpenAPI document when first read."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.docs import html, markdown, openapi
from api.http.endpoint import PREFIX, Endpoint
from shared.settings import Settings

_JSON = "application/json"
_YAML = "application/yaml"
_MARKDOWN = "text/markdown; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"

_Writer = Callable[[dict[str, Any]], str | bytes]


def routes(endpoints: Sequence[Endpoint], settings: Settings) -> list[Route]:
    """Open to all: they hold no data."""
    document = functools.cache(lambda: openapi.document(endpoints, settings.public_url or ""))
    pages: dict[str, tuple[_Writer, str]] = {
        f"{PREFIX}/openapi.json": (_as_json, _JSON),
        f"{PREFIX}/openapi.yaml": (_as_yaml, _YAML),
        f"{PREFIX}/docs": (html.page, "text/html; charset=utf-8"),
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
    if settings.console:  # which is at /
        return found
    return [
        *found,
        Route("/", RedirectResponse(f"{settings.public_path}{PREFIX}/docs"), methods=["GET"]),
    ]


def _serving(
    document: Callable[[], dict[str, Any]], writer: _Writer, media_type: str
) -> Callable[[Request], Awaitable[Response]]:
    """Written in a thread the first time: it takes up to two seconds."""
    headers = {"Content-Security-Policy": html.POLICY}
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
