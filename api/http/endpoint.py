"""One declaration per endpoint: it routes, checks the key, reads the body and documents itself."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar, get_args, get_type_hints
from urllib.parse import quote, urlsplit

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.auth import Access, UseCounter, check_scope
from api.http.bodies import LONGEST_WORD, Keyed
from api.http.body_reading import BodyBudget, BodyDecoder, too_long, unknown_in_query
from api.http.client_paths import ClientPaths
from api.http.concurrency import nobody_left
from api.http.errors import warn, warnings_headers
from api.http.parameters import IN_CACHE_DIR, Parameter
from api.http.services import CoreServices, Provider
from api.own_pages import BrowserSession
from shared.audit import AuditLine, AuditLog, now
from shared.errors import BadInput, NotAllowed, RushesError, Unavailable
from shared.ledger.records import NOBODY, Sender
from shared.printable import printable
from shared.process import logs
from shared.redis.licence_keys import KeyRecord
from shared.rights import KeyScope
from shared.settings import Settings

log = logging.getLogger(__name__)
_MOST_LISTED = 20  # things of one list; how many there were is told besides
_SECRET = {"license_key", "secret"}
_LONG = 1_000  # characters: pictures and the like are no news
Body = TypeVar("Body")
Found = TypeVar("Found")
PREFIX = "/api/v1"
REFUSED = "This operation concerns the whole server: it needs a licence key without roots."
_LONGEST_CLIENT = 100
_LARGE_BODY = 1 << 18  # about 10 ms of decoding
_PIECE = 500  # things of an answer, such as matches with their pictures: 5 ms of encoding


def _details_of(body: msgspec.Struct | None) -> dict[str, Any]:
    """What was asked for: fields that were given, no secrets, of long lists the beginning.

    Nor what a body names in NOT_AUDITED: what people are called would outlive their deletion.
    """
    given = {}
    hidden = _SECRET.union(getattr(body, "NOT_AUDITED", ()))
    for known in msgspec.structs.fields(body) if body is not None else ():
        value = getattr(body, known.name)
        if known.name not in hidden and value not in (None, [], known.default):
            given[known.encode_name] = _short(value)
    if "url" in given:  # of a webhook: its path may be a secret
        given["url"] = urlsplit(given["url"]).netloc
    return given


def _short(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return _details_of(value)
    if isinstance(value, list):
        shown = [_short(each) for each in value[:_MOST_LISTED] if not isinstance(each, msgspec.Raw)]
        return shown if len(shown) == len(value) else {"count": len(value), "first": shown}
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:_LONG]}…"
    return value


@dataclass(frozen=True, slots=True)
class Call(Generic[Body]):
    """What a handler gets: checked, typed, allowed."""

    paths: ClientPaths  # as its key may name them
    body: Body
    path: Mapping[str, str]
    query: Mapping[str, str]
    is_gone: Callable[[], Awaitable[bool]] = nobody_left  # whether the client has hung up
    key: KeyRecord | None = None  # where no key is needed
    sender: Sender = NOBODY  # as above
    headers: Headers = field(default_factory=Headers)
    warnings: list[str] = field(default_factory=list)  # what its answer's header is to say
    # What the audit log is to say besides; what stands here is told also of a call that failed.
    audited: dict[str, Any] = field(default_factory=dict)

    def check(self, scope: KeyScope) -> None:
        """Raise ScopeMissing unless its key has the scope, besides that of the endpoint."""
        check_scope(self.key, scope)

    async def audit(self, audit_log: AuditLog, action: str) -> None:
        """Write to the audit log what it changes or takes.

        What cannot be written is an error in the log, no refusal.
        """
        body = self.body if isinstance(self.body, msgspec.Struct) else None
        line = AuditLine(
            at=now(),
            action=action,
            key_id=self.sender.owner,
            key_label=self.sender.label,
            address=self.sender.address,
            client=self.sender.client,
            task_id=logs.task_id_var.get() or "",
            details={**self.path, **_details_of(body), **self.audited},
        )
        try:
            await run_in_threadpool(audit_log.write, line)
        except OSError as error:
            log.error("The audit log cannot be written (%s): %s", error, msgspec.json.encode(line))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose status is not the endpoint's usual one, or that has headers of its own."""

    status: int
    content: msgspec.Struct
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileReply:
    """An answer that is a file: its media type is one of the endpoint's `files`."""

    content: bytes
    media_type: str
    filename: str  # any text; clients are offered it as the name to save under
    warnings: tuple[str, ...] = ()  # sent in the header X-Rushes-Warnings


