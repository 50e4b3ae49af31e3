"""Bodies of requests: room for them, their bytes, the types that they are read into, their errors.

An error names the field and the index. Types are the declared ones, but null and "" mean leaving a
key out.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import functools
import gc
import itertools
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import EnumType
from itertools import islice
from types import GenericAlias, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import NODEFAULT, Meta, Raw
from msgspec.structs import FieldInfo
from starlette.requests import Request

from api.http.bodies import Keyed
from api.http.errors import BodiesFull, KeyRefused, TooLarge, TooSlow, note_read
from shared.errors import BadInput
from shared.msgspec_decoding import UNDECODABLE
from shared.printable import printable

Body = TypeVar("Body", bound=Keyed)
Found = TypeVar("Found")
_MOST_VALUES = 1_000_000  # decoded in 0.2 s, in one call that holds everything else up
_LARGEST_PART = 4 << 20
_MOST_MENDED = 1_000_000
_LARGEST_MENDED_KEYLESS = 1 << 20  # of bodies from anybody: about 10 ms
_LARGEST_KEY = 8 << 10
_MISSING = re.compile(r"Object missing required field `([^`]+)`(?: - at `\$\.?(.*)`)?$")
_AT = re.compile(r"(.*?) - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
_AT_MOST = re.compile(r"Expected `(str|array)` of length <= (\d+)")
_WHOLE_AS_FLOAT = re.compile(r"Expected `int[^`]*`, got `float`")
_NO_OBJECT = re.compile(r"Expected `object`, got `(\w+)`$")
_BYTE = re.compile(r"\(byte (\d+)\)")
# Escapes in JSON: a surrogate pair, or a surrogate alone (half a character).
_SURROGATES = re.compile(
    rb"\\u[dD](?:(?P<pair>[89abAB]..\\u[dD][c-fC-F]..)|[89a-fA-F]..)", re.DOTALL
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
_JSON_TYPES = {"array": "an array", "str": "a string", "bool": "true or false", "null": "null"}
_MOST = 10  # unknown fields that are named
_LONGEST_NAME = 100
_MOST_FIELDS = 100_000  # decoded in some 30 ms, in one call that holds everything else up
_LARGEST = 1 << 18  # bytes of a body that is looked through; of a larger one its own fields alone
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_WITHOUT_HEADER_MB = 64
_WITHOUT_HEADER_AT_ONCE = 4
_WITH_HEADER = 4  # bodies of the largest size together; smaller ones are more
_PLACE_S = 2.0  # others' bodies are through by then, where nobody dawdles
_SAY_HEADER = "send the key in the header X-License-Key"


@functools.cache
def decoded_type(body: Any, *, keeps_nulls: bool = False) -> Any:
    """A subclass whose optional keys take null and "" and then have their default, however deep.

    "" only where the declared text may not be empty: elsewhere its handler knows what it means.
    With `keeps_nulls`, null for a key of the body itself is as declared. What is declared as Any
    is not decoded at all, since nobody reads it: millions of keys in it cost nothing.
    """
    changed = []
    with_default = []
    for known in msgspec.structs.fields(body):
        kind = _decoded_type(known.type)
        if not (known.required or kind is Raw):
            declared, kind = kind, _empty_allowed(kind)
            absent: list[str | None] = [""] if kind != declared else []
            if not keeps_nulls:
                kind = kind | None
                absent += [None] if known.default is not None else []
            if absent:
                with_default.append((known, absent))
        if kind != known.type:
            changed.append((known.name, kind, _default(known)))
    namespace = {"__post_init__": _filling(with_default)} if with_default else {}
    return msgspec.defstruct(
        body.__name__, changed, bases=(body,), namespace=namespace, kw_only=True
    )


def _decoded_type(kind: Any) -> Any:
    """A type, with all structs within it replaced."""
    if kind is Any:
        return Raw
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return decoded_type(kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        found = _decoded_type(inner[0])
        return found if found is Raw else Annotated[(found, *kind.__metadata__)]
    if origin in (Union, UnionType):
        parts = tuple(map(_decoded_type, inner))
        return Raw if Raw in parts else Union[parts]  # noqa: UP007 (made here)
    return GenericAlias(list, (_decoded_type(inner[0]),)) if origin is list else kind


def _empty_allowed(kind: Any) -> Any:
    """A type whose text may be empty as well; entries of its lists are as they were."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated and inner[0] is str:
        if not any(m.min_length or m.pattern for m in kind.__metadata__):
            return kind
        patterns = [m.pattern and f"^$|{m.pattern}" for m in kind.__metadata__]
        metas = map(lambda m, p: Meta(max_length=m.max_length, pattern=p), inner[1:], patterns)
        return Annotated[(str, *metas)]
    if origin is Annotated:
        return Annotated[(_empty_allowed(inner[0]), *inner[1:])]
    if origin in (Union, UnionType):
        return Union[tuple(map(_empty_allowed, inner))]  # noqa: UP007 (made here)
    is_choice = origin is Literal and isinstance(inner[0], str)
    return Literal[(*inner, "")] if is_choice else kind


