"""What handlers work with: services by type, and the scope in which a request looks.

The app factory builds objects once. A handler names the class of services that it needs as its
second parameter: CoreServices, or the class in which its feature adds what it needs besides.
Nothing connects before its first use.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, Self, TypeVar, get_type_hints

import redis
from starlette.concurrency import run_in_threadpool

from api.cache.caches import Caches
from api.cache.view import CacheView
from api.folders import Folders
from api.http.client_paths import ClientPaths
from api.query_client import QueryClient
from api.signed_addresses import SignedAddresses
from shared.cache.cache_dir import CacheDir
from shared.errors import Missing, NotAllowed
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.left_out import LeftOut
from shared.ledger.task_lists import TaskLists
from shared.redis.known_folders import KnownFolders
from shared.settings import Settings
from shared.watch.folders import WatchFolder, WatchFolders

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Provider:
    """The objects of one process by type, also that of a base, and services made of them."""

    def __init__(self, *provided: object) -> None:
        self._by_type: dict[type, Any] = {
            kind: each for each in provided for kind in type(each).__mro__
        }

    def get(self, kind: type[T]) -> T:
        """Return the object of that type. Services are built once, of what their fields name.

        Raises TypeError for what is not provided.
        """
        if kind not in self._by_type:
            if not issubclass(kind, CoreServices):
                raise TypeError(f"The app factory provides no {kind.__name__}.")
            types = get_type_hints(kind)
            names = [field.name for field in dataclasses.fields(kind)]
            self._by_type[kind] = kind(**{name: self.get(types[name]) for name in names})
        return self._by_type[kind]  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class CoreServices:
    """What every feature may use, within the roots of the licence key of a request."""

    settings: Settings
    redis: redis.Redis
    ledger: Ledger
    jobs: JobQueues
    query_client: QueryClient
    paths: ClientPaths
    caches: Caches
    known_folders: KnownFolders
    watch_folders: WatchFolders
    addresses: SignedAddresses

    @property
    def folders(self) -> Folders:
        """Threads that go into folders, which may hang."""
        return self.caches.folders

    @property
    def task_lists(self) -> TaskLists:
        """Tasks by what became of them."""
        return TaskLists(self.redis, self.settings.instance, self.ledger)

    @property
    def left_out(self) -> LeftOut:
        """Which files people left out of analysis."""
        caches = self.caches
        return LeftOut(self.redis, self.settings.instance, lambda path: caches.cache(path).id)

    def within(self, roots: tuple[str, ...] | None, key_id: str = "") -> Self:
        """Return the services as a licence key with these roots may use them; None: all."""
        if roots is None:
            return self
        return dataclasses.replace(
            self, paths=self.paths.within(roots, key_id), caches=self.caches.within(roots)
        )

    def watched_folder(self, folder_id: str) -> WatchFolder:
        """A watch folder in the roots of the licence key. Raises Missing, also for one outside."""
        folder = self.watch_folders.get(folder_id)
        if not self.paths.is_of_key(folder.path, folder.cache_dir):
            raise Missing(f"There is no watch folder {folder_id}.")
        return folder

    def used_cache_dirs(self) -> dict[str, float | None]:
        """CacheDirs that are known here, as far as their names lie in the roots of the key.

        The last used first, with the time of that in Unix seconds; None: not known. Raises
        RushesError.
        """
        used: dict[str, float | None] = {f.cache_dir: None for f in self.watch_folders.all()}
        analyzed = AnalysisFiles(self.redis, self.settings.instance).cache_dirs()
        for folder, at in (*self.known_folders.all().items(), *analyzed.items()):
            used[folder] = max(at, used.get(folder) or 0.0)
        newest = sorted(used, key=lambda folder: (-(used[folder] or 0.0), folder))
        return {folder: used[folder] for folder in newest if self._is_in_roots(folder)}

    def _is_in_roots(self, folder: str) -> bool:
        try:
            self.paths.cache_roots.check(folder)
        except NotAllowed:
            return False
        return True

    async def in_cache_dir(
        self, cache_dir: str, work: Callable[P, R], *args: P.args, **named: P.kwargs
    ) -> R:
        """`work(*args)` in a thread for the folder that a client calls `cache_dir`.

        Raises BadInput, NotAllowed and FolderHangs.
        """
        return await self.folders.run(self.paths.cache(cache_dir), work, *args, **named)

    async def in_export_folder(
        self, path: str | None, work: Callable[P, R], *args: P.args, **named: P.kwargs
    ) -> R:
        """As `in_cache_dir`, for the place that an export is written to; None: it is not."""
        if path is None:
            return await run_in_threadpool(work, *args, **named)
        return await self.folders.run(self.paths.export(path), work, *args, **named)


ServicesT = TypeVar("ServicesT", bound=CoreServices)


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

    def hashes(self) -> list[str] | None:
        """`hash_str` of each asked file that is known or readable; None: of all files."""
        paths = self.client_paths()
        return None if paths is None else list(paths)

    def places(self, hash_str: str, path: str | None) -> list[str]:
        """Where the client has what was found: each of its files of that content, in order."""
        return (self.client_paths() or {}).get(hash_str) or [self.shown(path)]

    def shown(self, path: str | None) -> str:
        """A path of ours in the client's form; empty where none is known."""
        return self.services.paths.back(path, like=self.like) if path else ""

    def best_places(self, hashes: Collection[str]) -> dict[str, str | None]:
        """Where files are, in the client's form: the oldest place that opens, else the oldest.

        None: nowhere.
        """
        paths = self.services.caches.best_paths(self.view(), hashes)
        return {hash_str: self.shown(path) or None for hash_str, path in paths.items()}
