"""What a client is told beside an answer: errors, and warnings in the header X-Rushes-Warnings.

One table leads from the error tree to HTTP: status, short label, and the body every error has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from opentelemetry import trace
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared import errors
from shared.process import traces

# As nginx's lingering_timeout and lingering_time, but shorter: who is still sending when the
# connection is closed, a client or a proxy, loses the answer.
_DRAIN_IDLE_S, _DRAIN_S = 1.0, 5.0
_READ = "rushes.body_read"
log = logging.getLogger(__name__)
_NOTED = "rushes.error"
UNEXPECTED = "Unexpected"  # the kind of what nobody foresaw
WARNINGS_HEADER = "X-Rushes-Warnings"
_LONGEST_HEADER = 4000
_WARNED = "rushes.warnings"


class KeyMissing(errors.RushesError):
    """Provide license_key in request body or X-License-Key header"""


class SessionEnded(errors.RushesError):
    """This session has ended: sign in again."""


class NotFromConsole(errors.RushesError):
    """Send the header X-Rushes-Console: 1 with what changes something in a session."""


class SignedInAlready(errors.RushesError):
    """This browser is signed in with another key."""


class KeyRefused(errors.RushesError):
    """The public API requires a Jumper Pro license"""


class KeyExpired(errors.RushesError):
    """This licence key has expired: ask for a new one."""


class ScopeMissing(errors.RushesError):
    """This licence key lacks a scope."""


class TooLarge(errors.RushesError):
    """The request body is larger than RUSHES_MAX_BODY_MB allows."""


class TooSlow(errors.RushesError):
    """The request body did not arrive in time: send less at once, or over a faster connection."""


class BodiesFull(errors.Unavailable):
    """Too many request bodies are arriving at the same time: try again in a moment."""


# Resolved through the MRO: a subclass needs a line only where it differs from its base.
TABLE: dict[type[errors.RushesError], tuple[int, str]] = {
    errors.BadInput: (400, "Invalid request"),
    KeyMissing: (401, "Authentication required"),
    SessionEnded: (401, "Session ended"),
    NotFromConsole: (403, "Not sent by the console"),
    KeyRefused: (403, "Jumper Pro license required"),
    KeyExpired: (403, "Licence key expired"),
    ScopeMissing: (403, "Licence key lacks a scope"),
    errors.NotAllowed: (403, "Path not allowed"),
    errors.Missing: (404, "Not found"),
    errors.MediaMissing: (404, "File not found"),
    TooSlow: (408, "Request timeout"),
    errors.Busy: (409, "Task already running"),
    SignedInAlready: (409, "Signed in already"),
    errors.AlreadyWatched: (409, "Already watched"),
    errors.AlreadySubscribed: (409, "Already subscribed"),
    errors.EditedMeanwhile: (409, "Changed meanwhile"),
    errors.MediaChanging: (409, "File is changing"),
    TooLarge: (413, "Request too large"),
    errors.NothingUsable: (422, "Nothing to export"),
    errors.MediaError: (400, "Media unreadable"),
    errors.CacheError: (400, "Cache folder unusable"),
    errors.ExportError: (400, "Export folder unusable"),
    errors.ModelError: (503, "Model unavailable"),
    errors.ModelLoading: (503, "Model is loading"),
    errors.NoWorker: (503, "No worker available"),
    errors.FolderHangs: (503, "Folder does not answer"),
    errors.RedisAway: (503, "Redis unavailable"),
    errors.Unavailable: (503, "Unavailable"),
    errors.RushesError: (500, "Internal error"),
}


class ErrorBody(msgspec.Struct, frozen=True):
    """What every error answers."""

    error: Annotated[str, Meta(examples=["Invalid request"])]
    """Short label."""
    message: Annotated[str, Meta(examples=["cache_dir is required."])]
    """What is wrong and what to do about it."""


def verdict(error: errors.RushesError) -> tuple[int, ErrorBody]:
    """Status and body of an error of ours."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            status, label = TABLE[kind]
            return status, ErrorBody(label, error.message)
    raise TypeError(f"{type(error).__name__} is not in the error table")


@dataclass(frozen=True, slots=True)
class Noted:
    """Why a request got an error, for its log line and /metrics; the kinds are few."""

    kind: str
    message: str


def error_of(scope: Scope) -> Noted | None:
    """Why this request got an error; None where it did not."""
    found: Noted | None = scope.get(_NOTED)
    return found


def note(scope: Scope, error: Noted) -> None:
    """Say why this request gets an error."""
    scope[_NOTED] = error


async def on_rushes_error(request: Request, error: Exception) -> Response:
    """Answer for any error of our tree."""
    assert isinstance(error, errors.RushesError)
    trace.get_current_span().record_exception(error)
    note(request.scope, Noted(type(error).__name__, error.message))
    status, body = verdict(error)
    if status == 500:
        log.error("%s", error.message, exc_info=error)
    headers = warnings_headers(request.scope)
    if status == 503 or isinstance(error, errors.Busy):
        headers["Retry-After"] = str(getattr(error, "retry_after_s", 2))
    kind = DrainingResponse if is_unread(request.scope) else Response
    return kind(msgspec.json.encode(body), status, headers, media_type="application/json")


async def on_http_error(public_url: str, request: Request, error: Exception) -> Response:
    """Answer for the router's 404 and 405, in our form, with paths as clients know them."""
    assert isinstance(error, HTTPException)
    path = urlsplit(public_url).path + request.url.path
    if error.status_code == 404:
        api = f"{public_url}/api/v1"
        message = f"There is no {path}. The API lies below {api}; see {api}/docs."
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.method} is not allowed on {path}; allowed: {allowed}."
    else:
        message = str(error.detail)
    phrase = HTTPStatus(error.status_code).phrase
    note(request.scope, Noted(phrase.title().replace(" ", ""), message))
    label = phrase.capitalize()
    return Response(
        msgspec.json.encode(ErrorBody(label, message)),
        error.status_code,
        headers=dict(error.headers or {}),
        media_type="application/json",
    )


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer for what nobody foresaw; the server logs the traceback."""
    if not isinstance(error, ClientDisconnect):  # that is nobody's error
        note(request.scope, Noted(UNEXPECTED, f"{type(error).__name__}: {error}"))
    traces.fail(trace.get_current_span(), error)
    body = ErrorBody("Internal error", "Something went wrong; the server's log says what.")
    return Response(msgspec.json.encode(body), 500, media_type="application/json")


def warn(scope: Scope, sentences: Sequence[str]) -> None:
    """Have the answer say these too."""
    scope.setdefault(_WARNED, []).extend(sentences)


def warnings_headers(scope: Scope) -> dict[str, str]:
    """The header, if there is something to say: a JSON array of sentences.

    It is in ASCII, and short enough for every client's limit.
    """
    said: list[str] = []
    for warning in scope.get(_WARNED, ()):
        if len(json.dumps([*said, warning])) > _LONGEST_HEADER:
            break
        said.append(warning)
    return {WARNINGS_HEADER: json.dumps(said)} if said else {}


def note_read(scope: Scope) -> None:
    """Say that the whole body of this request was read."""
    scope[_READ] = True


def is_unread(scope: Scope) -> bool:
    """Whether this request has a body of which something may still arrive."""
    headers = Headers(scope=scope)
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return has_body and not scope.get(_READ, False)


class DrainingResponse(Response):
    """Answers before the body was read (RFC 9112, 9.6), drains it while it comes, then closes.

    Closing at once would reset the connection of a client that is still sending, before it has
    read the answer.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["Connection"] = "close"
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while (await asyncio.wait_for(receive(), _DRAIN_IDLE_S)).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
