"""The composition root: one ASGI app with the API, its documentation and Socket.IO on one port."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from api import docs_pages, endpoint, metrics, openapi
from api.cors import CorsMiddleware, Origins
from api.errors import on_crash, on_http_error, on_rushes_error
from api.middleware import RequestLog
from api.process_metrics import ProcessMetrics
from api.realtime import Realtime
from api.routes import (
    analysis,
    analysis_data,
    cache_paths,
    clips,
    exports,
    face_edits,
    faces,
    health,
    media,
    models,
    recluster,
    search,
    thumbnails,
    timelines,
    transcript_search,
    transcriptions,
    watch_folders,
    watched_files,
)
from api.services import Services
from api.sweeping import Sweeper
from api.tracing import traced
from shared.decoding import learn_types
from shared.errors import RushesError
from shared.settings import Settings

# Threads for blocking calls. A request that waits for the lock holds one for up to 2 s.
THREADS = 128

ENDPOINTS = (
    *health.ENDPOINTS,
    *models.ENDPOINTS,
    *media.ENDPOINTS,
    *analysis.ENDPOINTS,
    *analysis_data.ENDPOINTS,
    *search.ENDPOINTS,
    *transcript_search.ENDPOINTS,
    *transcriptions.ENDPOINTS,
    *thumbnails.ENDPOINTS,
    *faces.ENDPOINTS,
    *face_edits.ENDPOINTS,
    *recluster.ENDPOINTS,
    *cache_paths.ENDPOINTS,
    *exports.ENDPOINTS,
    *timelines.ENDPOINTS,
    *clips.ENDPOINTS,
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

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        async with services.asker, realtime, sweeper:
            yield
        services.close()

    http = Starlette(
        routes=[
            *endpoint.routes(ENDPOINTS, services),
            *docs_pages.routes(openapi.document(ENDPOINTS)),
            *metrics.routes(services, process_metrics),
        ],
        exception_handlers={
            RushesError: on_rushes_error,
            HTTPException: on_http_error,
            Exception: on_crash,
        },
        lifespan=lifespan,
    )
    app = traced(RequestLog(http, http.routes, process_metrics), http.routes)
    return CorsMiddleware(realtime.beside(app), Origins(settings))