def _default(field: FieldInfo) -> Any:
    if field.default_factory is not NODEFAULT:
        return msgspec.field(default_factory=field.default_factory, name=field.encode_name)
    return msgspec.field(default=field.default, name=field.encode_name)


def _filling(fields: list[tuple[FieldInfo, list[str | None]]]) -> Any:
    """Gives each of these fields its default where it has a value that means leaving it out."""

    def fill(body: msgspec.Struct) -> None:
        for name, absent, default, make in defaults:
            if getattr(body, name) in absent:
                setattr(body, name, default if make is NODEFAULT else make())

    defaults = [(one.name, absent, one.default, one.default_factory) for one, absent in fields]
    return fill


class _KeyInBody(msgspec.Struct):
    """All else is skipped, which takes a twentieth of the time of decoding it."""

    license_key: msgspec.Raw = msgspec.Raw(b"null")


_KEY = msgspec.json.Decoder(_KeyInBody)


class BodyDecoder(Generic[Body]):
    """Decodes the bodies of one endpoint. Made before there are threads."""

    def __init__(
        self, body: type[Body], *, keeps_nulls: bool = False, drops_half_characters: bool = False
    ) -> None:
        self._body = body
        self._keeps_nulls = keeps_nulls
        self._drops = drops_half_characters
        kind = decoded_type(body, keeps_nulls=keeps_nulls)
        self._decoder: msgspec.json.Decoder[Body] = msgspec.json.Decoder(kind)
        self._lax: msgspec.json.Decoder[Body] = msgspec.json.Decoder(kind, strict=False)

    def key(self, content: bytearray) -> str | None:
        """The licence key in a body; None where none can be found. Raises KeyRefused, TooLarge."""
        mends = self._drops and len(content) <= _LARGEST_MENDED_KEYLESS
        try:
            written = _decoded(content, _KEY.decode, mends).license_key
            if memoryview(written).nbytes > _LARGEST_KEY:
                raise KeyRefused
            key = msgspec.json.decode(written)
        except UNDECODABLE:
            return None
        return key if isinstance(key, str) else None

    def unknown_fields(self, content: bytearray) -> list[str]:
        """Sentences about fields that nobody reads."""
        return unknown_in_body(content, self._body)

    def body(self, content: bytearray) -> Body:
        """The typed body. Raises BadInput naming the field, and TooLarge."""
        try:
            found = self._typed(content)
        except msgspec.ValidationError as error:
            raise BadInput(explain(str(error), self._body, self._keeps_nulls)) from None
        except UNDECODABLE as error:
            raise BadInput(f"The body is not valid JSON: {error}.{_hint(error, content)}") from None
        if isinstance(found.license_key, msgspec.Raw):
            found.license_key = None  # undecoded it would hold the whole content in memory
        return found

    def _typed(self, content: bytearray) -> Body:
        try:
            return _decoded(content, self._decoder.decode, self._drops)
        except msgspec.ValidationError as error:
            if not _WHOLE_AS_FLOAT.match(str(error)):
                raise
            # Some write whole numbers as 2.0; whoever does is taken at their word in other
            # fields, too.
            return _decoded(content, self._lax.decode, self._drops)