Answer: TypeAlias = msgspec.Struct | Reply | FileReply


class RootsRule(StrEnum):
    """The rule by which roots of a licence key bind an operation: a word of the generated table."""

    CHECKED = "paths"
    WITHIN = "target"
    FILTERED = "filtered"
    REFUSED = "no"
    NONE = "yes"


@dataclass(frozen=True)
class Endpoint:
    """A method on a path below /api/v1, with all that the OpenAPI document says about it.

    Its body is what the handler's `Call` is annotated with, its answer the first struct that the
    handler returns. Its summary is the first line of the handler's docstring, its description the
    rest. Its examples are made of those of fields (api.docs.openapi).
    """

    route: str  # "POST /search/text"
    # Takes its Call and, where it needs any, a class of services; see api/http/services.py. A plain
    # function runs in a thread, in that of the call's `cache_dir` where it has one.
    handler: Callable[..., Awaitable[Answer] | Answer]
    tag: str
    scope: KeyScope | None = None  # that the key must have; None: any key will do
    _: KW_ONLY
    description: str = ""  # one that holds values, which a docstring cannot
    query: tuple[Parameter[Any], ...] = ()
    # What differs in the examples from those of fields, or is optional and to be shown; `...` is
    # a field's own example.
    example: Mapping[str, Any] = field(default_factory=dict)
    answer_example: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    # Further statuses with their answers: errors with fields of their own, too.
    also: Mapping[int, tuple[type[msgspec.Struct], Mapping[str, Any]]] = field(default_factory=dict)
    # Beyond those of api.docs.openapi_errors, each with an example of its message; "": its usual.
    errors: Mapping[type[RushesError], str] = field(default_factory=dict)
    files: tuple[str, ...] = ()  # media types of the files that it may answer instead of JSON
    json_file: type[msgspec.Struct] | None = None  # a file that is JSON too
    drops_half_characters: bool = False  # text with lone surrogates is mended, not refused
    keeps_nulls: bool = False  # of its body's own keys: null means something else than leaving out
    needs_key: bool = True
    is_audited: bool = False  # it changes or takes something: the audit log says who
    roots: RootsRule | None = None  # None: as the names of its parameters say

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]

    @property
    def operation_id(self) -> str:
        """What generated clients call it: the handler's own name."""
        return self.handler.__name__

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.handler)

    @cached_property
    def body(self) -> type[Keyed] | None:
        [call, *_] = self._hints.values()
        [body] = get_args(call)
        return body if isinstance(body, type) and issubclass(body, Keyed) else None

    @cached_property
    def answer(self) -> type[msgspec.Struct]:
        returned = self._hints["return"]
        kinds: tuple[type, ...] = get_args(returned) or (returned,)
        return next(kind for kind in kinds if issubclass(kind, msgspec.Struct))

    @property
    def services(self) -> type[CoreServices] | None:
        """What the handler takes besides its call."""
        return self._hints.get("services")

    @property
    def roots_rule(self) -> RootsRule:
        """The rule by which roots of a licence key bind it."""
        fields = msgspec.structs.fields(self.body) if self.body else ()
        names = {field.name for field in fields} | {each.name for each in self.query}
        if self.roots or "{" in self.path:
            return self.roots or RootsRule.WITHIN
        is_about_paths = any(part in name for name in names for part in ("path", "_dir", "roots"))
        return RootsRule.CHECKED if is_about_paths else RootsRule.NONE


