"""Licence keys over HTTP, for administrators."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import Count, Message, Moment
from api.http.auth import check_scope
from api.http.bodies import AbsolutePath, Keyed
from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.services import CoreServices
from shared.errors import BadInput, Missing, NotAllowed
from shared.opening import open_drop_folder
from shared.paths import Roots, strip_bounds
from shared.redis.licence_keys import KeyRecord, Keys, KeyUse, KeyUses
from shared.rights import (
    LONGEST_LABEL,
    KeyScope,
    KeyTier,
    checked_expiry,
    checked_label,
    checked_roots,
    checked_scopes,
)

_MOST_ROOTS = 100


class KeyAnswer(Struct, kw_only=True):
    """A licence key, which itself is never shown."""

    id: Annotated[str, Meta(examples=["9f86d081884c"])]
    """Start of its hash."""
    label: Annotated[str, Meta(examples=["Edit 3"])]
    """What people call it."""
    tier: KeyTier
    scopes: Annotated[list[KeyScope], Meta(examples=[["search", "export"]])]
    """Parts of the API that it may use."""
    roots: Annotated[list[str], Meta(examples=[["/footage/show1"]])] | None
    """Folders in which its paths must lie; null: all of the server's."""
    created_at: Moment | None
    expires_at: Annotated[Moment, Meta(examples=[1798761600.0])] | None
    is_from_settings: bool
    """It stands in RUSHES_LICENSE_KEYS, and can be revoked only there."""
    requests: Count
    last_seen_at: Moment | None
    footage_seconds: Annotated[float, Meta(ge=0, examples=[86_400.0])]
    """Footage that was analyzed for it; pictures, speech and faces count each."""


class KeyList(Struct):
    """All licence keys, those from the settings first, then the oldest."""

    keys: list[KeyAnswer]
    """Each with its rights and its use."""


class NewKey(Struct, kw_only=True):
    """A licence key, shown this once: only its hash is kept."""

    license_key: Annotated[str, Meta(examples=["rushes-5PZkxNMtVRPXq6aVb1x4yJ0Q1mJ8sZ2k"])]
    """The key."""
    key: KeyAnswer


class KeyRevoked(Struct):
    """A licence key is no more."""

    message: Message


class KeyBody(Keyed):
    """What a new key may do."""

    label: Annotated[str, Meta(max_length=LONGEST_LABEL, examples=["Edit 3"])] = ""
    """What people call it; left out: its number."""
    scopes: (
        Annotated[
            list[KeyScope],
            Meta(min_length=1, max_length=len(KeyScope), examples=[["search", "export"]]),
        ]
        | None
    ) = None
    """Parts of the API that it may use; left out: all of them."""
    roots: (
        Annotated[
            list[AbsolutePath],
            Meta(min_length=1, max_length=_MOST_ROOTS, examples=[["/footage/show1"]]),
        ]
        | None
    ) = None
    """Folders in which every path must lie that it names, cache folders too; left out: all that the
    server may use."""
    expires_at: Annotated[float, Meta(ge=0, examples=[1798761600.0])] | None = None
    """Unix seconds, from which on it is refused, at most 20 years ahead; left out: never."""


@dataclass(frozen=True, slots=True)
class KeyServices(CoreServices):
    """Licence keys, and how much each was used."""

    keys: Keys
    key_uses: KeyUses


def list_keys(call: Call[None], services: KeyServices) -> KeyList:
    """List the licence keys.

    Ids, labels, rights and use, never the keys themselves. A key with roots sees those whose
    roots lie in its own.
    """
    records = [key for key in services.keys.list() if services.paths.covers(key.roots)]
    uses = services.key_uses.of([record.id for record in records])
    return KeyList([_answer(*each) for each in zip(records, uses, strict=True)])


