"""Where a request looks: all media of a cache folder, or some files in request order."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from api.cache.view import CacheView
from api.http.services import CoreServices
from shared.cache.cache_dir import CacheDir

ServicesT = TypeVar("ServicesT", bound=CoreServices)


class Found(Protocol):
    """Something that was found in a file."""

    @property
    def hash_str(self) -> str: ...

    @property
    def path(self) -> str | None: ...


@dataclass(slots=True)
class Scope(Generic[ServicesT]):
    """A cache folder and files in it, as one request names them; for one thread at a time."""

    services: ServicesT
    cache_dir: str
    asked: dict[str, str] | None  # our path -> the client's; None: everywhere
    like: str  # a path of the client, for the form of the answers'
    unusable: dict[str, str] = field(default_factory=dict)  # the client's paths, and why
    began: float = field(default_factory=time.monotonic, init=False)
    _cache: CacheDir | None = field(default=None, init=False)
    _view: CacheView | None = field(default=None, init=False)
    _client_paths: dict[str, list[str]] | None = field(default=None, init=False)

    @classmethod
    def of(
        cls,
        services: ServicesT,
        cache_dir: str,
        media_paths: Sequence[str] | None,
        search_all: bool = False,
    ) -> Scope[ServicesT]:
        """What the fields of a request name. Raises BadInput or NotAllowed, naming the field."""
        folder = services.paths.cache(cache_dir)
        asked: dict[str, str] | None = None
        unusable: dict[str, str] = {}
        if media_paths is not None and not search_all:
            asked = {}
            for n, path in enumerate(media_paths):
                ours, refused = services.paths.listed(path, f"media_paths[{n}]")
                if refused:
                    unusable[path] = refused
                else:
                    asked.setdefault(ours, path)
        like = next(iter(media_paths or ()), cache_dir)
        return cls(services, folder, asked, like, unusable)

    @property
    def is_empty(self) -> bool:
        return self.asked is not None and not self.asked

    def cache(self) -> CacheDir:
        """The folder, opened once a request. Raises BadInput where there is none."""
        if self._cache is None:
            self._cache = self.services.caches.cache(self.cache_dir)
        return self._cache

    def view(self) -> CacheView:
        """The folder, its catalogue followed once a request. Raises BadInput as `cache` does."""
        if self._view is None:
            self._view = self.services.caches.follow(self.cache())
        return self._view

    def client_paths(self) -> dict[str, list[str]] | None:
        """`hash_str` of each asked file that is known or readable, with the client's paths.

        Looked up once a request. Files of the same content have one `hash_str`.
        """
        if self.asked is None or self._client_paths is not None:
            return self._client_paths
        found = self.services.caches.hashes_for(self.view(), list(self.asked))
        paths: dict[str, list[str]] = {}
        for hash_str, client_path in zip(found, self.asked.values(), strict=True):
            if hash_str is not None:
                paths.setdefault(hash_str, []).append(client_path)
        self._client_paths = paths
        return paths

    def places(self, found: Found, client_paths: dict[str, list[str]] | None) -> list[str]:
        """Where the client has what was found: each of its files of that content, in order."""
        return (client_paths or {}).get(found.hash_str) or [self.shown(found.path)]

    def shown(self, path: str | None) -> str:
        """A path of ours in the client's form; empty where none is known."""
        return self.services.paths.back(path, like=self.like) if path else ""

    def best_places(self, hashes: Collection[str]) -> dict[str, str | None]:
        """Where files are, in the client's form: the oldest place that opens, else the oldest.

        None: nowhere.
        """
        paths = self.services.caches.best_paths(self.view(), hashes)
        return {hash_str: self.shown(path) or None for hash_str, path in paths.items()}
