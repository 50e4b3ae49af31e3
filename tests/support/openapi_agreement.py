"""Does what the API answers agree with its own OpenAPI document?

`check` is called with every answer that the tests' client gets. It is strict: a status, a media
type, a header, an error or a field that the document does not name is a disagreement.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
from jsonschema_rs import Draft4Validator

from api.app import ENDPOINTS
from api.docs.json_schema import REF
from api.docs.openapi import document
from api.http.endpoint import PREFIX, Endpoint

Json = dict[str, Any]
_HEADERS = ("retry-after", "content-disposition", "x-rushes-warnings")


@functools.cache
def served() -> Json:
    """The document, as it goes over the wire."""
    made: Json = msgspec.json.decode(msgspec.json.encode(document(ENDPOINTS)))
    return made


def example_body(endpoint: Endpoint) -> Json:
    """The request body that the document shows for an endpoint; empty where it takes none."""
    operation = served()["paths"][endpoint.path][endpoint.method.lower()]
    content = operation.get("requestBody", {"content": {}})["content"]
    return dict(content.get("application/json", {}).get("example", {}))


def check(answer: httpx.Response) -> None:
    """Raise AssertionError where an answer of the API is not what the document says."""
    operation = operation_of(answer.request.method, answer.request.url.path)
    if operation is None:
        return  # the documents themselves, and what the router refuses
    where = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
    response = operation["responses"].get(str(answer.status_code))
    assert response is not None, f"{where} is not in the OpenAPI document: {answer.text[:300]}"
    response = resolved(response)
    documented = {name.lower() for name in response.get("headers", {})}
    strange = [name for name in _HEADERS if name in answer.headers and name not in documented]
    assert not strange, f"{where}: headers that the OpenAPI document does not name: {strange}"
    media_type = answer.headers["content-type"].partition(";")[0]
    assert media_type in response["content"], f"{where}: {media_type} is not in the document"
    if media_type != "application/json":
        return
    body = msgspec.json.decode(answer.read())
    content = response["content"][media_type]
    _agree(where, content["schema"], body)
    if answer.status_code >= 400 and "examples" in content:
        labels = {example["value"]["error"] for example in content["examples"].values()}
        assert body["error"] in labels, f"{where}: {body} is not among the documented {labels}"


def check_event(payload: Any) -> None:
    """The same for the payload of an event `progress`."""
    rooms = {"ingest": "WatchProgress", "tasks": "TasksChanged"}
    name = rooms.get(payload.get("type", ""), "TaskProgress")
    _agree("progress", {"$ref": REF.format(name=name)}, payload)


def operation_of(method: str, path: str) -> Json | None:
    """The operation that a request is about; None for what is no endpoint."""
    for pattern, methods in _paths():
        if pattern.fullmatch(path):
            found: Json | None = methods.get(method.lower())
            return found
    return None


def resolved(thing: Json) -> Json:
    """What a `$ref` points to; anything else as it is."""
    if "$ref" not in thing:
        return thing
    found = served()
    for part in thing["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def inlined(schema: Any) -> Any:
    """A schema without any `$ref`; ours never hold themselves."""
    if isinstance(schema, dict):
        return {word: inlined(value) for word, value in resolved(schema).items()}
    return [inlined(item) for item in schema] if isinstance(schema, list) else schema


@functools.cache
def _paths() -> list[tuple[re.Pattern[str], Json]]:
    """Names before parameters, as the router takes them."""
    paths = sorted(served()["paths"].items(), key=lambda item: "{" in item[0])
    return [(re.compile(PREFIX + re.sub(r"{\w+}", "[^/]+", path)), found) for path, found in paths]


@functools.cache
def _validator(schema: bytes) -> Draft4Validator:
    return validator_of(_rewrite(inlined(msgspec.json.decode(schema)), _forbid_other_fields))


def validator_of(schema: Json) -> Draft4Validator:
    """Build a validator from a schema of OpenAPI 3.0, which is Draft 4 with `nullable`."""
    return Draft4Validator(_rewrite(schema, _allow_null))


def _rewrite(schema: Any, change: Callable[[Json], None]) -> Any:
    """Copy a schema, with `change` applied to each object in it."""
    if isinstance(schema, list):
        return [_rewrite(item, change) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {word: _rewrite(value, change) for word, value in schema.items()}
    change(copied)
    return copied


def _allow_null(schema: Json) -> None:
    if schema.pop("nullable", None) is True:
        schema["type"] = [schema["type"], "null"]


def _forbid_other_fields(schema: Json) -> None:
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        schema.setdefault("additionalProperties", False)


def _agree(where: str, schema: Json, body: Any) -> None:
    problems = [
        f"{'/'.join(map(str, error.instance_path))}: {error.message[:300]}"
        for error in _validator(msgspec.json.encode(schema)).iter_errors(body)
    ]
    assert not problems, f"{where} disagrees with the OpenAPI document: {problems[:5]}"
