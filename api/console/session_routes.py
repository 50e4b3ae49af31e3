"""Signing a browser in and out; see api.own_pages for when its session counts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool

from api.http.answers import Message, Moment
from api.http.auth import Access, UseCounter
from api.http.bodies import LONGEST_WORD, Keyed
from api.http.endpoint import Call, Endpoint, Reply
from api.http.errors import KeyExpired, KeyMissing, KeyRefused, NotFromConsole, SignedInAlready
from api.http.services import CoreServices
from api.own_pages import BrowserSession, is_marked
from shared.errors import BadInput, Missing, RedisAway
from shared.paths import strip_bounds
from shared.redis.console_sessions import ConsoleLinks
from shared.redis.licence_keys import KeyRecord
from shared.rights import KeyScope

_PRIVATE = {"Cache-Control": "no-store"}
_LINK_OVER = "There is no such link: it was used, or is older than 15 minutes. Ask for a new one."
_STRANGER = (
    "Only the console's own page signs in: open this server's address in a browser. "
    "Programs send their licence key with each request."
)


def _folders(what: str, example: str) -> Meta:
    return Meta(
        description=f"{what}, as the client knows them, no wider than the key's; null: every "
        "absolute path.",
        examples=[[example]],
    )


class ConsoleSession(Struct, kw_only=True):
    """Who is signed in, and what the licence key behind it may do."""

    key_id: Annotated[str, Meta(examples=["9f86d081884c"])]
    """Id of the licence key."""
    label: Annotated[str, Meta(examples=["Edit 3"])]
    """What people call it."""
    scopes: Annotated[list[KeyScope], Meta(examples=[["search", "export"]])]
    """Parts of the API that it may use."""
    roots: Annotated[list[str], Meta(examples=[["/footage/show1"]])] | None
    """Folders in which its paths must lie; null: all of the server's."""
    key_expires_at: Annotated[Moment, Meta(examples=[1798761600.0])] | None
    media_roots: Annotated[list[str], _folders("Folders with media", "/footage/show1")] | None
    cache_roots: Annotated[list[str], _folders("Folders of cache_dirs", "/footage/show1")] | None
    export_roots: Annotated[list[str], _folders("Folders of exports", "/footage/show1")] | None
    version: Annotated[str, Meta(examples=["0.1.0"])]
    """Of the server."""


class ConsoleLink(Struct):
    """A link that signs a browser in, once."""

    url: Annotated[
        str,
        Meta(examples=["http://127.0.0.1:6699/#link=PBr0xEBnjBrmDpXJ1WZwhPzQ3l2gYtC4H6aT7sKdVfM"]),
    ]
    """To be opened in a browser; what signs in stands behind the `#`."""
    expires_at: Moment


class SessionOver(Struct):
    """Nobody is signed in any more."""

    message: Message


class SignIn(Keyed):
    """A request for a session, by a key or by a link."""

    license_key: (
        Annotated[str, Meta(max_length=LONGEST_WORD, examples=["rushes-0123456789abcdef"])] | None
    ) = None
    """A licence key."""
    link: (
        Annotated[
            str,
            Meta(max_length=LONGEST_WORD, examples=["PBr0xEBnjBrmDpXJ1WZwhPzQ3l2gYtC4H6aT7sKdVfM"]),
        ]
        | None
    ) = None
    """What stands behind `#link=` in a link of `rushes console`."""

    replace: bool = False
    """The link may end a session of this browser that has another key."""


class NewLink(Keyed):
    """Nothing: a link signs in with the key that asks for it."""


@dataclass(frozen=True, slots=True)
class ConsoleServices(CoreServices):
    """Who may call, and links that sign in."""

    access: Access
    console_links: ConsoleLinks
    use_counter: UseCounter


async def create_console_session(
    call: Call[SignIn], services: ConsoleServices
) -> ConsoleSession | Reply:
    """Sign in to the console.

    For the console's own page alone, which sends `X-Rushes-Console: 1`. The answer sets a
    cookie that lasts for a week from its last use on, and that scripts cannot read. It counts
    only with requests of that page. A link of another key than that of the browser's session is
    refused (409) and stays unused, unless `replace` is true.
    """
    given = (call.body.license_key or "").strip()
    if not given and not call.body.link:
        raise BadInput("license_key or link is required.")
    pages = services.access.pages
    if not pages.have_sent(call.headers, "POST") or not is_marked(call.headers):
        raise NotFromConsole(_STRANGER)
    before = pages.session(call.headers, "POST")
    if given:
        key = await services.access.authorise(given)
    else:
        key = await run_in_threadpool(_key_of_link, services, call.body, before)
    token = await run_in_threadpool(_begin, services, key, before)
    services.use_counter.note(key.id)
    return _signed_in(call, services, key, token)


