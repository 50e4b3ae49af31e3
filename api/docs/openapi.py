"""The OpenAPI 3.0.3 document, made from the endpoints' declarations and the body types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import msgspec

from api.docs import guide_texts, openapi_errors
from api.docs.json_schema import ONLY_NULL, REF, allow_null, components, structs, tell_default
from api.http.bodies import LONGEST_WORD
from api.http.endpoint import PREFIX, Endpoint
from api.http.errors import ErrorBody
from api.realtime.events import EVENTS

_PARAMETER = re.compile(r"{(\w+)}")
_PATH_PARAMETERS = {
    "task_id": (
        "Id of a task, as it was answered when it was accepted.",
        "8f14e45fceea167a5a36dedd4bea2543",
    ),
    "key_id": ("Id of a licence key, as GET /keys shows it.", "9f86d081884c"),
    "webhook_id": ("Id of a webhook.", "5f2b9c0e1d3a4b67"),
    "watch_folder_id": ("Id of a watched folder.", "5f2b9c0e1d3a4b67"),
}
_KEY_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "X-License-Key",
    "description": "Or `license_key` in the JSON body; the header wins.",
}


def document(endpoints: Sequence[Endpoint], public_url: str = "") -> dict[str, Any]:
    """The whole document, as plain JSON values. `public_url`: what stands before every path."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Rushes API",
            "version": version("rushes"),
            "description": guide_texts.introduction(urlsplit(public_url).path),
            "contact": {"name": "Whoever runs this server"},
            "license": {"name": "MIT", "url": "https://spdx.org/licenses/MIT.html"},
        },
        "servers": [{"url": public_url + PREFIX, "description": "This server"}],
        "tags": [
            {"name": name, "description": text}
            for name, text in guide_texts.TAGS.items()
            if any(endpoint.tag == name for endpoint in endpoints)
        ],
        "security": [{"LicenseKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"LicenseKey": _KEY_SCHEME},
            "schemas": _schemas(endpoints),
            "responses": openapi_errors.common_responses(),
            "headers": openapi_errors.HEADERS,
        },
    }


def _schemas(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Schemas of all bodies, answers and events, by name, with their examples."""
    bodies: set[type] = set()
    answers: set[type] = {ErrorBody, *EVENTS}
    for endpoint in endpoints:
        bodies.update(filter(None, (endpoint.body,)))
        answers.update((endpoint.answer, *endpoint.also.values()))
        answers.update(filter(None, (endpoint.json_file,)))
    schemas = _null_allowed(components(bodies)) | _always_complete(answers)
    schemas = dict(sorted(schemas.items()))
    for endpoint in endpoints:
        if endpoint.body:
            _fill_examples(schemas, _ref(endpoint.body), endpoint.example)
        _fill_examples(schemas, _ref(endpoint.answer), endpoint.answer_example)
        for event in EVENTS:
            if issubclass(endpoint.answer, event) or issubclass(event, endpoint.answer):
                _fill_examples(schemas, _ref(event), endpoint.answer_example)
        for status, example in endpoint.also_examples.items():
            _fill_examples(schemas, _ref(endpoint.also[status]), example)
    return schemas


def _null_allowed(schemas: dict[str, Any]) -> dict[str, Any]:
    """Allow null and "" for optional keys: in a request they equal leaving them out."""
    for schema in schemas.values():
        properties = schema.get("properties", {})
        for name, field in properties.items():
            if name not in schema.get("required", ()):
                for part in (field, *field.get("anyOf", ())):
                    part.pop("minLength", None)
                    if "pattern" in part:
                        part["pattern"] = f"^$|{part['pattern']}"
                properties[name] = allow_null(field)
                if field.get("default") is not None:
                    properties[name].setdefault("example", field["default"])
                tell_default(properties[name])
    return schemas


def _fill_examples(schemas: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    """Give fields without an example the one that the endpoint's whole example holds."""
    of_null = ONLY_NULL in schema.get("anyOf", ())
    for part in (schema, *schema.get("allOf", ()), *(schema["anyOf"] if of_null else ())):
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
    """Answers carry every field, whatever its default, but where types or fields say otherwise."""
    kinds = structs(answers)
    schemas = components(answers)
    for name, schema in schemas.items():
        if "properties" in schema:
            omits = kinds[name].__struct_config__.omit_defaults
            if not omits:
                fields = msgspec.structs.fields(kinds[name])
                unset = {field.encode_name for field in fields if field.default is msgspec.UNSET}
                schema["required"] = [each for each in schema["properties"] if each not in unset]
            for field in schema["properties"].values():
                if omits:
                    tell_default(field)
                field.pop("default", None)
    return schemas


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [endpoint.tag],
        "operationId": endpoint.operation_id,
        "summary": endpoint.summary,
        "responses": _responses(endpoint),
    }
    described = [endpoint.description] if endpoint.description else []
    if endpoint.scope:
        operation["x-rushes-scope"] = endpoint.scope.value
        described.append(f"Needs a key with the scope `{endpoint.scope}`.")
    if described:
        operation["description"] = "\n\n".join(described)
    if parameters := [*_path_parameters(endpoint), *_query_parameters(endpoint)]:
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


def _path_parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(endpoint.path):
        description, example = _PATH_PARAMETERS[name]
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": {"type": "string", "maxLength": LONGEST_WORD},
            "example": example,
        }


def _query_parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    for parameter in endpoint.query:
        yield {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.description,
            "schema": dict(parameter.schema),
            "example": parameter.example,
        }


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    usual = _answer(endpoint.answer, endpoint.answer_example)
    responses = {str(endpoint.status): _or_a_file(usual, endpoint)}
    for status, kind in endpoint.also.items():
        example = endpoint.also_examples[status]
        responses[str(status)] = answer = _answer(kind, None if status >= 400 else example)
        if status >= 400:
            openapi_errors.show(answer, status, example)
    responses.update(openapi_errors.responses(endpoint))
    return dict(sorted(responses.items()))


def _answer(kind: type, example: Mapping[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _ref(kind)}
    if example is not None:
        content["example"] = example
    description = inspect.cleandoc(kind.__doc__ or kind.__name__)
    return {
        "description": description,
        "content": {"application/json": content},
        "headers": openapi_errors.WARNINGS,
    }


def _or_a_file(answer: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """The answer, which may also be a file of one of the endpoint's media types."""
    if not endpoint.files:
        return answer
    if endpoint.json_file:
        content = answer["content"]["application/json"]
        content["schema"] = {"anyOf": [content["schema"], _ref(endpoint.json_file)]}
    binary = {"schema": {"type": "string", "format": "binary"}}
    files = dict.fromkeys(endpoint.files, binary)
    disposition = {
        "description": "`attachment` with the file's name; only when the answer is a file.",
        "schema": {"type": "string"},
        "example": "attachment; filename=\"A001.srt\"; filename*=UTF-8''A001.srt",
    }
    return {
        **answer,
        "content": files | answer["content"],
        "headers": {"Content-Disposition": disposition, **openapi_errors.WARNINGS},
    }


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": REF.format(name=kind.__name__)}
