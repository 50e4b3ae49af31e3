"""What a client should know of its request besides the answer: the header X-Rushes-Warnings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.types import Scope

WARNINGS_HEADER = "X-Rushes-Warnings"
_LONGEST_HEADER = 4000
_WARNED = "rushes.warnings"


def warn(scope: Scope, sentences: Sequence[str]) -> None:
    """Have the answer say these too."""
    scope.setdefault(_WARNED, []).extend(sentences)


def warnings_headers(scope: Scope) -> dict[str, str]:
    """The header, if there is something to say: a JSON array of sentences.

    It is in ASCII, and short enough for every client's limit.
    """
    said: list[str] = []
    for warning in scope.get(_WARNED, ()):
        if len(json.dumps([*said, warning])) > _LONGEST_HEADER:
            break
        said.append(warning)
    return {WARNINGS_HEADER: json.dumps(said)} if said else {}
