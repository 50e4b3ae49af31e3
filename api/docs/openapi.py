"""The OpenAPI 3.0.3 document, made from the endpoints' declarations and the body types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
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

Json = dict[str, Any]
_ABSENT = object()
# Of whole examples, which show what is usual: nothing has failed, and no page follows.
_NULL = (
    *("error", "finished_at", "last_error", "next", "paused_until", "reason", "schedule"),
    *("superseded_by", "undone_to", "unsupported", "waiting_for"),
)
_EMPTY = ("dead", "failed", "failed_files", "missing", "skipped", "warnings")
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


def example_of(schemas: Json, schema: Json, given: Any = _ABSENT) -> Any:
    """Return an example of a schema: what is `given`, completed by every required field.

    Objects in lists are completed as well; `...` stands for a field's own example. A field shows
    its own example, or what its type is made of. Raises KeyError for a text without either.
    """
    if given is ...:
        given = _ABSENT
    schema = _object_or_value(schemas, schema, given)
    if isinstance(given, list):
        return [example_of(schemas, schema["items"], item) for item in given]
    if isinstance(given, Mapping) or (given is _ABSENT and "properties" in schema):
        return _object(schemas, schema, given if isinstance(given, Mapping) else {})
    return _value(schemas, schema) if given is _ABSENT else given


def _object_or_value(schemas: Json, schema: Json, given: object) -> Json:
    """Return what a schema refers to; of several alternatives the one that fits."""
    if "$ref" in schema:
        return dict(schemas[schema["$ref"].rpartition("/")[2]])
    alternatives = schema.get("anyOf") or schema.get("allOf") or ()
    kinds = [kind for kind in alternatives if kind != ONLY_NULL]
    if not kinds or (given is _ABSENT and "example" in schema):
        return schema
    found = [_object_or_value(schemas, kind, given) for kind in kinds]
    names = given.keys() if isinstance(given, Mapping) else set()
    return next((kind for kind in found if names <= kind.get("properties", {}).keys()), found[0])


def _object(schemas: Json, schema: Json, given: Mapping[str, Any]) -> Json:
    if "properties" not in schema:  # any names
        of_values = schema.get("additionalProperties") or {}
        return {name: example_of(schemas, of_values, value) for name, value in given.items()}
    shown: Json = {}
    for name, field in schema["properties"].items():
        if name in given:
            shown[name] = example_of(schemas, field, given[name])
        elif name in schema.get("required", ()):
            shown[name] = _of_field(schemas, name, field)
    return shown


def _of_field(schemas: Json, name: str, field: Json) -> Any:
    if name in _NULL and (field.get("nullable") or ONLY_NULL in field.get("anyOf", ())):
        return None
    is_empty = name in _EMPTY and field.get("type") == "array"
    return [] if is_empty else example_of(schemas, field)


def _value(schemas: Json, schema: Json) -> Any:
    if "example" in schema:
        return schema["example"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        items = _object_or_value(schemas, schema["items"], _ABSENT)
        return [example_of(schemas, items)] if items.keys() & {"properties", "example"} else []
    if schema.get("type") == "object":
        return {}
    return False if schema.get("type") == "boolean" else schema["minimum"]


def document(endpoints: Sequence[Endpoint], public_url: str = "") -> dict[str, Any]:
    """The whole document, as plain JSON values. `public_url`: what stands before every path."""
    schemas = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schemas)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
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
            "schemas": schemas,
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
        answers.update((endpoint.answer, *(kind for kind, _ in endpoint.also.values())))
        answers.update(filter(None, (endpoint.json_file,)))
    schemas = _null_allowed(components(bodies)) | _always_complete(answers)
    schemas = dict(sorted(schemas.items()))
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "$ref" not in field and "example" not in field:
                field["example"] = example_of(schemas, field)
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


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(endpoint.handler.__doc__ or "").partition("\n")
    operation: dict[str, Any] = {
        "tags": [endpoint.tag],
        "operationId": endpoint.operation_id,
        "summary": summary.removesuffix("."),
        "responses": _responses(endpoint, schemas),
    }
    description = endpoint.description or " ".join(rest.split())
    described = [description] if description else []
    if endpoint.scope:
        operation["x-rushes-scope"] = endpoint.scope.value
        described.append(f"Needs a key with the scope `{endpoint.scope}`.")
    if described:
        operation["description"] = "\n\n".join(described)
    if parameters := list(_parameters(endpoint)):
        operation["parameters"] = parameters
    if endpoint.body:
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(endpoint.body)),
            "content": {"application/json": _content(schemas, endpoint.body, endpoint.example)},
        }
    if not endpoint.needs_key:
        operation["security"] = []
    return operation


def _parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    in_path = {"type": "string", "maxLength": LONGEST_WORD}
    for name in _PARAMETER.findall(endpoint.path):
        yield _parameter(name, "path", *_PATH_PARAMETERS[name], in_path, True)
    for one in endpoint.query:
        yield _parameter(
            one.name, "query", one.description, one.example, dict(one.schema), one.required
        )


def _parameter(
    name: str, place: str, description: str, example: Any, schema: dict[str, Any], required: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _responses(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    answers = {endpoint.status: (endpoint.answer, endpoint.answer_example), **endpoint.also}
    responses = {}
    for status, (kind, given) in answers.items():
        response = {
            "description": inspect.cleandoc(kind.__doc__ or kind.__name__),
            "content": {"application/json": _content(schemas, kind, given)},
            "headers": openapi_errors.WARNINGS,
        }
        if status >= 400:
            openapi_errors.show(response, status)
        responses[str(status)] = response
    responses[str(endpoint.status)] = _or_a_file(responses[str(endpoint.status)], endpoint)
    responses.update(openapi_errors.responses(endpoint))
    return dict(sorted(responses.items()))


def _content(schemas: dict[str, Any], kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": _ref(kind), "example": example_of(schemas, _ref(kind), given)}


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