def _decoded(
    content: bytearray, decode: Callable[[bytes | bytearray], Found], mends: bool
) -> Found:
    """The JSON object in a body, whatever its Content-Type; nothing equals `{}`."""
    if content.startswith(b"\xef\xbb\xbf"):
        del content[:3]
    if not content or content.isspace():
        return decode(b"{}")
    if any(content.count(mark) >= _MOST_VALUES for mark in (b",", b"[", b"{")):
        raise TooLarge(
            f"The request body holds more than {_MOST_VALUES:,} values (commas and brackets "
            "were counted, also within names): split it into several requests."
        )
    with _no_collection():
        try:
            return decode(content)
        except msgspec.ValidationError:
            raise
        except UNDECODABLE:
            if not mends or not _drop_half_characters(content):
                raise
            return decode(content)


def decoded_parts(parts: Sequence[msgspec.Raw], field: str) -> list[Any]:
    """The entries of a list that are checked elsewhere, without keys whose value is null.

    Each is decoded by itself, so that no call holds everything else up. Raises BadInput.
    """
    found = []
    with _no_collection():
        for n, part in enumerate(parts):
            if memoryview(part).nbytes > _LARGEST_PART:
                raise BadInput(f"{field}[{n}] is larger than {_LARGEST_PART >> 20} MiB: split it.")
            try:
                found.append(msgspec.json.decode(part))
            except UNDECODABLE as error:
                raise BadInput(f"{field}[{n}] is not valid JSON: {error}.") from None
        _drop_nulls(found)
    return found


def _drop_half_characters(content: bytearray) -> bool:
    """Drop lone surrogates such as `"\\ud83d"`, which clients write that cut text."""
    kept: list[bytes | bytearray] = []
    end = 0
    for found in itertools.islice(_SURROGATES.finditer(content), _MOST_MENDED):
        before = content[end : found.start()]
        kept.append(before)
        end = found.end()
        if (len(before) - len(before.rstrip(b"\\"))) % 2:  # no escape: the text says \ and u
            kept.append(found[0][:6])
        elif found["pair"]:
            kept.append(found[0])
    mended = b"".join([*kept, content[end:]])
    is_mended = len(mended) < len(content)
    content[:] = mended
    return is_mended


def _hint(error: Exception, content: bytearray) -> str:
    """What many JSON writers put for numbers that are none."""
    place = _BYTE.search(str(error))
    if place and content.startswith((b"NaN", b"Infinity"), int(place[1])):
        return " JSON knows no NaN and no Infinity: send a number, or leave the value out."
    return ""


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


def explain(message: str, body: type[msgspec.Struct], keeps_nulls: bool = False) -> str:
    """msgspec's words as ours: `jobs[2].path must be a string, not int.`"""
    if no_object := _NO_OBJECT.match(message):
        return f"The body must be a JSON object, not {_JSON_TYPES.get(no_object[1], 'a number')}."
    if missing := _MISSING.match(message):
        field, parent = missing[1], missing[2]
        return f"{parent + '.' if parent else ''}{field} is required."
    found = _AT.match(message)
    if not found:
        return message + "."
    what, field = found[1], found[2]
    is_own = keeps_nulls and field.isidentifier()
    if what.endswith("got `null`") and not field.endswith("]") and not is_own:
        return f"{field} is required."
    if bound := _AT_MOST.match(what):
        return too_long(field, int(bound[2])) if bound[1] == "str" else _too_many(field, bound[2])
    if "length >= 1" in what:
        return f"{field} must not be empty."
    if "matching regex" in what:
        return f"{field} must be a number of seconds, MM:SS or HH:MM:SS."
    if "enum value" in what:
        names = re.sub(r"\[[^]]*]", "", field).split(".")
        choices = ", ".join(map('"{}"'.format, _choices(functools.reduce(_type_of, names, body))))
        return f"{field} must be one of {choices}, not {what.rpartition(' ')[2]}."
    for word, plain in _TYPE_WORDS.items():
        what = what.replace(word, plain)
    return f"{field}: {what[0].lower()}{what[1:].replace(', got ', ', not ')}."


def too_long(field: str, limit: int) -> str:
    """What is said of a text that is too long."""
    return f"{field} may have at most {limit:,} characters; shorten it."


def _too_many(field: str, limit: str) -> str:
    return f"{field} may hold at most {int(limit):,} entries; send fewer, or several requests."


