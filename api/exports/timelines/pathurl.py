"""Where media lie for the editing system: its own form of the path, and that as a URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from api.exports.timelines.bodies import UrlStyle
from api.exports.timelines.sources import normalised
from shared.errors import BadInput
from shared.paths import PathMap

_PREFIX: dict[UrlStyle, str] = {
    "localhost": "file://localhost/",
    "empty_host": "file:///",
    "double_slash": "file://localhost//",
}
_DRIVE = re.compile(r"([A-Za-z]):[\\/]")


def path_map(pairs: Sequence[tuple[str, str]]) -> PathMap:
    """The map of a request's (from, to). Raises BadInput, naming the field."""
    for number, (source, target) in enumerate(pairs):
        for field, path in (("from", source), ("to", target)):
            if "\x00" in path:
                raise BadInput(f"path_map[{number}].{field} holds a NUL byte: {path!r}.")
            if not re.match(r"[A-Za-z]:|\\\\|/", path):
                raise BadInput(
                    f"path_map[{number}].{field} must be an absolute folder such as /Volumes/nas, "
                    f"Z:/ or \\\\nas\\share, not {path!r}."
                )
    return PathMap(tuple((target, source) for source, target in pairs))


def editors_path(path: str, ours: str, paths: PathMap) -> str:
    """A client's path in the form of the editing system; the longest prefix wins.

    `ours` is the server's form of it.
    """
    return paths.to_client(normalised(path, ours))


def pathurl(path: str, style: UrlStyle = "localhost") -> str:
    """The URL of a path of any system; every byte that is not plain is percent-encoded."""
    if path.startswith(("\\\\", "//")):
        host, _, rest = path[2:].replace("\\", "/").partition("/")
        if style == "double_slash":
            return f"{_PREFIX['localhost']}/{quote(host)}/{_encoded(rest)}"
        return f"file://{quote(host)}/{_encoded(rest)}"
    drive = _DRIVE.match(path)
    if drive is None:
        return _PREFIX[style] + _encoded(path.lstrip("/"))
    rest = _encoded(path[drive.end() :].replace("\\", "/"))
    # Premiere writes the colon so; elsewhere a URL of a drive has it plain.
    colon = ":" if style == "empty_host" else "%3a"
    return f"{_PREFIX[style]}{drive[1]}{colon}/{rest}"


def _encoded(path: str) -> str:
    return quote(path, safe="/")