class _Intake:
    """How requests come in, to all endpoints of the process together."""

    def __init__(self, endpoints: Iterable[Endpoint], provider: Provider) -> None:
        limit_mb = provider.get(Settings).max_body_mb
        self.access = provider.get(Access)
        self.uses = provider.get(UseCounter)
        self.audit_log = provider.get(AuditLog)
        self.paths = provider.get(ClientPaths)
        self.services = {
            one.operation_id: provider.get(one.services) for one in endpoints if one.services
        }
        self.decoders = {
            endpoint.operation_id: BodyDecoder(
                endpoint.body,
                keeps_nulls=endpoint.keeps_nulls,
                drops_half_characters=endpoint.drops_half_characters,
            )
            for endpoint in endpoints
            if endpoint.body
        }
        self.with_header = BodyBudget.with_header(limit_mb)
        self.without_header = BodyBudget.without_header(limit_mb)
        # Decoding holds the interpreter: in more threads it would do so more often.
        self.turn = CapacityLimiter(1)  # of callers whose key was accepted
        self.keyless_turn = CapacityLimiter(1)


def routes(endpoints: Iterable[Endpoint], provider: Provider) -> list[Route]:
    """One Starlette route per path, so that a 405 names every allowed method."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    endpoints = tuple(endpoints)
    intake = _Intake(endpoints, provider)
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [
        Route(PREFIX + path, _dispatcher(methods, intake), methods=list(methods))
        for path, methods in by_path.items()
    ]


def _dispatcher(
    methods: Mapping[str, Endpoint], intake: _Intake
) -> Callable[[Request], Awaitable[Response]]:
    async def dispatch(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await _serve(methods[method], intake, request)

    return dispatch


async def _serve(endpoint: Endpoint, intake: _Intake, request: Request) -> Response:
    body, key = await _allowed_body(endpoint, intake, request)
    _check(endpoint, request, key)
    if key:
        intake.uses.note(key.id)
    bounds = (key.roots, key.id) if key else (None,)
    call = Call(
        intake.paths.within(*bounds),
        body,
        request.path_params,
        _drop_empty(endpoint, request.query_params.items()),
        request.is_disconnected,
        key,
        _sender(request, key) if key else NOBODY,
        request.headers,
    )
    services = intake.services.get(endpoint.operation_id)
    _log_task(request.path_params.get("task_id") or getattr(body, "task_id", None))
    try:
        own = services and services.within(*bounds)
        found = await _answer(endpoint, call, own)
    except RushesError as error:
        if call.audited:
            call.audited["error"] = error.message
            await call.audit(intake.audit_log, endpoint.operation_id)
        like = getattr(body, "cache_dir", None) or request.query_params.get("cache_dir")
        error.message = intake.paths.in_words(error.message, like)
        raise
    _log_task(getattr(found.content if isinstance(found, Reply) else found, "task_id", None))
    warn(request.scope, call.warnings)
    if endpoint.is_audited and not getattr(body, "dry_run", False):
        await call.audit(intake.audit_log, endpoint.operation_id)
    return await _response(endpoint, request, found)


async def _answer(endpoint: Endpoint, call: Call[Any], services: CoreServices | None) -> Any:
    handler: Callable[..., Any] = endpoint.handler
    if services is None:
        return await handler(call)
    if inspect.iscoroutinefunction(handler):
        return await handler(call, services)
    for parameter in endpoint.query:  # what is wrong in them is said before a folder is looked at
        parameter.read(call.query)
    cache_dir = getattr(call.body, "cache_dir", None)
    if IN_CACHE_DIR in endpoint.query:
        cache_dir = IN_CACHE_DIR.read(call.query)
    if cache_dir is None:
        return await run_in_threadpool(handler, call, services)
    return await services.in_cache_dir(cache_dir, handler, call, services)


def _log_task(task_id: str | None) -> None:
    """Name the task that a request or its answer is about in what is logged from here on."""
    if task_id:
        logs.task_id_var.set(task_id)


async def _response(endpoint: Endpoint, request: Request, found: Answer) -> Response:
    if isinstance(found, FileReply):
        warn(request.scope, found.warnings)
        headers = {"Content-Disposition": attachment(found.filename)}
        headers |= warnings_headers(request.scope)
        return Response(found.content, endpoint.status, headers, media_type=found.media_type)
    reply = found if isinstance(found, Reply) else Reply(endpoint.status, found)
    headers = {**reply.headers, **warnings_headers(request.scope)}
    if reply.status == 503:
        headers["Retry-After"] = str(Unavailable.retry_after_s)
    content = await _encoded(reply.content)
    return Response(content, reply.status, headers, media_type="application/json")


async def _encoded(answer: msgspec.Struct) -> bytes:
    """An answer as JSON. Long lists in pieces: the interpreter is held while one is encoded."""
    fields = {name: getattr(answer, name) for name in answer.__struct_fields__}
    found: dict[str, msgspec.Raw] = {}
    for name, value in fields.items():
        if isinstance(value, list) and len(value) > _PIECE:
            found[name] = await to_thread.run_sync(_in_pieces, value)
    return msgspec.json.encode(msgspec.structs.replace(answer, **found) if found else answer)


def _in_pieces(items: list[Any]) -> msgspec.Raw:
    pieces = (items[at : at + _PIECE] for at in range(0, len(items), _PIECE))
    return msgspec.Raw(b"[%b]" % b",".join(msgspec.json.encode(piece)[1:-1] for piece in pieces))


def _check(endpoint: Endpoint, request: Request, key: KeyRecord | None) -> None:
    """Refuse keys whose roots do not go with it, and parameters of the URL that are too long."""
    if key and key.roots is not None and endpoint.roots is RootsRule.REFUSED:
        raise NotAllowed(REFUSED)
    given = {name: (value, LONGEST_WORD) for name, value in request.path_params.items()}
    for one in endpoint.query:
        given[one.name] = request.query_params.get(one.name, ""), one.longest
    for name, (value, limit) in given.items():
        if len(value) > limit:
            raise BadInput(too_long(name, limit))


def _drop_empty(endpoint: Endpoint, query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the query without empty optional parameters: those equal leaving them out."""
    required = {parameter.name for parameter in endpoint.query if parameter.required}
    return {name: text for name, text in query if text or name in required}


