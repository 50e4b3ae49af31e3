"""What handlers work with: objects that the app factory builds once and hands out by type.

A handler names the class of services that it needs as its second parameter: CoreServices, or the
class in which its feature adds what it needs besides. Nothing connects before its first use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, Self, TypeVar, get_type_hints

import redis
from starlette.concurrency import run_in_threadpool

from api.cache.caches import Caches
from api.folders import Folders
from api.http.client_paths import ClientPaths
from api.query_client import QueryClient
from api.signed_addresses import SignedAddresses
from shared.errors import Missing, NotAllowed
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.jobs import JobQueues
from shared.ledger.ledger import Ledger
from shared.ledger.left_out import LeftOut
from shared.ledger.task_lists import TaskLists
from shared.redis.known_folders import KnownFolders
from shared.settings import Settings
from shared.watch.folders import WatchFolder, WatchFolders

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Provider:
    """The objects of one process by type, and the services that are made of them."""

    def __init__(self, *provided: object) -> None:
        self._by_type: dict[type, Any] = {type(each): each for each in provided}

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