def _type_of(kind: object, field: str) -> Any:
    """Return the type of a field of a struct, or of the structs in a list; None: unknown."""
    if get_args(kind):
        return next(filter(None, (_type_of(part, field) for part in get_args(kind))), None)
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return get_type_hints(kind).get(field) if is_struct else None


def _choices(kind: Any) -> list[Any]:
    """Return the values of an enum or a Literal, which may be optional or in a list."""
    if isinstance(kind, EnumType):
        return list(kind)
    found = []
    for part in get_args(kind):
        found += _choices(part) or [part]
    return [choice for choice in found if choice not in (NoneType, msgspec.UnsetType)]


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


@dataclass(slots=True, kw_only=True)
class BodyBudget:
    """Of one kind of callers of this process. What does not fit is refused with a sentence."""

    largest: int
    largest_said: str
    together: int
    pause_s: float  # between two pieces
    whole_s: float
    remedy: str = "try again in a moment"  # where there is no room
    places: asyncio.Semaphore | None = None
    _in_hand: int = field(default=0, init=False)

    @classmethod
    def with_header(cls, limit_mb: int) -> BodyBudget:
        """Of callers whose key has been accepted already."""
        return cls(
            largest=limit_mb << 20,
            largest_said=f"{limit_mb} MiB (RUSHES_MAX_BODY_MB)",
            together=(limit_mb << 20) * _WITH_HEADER,
            pause_s=30,
            whole_s=600,
        )

    @classmethod
    def without_header(cls, limit_mb: int) -> BodyBudget:
        """Of callers whose key is yet to be found in the body: anybody."""
        least = min(limit_mb, _WITHOUT_HEADER_MB)
        said = f"{limit_mb} MiB (RUSHES_MAX_BODY_MB)"
        return cls(
            largest=least << 20,
            largest_said=said if least == limit_mb else f"{least} MiB: {_SAY_HEADER}",
            together=_WITHOUT_HEADER_MB << 20,
            pause_s=10,
            whole_s=10,
            remedy=f"{_SAY_HEADER}, or try again in a moment",
            places=asyncio.Semaphore(_WITHOUT_HEADER_AT_ONCE),
        )

    @classmethod
    def of_sockets(cls, largest: int) -> BodyBudget:
        """Of the HTTP requests of Socket.IO, which anybody may send."""
        return cls(
            largest=largest,
            largest_said=f"{largest >> 10} KiB",
            together=_WITHOUT_HEADER_MB << 20,
            pause_s=10,
            whole_s=10,
        )

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """The whole body, which takes room until the block is left.

        Raises TooLarge as soon as that is known, TooSlow, and BodiesFull where there is no room.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.largest:
            raise self._too_large()
        content = bytearray()
        async with self._place():
            try:
                try:
                    await self._read(request, content)
                finally:
                    taken = len(content)  # before decoding, which may shorten it
                yield content
            finally:
                self._in_hand -= taken
                with contextlib.suppress(BufferError):  # part of it is still in use
                    content.clear()  # an error's traceback would hold it while the rest is drained

    async def _read(self, request: Request, content: bytearray) -> None:
        pieces = aiter(request.stream())
        try:
            async with asyncio.timeout(self.whole_s):
                while True:
                    async with asyncio.timeout(self.pause_s):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    self._take(content, piece)
        except TimeoutError:
            raise TooSlow(
                f"The request body did not arrive within {self.whole_s:g} s, or nothing of it for "
                f"{self.pause_s:g} s: send less at once, or over a faster connection."
            ) from None
        note_read(request.scope)

    def _take(self, content: bytearray, piece: bytes) -> None:
        if len(content) + len(piece) > self.largest:
            raise self._too_large()
        if self._in_hand + len(piece) > self.together:
            raise self._full()
        self._in_hand += len(piece)
        content += piece

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self.places is None:
            yield
            return
        try:
            async with asyncio.timeout(_PLACE_S):
                await self.places.acquire()
        except TimeoutError:
            raise self._full() from None
        try:
            yield
        finally:
            self.places.release()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request body is larger than {self.largest_said}.")

    def _full(self) -> BodiesFull:
        return BodiesFull(f"Too many request bodies are arriving at the same time: {self.remedy}.")
