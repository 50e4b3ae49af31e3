"""From bytes on the wire to a typed body, with errors that name the field and the index."""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterator
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from starlette.requests import Request

from api.http.errors import TooLarge
from shared.errors import BadInput
from shared.msgspec_decoding import UNDECODABLE

Body = TypeVar("Body", bound=msgspec.Struct)
_MISSING = re.compile(r"Object missing required field `([^`]+)`(?: - at `\$\.?(.*)`)?$")
_AT = re.compile(r"(.*?) - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
_AT_MOST = re.compile(r"Expected `(str|array)` of length <= (\d+)")
_BYTE = re.compile(r"\(byte (\d+)\)")
# Escapes in JSON: a surrogate pair, a surrogate alone (half a character), any other one.
_SURROGATES = re.compile(
    rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<alone>\\u[dD][89a-fA-F]..)|\\.", re.DOTALL
)
_TYPE_WORDS = {
    " | null`": "`",
    "`float | str`": "a number or a string",
    "`null`": "null",
    "`str`": "a string",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "an array",
    "`object`": "an object",
}


async def read_body(request: Request, limit_mb: int) -> bytes:
    """The body, or TooLarge as soon as it is known to exceed the limit."""
    limit = limit_mb << 20
    message = f"The request body is larger than {limit_mb} MiB (RUSHES_MAX_BODY_MB)."
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLarge(message)
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise TooLarge(message)
        pieces.append(piece)
    return b"".join(pieces)


def without_half_characters(content: bytes) -> bytes:
    """JSON without lone surrogates such as `"\\ud83d"`, which clients write that cut text."""
    return _SURROGATES.sub(lambda found: b"" if found["alone"] else found[0], content)


def decode(content: bytes, *, keeps_nulls: bool = False) -> dict[str, Any]:
    """The JSON object in a body, whatever its Content-Type; nothing equals `{}`.

    Keys whose value is null are left out: for an optional key both mean the same. With
    `keeps_nulls` those of the body itself stay.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        return {}
    try:
        with _no_collection():
            found = msgspec.json.decode(content)
        if not isinstance(found, dict):
            raise BadInput(f"The body must be a JSON object, not {_json_type(found)}.")
        if b"null" in content:
            _drop_nulls(list(found.values()) if keeps_nulls else [found])
        return found
    except UNDECODABLE as error:
        raise BadInput(f"The body is not valid JSON: {error}.{_hint(error, content)}") from None


def _hint(error: Exception, content: bytes) -> str:
    """What many JSON writers put for numbers that are none."""
    place = _BYTE.search(str(error))
    if place and content.startswith((b"NaN", b"Infinity"), int(place[1])):
        return " JSON knows no NaN and no Infinity: send a number, or leave the value out."
    return ""


def typed(raw: dict[str, Any], body: type[Body]) -> Body:
    """The object as a body struct. Raises BadInput naming the field."""
    try:
        return msgspec.convert(raw, body)
    except msgspec.ValidationError as error:
        raise BadInput(_explain(str(error), body)) from None


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """The garbage collector takes up to ten times as long as decoding a million lists, in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _drop_nulls(found: list[Any]) -> None:
    """Keys with null, however deep. Not by recursion: bodies may hold a million lists."""
    todo: list[Any] = [item for item in found if isinstance(item, dict | list)]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            for key in [key for key, item in value.items() if item is None]:
                del value[key]
            value = value.values()
        todo += [item for item in value if isinstance(item, dict | list)]


def _explain(message: str, body: type[msgspec.Struct]) -> str:
    """msgspec's words as ours: `jobs[2].path must be a string, not int.`"""
    if missing := _MISSING.match(message):
        field, parent = missing[1], missing[2]
        return f"{parent + '.' if parent else ''}{field} is required."
    found = _AT.match(message)
    if not found:
        return message + "."
    what, field = found[1], found[2]
    if bound := _AT_MOST.match(what):
        return too_long(field, int(bound[2])) if bound[1] == "str" else _too_many(field, bound[2])
    if "length >= 1" in what:
        return f"{field} must not be empty."
    if "matching regex" in what:
        return f"{field} must be a number of seconds or HH:MM:SS."
    if "enum value" in what:
        choices = ", ".join(f'"{choice}"' for choice in _choices(get_type_hints(body)[field]))
        return f"{field} must be one of {choices}, not {what.rpartition(' ')[2]}."
    for word, plain in _TYPE_WORDS.items():
        what = what.replace(word, plain)
    return f"{field}: {what[0].lower()}{what[1:].replace(', got ', ', not ')}."


def too_long(field: str, limit: int) -> str:
    """What is said of a text that is too long."""
    return f"{field} may have at most {limit:,} characters; shorten it."


def _too_many(field: str, limit: str) -> str:
    return f"{field} may hold at most {int(limit):,} entries; send fewer, or several requests."


def _choices(kind: Any) -> list[Any]:
    """The values of a Literal that may be left out."""
    found = []
    for part in get_args(kind):
        found += _choices(part) if get_args(part) else [part]
    return [choice for choice in found if choice not in (NoneType, msgspec.UnsetType)]


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
