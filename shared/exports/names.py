"""File names from text that came from outside: safe on Linux, macOS and Windows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from shared.errors import BadInput

LONGEST = 200  # UTF-8 bytes; file systems allow 255, and numbers and temporary names need some
_FALLBACK = "export"
# What Windows forbids, controls, and the marks that turn text round (a name could look as if it
# had another extension); lone surrogates cannot be encoded.
_FORBIDDEN = re.compile(
    '[/\\\\:*?"<>|\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]'
)
_DEVICES = re.compile(
    r"\A(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?= *(?:\.|$))", re.IGNORECASE
)

USUAL_NAMING = "{stem}_{in_tc}_{out_tc}"
NAMING_FIELDS = ("stem", "in_tc", "out_tc", "index")
_FIELD = re.compile(r"\{([^{}]*)\}")


def file_name(text: str, extension: str) -> str:
    """One safe path component that ends in `.extension`, whatever the text holds.

    At most LONGEST bytes; an extension that is there already is not written twice; "export" where
    nothing is left of the text.
    """
    suffix = f".{extension}"
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).strip(" ")
    if name.lower().endswith(suffix.lower()):
        name = name[: -len(suffix)]
    name = _DEVICES.sub(lambda device: f"{device[0]}_", name.lstrip(". "))
    name = shortened(name, LONGEST - len(suffix.encode())).rstrip(". ")
    return (name or _FALLBACK) + suffix


def numbered(name: str, number: int) -> str:
    """A name with a number, `name (2).ext`; the first of a name has none."""
    if number < 2:
        return name
    stem, dot, extension = name.rpartition(".")
    return f"{stem} ({number}).{extension}" if stem and dot else f"{name} ({number})"


def shortened(text: str, limit: int) -> str:
    """The beginning of a text that fits into `limit` UTF-8 bytes, whole characters with accents."""
    if len(text.encode()) <= limit:
        return text
    kept = text.encode()[:limit].decode(errors="ignore")
    joins = len(kept) < len(text) and _continues(text[len(kept)])
    while joins and kept:
        joins = _continues(kept[-1])
        kept = kept[:-1]
    return kept


def _continues(character: str) -> bool:
    """Whether a character belongs to the character before it."""
    return character in "\u200d\ufe0f" or unicodedata.combining(character) != 0


def check_naming(template: str) -> None:
    """Raise BadInput for a template with fields that do not exist or with single braces."""
    known = ", ".join(f"{{{name}}}" for name in NAMING_FIELDS)
    for name in _FIELD.findall(template):
        if name not in NAMING_FIELDS:
            raise BadInput(f"naming: there is no {{{name}}}; use {known}.")
    if re.search(r"[{}]", _FIELD.sub("", template)):
        raise BadInput(f"naming holds a single brace; fields are {known}.")


def clip_name(template: str, values: Mapping[str, str]) -> str:
    """A clip's name by the template, still to be made safe (shared.exports.names.file_name)."""
    return _FIELD.sub(lambda found: values[found[1]], template or USUAL_NAMING)


def in_a_name(timecode: str) -> str:
    """A timecode as HH-MM-SS-FF: no file system forbids it, and no shell minds it."""
    return re.sub("[:;.]", "-", timecode)
