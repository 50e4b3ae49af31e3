"""Tests that measure the same on more and more: a short form, and all in `scripts/test all`."""

from __future__ import annotations

from typing import TypeVar

Form = TypeVar("Form")
is_long = False  # set before tests are collected


def by_form(*, short: Form, long: Form) -> Form:
    """What a test takes: so many of something, or these and no others."""
    return long if is_long else short
