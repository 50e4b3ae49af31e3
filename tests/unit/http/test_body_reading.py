"""Keys and bodies out of bytes that were made to take long, or to stay in memory."""

from __future__ import annotations

import time
import weakref
from typing import Any, Literal

import msgspec
import pytest

from api.http.bodies import Keyed
from api.http.body_reading import BodyDecoder
from api.http.errors import KeyRefused
from shared.errors import BadInput


class Part(msgspec.Struct):
    """A thing of which there are two kinds."""

    kind: Literal["one", "other"]


class Text(Keyed, kw_only=True):
    """A body with any text."""

    text: str | None = None
    parts: list[Part] | None = None


class Watched(bytearray):
    """One of which can be said whether it is still there."""


DECODER = BodyDecoder(Text, drops_half_characters=True)


def seconds(work: Any, *given: Any) -> float:
    began = time.thread_time()
    work(*given)
    return time.thread_time() - began


def test_half_characters_cost_nothing_in_a_large_body_without_a_key() -> None:
    content = bytearray(b'{"license_key": "k", "text": "' + b"\\n\\ud800" * 400_000 + b'"}')
    assert DECODER.key(content) is None
    assert DECODER.key(bytearray(b'{"license_key": "k", "text": "\\ud800"}')) == "k"


def test_backslashes_without_end_are_walked_over_quickly() -> None:
    content = bytearray(b'{"text": "' + b"\\" * 30_000_000 + b'\\ud800"}')
    assert seconds(DECODER.body, content) < 1.0
    assert content.endswith(b'\\\\"}')


def test_a_key_of_millions_of_characters_is_refused_undecoded() -> None:
    for written in (b"1" * 9_000, b'"' + b"\\n" * 9_000 + b'"'):
        with pytest.raises(KeyRefused):
            DECODER.key(bytearray(b'{"license_key": ' + written + b"}"))


def test_what_is_said_of_the_key_does_not_hold_the_content() -> None:
    content = Watched(b'{"license_key": "k", "text": "t"}')
    is_there = weakref.ref(content)
    body = DECODER.body(content)
    del content
    assert body.text == "t"
    assert is_there() is None


def test_a_wrong_choice_within_a_list_is_named() -> None:
    said = r"""^parts\[1\]\.kind must be one of "one", "other", not 'third'\.$"""
    with pytest.raises(BadInput, match=said):
        DECODER.body(bytearray(b'{"parts": [{"kind": "one"}, {"kind": "third"}]}'))
