"""The OpenAPI document and the API agree on answers and on requests.

Every client of the tests asks tests.support.openapi_agreement about the answers that it gets.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import ENDPOINTS
from api.http.endpoint import PREFIX, Endpoint
from shared.cache.cache_dir import CacheDir
from tests.support import openapi_agreement
from tests.support.private_redis import PrivateRedis
from tests.support.schema_values import ANYTHING, SchemaValues
from tests.support.stack import Client, Stack, running_stack

WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.body]
_BOUNDED = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def name_of(endpoint: Endpoint) -> str:
    return endpoint.operation_id


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, PrivateRedis]]:
    """An API process of this file's own: nobody else counts what it was asked."""
    with tempfile.TemporaryDirectory(prefix="ra-") as short:
        own = PrivateRedis(Path(short))
        own.start()
        folder = tmp_path_factory.mktemp("agreement")
        roots = {
            "RUSHES_MEDIA_ROOTS": str(folder / "media"),
            "RUSHES_CACHE_ROOTS": str(folder / "caches"),
            "RUSHES_WEBHOOK_HOSTS": "mam.example",
        }
        with running_stack(folder, own.url, analysis=0, query=0, **roots) as stack:
            yield stack, own
        own.stop()


@pytest.fixture(scope="module")
def client(server: tuple[Stack, PrivateRedis]) -> Client:
    """A client with the key."""
    return server[0].client()


@pytest.fixture(scope="module")
def footage(server: tuple[Stack, PrivateRedis]) -> dict[str, str]:
    """Where the examples' folders are here; the cache folder is one already."""
    media, caches = server[0].folder / "media", server[0].folder / "caches"
    CacheDir.open(str(caches / "shown"), create=True)
    for name in ("incoming", "exports", "day1"):
        (media / name).mkdir(parents=True)
    (media / "day1" / "A001.mov").write_bytes(b"no film")
    return {"/footage/.rushes": str(caches / "shown"), "/footage": str(media)}


def placed(value: Any, footage: dict[str, str]) -> Any:
    """An example with the folders that are here."""
    if isinstance(value, dict):
        return {key: placed(item, footage) for key, item in value.items()}
    if isinstance(value, list):
        return [placed(item, footage) for item in value]
    if isinstance(value, str) and value.startswith("/footage"):
        return next(value.replace(a, b, 1) for a, b in footage.items() if value.startswith(a))
    return value


def asked(client: Client, footage: dict[str, str], endpoint: Endpoint, body: Any) -> httpx.Response:
    """The answer, which was compared with the document already, and is no crash."""
    path = re.sub(r"{\w+}", "nobody's", endpoint.path)
    query = {parameter.name: parameter.example for parameter in endpoint.query}
    own = {"Origin": client.url, "X-Rushes-Console": "1"} if endpoint.tag == "Console" else {}
    answer = client.http.request(
        endpoint.method, path, json=body, params=placed(query, footage), headers=own
    )
    assert answer.status_code != 500, answer.text
    return answer


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=name_of)
def test_what_the_document_shows_is_understood(
    client: Client, footage: dict[str, str], endpoint: Endpoint
) -> None:
    answer = asked(
        client, footage, endpoint, placed(openapi_agreement.example_body(endpoint), footage)
    )
    # No worker runs here, and nothing is known yet.
    assert answer.status_code in (200, 201, 202, 404, 503), answer.text


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=name_of)
def test_whatever_is_asked_is_answered_as_the_document_says(
    client: Client,
    server: tuple[Stack, PrivateRedis],
    footage: dict[str, str],
    endpoint: Endpoint,
) -> None:
    assert endpoint.body is not None
    schema = openapi_agreement.inlined({"$ref": f"#/components/schemas/{endpoint.body.__name__}"})
    del schema["properties"]["license_key"]
    allowed = SchemaValues(lambda path: str(placed(path, footage))).of(schema)
    fields = st.sampled_from(sorted(schema["properties"]) or ["nothing"])
    mistakes = st.dictionaries(fields, ANYTHING, min_size=1, max_size=2)

    @_BOUNDED
    @given(allowed, mistakes)
    def ask(body: dict[str, Any], mistake: dict[str, Any]) -> None:
        asked(client, footage, endpoint, body)
        asked(client, footage, endpoint, body | mistake)
        server[1].flush()  # nothing runs on, so that nothing has to be waited for

    ask()


def _answer(client: Client, path: str, status: int, body: Any, **headers: str) -> httpx.Response:
    request = httpx.Request("POST", f"{client.url}{PREFIX}{path}")
    return httpx.Response(status, json=body, headers=headers, request=request)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (204, {}, {}),
        (200, {"matches": []}, {"Retry-After": "2"}),
        (200, {"matches": [], "score": 1}, {}),
        (200, {"matches": None}, {}),
        (200, {}, {}),
        (404, {"error": "Not found", "message": "There is none."}, {}),
        (400, {"error": "Not found", "message": "There is none."}, {}),
        (400, {"error": "Invalid request"}, {}),
        (200, {"matches": [{"frame_idx": 5}]}, {}),
    ],
)
def test_an_answer_that_the_document_does_not_know_is_noticed(
    client: Client, status: int, body: Any, headers: dict[str, str]
) -> None:
    assert openapi_agreement.check in client.http.event_hooks["response"]
    openapi_agreement.check(_answer(client, "/search/text", 200, {"matches": []}))
    with pytest.raises(AssertionError):
        openapi_agreement.check(_answer(client, "/search/text", status, body, **headers))