async def _allowed_body(
    endpoint: Endpoint, intake: _Intake, request: Request
) -> tuple[msgspec.Struct | None, KeyRecord | None]:
    """The body after the key was accepted, and that key: first key, then body.

    A key in the header wins over the session of a browser, that over a key in the body.
    """
    known = [parameter.name for parameter in endpoint.query]
    warn(request.scope, unknown_in_query(request.query_params.keys(), known))
    decoder = intake.decoders.get(endpoint.operation_id)
    key: str | BrowserSession | None = request.headers.get("x-license-key", "").strip()
    if endpoint.needs_key and not key:
        key = intake.access.pages.session(request.headers, request.method)
    is_told = bool(key) and not (isinstance(key, BrowserSession) and not key.may_be_used)
    record = None
    if endpoint.needs_key and (is_told or not decoder):
        record = await intake.access.authorise(key, endpoint.scope)
    if not decoder:
        return None, record
    budget = intake.with_header if is_told else intake.without_header
    async with budget.body(request) as content:
        if endpoint.needs_key and not is_told:
            given = await _aside(intake.keyless_turn, decoder.key, content)
            record = await intake.access.authorise(given or key, endpoint.scope)
        warn(request.scope, await _aside(intake.turn, decoder.unknown_fields, content))
        return await _aside(intake.turn, decoder.body, content), record


def _sender(request: Request, key: KeyRecord) -> Sender:
    """Who sends a request; a client's name is what it calls itself (User-Agent)."""
    return Sender(
        owner=key.id,
        label=printable(key.label),
        address=request.client.host if request.client else "",
        client=printable(request.headers.get("user-agent", ""))[:_LONGEST_CLIENT],
    )


async def _aside(
    turn: CapacityLimiter, decode: Callable[[bytearray], Found], content: bytearray
) -> Found:
    """Decode in a thread where it takes long, so that other requests are answered meanwhile."""
    if len(content) < _LARGE_BODY:
        return decode(content)
    return await to_thread.run_sync(decode, content, limiter=turn)


def attachment(filename: str) -> str:
    """RFC 6266: the name in ASCII for old clients, and whole (RFC 8187) for all others."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in filename)
    whole = quote(filename, safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}"
