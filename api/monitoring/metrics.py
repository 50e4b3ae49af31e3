"""/metrics in the text format of Prometheus, at the root of the port, open, unless switched off."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.monitoring.process_metrics import ProcessMetrics
from api.monitoring.shared_metrics import SharedMetrics
from api.watch.status import WatchServices


def routes(services: WatchServices, own: ProcessMetrics) -> list[Route]:
    """None with RUSHES_METRICS=off."""
    if not services.settings.metrics:
        return []
    own.registry.register(SharedMetrics(services))

    async def metrics(_request: Request) -> Response:
        text = await run_in_threadpool(generate_latest, own.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]
