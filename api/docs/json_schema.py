"""JSON Schema 2020-12, as msgspec writes it, into the dialect of OpenAPI 3.0."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

import msgspec

from shared.fields import words_of

REF = "#/components/schemas/{name}"
DEFAULT = "x-rushes-default"
_NULL = {"type": "null"}
ONLY_NULL = {"type": "string", "nullable": True, "enum": [None]}
_INFO = (msgspec.inspect.Type, msgspec.inspect.Field)


def components(types: Iterable[type]) -> dict[str, Any]:
    """Schemas of all these types and of what they refer to, by name."""
    ordered = sorted(types, key=lambda kind: kind.__name__)
    _, found = msgspec.json.schema_components(ordered, ref_template=REF)
    for schema in found.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    for name, kind in structs(ordered).items():
        for field in msgspec.structs.fields(kind):
            if field.name in (words := words_of(kind)):
                _describe(found[name]["properties"][field.encode_name], words[field.name])
    choices: dict[str, Any] = {}
    for schema in found.values():
        if "properties" in schema:
            schema["properties"] = _with_named_choices(schema["properties"], choices)
    found |= choices
    return {name: convert(found[name]) for name in sorted(found)}


def _describe(schema: dict[str, Any], words: str) -> None:
    """Describe a field by its words: of one that may be null its other type, as `convert` wants.

    Words of a shared type stay where they are: a list of choices with a name is described by them.
    """
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != _NULL]
    is_plain = len(kinds) == 1 and "examples" not in schema and "description" not in kinds[0]
    target = kinds[0] if is_plain else schema
    rest = {word: target.pop(word) for word in list(target)} | {"description": words}
    first = takewhile(("title", "pattern", "description").__contains__, rest)
    for word in [*first, "description", *rest]:
        target[word] = rest[word]


def _with_named_choices(schema: Any, named: dict[str, Any]) -> Any:
    """A schema whose lists of choices that have a title stand in `named`, by that title.

    Where they stood is a reference: generators make one type of it, also where it may be null.
    """
    if isinstance(schema, list):
        return [_with_named_choices(part, named) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if not schema.keys() >= {"enum", "title"}:
        return {word: _with_named_choices(value, named) for word, value in schema.items()}
    name = schema["title"]
    found = {word: schema[word] for word in ("title", "description", "enum")}
    if named.setdefault(name, found)["enum"] != found["enum"]:
        raise ValueError(f"Two lists of choices are called {name}.")
    rest = {word: value for word, value in schema.items() if word not in ("title", "enum")}
    return {"$ref": REF.format(name=name), **rest}


def tell_default(field: dict[str, Any]) -> None:
    """Say what leaving the field out means in an extension and in words, not as `default`.

    Of a field with that word openapi-typescript says that it is always there, in requests too.
    """
    if "default" in field:
        field[DEFAULT] = default = field.pop("default")
        words = default if default and isinstance(default, str) else json.dumps(default)
        field["description"] = f"{field['description']} Default: `{words}`."


def structs(types: Iterable[type]) -> dict[str, type[msgspec.Struct]]:
    """Struct types and all that they hold, by name."""
    found: dict[str, type[msgspec.Struct]] = {}
    waiting: list[Any] = list(msgspec.inspect.multi_type_info(types))
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls.__name__ in found:
                continue
            found[info.cls.__name__] = info.cls
        for part in info.__struct_fields__ if isinstance(info, msgspec.Struct) else ():
            inner = getattr(info, part)
            parts = inner if isinstance(inner, tuple) else (inner,)
            waiting += [kind for kind in parts if isinstance(kind, _INFO)]
    return found


def convert(schema: dict[str, Any]) -> dict[str, Any]:
    """One schema, and all within it, in the 3.0 dialect."""
    new = dict(schema)
    if "properties" in new:
        new["properties"] = {name: convert(value) for name, value in new["properties"].items()}
    if "prefixItems" in new:
        new["items"] = _either(new.pop("prefixItems"))
    for word in ("items", "additionalProperties"):
        if isinstance(new.get(word), dict):
            new[word] = convert(new[word])
    if not new.get("required", True):
        del new["required"]  # 3.0 allows no empty list
    _rename_words(new)
    if "$ref" in new and len(new) > 1:
        new["allOf"] = [{"$ref": new.pop("$ref")}]
    return _union(new) if "anyOf" in new else new


def _rename_words(schema: dict[str, Any]) -> None:
    for word, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if word in schema:
            schema[plain], schema[word] = schema[word], True
    if "examples" in schema:
        schema["example"] = schema.pop("examples")[0]
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if "enum" in schema and "type" not in schema:
        schema["type"] = "string"


def _either(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    different = [kind for n, kind in enumerate(kinds) if kind not in kinds[:n]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _union(schema: dict[str, Any]) -> dict[str, Any]:
    """3.0 has no null type but `nullable`, and a `$ref` there has no neighbours."""
    kinds = [convert(kind) for kind in schema.pop("anyOf")]
    others = [kind for kind in kinds if kind != _NULL]
    if len(others) > 1:
        schema["anyOf"] = others
    elif "$ref" in others[0]:
        schema["allOf"] = others
    else:
        schema = {**others[0], **schema}
    if schema.get("default", 0) is None:
        del schema["default"]
    return schema if len(others) == len(kinds) else allow_null(schema)


def allow_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that also allows null; 3.0 takes `nullable` beside a `type` only."""
    if "type" in schema:
        found = {**schema, "nullable": True}
        if "enum" in schema and None not in schema["enum"]:
            found["enum"] = [*schema["enum"], None]  # nullable alone does not allow it
        return found
    rest = {word: value for word, value in schema.items() if word not in ("anyOf", "allOf")}
    kinds = schema.get("anyOf") or schema.get("allOf") or [rest]
    if ONLY_NULL in kinds:
        return schema
    if "$ref" in rest:
        return {"anyOf": [rest, ONLY_NULL]}
    return {**rest, "anyOf": [*kinds, ONLY_NULL]}
