"""All that a route may touch, made once by the factory. Nothing connects before its first use."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import redis
from starlette.concurrency import run_in_threadpool

from api.cache.caches import Caches
from api.exact_cuts import ExactCuts
from api.folders import Folders
from api.http.client_paths import ClientPaths
from api.keys.use_counter import UseCounter
from api.media.playback.previews import Previews
from api.monitoring.doctor import Doctor
from api.own_pages import OwnPages
from api.people.people import People
from api.query_client import QueryClient
from api.search.calibration.store import Calibrations
from api.search.frames.index import SearchIndex
from api.search.vectors import Vectors
from api.signed_addresses import SignedAddresses
from shared.audit import AuditLog
from shared.errors import Missing, NotAllowed, SettingsError
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.jobs import JobQueues
from shared.ledger.ledger import Ledger, ledger_of
from shared.ledger.left_out import LeftOut
from shared.ledger.task_lists import TaskLists
from shared.media import HashCache
from shared.models import model_catalogue
from shared.redis.clients import connect
from shared.redis.console_links import ConsoleLinks
from shared.redis.console_sessions import ConsoleSessions
from shared.redis.key_uses import KeyUses
from shared.redis.known_folders import KnownFolders
from shared.redis.licence_keys import KeyRecord, Keys
from shared.settings import Settings
from shared.watch.files import WatchedFiles
from shared.watch.folders import WatchFolder, WatchFolders
from shared.watch.lease import SoleLease
from shared.watch.live import LiveStatus
from shared.watch.retries import RetryRequests
from shared.webhooks.outbox import Outbox
from shared.webhooks.subscriptions import Webhooks

P = ParamSpec("P")
R = TypeVar("R")

# Each takes up to 100 MB and a core; more at once would all be late together.
_DOCUMENTS_AT_ONCE = 2


@dataclass(slots=True)
class KeptKey:
    """A licence key as it was read last for a signed address; see auth.key_of_address."""

    record: KeyRecord | None = None
    read_at: float = -math.inf  # monotonic, as `away_at`
    away_at: float = -math.inf  # when Redis did not answer
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Services:
    """One per process."""

    settings: Settings
    redis: redis.Redis
    ledger: Ledger
    jobs: JobQueues
    keys: Keys
    key_uses: KeyUses
    use_counter: UseCounter
    own_pages: OwnPages
    console_sessions: ConsoleSessions
    console_links: ConsoleLinks
    audit: AuditLog
    webhooks: Webhooks
    outbox: Outbox
    query_client: QueryClient
    exact_cuts: ExactCuts
    previews: Previews
    vectors: Vectors
    caches: Caches
    known_folders: KnownFolders
    index: SearchIndex
    addresses: SignedAddresses
    calibrations: Calibrations
    people: People
    paths: ClientPaths
    watch_folders: WatchFolders
    watched_files: WatchedFiles
    watch_lease: SoleLease
    watch_live: LiveStatus
    watch_retries: RetryRequests
    hashes: HashCache = field(default_factory=HashCache)
    keys_of_addresses: dict[str, KeptKey] = field(default_factory=dict)  # by the id of the key
    doctor: Doctor = field(default_factory=Doctor)
    document_turns: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_DOCUMENTS_AT_ONCE)
    )

    @classmethod
    def of(cls, settings: Settings) -> Services:
        """Raises SettingsError without a Redis."""
        url = _redis_url(settings)
        client = connect(url)
        jobs = JobQueues(connect(url, decode=False), settings.instance)
        query_client = QueryClient(url, settings.instance)
        key_uses = KeyUses(client, settings.instance)
        known_folders = KnownFolders(client, settings.instance, settings.state_dir)
        caches = Caches(settings, on_use=known_folders.note)
        return cls(
            settings=settings,
            redis=client,
            ledger=ledger_of(settings, client, jobs),
            jobs=jobs,
            keys=Keys(client, settings.instance, settings.state_dir, settings.license_keys),
            key_uses=key_uses,
            use_counter=UseCounter(key_uses),
            own_pages=OwnPages(settings),
            console_sessions=ConsoleSessions(client, settings.instance),
            console_links=ConsoleLinks(client, settings.instance),
            audit=AuditLog(settings.state_dir),
            webhooks=Webhooks(client, settings.instance, settings.state_dir),
            outbox=Outbox(client, settings.instance),
            query_client=query_client,
            exact_cuts=ExactCuts(query_client, caches.folders),
            previews=Previews(query_client, settings.state_dir, settings.preview_cache_mb),
            vectors=Vectors(query_client),
            caches=caches,
            known_folders=known_folders,
            index=SearchIndex(settings.state_dir, caches),
            addresses=SignedAddresses(client, settings.instance),
            calibrations=Calibrations(settings.state_dir),
            people=People(scale_of=partial(model_catalogue.face_scale, settings)),
            paths=ClientPaths(settings),
            watch_folders=WatchFolders(client, settings.instance, settings.state_dir),
            watched_files=WatchedFiles(client, settings.instance),
            watch_lease=SoleLease(client, settings.instance),
            watch_live=LiveStatus(client, settings.instance),
            watch_retries=RetryRequests(client, settings.instance),
        )

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

    def within(self, roots: tuple[str, ...] | None, key_id: str = "") -> Services:
        """Return the services as a licence key with these roots may use them; None: all."""
        if roots is None:
            return self
        return replace(
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

    def close(self) -> None:
        """Close what the factory opened, after the last request."""
        self.index.close()
        self.caches.close()
        self.redis.close()


def _redis_url(settings: Settings) -> str:
    if settings.redis_url is None:
        raise SettingsError(
            "RUSHES_REDIS_URL is not set. Start everything with `rushes up`, which brings its "
            "own Redis, or name one, e.g. RUSHES_REDIS_URL=redis://localhost:6379/0."
        )
    return settings.redis_url
