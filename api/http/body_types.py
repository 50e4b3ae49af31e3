"""Types that bodies are decoded into: the declared ones, but null means leaving a key out."""

from __future__ import annotations

import functools
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Raw
from msgspec.structs import FieldInfo


@functools.cache
def decoded_type(body: Any, *, keeps_nulls: bool = False) -> Any:
    """A subclass whose optional keys take null and then have their default, however deep.

    With `keeps_nulls` those of the body itself are as declared. What is declared as Any is not
    decoded at all, since nobody reads it: millions of keys in it cost nothing.
    """
    changed = []
    with_default = []
    for field in msgspec.structs.fields(body):
        kind = _decoded(field.type)
        if not (field.required or keeps_nulls or kind is Raw):
            kind = kind | None
            if field.default is not None:
                with_default.append(field)
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


def _default(field: FieldInfo) -> Any:
    if field.default_factory is not NODEFAULT:
        return msgspec.field(default_factory=field.default_factory, name=field.encode_name)
    return msgspec.field(default=field.default, name=field.encode_name)


def _filling(fields: list[FieldInfo]) -> Any:
    """Gives each of these fields its default where it is null."""

    def fill(body: msgspec.Struct) -> None:
        for name, default, make in defaults:
            if getattr(body, name) is None:
                setattr(body, name, default if make is NODEFAULT else make())

    defaults = [(field.name, field.default, field.default_factory) for field in fields]
    return fill
