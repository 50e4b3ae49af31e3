"""The composition root: one ASGI app with the API, its documentation and Socket.IO on one port."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from api.browsing import estimate_routes, folder_routes
from api.console import files as console_files
from api.console import session_routes
from api.console.page_headers import PageHeaders
from api.deleting import data_routes, person_routes
from api.docs import pages
from api.exports.clips import downloads as clip_downloads
from api.exports.clips import routes as clips
from api.exports.timelines import routes as timelines
from api.exports.transcripts import routes as transcript_exports
from api.http import endpoint
from api.http.cors import CorsMiddleware, Origins
from api.http.errors import on_crash, on_http_error, on_rushes_error
from api.http.hosts import HostCheck, Hosts
from api.keys import routes as keys
from api.left_out import routes as left_out
from api.media import cache_path_routes, thumbnail_routes
from api.media import routes as media
from api.media.playback import routes as playback
from api.media.playback import stream_routes
from api.models import fetch_routes
from api.models import routes as models
from api.monitoring import administration_routes, metrics
from api.monitoring import routes as health
from api.monitoring.process_metrics import ProcessMetrics
from api.monitoring.request_log import RequestLog
from api.monitoring.request_span import RequestSpan
from api.people import (
    edit_routes,
    enrol_routes,
    history_routes,
    recluster_routes,
    vocabulary_routes,
)
from api.people import routes as people
from api.people.roster import routes as roster
from api.people.voices import proposal_routes
from api.people.voices import routes as voices
from api.realtime.server import Realtime
from api.search import analysis_data_routes, picture_routes, transcript_routes
from api.search import routes as search
from api.search.calibration import routes as calibration_routes
from api.services import Services
from api.tasks import analyze_routes, retry_routes
from api.tasks import routes as tasks
from api.tasks.sweeping import Sweeper
from api.transcripts import routes as transcripts
from api.watch import file_routes as watched_files
from api.watch import routes as watch_folders
from api.webhooks import routes as webhooks
from api.webhooks.sender import WebhookSender
from shared.errors import RushesError
from shared.msgspec_decoding import learn_types
from shared.settings import Settings

# Threads for blocking calls. A request that waits for the lock holds one for up to 2 s.
THREADS = 128

ENDPOINTS = (
    *health.ENDPOINTS,
    *administration_routes.ENDPOINTS,
    *models.ENDPOINTS,
    *fetch_routes.ENDPOINTS,
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
    *history_routes.ENDPOINTS,
    *voices.ENDPOINTS,
    *proposal_routes.ENDPOINTS,
    *roster.ENDPOINTS,
    *enrol_routes.ENDPOINTS,
    *vocabulary_routes.ENDPOINTS,
    *recluster_routes.ENDPOINTS,
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
    services = Services.of(settings)
    realtime = Realtime(services)
    process_metrics = ProcessMetrics()
    sweeper = Sweeper(services)
    sender = WebhookSender(settings, services.redis, services.webhooks, services.outbox)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        begun = services.query_client, services.exact_cuts, services.use_counter
        async with contextlib.AsyncExitStack() as at_end:
            for each in (*begun, realtime, sweeper, sender):
                await at_end.enter_async_context(each)
            await anyio.to_thread.run_sync(services.previews.tidy)
            yield
        services.close()

    http = Starlette(
        routes=_routes(services, process_metrics),
        exception_handlers={
            RushesError: on_rushes_error,
            HTTPException: functools.partial(on_http_error, settings.public_url or ""),
            Exception: on_crash,
        },
        lifespan=lifespan,
    )
    http.router.redirect_slashes = False  # a redirect would name the Host of the request
    app: ASGIApp = RequestLog(
        PageHeaders(http) if settings.console else http, http.routes, process_metrics
    )
    if settings.traces_endpoint:
        app = RequestSpan(app, http.routes)
    return CorsMiddleware(HostCheck(realtime.beside(app), Hosts(settings)), Origins(settings))


def _routes(services: Services, process_metrics: ProcessMetrics) -> list[Route]:
    settings = services.settings
    hidden = () if settings.console else session_routes.ENDPOINTS
    endpoints = tuple(each for each in ENDPOINTS if each not in hidden)
    return [
        *endpoint.routes(endpoints, services),
        *picture_routes.routes(services),
        *stream_routes.routes(services),
        *clip_downloads.routes(services),
        *(console_files.routes() if settings.console else ()),
        *pages.routes(endpoints, settings),
        *metrics.routes(services, process_metrics),
    ]
