"""The composition root: one ASGI app with the API, its documentation and Socket.IO on one port."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterable

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from api.browsing import estimate_routes, folder_routes
from api.cache.caches import Caches
from api.console import files as console_files
from api.console import session_routes
from api.deleting import data_routes, person_routes
from api.docs import pages
from api.exact_cuts import ExactCuts
from api.exports.clips import downloads as clip_downloads
from api.exports.clips import routes as clips
from api.exports.exact_bounds import ExportServices
from api.exports.timelines import routes as timelines
from api.exports.transcripts import routes as transcript_exports
from api.http import endpoint
from api.http.auth import Access, UseCounter
from api.http.client_paths import ClientPaths
from api.http.connections import CorsMiddleware, HostCheck, Hosts, Origins, PageHeaders
from api.http.errors import on_crash, on_http_error, on_rushes_error
from api.http.services import CoreServices, Provider
from api.keys import routes as keys
from api.left_out import routes as left_out
from api.media import cache_path_routes, thumbnail_routes
from api.media import routes as media
from api.media.playback import routes as playback
from api.media.playback import stream_routes
from api.media.playback.previews import Previews
from api.media.playback.stream_routes import StreamServices
from api.models import routes as models
from api.monitoring import administration_routes, shared_metrics
from api.monitoring import routes as health
from api.monitoring.doctor import Doctor
from api.monitoring.request_log import ProcessMetrics, RequestLog
from api.own_pages import OwnPages
from api.people import collection_routes, edit_routes, enrol_routes
from api.people import routes as people
from api.people.people import People
from api.people.voices import routes as voices
from api.query_client import QueryClient
from api.realtime.server import Realtime
from api.search import analysis_data_routes, picture_routes, transcript_routes
from api.search import routes as search
from api.search.calibration import routes as calibration_routes
from api.search.calibration.store import Calibrations
from api.search.frames.index import SearchIndex
from api.search.services import SearchServices
from api.search.vectors import Vectors
from api.signed_addresses import SignedAddresses
from api.tasks import analyze_routes, retry_routes
from api.tasks import routes as tasks
from api.tasks.sweeping import Sweeper
from api.transcripts import routes as transcripts
from api.watch import file_routes as watched_files
from api.watch import routes as watch_folders
from api.watch.status import WatchServices
from api.webhooks import routes as webhooks
from api.webhooks.sender import WebhookSender
from shared.audit import AuditLog
from shared.errors import RushesError, SettingsError
from shared.ledger.ledger import JobQueues, ledger_of
from shared.models import model_catalogue
from shared.msgspec_decoding import learn_types
from shared.redis.clients import connect
from shared.redis.console_sessions import ConsoleLinks, ConsoleSessions
from shared.redis.known_folders import KnownFolders
from shared.redis.licence_keys import Keys, KeyUses
from shared.settings import Settings
from shared.watch.files import RetryRequests, WatchedFiles
from shared.watch.folders import WatchFolders
from shared.watch.live import LiveStatus, SoleLease
from shared.webhooks.outbox import Outbox
from shared.webhooks.subscriptions import Webhooks

# Threads for blocking calls. A request that waits for the lock holds one for up to 2 s.
THREADS = 128

ENDPOINTS = (
    *health.ENDPOINTS,
    *administration_routes.ENDPOINTS,
    *models.ENDPOINTS,
    *calibration_routes.ENDPOINTS,
    *media.ENDPOINTS,
    *playback.ENDPOINTS,
    *folder_routes.ENDPOINTS,
    *analyze_routes.ENDPOINTS,
    *estimate_routes.ENDPOINTS,
    *tasks.ENDPOINTS,
    *retry_routes.ENDPOINTS,
    *analysis_data_routes.ENDPOINTS,
    *left_out.ENDPOINTS,
    *data_routes.ENDPOINTS,
    *search.ENDPOINTS,
    *transcript_routes.ENDPOINTS,
    *transcripts.ENDPOINTS,
    *thumbnail_routes.ENDPOINTS,
    *people.ENDPOINTS,
    *edit_routes.ENDPOINTS,
    *voices.ENDPOINTS,
    *enrol_routes.ENDPOINTS,
    *collection_routes.ENDPOINTS,
    *person_routes.ENDPOINTS,
    *cache_path_routes.ENDPOINTS,
    *transcript_exports.ENDPOINTS,
    *timelines.ENDPOINTS,
    *clips.ENDPOINTS,
    *keys.ENDPOINTS,
    *session_routes.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *watch_folders.ENDPOINTS,
    *watched_files.ENDPOINTS,
)


def create_app(settings: Settings) -> ASGIApp:
    """All of the API process. Opens connections only when the first request needs them."""
    learn_types()
    provider = provide(settings)
    core = provider.get(CoreServices)
    realtime = Realtime(provider.get(WatchServices), provider.get(Access))
    process_metrics = ProcessMetrics()
    webhooks, outbox = provider.get(Webhooks), provider.get(Outbox)
    runs = (
        *(core.query_client, provider.get(ExactCuts), provider.get(UseCounter), realtime),
        Sweeper(core, provider.get(Keys), webhooks),
        WebhookSender(settings, core.redis, webhooks, outbox),
    )
    http = Starlette(
        routes=_routes(provider, process_metrics),
        exception_handlers={
            RushesError: on_rushes_error,
            HTTPException: functools.partial(on_http_error, settings.public_url or ""),
            Exception: on_crash,
        },
        lifespan=_lifespan(provider, runs),
    )
    http.router.redirect_slashes = False  # a redirect would name the Host of the request
    app: ASGIApp = RequestLog(PageHeaders(http), http.routes, process_metrics)
    return CorsMiddleware(HostCheck(realtime.beside(app), Hosts(settings)), Origins(settings))


def _lifespan(
    provider: Provider, runs: Iterable[contextlib.AbstractAsyncContextManager[object]]
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        async with contextlib.AsyncExitStack() as at_end:
            for each in runs:
                await at_end.enter_async_context(each)
            await anyio.to_thread.run_sync(provider.get(Previews).tidy)
            yield
        core = provider.get(CoreServices)
        provider.get(SearchIndex).close()
        core.caches.close()
        core.redis.close()

    return lifespan


def provide(settings: Settings) -> Provider:
    """Build what handlers work with. Raises SettingsError without a Redis."""
    if settings.redis_url is None:
        raise SettingsError(
            "RUSHES_REDIS_URL is not set. Start everything with `rushes up`, which brings its "
            "own Redis, or name one, e.g. RUSHES_REDIS_URL=redis://localhost:6379/0."
        )
    instance, state_dir = settings.instance, settings.state_dir
    client = connect(settings.redis_url)
    jobs = JobQueues(connect(settings.redis_url, decode=False), instance)
    query_client = QueryClient(settings.redis_url, instance)
    key_uses = KeyUses(client, instance)
    keys = Keys(client, instance, state_dir, settings.license_keys)
    known_folders = KnownFolders(client, instance, state_dir)
    caches = Caches(settings, on_use=known_folders.note)
    return Provider(
        *(settings, client, jobs, query_client, key_uses, keys, known_folders, caches),
        ledger_of(settings, client, jobs),
        ClientPaths(settings),
        SignedAddresses(client, instance),
        Access(keys, ConsoleSessions(client, instance), OwnPages(settings)),
        UseCounter(key_uses),
        AuditLog(state_dir),
        ConsoleLinks(client, instance),
        Doctor(),
        ExactCuts(query_client, caches.folders),
        Previews(query_client, state_dir, settings.preview_cache_mb),
        People(scale_of=functools.partial(model_catalogue.face_scale, settings)),
        SearchIndex(state_dir, caches),
        Vectors(query_client),
        Calibrations(state_dir),
        Webhooks(client, instance, state_dir),
        Outbox(client, instance),
        WatchFolders(client, instance, state_dir),
        WatchedFiles(client, instance),
        SoleLease(client, instance),
        LiveStatus(client, instance),
        RetryRequests(client, instance),
    )


def _routes(provider: Provider, process_metrics: ProcessMetrics) -> list[Route]:
    settings = provider.get(Settings)
    hidden = () if settings.console else session_routes.ENDPOINTS
    endpoints = tuple(each for each in ENDPOINTS if each not in hidden)
    return [
        *endpoint.routes(endpoints, provider),
        *picture_routes.routes(provider.get(SearchServices)),
        *stream_routes.routes(provider.get(StreamServices)),
        *clip_downloads.routes(provider.get(ExportServices)),
        *(console_files.routes() if settings.console else ()),
        *pages.routes(endpoints, settings),
        *shared_metrics.routes(provider.get(WatchServices), process_metrics),
    ]
