"""The API's documentation under all its names, rendered once from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import yaml
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.docs import html, markdown
from api.http.endpoint import PREFIX

_JSON = "application/json"
_YAML = "application/yaml"
_MARKDOWN = "text/markdown; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"


def routes(document: dict[str, Any]) -> list[Route]:
    """Open to all: they hold no data."""
    as_json = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    as_yaml = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100).encode()
    guide = markdown.guide(document)
    pages = {
        f"{PREFIX}/openapi.json": (as_json, _JSON),
        f"{PREFIX}/openapi.yaml": (as_yaml, _YAML),
        f"{PREFIX}/docs": (html.page(document).encode(), "text/html; charset=utf-8"),
        "/api-reference/openapi.json": (as_json, _JSON),
        "/api-reference/openapi-v1.yaml": (as_yaml, _YAML),
        "/api-reference/public-api-v1.md": (guide.encode(), _MARKDOWN),
        "/llms.txt": (markdown.index(document).encode(), _TEXT),
        "/llms-full.txt": (guide.encode(), _TEXT),
    }
    return [Route(path, _serving(*page)) for path, page in pages.items()] + [
        Route("/", _to_docs),
    ]


def _serving(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    headers = {"Content-Security-Policy": html.POLICY}

    async def serve(_request: Request) -> Response:
        return Response(content, headers=headers, media_type=media_type)

    return serve


async def _to_docs(_request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/docs")