def _begin(services: ConsoleServices, key: KeyRecord, before: BrowserSession | None) -> str:
    if before is not None:
        services.access.sessions.end(before.token)
    return services.access.sessions.begin(key.id)


def _key_of_link(
    services: ConsoleServices, body: SignIn, before: BrowserSession | None
) -> KeyRecord:
    """Use a link up. Raises Missing, and SignedInAlready, which leaves link and session alone."""
    links, link = services.console_links, body.link or ""
    key = services.access.key_by_id(links.key_id(link))
    if key and before and not body.replace:
        key_id = services.access.sessions.key_id(before.token, is_use=False)
        other = services.access.key_by_id(key_id)
        if other and other.id != key.id:
            raise SignedInAlready(f"Sign in as {key.label}? You are signed in as {other.label}.")
    if key is None or links.take(link) is None:
        raise Missing(_LINK_OVER)
    return key


async def console_session(call: Call[None], services: ConsoleServices) -> ConsoleSession | Reply:
    """Who is signed in.

    The licence key behind the session, or that of the request, and its rights.
    """
    session = _session(call, services, "GET")
    return _signed_in(call, services, _key(call), session.token if session else None)


def end_console_session(call: Call[None], services: ConsoleServices) -> SessionOver | Reply:
    """Sign out.

    Ends the session of the request.
    """
    session = _session(call, services, "DELETE")
    if session is None:
        return Reply(200, SessionOver("No session came with this request."))
    services.access.sessions.end(session.token)
    gone = {"Set-Cookie": services.access.pages.cookie(call.headers, "")}
    return Reply(200, SessionOver("Signed out."), _PRIVATE | gone)


def create_console_link(call: Call[NewLink], services: ConsoleServices) -> ConsoleLink | Reply:
    """Make a link that signs in.

    Whoever opens it first, within 15 minutes, is signed in with the key of this request; a
    session makes no links. `rushes console` prints one.
    """
    session = _session(call, services, "POST")
    if session and session.may_be_used:  # what signs in from it would outlive it
        raise KeyMissing
    scheme = "https" if call.headers.get("x-forwarded-proto") == "https" else "http"
    here = f"{scheme}://{call.headers.get('host', '')}"  # as the caller itself calls us
    address = services.settings.public_url or here
    made = services.console_links.make(_key(call).id, address)
    return Reply(200, ConsoleLink(*made), _PRIVATE)


def _session(
    call: Call[None] | Call[NewLink], services: ConsoleServices, method: str
) -> BrowserSession | None:
    """The session that a call was allowed by; None where it has a key."""
    if call.headers.get("x-license-key", "").strip():
        return None
    return services.access.pages.session(call.headers, method)


def _key(call: Call[None] | Call[NewLink]) -> KeyRecord:
    if call.key is None:
        raise KeyMissing
    return call.key


def _signed_in(
    call: Call[None] | Call[SignIn], services: ConsoleServices, key: KeyRecord, token: str | None
) -> Reply:
    paths = services.within(key.roots).paths
    media, caches, exports = paths.folders()
    answer = ConsoleSession(
        key_id=key.id,
        label=key.label,
        scopes=[scope for scope in KeyScope if key.has(scope)],
        roots=None if key.roots is None else [*map(paths.back, map(strip_bounds, key.roots))],
        key_expires_at=key.expires_at,
        media_roots=media,
        cache_roots=caches,
        export_roots=exports,
        version=version("rushes"),
    )
    cookie = {"Set-Cookie": services.access.pages.cookie(call.headers, token)} if token else {}
    return Reply(200, answer, _PRIVATE | cookie)


ENDPOINTS = (
    Endpoint(
        "POST /console/sessions",
        create_console_session,
        "Console",
        needs_key=False,
        errors={
            BadInput: "license_key or link is required.",
            KeyRefused: "",
            KeyExpired: "This licence key expired on 2026-12-31: ask for a new one.",
            NotFromConsole: _STRANGER,
            Missing: _LINK_OVER,
            SignedInAlready: "Sign in as Edit 4? You are signed in as Edit 3.",
            RedisAway: "",
        },
        example={"link": ...},
    ),
    Endpoint("GET /console/session", console_session, "Console"),
    Endpoint(
        "DELETE /console/session",
        end_console_session,
        "Console",
        answer_example={"message": "Signed out."},
    ),
    Endpoint("POST /console/links", create_console_link, "Console", is_audited=True),
)
