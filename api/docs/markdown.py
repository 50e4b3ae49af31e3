"""The endpoint guide in Markdown, and the short index for language models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from api.docs.json_schema import ONLY_NULL
from api.http.endpoint import PREFIX

Json = dict[str, Any]


def index(document: Json) -> str:
    """llms.txt: what this is and where to read on."""
    root = base(document).removesuffix(PREFIX)
    reference = f"{root}/api-reference"
    lines = [
        f"# {document['info']['title']}",
        "",
        "> Makes footage searchable: analyze videos, stills and speech, follow the progress, "
        "search by words, by a picture, by a frame or by what was said.",
        "",
        "## Docs",
        "",
        f"- [Endpoint guide]({reference}/public-api-v1.md): every endpoint with its fields",
        f"- [OpenAPI 3.0 document]({reference}/openapi.json): for generating clients",
        f"- [The same as YAML]({reference}/openapi-v1.yaml)",
        f"- [Everything in one file]({root}/llms-full.txt)",
        "",
        "## Endpoints",
        "",
    ]
    for path, method, operation in operations(document):
        what = operation["summary"]
        lines.append(f"- `{method} {base(document)}{path}`: {what}")
    return "\n".join(lines) + "\n"


def guide(document: Json) -> str:
    """Every endpoint with its fields, answers, examples and errors."""
    lines = [f"# {document['info']['title']}", "", document["info"]["description"]]
    for tag in document["tags"]:
        lines += [f"## {tag['name']}", "", tag["description"], ""]
        for path, method, operation in operations(document, tag["name"]):
            lines += _operation(document, path, method, operation)
    return "\n".join(lines).rstrip() + "\n"


def base(document: Json) -> str:
    """The path before every endpoint's own."""
    return str(document["servers"][0]["url"])


def operations(document: Json, tag: str | None = None) -> Iterator[tuple[str, str, Json]]:
    """(path, method, operation) of all endpoints, or of one tag."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag is None or tag in operation["tags"]:
                yield path, method.upper(), operation


def resolved(document: Json, thing: Json) -> Json:
    """What a `$ref` points to; anything else as it is."""
    if "$ref" not in thing:
        return thing
    found: Json = document
    for part in thing["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def alternatives(document: Json, schema: Json) -> list[Json]:
    """The objects that a body may be; mostly one."""
    return [resolved(document, kind) for kind in schema.get("anyOf", [schema])]


def type_words(document: Json, schema: Json) -> str:
    """A schema in a few words: `string`, `MediaItem[]`, `number or string`, `Rate or null`."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != ONLY_NULL]
    if "$ref" in schema:
        words = str(schema["$ref"]).rpartition("/")[2]
        target = resolved(document, schema)
        if "enum" in target:
            words = " or ".join(json.dumps(value) for value in target["enum"])
    elif "allOf" in schema:
        words = type_words(document, schema["allOf"][0])
    elif kinds:
        words = " or ".join(type_words(document, kind) for kind in kinds)
    elif "enum" in schema:
        words = " or ".join(json.dumps(value) for value in schema["enum"] if value is not None)
    elif schema.get("type") == "array":
        words = type_words(document, schema.get("items", {}))
        words = f"({words})[]" if " " in words else f"{words}[]"
    else:
        words = str(schema.get("type", "any"))
    is_nullable = schema.get("nullable") or ONLY_NULL in schema.get("anyOf", ())
    return f"{words} or null" if is_nullable else words


def description_of(schema: Json) -> str:
    """What a field's schema says, looking into its alternatives."""
    own = schema.get("description")
    if own:
        return str(own)
    kinds = schema.get("anyOf", ())
    return "; ".join(kind["description"] for kind in kinds if "description" in kind)


def file_types(holder: Json) -> str:
    """The media types of the files that an answer may be; empty for JSON alone."""
    return ", ".join(f"`{kind}`" for kind in holder["content"] if kind != "application/json")


def errors_of(document: Json, operation: Json) -> Iterator[tuple[str, str, str]]:
    """(status, short label, an example of the message) of all errors of an operation."""
    for status, answer in operation["responses"].items():
        content = resolved(document, answer)["content"].get("application/json", {})
        shown = [example["value"] for example in content.get("examples", {}).values()]
        shown += [content["example"]] if "example" in content else []
        for body in shown if int(status) >= 400 else ():
            yield status, body["error"], body["message"]


def parameter_words(document: Json, parameter: Json) -> str:
    """Where a parameter stands, its type and what it is when left out."""
    words = f"{parameter['in']}, {type_words(document, parameter['schema'])}"
    if parameter["required"]:
        return f"{words}, required"
    default = parameter["schema"].get("default")
    return words if default is None else f"{words}, default {json.dumps(default)}"


def _operation(document: Json, path: str, method: str, operation: Json) -> list[str]:
    lines = [f"### {method} {base(document)}{path}", "", operation["summary"] + ".", ""]
    if "description" in operation:
        lines += [operation["description"], ""]
    for parameter in operation.get("parameters", ()):
        words = parameter_words(document, parameter)
        lines.append(f"- `{parameter['name']}` ({words}) {parameter['description']}")
    if operation.get("parameters"):
        lines.append("")
    if "requestBody" in operation:
        lines += ["Request", "", *_content(document, operation["requestBody"], is_request=True)]
    for status, answer in operation["responses"].items():
        found = resolved(document, answer)
        if int(status) < 400:
            lines += [f"Answer {status}", "", *_content(document, found, is_request=False)]
    rows = [f"| {' | '.join(row)} |" for row in errors_of(document, operation)]
    return [*lines, "| Error | | Such as |", "| --- | --- | --- |", *rows, ""]


def _content(document: Json, holder: Json, *, is_request: bool) -> list[str]:
    content = holder["content"]["application/json"]
    lines = [f"The file itself ({types}), or JSON:", ""] if (types := file_types(holder)) else []
    for schema in alternatives(document, content["schema"]):
        lines += fields_table(document, schema, is_request=is_request)
        for name, nested in _nested(document, schema) if not is_request else ():
            lines += [f"`{name}`", "", *fields_table(document, nested, is_request=False)]
    if "example" in content:
        text = json.dumps(content["example"], indent=2, ensure_ascii=False)
        lines += ["```json", text, "```", ""]
    return lines


def _nested(document: Json, schema: Json) -> Iterator[tuple[str, Json]]:
    for field in schema.get("properties", {}).values():
        for kind in (field, field.get("items", {}), *field.get("allOf", ())):
            target = resolved(document, kind)
            if "$ref" in kind and "properties" in target:
                yield str(kind["$ref"]).rpartition("/")[2], target


def fields_table(document: Json, schema: Json, *, is_request: bool) -> list[str]:
    properties = schema.get("properties", {})
    if not properties:
        return []
    lines = ["| Field | Type | | |", "| --- | --- | --- | --- |"]
    required = schema.get("required", ())
    for name, field in properties.items():
        need = "required" if is_request and name in required else ""
        words = type_words(document, field).replace("|", "\\|")
        lines.append(f"| `{name}` | {words} | {need} | {description_of(field)} |")
    return [*lines, ""]