def create_key(call: Call[KeyBody], services: KeyServices) -> NewKey:
    """Make a licence key.

    The answer shows it this once: only its hash is kept. It has no more rights than the key
    that makes it; what is left out is as there.
    """
    body, by = call.body, call.key
    scopes = checked_scopes(body.scopes) if body.scopes is not None else None
    asked, of_maker = body.roots, by.roots if by else None
    roots = None if asked is None else checked_roots(asked, services.settings, of_maker)
    expires_at = checked_expiry(body.expires_at) if body.expires_at is not None else None
    if by is not None:
        scopes, roots, expires_at = _within(by, scopes, roots, expires_at)
    are_there = _are_there(services, roots or ())
    key = services.keys.create(
        label=checked_label(body.label), scopes=scopes, roots=roots, expires_at=expires_at
    )
    record = services.keys.find(key)
    if record is None:
        raise Missing("The new key was revoked at once by somebody else.")
    for number, (root, is_there) in enumerate(zip(asked or (), are_there, strict=False)):
        if not is_there:
            call.warnings.append(f"roots[{number}]: this machine has no folder {root} now.")
    return NewKey(license_key=key, key=_answer(record, KeyUse()))


def _are_there(services: KeyServices, roots: tuple[str, ...]) -> list[bool]:
    """Return which folders this machine has. Raises NotAllowed where a link leads out."""
    bounds = Roots("roots", None, services.settings.state_dir).within(roots)

    def is_there(folder: str) -> bool:
        with suppress(OSError):
            open_drop_folder(folder, bounds).close()
            return True
        return False

    return services.folders.each([*map(strip_bounds, roots)], is_there, str, lambda _: False)


def _within(
    by: KeyRecord,
    scopes: frozenset[KeyScope] | None,
    roots: tuple[str, ...] | None,
    expires_at: float | None,
) -> tuple[frozenset[KeyScope] | None, tuple[str, ...] | None, float | None]:
    """The rights of a new key, none beyond those of the key that makes it; left out: the same."""
    for scope in scopes or ():
        check_scope(by, scope)
    ends = by.expires_at
    if ends is not None and expires_at is not None and expires_at > ends:
        raise BadInput("expires_at: no later than this licence key itself expires.")
    return scopes or by.scopes, roots or by.roots, ends if expires_at is None else expires_at


def revoke_key(call: Call[None], services: KeyServices) -> KeyRevoked:
    """Revoke a licence key.

    Requests with it are refused from now on. What it has begun goes on.
    """
    key_id = call.path["key_id"]
    if call.key is not None and call.key.id == key_id:
        raise BadInput("key_id: this is the key of this very request. Use another to revoke it.")
    record = services.keys.by_id(key_id)
    if record is not None and not services.paths.covers(record.roots):
        raise NotAllowed("key_id: that key reaches beyond the folders of this licence key.")
    record = services.keys.revoke(key_id)
    services.key_uses.forget(key_id)
    return KeyRevoked(f"The key {record.label or record.id} is refused from now on.")


def _answer(record: KeyRecord, use: KeyUse) -> KeyAnswer:
    return KeyAnswer(
        id=record.id,
        label=record.label,
        tier=KeyTier(record.tier),
        scopes=[scope for scope in KeyScope if record.has(scope)],
        roots=None if record.roots is None else [strip_bounds(root) for root in record.roots],
        created_at=record.created_at or None,
        expires_at=record.expires_at,
        is_from_settings=record.is_from_settings,
        requests=use.requests,
        last_seen_at=use.last_seen_at,
        footage_seconds=use.footage_seconds,
    )


ENDPOINTS = (
    Endpoint("GET /keys", list_keys, "Keys", KeyScope.ADMIN, roots=RootsRule.FILTERED),
    Endpoint(
        "POST /keys",
        create_key,
        "Keys",
        KeyScope.ADMIN,
        is_audited=True,
        status=201,
        errors={
            BadInput: "expires_at is in the past: name a time that is to come, or leave it out.",
            NotAllowed: "roots[0]: /footage/show2 lies outside the folders of this licence key.",
        },
        example={"label": ..., "scopes": ..., "roots": ...},
    ),
    Endpoint(
        "DELETE /keys/{key_id}",
        revoke_key,
        "Keys",
        KeyScope.ADMIN,
        is_audited=True,
        errors={
            BadInput: "key_id: this is the key of this very request. Use another to revoke it.",
            NotAllowed: "key_id: that key reaches beyond the folders of this licence key.",
        },
        answer_example={"message": "The key Edit 3 is refused from now on."},
    ),
)
