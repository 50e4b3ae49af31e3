"""Answers that are files: what goes over the wire, and what the documents say about it."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from starlette.applications import Starlette

from api.app import provide
from api.docs import markdown, pages
from api.docs.openapi import document
from api.http.endpoint import Call, Endpoint, FileReply, routes
from api.monitoring.routes import Health
from shared.settings import Settings

NAMES = {
    "plain.txt": ("plain.txt", "plain.txt"),
    'a "quoted" \\ 100% name.txt': ("a _quoted_ _ 100_ name.txt", None),
    "Gespräch 漢字.txt": ("Gespr_ch __.txt", "Gespr%C3%A4ch%20%E6%BC%A2%E5%AD%97.txt"),
    "two\r\nlines.txt": ("two__lines.txt", "two%0D%0Alines.txt"),
    "half a pair \ud83d.txt": ("half a pair _.txt", "half%20a%20pair%20%3F.txt"),
}


def _endpoint(reply: FileReply | Health) -> Endpoint:
    async def get_file(_call: Call[None]) -> FileReply | Health:
        """A file."""
        return reply

    return Endpoint(
        "GET /file",
        get_file,
        "Exports",
        files=("text/plain", "application/pdf"),
        needs_key=False,
    )


def _answer(reply: FileReply | Health) -> httpx.Response:
    # Without a key and a body nothing of the services is touched.
    provider = provide(Settings(redis_url="unix:///nowhere"))
    app = Starlette(routes=routes([_endpoint(reply)], provider))

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            return await http.get("http://test/api/v1/file")

    return asyncio.run(get())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_sent_as_it_is_under_a_name_that_every_client_can_read(name: str) -> None:
    answer = _answer(FileReply(b"\x00%PDF\xff", "application/pdf", name))
    assert answer.status_code == 200
    assert answer.content == b"\x00%PDF\xff"
    assert answer.headers["content-type"] == "application/pdf"
    plain, whole = NAMES[name]
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith(f"attachment; filename=\"{plain}\"; filename*=UTF-8''")
    if whole:
        assert disposition.endswith(f"''{whole}")


def test_text_is_marked_as_utf_8() -> None:
    answer = _answer(FileReply("Grüße".encode(), "text/plain", "a.txt"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "Grüße"


def test_the_same_endpoint_may_answer_json() -> None:
    answer = _answer(Health())
    assert answer.json() == {"status": "ok"}
    assert "content-disposition" not in answer.headers


def test_the_documents_name_the_media_types_and_stay_valid() -> None:
    made = json.loads(json.dumps(document([_endpoint(Health())])))
    OpenAPIV30SpecValidator(made).validate()
    answer = made["paths"]["/file"]["get"]["responses"]["200"]
    assert set(answer["content"]) == {"text/plain", "application/pdf", "application/json"}
    assert answer["content"]["application/pdf"]["schema"]["format"] == "binary"
    assert "Content-Disposition" in answer["headers"]
    assert "`text/plain`, `application/pdf`" in markdown.guide(made)
    assert "<code>application/pdf</code>" in pages.page(made)
