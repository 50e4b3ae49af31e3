"""Parameters of the query string: one declaration describes, reads and checks each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from api.http.bodies import LONGEST_PATH, LONGEST_TEXT, LONGEST_WORD
from shared.errors import BadInput

Value = TypeVar("Value")
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_SHOWN = 40  # characters of a wrong value in a message
_AFTER = "after must be the `next` of an earlier answer."
MOST_FILES = 1_000  # of one page


@dataclass(frozen=True, slots=True)
class Parameter(Generic[Value]):
    """A parameter of the query string. An optional one that is empty equals one left out."""

    name: str
    description: str
    schema: Mapping[str, Any]  # in the dialect of OpenAPI 3.0
    example: Any
    parse: Callable[[str], Value]  # raises ValueError
    usual: Value  # where it is left out
    required: bool = False

    @property
    def longest(self) -> int:
        """How many characters it may have."""
        return int(self.schema.get("maxLength", LONGEST_WORD))

    def read(self, query: Mapping[str, str]) -> Value:
        """Return the checked value. Raises BadInput, naming the parameter."""
        text = query.get(self.name)
        if text is None and self.required:
            raise BadInput(f"{self.name} is required.")
        if not text and self.required:
            raise BadInput(f"{self.name} must not be empty.")
        if not text:
            return self.usual
        try:
            return self.parse(text)
        except ValueError as error:
            raise BadInput(f"{self.name} must be {error}, not {text[:_SHOWN]!r}.") from None


def text_parameter(
    name: str,
    description: str,
    example: str,
    *,
    longest: int = LONGEST_WORD,
    required: bool = False,
) -> Parameter[str]:
    """Any text; "" where it is left out."""
    schema = {"type": "string", **({"minLength": 1} if required else {}), "maxLength": longest}
    return Parameter(name, description, schema, example, str, "", required)


def flag(name: str, description: str) -> Parameter[bool]:
    """Yes or no, in the words that clients use for them."""

    def parse(text: str) -> bool:
        if text.lower() not in (*_YES, *_NO):
            raise ValueError("true or false")
        return text.lower() in _YES

    return Parameter(name, description, {"type": "boolean", "default": False}, True, parse, False)


def whole_number(
    name: str, description: str, most: int, usual: int = 0, *, example: int = 0
) -> Parameter[int]:
    """From 1 to `most`; `usual`, or else 0, where it is left out."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most:
            return int(text)
        raise ValueError(f"a whole number from 1 to {most}")

    schema = {"type": "integer", "minimum": 1, "maximum": most}
    if usual:
        schema["default"] = usual
    return Parameter(name, description, schema, example or usual, parse, usual)


def choice(
    name: str, description: str, choices: Sequence[str], example: str, **schema: Any
) -> Parameter[str]:
    """One of some words; "" where it is left out. `schema`: in place of the list of the words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    found = schema or {"type": "string", "enum": list(choices)}
    return Parameter(name, description, found, example, parse, schema.get("default", ""))


IN_CACHE_DIR = text_parameter(
    "cache_dir",
    "Folder with the analysis data; an absolute path.",
    "/footage/.rushes",
    longest=LONGEST_PATH,
    required=True,
)
OF_COLLECTION = text_parameter(
    "cluster_job_name", "The collection.", "Season 1", longest=LONGEST_TEXT, required=True
)
FILE_LIMIT = whole_number("limit", f"At most so many files, 1 to {MOST_FILES}.", MOST_FILES, 100)
AFTER_FILE = text_parameter(
    "after",
    "The `next` of the page before.",
    "L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y",
    longest=2 * LONGEST_PATH,
)


def path_cursor(path: str) -> str:
    """A path of ours, or any other text, for `after`: opaque, since two clients may call it
    differently."""
    return base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")


def path_of(cursor: str) -> str:
    """What `path_cursor` was given. Raises BadInput."""
    try:
        raw = cursor.encode("ascii")
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error):
        raise BadInput(_AFTER) from None
