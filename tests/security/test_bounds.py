"""Every input has a bound: stated in the document, and refused with a sentence that names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.exports.transcripts.document import LONGEST_SPOKEN
from api.exports.transcripts.segments import segments_of
from api.http.bodies import LONGEST_PATH, LONGEST_TEXT, LONGEST_WORD, MOST_ITEMS
from shared.errors import BadInput
from shared.query.bounds import LONGEST_QUERY, MOST_TEXTS
from tests.support.openapi_agreement import inlined, served
from tests.support.private_redis import PrivateRedis
from tests.support.stack import ADDRESS_SPACE, Client, running_stack

Json = dict[str, Any]


def inputs() -> Iterator[tuple[str, Json]]:
    """Every schema of what a request may hold, each with a name."""
    for path, operations in served()["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                yield f"{method} {path} {parameter['name']}", parameter["schema"]
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                yield f"{method} {path}", inlined(schema)


def without_bound(name: str, schema: Json) -> Iterator[str]:
    """Texts and lists in a schema that may be as long as they like."""
    for word in ("anyOf", "allOf", "oneOf"):
        for kind in schema.get(word, ()):
            yield from without_bound(name, kind)
    kind = schema.get("type")
    if kind == "string" and not {"enum", "maxLength"} & schema.keys():
        yield name
    if kind == "array":
        yield from (name,) if "maxItems" not in schema else ()
        yield from without_bound(f"{name}[]", schema["items"])
    for field, inner in schema.get("properties", {}).items():
        yield from without_bound(f"{name}.{field}", inner)


def test_the_document_states_a_bound_for_every_text_and_every_list() -> None:
    schemas = list(inputs())
    assert len(schemas) > 40
    assert [found for name, schema in schemas for found in without_bound(name, schema)] == []


def test_a_text_or_list_without_a_bound_would_be_noticed() -> None:
    names = {"type": "array", "items": {"anyOf": [{"type": "string"}]}}
    found = without_bound("body", {"type": "object", "properties": {"names": names}})
    assert list(found) == ["body.names", "body.names[]"]


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, _shared_redis: PrivateRedis
) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("bounds")
    with running_stack(
        folder, _shared_redis.url, analysis=0, query=0, address_space=ADDRESS_SPACE
    ) as stack:
        yield stack.client()


@pytest.mark.parametrize(
    ("path", "wrong", "field", "limit"),
    [
        ("/search/text", {"query": "x" * 8_000_000}, "query", LONGEST_QUERY),
        ("/search/text", {"exclude": ["a"] * 10_000}, "exclude", MOST_TEXTS - 1),
        ("/search/text", {"exclude": ["a", "x" * 501]}, "exclude[1]", 500),
        ("/search/text", {"cache_dir": "/" + "x" * LONGEST_PATH}, "cache_dir", LONGEST_PATH),
        (
            "/search/text",
            {"people_filter": [{"cluster_job_name": "A"}] * 1_001},
            "people_filter",
            1_000,
        ),
        ("/media/metadata", {"media_paths": ["/a"] * (MOST_ITEMS + 1)}, "media_paths", MOST_ITEMS),
        (
            "/analyze",
            {"transcription_jobs": [{"path": "/a", "language": "x" * 1_001}]},
            "transcription_jobs[0].language",
            LONGEST_WORD,
        ),
        ("/models/load", {"model_key": "x" * 1_001}, "model_key", LONGEST_WORD),
        ("/search/image", {"image": "A" * 40_000_001}, "image", 40_000_000),
        (
            "/faces/clusters/samples",
            {"cluster_job_name": "x" * 10_001},
            "cluster_job_name",
            LONGEST_TEXT,
        ),
    ],
)
def test_what_is_too_long_is_400_with_the_field_the_limit_and_what_to_do(
    client: Client, path: str, wrong: Json, field: str, limit: int
) -> None:
    answer = client.post(path, **{"cache_dir": "/c", "query": "a", **wrong})
    assert answer.status_code == 400
    message = answer.json()["message"]
    assert message.startswith(f"{field} may ")
    assert f"{limit:,}" in message
    assert message.endswith(("shorten it.", "send fewer, or several requests."))
    assert len(message) < 200


@pytest.mark.parametrize(
    "path",
    [
        f"/tasks/{'x' * 1_001}",
        f"/faces/clusters?cache_dir=/{'x' * LONGEST_PATH}",
        f"/ready?require={'x' * 1_001}",
    ],
)
def test_what_is_too_long_in_a_url_is_400(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert "characters; shorten it." in answer.json()["message"]


def test_what_is_said_in_a_segment_has_a_bound() -> None:
    segments_of([[0, "x" * LONGEST_SPOKEN, 1]])
    with pytest.raises(BadInput, match=r"^segments\[1\]\.text may have at most 100,000 characters"):
        segments_of([[0, "x", 1], [0, "x" * (LONGEST_SPOKEN + 1), 1]])
