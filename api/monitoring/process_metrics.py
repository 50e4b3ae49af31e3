"""What one API process counts by itself: requests, searches, errors. Begins anew with the process.

Names and meanings stand in docs/monitoring.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from api.http.errors import TABLE, UNEXPECTED

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_SEARCH = "/api/v1/search/"
SEARCHES = ("text", "image", "frame", "transcript")
# A search over 100 hours takes tens of milliseconds; the first one after a start maps its index.
_SEARCH_S = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5, 10)
# The answer about clips waits for them, so minutes are not unusual.
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)


@dataclass(frozen=True, slots=True)
class Served:
    """One request. `route`: template of its path, "" for none; `error`: kind of its error."""

    method: str
    route: str
    status: int
    seconds: float
    error: str | None


class ProcessMetrics:
    """Metrics of one process, with its memory and processor time."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge(
            "rushes_build_info", "1; its label says which version.", ["version"], registry=registry
        ).labels(version("rushes")).set(1)
        self._requests = Counter(
            "rushes_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "rushes_http_request_duration_seconds",
            "From the request's head to the end of its answer.",
            ["method", "route"],
            buckets=_REQUEST_S,
            registry=registry,
        )
        self._searches = Histogram(
            "rushes_search_duration_seconds",
            "Searches that were answered with matches or none.",
            ["search"],
            buckets=_SEARCH_S,
            registry=registry,
        )
        self._errors = Counter(
            "rushes_errors", "Requests answered with an error.", ["kind"], registry=registry
        )
        for search in SEARCHES:
            self._searches.labels(search)
        for kind in (*(error.__name__ for error in TABLE), UNEXPECTED):
            self._errors.labels(kind)

    def observe(self, served: Served) -> None:
        """A request has ended."""
        method = served.method if served.method in _METHODS else "other"
        route = served.route or "unmatched"
        self._requests.labels(method, route, str(served.status)).inc()
        self._seconds.labels(method, route).observe(served.seconds)
        if served.error:
            self._errors.labels(served.error).inc()
        search = served.route.removeprefix(_SEARCH)
        if search in SEARCHES and served.status == 200:
            self._searches.labels(search).observe(served.seconds)
