"""The OpenAPI 3.0.3 document, made from the endpoints' declarations and the body types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from api import guide_texts
from api.endpoint import PREFIX, WARNINGS_HEADER, Endpoint
from api.errors import TABLE, ErrorBody
from api.json_schema import REF, components, structs

_MEANINGS = {
    400: "A parameter is missing or wrong; the message names the field and the index.",
    401: "No licence key was given.",
    403: "The key is not a Pro key, or a path lies outside the allowed roots.",
    404: "There is no such thing.",
    409: "Something else is in the way: another task, or another watch folder.",
    413: "The body is larger than RUSHES_MAX_BODY_MB.",
    500: "Something went wrong in the server.",
    503: "The server cannot answer right now; retry after the seconds in Retry-After.",
}
_PARAMETER = re.compile(r"{(\w+)}")
_KEY_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "X-License-Key",
    "description": "Or `license_key` in the JSON body; the header wins.",
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document, as plain JSON values."""
    bodies: set[type] = set()
    answers: set[type] = {ErrorBody}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        bodies.update(filter(None, (endpoint.body,)))
        answers.update((endpoint.answer, *endpoint.also.values()))
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    schemas = _null_allowed(components(bodies)) | _always_complete(answers)
    for endpoint in endpoints:
        if endpoint.body:
            _fill_examples(schemas, _ref(endpoint.body), endpoint.example)
        _fill_examples(schemas, _ref(endpoint.answer), endpoint.answer_example)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Rushes API",
            "version": version("rushes"),
            "description": guide_texts.INTRODUCTION,
            "license": {"name": "MIT"},
        },
        "servers": [{"url": PREFIX, "description": "This server"}],
        "tags": [
            {"name": name, "description": text}
            for name, text in guide_texts.TAGS.items()
            if any(endpoint.tag == name for endpoint in endpoints)
        ],
        "security": [{"LicenseKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"LicenseKey": _KEY_SCHEME},
            "schemas": schemas,
            "responses": _error_responses(),
        },
    }


def _null_allowed(schemas: dict[str, Any]) -> dict[str, Any]:
    """In a request, null for an optional key equals leaving it out."""
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            if name not in schema.get("required", ()):
                field["nullable"] = True
                if "enum" in field:
                    field["enum"] = [*field["enum"], None]  # nullable alone does not allow it
                if field.get("default") is not None:
                    field.setdefault("example", field["default"])
    return schemas


def _fill_examples(schemas: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    """Give fields without an example the one that the endpoint's whole example holds."""
    for part in (schema, *schema.get("allOf", ())):
        target = schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if isinstance(value, Mapping):
            for name, field in target.get("properties", {}).items():
                if value.get(name) is not None:
                    if "$ref" not in field:
                        field.setdefault("example", value[name])
                    _fill_examples(schemas, field, value[name])
        elif isinstance(value, list) and value and isinstance(target.get("items"), dict):
            _fill_examples(schemas, target["items"], value[0])


def _always_complete(answers: set[type]) -> dict[str, Any]:
    """Answers carry every field, whatever its default; but for types that say otherwise."""
    kinds = structs(answers)
    schemas = components(answers)
    for name, schema in schemas.items():
        if "properties" in schema and not kinds[name].__struct_config__.omit_defaults:
            schema["required"] = list(schema["properties"])
            for field in schema["properties"].values():
                field.pop("default", None)
    return schemas


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    words = re.findall(r"\w+", endpoint.path.replace("-", "_").replace("{", "by_"))
    operation: dict[str, Any] = {
        "tags": [endpoint.tag],
        "operationId": "_".join((endpoint.method.lower(), *words)),
        "summary": endpoint.summary,
        "responses": _responses(endpoint),
    }
    if endpoint.description:
        operation["description"] = endpoint.description
    if parameters := list(_parameters(endpoint)):
        operation["parameters"] = parameters
    if endpoint.body:
        content: dict[str, Any] = {"schema": _ref(endpoint.body)}
        if endpoint.example is not None:
            content["example"] = endpoint.example
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(endpoint.body)),
            "content": {"application/json": content},
        }
    if not endpoint.needs_key:
        operation["security"] = []
    return operation


def _parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(endpoint.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for name, text in endpoint.query.items():
        yield {
            "name": name,
            "in": "query",
            "required": name in endpoint.required_query,
            "description": text,
            "schema": {"type": "string"},
        }


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    usual = _answer(endpoint.answer, endpoint.answer_example)
    responses = {str(endpoint.status): _or_a_file(usual, endpoint.files)}
    for status, kind in endpoint.also.items():
        responses[str(status)] = _answer(kind, None)
    for status in statuses_of_errors(endpoint):
        responses[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
    return dict(sorted(responses.items()))


def statuses_of_errors(endpoint: Endpoint) -> list[int]:
    """Every status of an error that this endpoint may answer."""
    found = {500, *endpoint.errors}
    if endpoint.needs_key:
        found |= {401, 403, 503}
    if endpoint.method in ("POST", "PUT"):
        found |= {400, 413}
    return sorted(found)


def _answer(kind: type, example: Mapping[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _ref(kind)}
    if example is not None:
        content["example"] = example
    description = inspect.cleandoc(kind.__doc__ or kind.__name__)
    return {"description": description, "content": {"application/json": content}}


def _or_a_file(answer: dict[str, Any], media_types: Sequence[str]) -> dict[str, Any]:
    """The same answer, which may also be a file of one of these media types."""
    if not media_types:
        return answer
    binary = {"schema": {"type": "string", "format": "binary"}}
    files = dict.fromkeys(media_types, binary)
    disposition = {
        "description": "`attachment` with the file's name; only when the answer is a file.",
        "schema": {"type": "string"},
    }
    warnings = {
        "description": "A JSON array of sentences on what in the file is not as asked for; only "
        "when there are any.",
        "schema": {"type": "string"},
    }
    return {
        **answer,
        "content": files | answer["content"],
        "headers": {"Content-Disposition": disposition, WARNINGS_HEADER: warnings},
    }


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": REF.format(name=kind.__name__)}


def _error_responses() -> dict[str, Any]:
    responses = {}
    for status, meaning in _MEANINGS.items():
        examples = {}
        for kind, (of_status, label) in TABLE.items():
            if of_status == status:
                message = (kind.__doc__ or "").strip()
                examples[kind.__name__] = {"value": {"error": label, "message": message}}
        entry: dict[str, Any] = {
            "description": meaning,
            "content": {
                "application/json": {"schema": _ref(ErrorBody), "examples": examples},
            },
        }
        if status == 503:
            entry["headers"] = {
                "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
            }
        responses[f"Error{status}"] = entry
    return responses
