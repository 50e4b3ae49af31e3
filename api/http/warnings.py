"""What a client should know of its request besides the answer: the header X-Rushes-Warnings.

Such as fields that nobody reads, each with the known one that it resembles.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, get_args

import msgspec
from starlette.types import Scope

from shared.msgspec_decoding import UNDECODABLE
from shared.printable import printable

WARNINGS_HEADER = "X-Rushes-Warnings"
_LONGEST_HEADER = 4000
_WARNED = "rushes.warnings"
_MOST = 10
_LONGEST_NAME = 100
_MOST_FIELDS = 100_000  # decoded in some 30 ms, in one call that holds everything else up
_LARGEST = 1 << 18  # bytes of a body that is looked through; of a larger one its own fields alone
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def warn(scope: Scope, sentences: Sequence[str]) -> None:
    """Have the answer say these too."""
    scope.setdefault(_WARNED, []).extend(sentences)


def warnings_headers(scope: Scope) -> dict[str, str]:
    """The header, if there is something to say: a JSON array of sentences.

    It is in ASCII, and short enough for every client's limit.
    """
    said: list[str] = []
    for warning in scope.get(_WARNED, ()):
        if len(json.dumps([*said, warning])) > _LONGEST_HEADER:
            break
        said.append(warning)
    return {WARNINGS_HEADER: json.dumps(said)} if said else {}


def unknown_in_body(content: bytes | bytearray, body: type[msgspec.Struct]) -> list[str]:
    """A sentence for each of the first unknown fields; nothing for what is no object."""
    if content.count(b":") > _MOST_FIELDS:
        return []
    is_small = len(content) <= _LARGEST
    return list(islice(_unknown(msgspec.Raw(content), body, "", is_small), _MOST))


def unknown_in_query(given: Collection[str], known: Collection[str]) -> list[str]:
    """A sentence for each of the first unknown parameters of a URL."""
    found = (_sentence(name, "", known) for name in given if name not in known)
    return list(islice(found, _MOST))


def _unknown(raw: msgspec.Raw, kind: type[msgspec.Struct], at: str, deep: bool) -> Iterator[str]:
    try:
        given = _OBJECT.decode(raw)
    except UNDECODABLE:
        return  # the decoder of the body says what is wrong
    fields = _fields(kind)
    for name, value in given.items():
        if name not in fields:
            yield _sentence(name, at, fields)
        elif deep and (inner := _struct_in(fields[name])):
            yield from _within(value, inner, f"{at}{name}")


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _within(raw: msgspec.Raw, kind: type[msgspec.Struct], at: str) -> Iterator[str]:
    try:
        entries = _LIST.decode(raw)
    except UNDECODABLE:
        yield from _unknown(raw, kind, f"{at}.", True)
        return
    for n, entry in enumerate(entries):
        yield from _unknown(entry, kind, f"{at}[{n}].", True)


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a field holds, or a list of, whether it may be left out or not."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for part in get_args(kind) if (found := _struct_in(part))), None)


def _sentence(name: str, at: str, known: Collection[str]) -> str:
    shown = printable(name[:_LONGEST_NAME])
    like = difflib.get_close_matches(shown, known, 1)
    hint = f"; did you mean {like[0]}?" if like else "."
    return f"{at}{shown} is no field here, and was not read{hint}"
