"""Tests that measure the same on more and more: a short form, and all with RUSHES_TEST_LONG=1."""

from __future__ import annotations

import os
from typing import TypeVar

Form = TypeVar("Form")
_IS_LONG = os.environ.get("RUSHES_TEST_LONG") == "1"


def by_form(*, short: Form, long: Form) -> Form:
    """What a test takes: so many of something, or these and no others."""
    return long if _IS_LONG else short
