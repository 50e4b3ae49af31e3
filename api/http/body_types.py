"""Types that bodies are decoded into: the declared ones, but null and "" mean leaving a key out."""

from __future__ import annotations

import functools
from types import GenericAlias, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Raw
from msgspec.structs import FieldInfo


@functools.cache
def decoded_type(body: Any, *, keeps_nulls: bool = False) -> Any:
    """A subclass whose optional keys take null and "" and then have their default, however deep.

    "" only where the declared text may not be empty: elsewhere its handler knows what it means.
    With `keeps_nulls`, null for a key of the body itself is as declared. What is declared as Any
    is not decoded at all, since nobody reads it: millions of keys in it cost nothing.
    """
    changed = []
    with_default = []
    for field in msgspec.structs.fields(body):
        kind = _decoded(field.type)
        if not (field.required or kind is Raw):
            declared, kind = kind, _empty_allowed(kind)
            absent: list[str | None] = [""] if kind != declared else []
            if not keeps_nulls:
                kind = kind | None
                absent += [None] if field.default is not None else []
            if absent:
                with_default.append((field, absent))
        if kind != field.type:
            changed.append((field.name, kind, _default(field)))
    namespace = {"__post_init__": _filling(with_default)} if with_default else {}
    return msgspec.defstruct(
        body.__name__, changed, bases=(body,), namespace=namespace, kw_only=True
    )


def _decoded(kind: Any) -> Any:
    """A type, with all structs within it replaced."""
    if kind is Any:
        return Raw
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return decoded_type(kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        found = _decoded(inner[0])
        return found if found is Raw else Annotated[(found, *kind.__metadata__)]
    if origin in (Union, UnionType):
        parts = tuple(map(_decoded, inner))
        return Raw if Raw in parts else Union[parts]  # noqa: UP007 (made here)
    return GenericAlias(list, (_decoded(inner[0]),)) if origin is list else kind


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
