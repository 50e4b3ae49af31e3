"""Paths of a request: from the client's form to ours, checked against the roots, and back."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping

from shared.errors import BadInput, NotAllowed, UnusablePath
from shared.media import open_media_file
from shared.opening import OpenedFile
from shared.paths import PathMap, Roots, lies_in_one
from shared.settings import Settings

# Behind the name of a folder in a sentence. "/a.old" is another folder than "/a".
_NAME_ENDS = r"(?=/|[.,:;!?'\")\]]*(?:\s|$))"


def in_clients_words(text: str, names: Mapping[str, str]) -> str:
    """A sentence for people, with folders called as the client does; `names`: ours -> theirs."""
    ours = sorted((our for our, theirs in names.items() if our != theirs), key=len, reverse=True)
    if not ours:
        return text
    folder = "|".join(map(re.escape, ours))
    return re.sub(rf"({folder}){_NAME_ENDS}", lambda found: names[found[1]], text)


class ClientPaths:
    """Touches no disk but to open a file: where links lead is asked of what is open."""

    def __init__(self, settings: Settings) -> None:
        self._map = PathMap(settings.path_map)
        self._ours = _finder({server.rstrip("/") for _, server in settings.path_map} - {""})
        self._media = Roots.media(settings)
        self.cache_roots = Roots.cache(settings)
        self.export_roots = Roots.export(settings)
        self.key_roots: tuple[str, ...] | None = None
        self.key_id = ""

    def within(self, roots: tuple[str, ...] | None, key_id: str = "") -> ClientPaths:
        """The paths that a licence key with these roots may name; None: all of them."""
        if roots is None:
            return self
        bounded = copy.copy(self)
        bounded.key_roots, bounded.key_id = roots, key_id
        bounded._media = self._media.within(roots)
        bounded.cache_roots = self.cache_roots.within(roots)
        bounded.export_roots = self.export_roots.within(roots)
        return bounded

    def media(self, path: str, field: str) -> str:
        """Our form of a media path. Raises BadInput or NotAllowed, naming the field."""
        return self._allowed(self._media, path, field)

    def is_of_key(self, *ours: str) -> bool:
        """Whether paths in our form lie in the roots of the licence key, if that has roots."""
        return self.key_roots is None or all(lies_in_one(path, self.key_roots) for path in ours)

    def covers(self, roots: tuple[str, ...] | None) -> bool:
        """Return True if a key with these roots reaches no further than the licence key."""
        return self.key_roots is None or (roots is not None and self.is_of_key(*roots))

    def listed(self, path: str, field: str) -> tuple[str, str]:
        """Our form of a media path in a list, and "" or why it can be used by none.

        Such a path is its item's own error. Raises NotAllowed, naming the field.
        """
        try:
            return self.media(path, field), ""
        except UnusablePath as error:
            return path, error.message

    def cache(self, path: str, field: str = "cache_dir") -> str:
        """Our form of a cache_dir. Raises BadInput or NotAllowed, naming the field."""
        return self._allowed(self.cache_roots, path, field)

    def export(self, path: str, field: str = "output_path") -> str:
        """Our form of a path to write to. Raises BadInput or NotAllowed, naming the field."""
        return self._allowed(self.export_roots, path, field)

    def folders(self) -> Iterator[list[str] | None]:
        """Roots for media, caches and exports, in the client's form; None: everywhere."""
        for roots in (self._media, self.cache_roots, self.export_roots):
            found = roots.usable()
            yield None if found is None else [self.back(folder) for folder in found]

    def open_media(self, path: str) -> OpenedFile:
        """A media file, opened. Touches the disk; raises as `open_media_file` does."""
        return open_media_file(path, self._media)

    def back(self, path: str, like: str | None = None) -> str:
        """The client's form of one of our paths; `like` is a path of the same request."""
        return self._map.to_client(path, like)

    def in_words(self, text: str, like: str | None = None) -> str:
        """A sentence of ours, with mapped folders called as the client does; `like`: as in `back`.

        Names with spaces keep our slashes after the first space, but for `like` itself.
        """
        if self._ours is None or not self._ours.search(text):
            return text
        known = self._server_form(like)
        said, at = "", 0
        while found := self._ours.search(text, at):
            start, end = found.span()
            if known and like and text.startswith(known, start) and len(known) >= end - start:
                name, end = like, start + len(known)
            else:
                name = self.back(found[0], like if known else None)
            said += text[at:start] + name
            at = end
        return said + text[at:]

    def _server_form(self, like: str | None) -> str | None:
        """None for what is no path, such as the name of a collection."""
        with contextlib.suppress(BadInput):
            return self._map.to_server(like) if like else None
        return None

    def _allowed(self, roots: Roots, path: str, field: str) -> str:
        found = self._map.to_server(path, field)
        try:
            roots.check(found)
        except NotAllowed as error:
            raise NotAllowed(f"{field}: {self.in_words(error.message, like=path)}") from None
        return found


def _finder(folders: set[str]) -> re.Pattern[str] | None:
    """Finds paths in these folders in a sentence, up to the first space."""
    if not folders:
        return None
    longest_first = sorted(folders, key=len, reverse=True)
    folder = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<![^\s\"'(\[])(?:{folder}){_NAME_ENDS}(?:/[^\s\"',:;!?)\]]*)?")
