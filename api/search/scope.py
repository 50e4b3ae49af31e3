"""Where a search looks: all loaded media of a cache folder, or some files in request order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.services import Services


@dataclass(frozen=True, slots=True)
class Scope:
    """`asked` maps our path to the client's; None: everywhere."""

    services: Services
    cache_dir: str
    asked: dict[str, str] | None
    like: str  # a path of the client, for the form of the answers'

    @classmethod
    def of(
        cls,
        services: Services,
        cache_dir: str,
        media_paths: Sequence[str] | None,
        search_all: bool = False,
    ) -> Scope:
        """From the fields of a request. Raises BadInput or NotAllowed, naming the field."""
        folder = services.paths.cache(cache_dir)
        asked: dict[str, str] | None = None
        if media_paths is not None and not search_all:
            asked = {}
            for n, path in enumerate(media_paths):
                asked.setdefault(services.paths.media(path, f"media_paths[{n}]"), path)
        return cls(services, folder, asked, like=next(iter(media_paths or ()), cache_dir))

    @property
    def is_empty(self) -> bool:
        return self.asked is not None and not self.asked

    def client_paths(self) -> dict[str, str] | None:
        """`hash_str` of each asked file that is known or readable, with the client's path."""
        if self.asked is None:
            return None
        found = self.services.index.hashes_for(self.cache_dir, list(self.asked))
        paths: dict[str, str] = {}
        for hash_str, client_path in zip(found, self.asked.values(), strict=True):
            if hash_str is not None:
                paths.setdefault(hash_str, client_path)
        return paths

    def shown(self, path: str | None) -> str:
        """A path of ours in the client's form; empty where none is known."""
        return self.services.paths.back(path, like=self.like) if path else ""
