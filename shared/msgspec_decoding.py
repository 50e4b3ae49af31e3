"""Decoding with msgspec: what it raises, and what it needs before there are threads."""

from __future__ import annotations

import contextlib
from typing import TypeVar

import msgspec

T = TypeVar("T")

# A flipped bit within text is no MsgspecError, nor are brackets nested beyond all measure.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decoded(raw: str | bytes | None, kind: type[T]) -> T | None:
    """Decode JSON. Return None for nothing, and for what is damaged or of another version."""
    try:
        return msgspec.json.decode(raw, type=kind) if raw else None
    except UNDECODABLE:
        return None


def learn_types() -> None:
    """Let msgspec learn every struct that was imported. Call once, before threads are started.

    It learns a type at its first use, and a second thread that meets the type meanwhile ends the
    process with a segmentation fault (msgspec 0.22, half-filled StructInfo).
    """
    waiting = list(msgspec.Struct.__subclasses__())
    learnt: set[type] = set()
    while waiting:
        kind = waiting.pop()
        if kind in learnt:
            continue
        learnt.add(kind)
        waiting += kind.__subclasses__()
        with contextlib.suppress(TypeError, NameError):  # a base that is never decoded itself
            msgspec.json.Decoder(kind)
