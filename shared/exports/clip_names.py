"""Names of clips that have none of their own: a template with fields in braces."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.errors import BadInput

USUAL = "{stem}_{in_tc}_{out_tc}"
FIELDS = ("stem", "in_tc", "out_tc", "index")
_FIELD = re.compile(r"\{([^{}]*)\}")


def check_naming(template: str) -> None:
    """Raise BadInput for a template with fields that do not exist or with single braces."""
    known = ", ".join(f"{{{name}}}" for name in FIELDS)
    for name in _FIELD.findall(template):
        if name not in FIELDS:
            raise BadInput(f"naming: there is no {{{name}}}; use {known}.")
    if re.search(r"[{}]", _FIELD.sub("", template)):
        raise BadInput(f"naming holds a single brace; fields are {known}.")


def clip_name(template: str, values: Mapping[str, str]) -> str:
    """A clip's name by the template, still to be made safe (shared.exports.names.file_name)."""
    return _FIELD.sub(lambda found: values[found[1]], template or USUAL)


def in_a_name(timecode: str) -> str:
    """A timecode as HH-MM-SS-FF: no file system forbids it, and no shell minds it."""
    return re.sub("[:;.]", "-", timecode)
