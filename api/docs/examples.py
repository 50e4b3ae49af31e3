"""Examples of whole bodies and answers, made of the examples of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.docs.json_schema import ONLY_NULL

Json = dict[str, Any]
_ABSENT = object()
# Of whole examples, which show what is usual: nothing has failed, and no page follows.
_NULL = (
    *("error", "finished_at", "last_error", "next", "paused_until", "reason", "schedule"),
    *("superseded_by", "undone_to", "unsupported", "waiting_for"),
)
_EMPTY = ("dead", "failed", "failed_files", "missing", "skipped", "warnings")


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
