"""Structs with the fields of another one, as they are or all optional.

msgspec has no multiple inheritance, so a body that has the fields of every body takes a set of
options by a decorator. To type checkers such fields are unknown: code reads them by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT, UNSET, UnsetType

S = TypeVar("S", bound=msgspec.Struct)


def with_fields_of(source: type[msgspec.Struct]) -> Callable[[type[S]], type[S]]:
    """Add the fields of `source`, behind the struct's own; those that it has itself stay."""

    def extend(kind: type[S]) -> type[S]:
        own = {field.name for field in msgspec.structs.fields(kind)}
        fields = [
            (field.name, field.type, _default(field))
            for field in msgspec.structs.fields(source)
            if field.name not in own
        ]
        return _derived(kind, fields, WORDS_FROM=source)

    return extend


def all_optional(*nullable: str, but: type[msgspec.Struct]) -> Callable[[type[S]], type[S]]:
    """Make the fields of a struct optional, except those of `but`, which it inherits.

    Null equals leaving a field out; for the `nullable` ones it is a value, and UNSET the default.
    """

    def change(kind: type[S]) -> type[S]:
        kept = {field.name for field in msgspec.structs.fields(but)}
        fields = [
            (field.name, field.type | UnsetType, UNSET)
            if field.name in nullable
            else (field.name, field.type | None, None)
            for field in msgspec.structs.fields(kind)
            if field.name not in kept
        ]
        return _derived(kind, fields)

    return change


def _derived(kind: type[S], fields: list[Any], **namespace: Any) -> type[S]:
    names = {"__doc__": kind.__doc__, **namespace}
    made: Any = msgspec.defstruct(
        kind.__name__, fields, bases=(kind,), namespace=names, module=kind.__module__, kw_only=True
    )
    found: type[S] = made
    return found


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not NODEFAULT:
        return msgspec.field(default_factory=field.default_factory, name=field.encode_name)
    return msgspec.field(default=field.default, name=field.encode_name)
