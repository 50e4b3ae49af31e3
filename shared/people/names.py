"""Names of Collections and the folders that stand for them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from shared.errors import BadInput

LONGEST_NAME = 200  # characters, of Collections and of people
_SLUG = 40


def checked_name(name: str) -> str:
    """The one form (NFC) of a Collection's name. Raises BadInput for one that cannot be used."""
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadInput(
            f"The name of a collection has 1 to {LONGEST_NAME} characters, this one {len(name)}."
        )
    require_unicode(name)
    return name


def spoken(name: str) -> str:
    """A form that names have in common which are the same to people."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold().strip())


def require_unicode(name: str) -> None:
    """Raise BadInput for half a character, which JSON can send and no file can hold."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"The name {name[:40]!r} is not valid Unicode text.") from error


def folder_name(name: str) -> str:
    """Name of the folder of this (checked) Collection only, also where case is not told apart."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).lower()  # the same in every version of Unicode
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{slug[:_SLUG].strip('-') or 'collection'}-{digest}"
