"""What a licence key may do: its scopes, the folders that it may name, and until when."""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum

from shared.errors import BadInput, NotAllowed
from shared.paths import PathMap, Roots, bind_root, lies_in_one
from shared.printable import COMMANDS, printable
from shared.settings import Settings


class KeyTier(StrEnum):
    """What a key is good for at all: the API refuses basic ones."""

    PRO = "pro"
    BASIC = "basic"


class KeyScope(StrEnum):
    """A part of the API that a key may be kept out of."""

    SEARCH = "search"  # search and what is looked at: pictures, originals, transcripts, people
    ANALYZE = "analyze"  # start analyses and cancel one's own
    PEOPLE = "people"  # name, join, part and regroup people
    WATCH = "watch"  # watch folders
    EXPORT = "export"
    MODELS = "models"  # load models
    ADMIN = "admin"  # keys, webhooks, and the tasks of others


LONGEST_LABEL = 200  # characters
LONGEST_LIFE_S = 20 * 365.25 * 86_400  # of a key that expires


def checked_label(label: str) -> str:
    """The label. Raises BadInput for one that is too long or would command a terminal."""
    if len(label) > LONGEST_LABEL:
        raise BadInput(f"label has {len(label)} characters: at most {LONGEST_LABEL}.")
    if COMMANDS.search(label):
        raise BadInput(f"label holds control characters: {printable(label)}.")
    return label.strip()


def checked_scopes(scopes: Iterable[str]) -> frozenset[KeyScope]:
    """The scopes of those names. Raises BadInput for another name, and for none at all."""
    found = set()
    for name in scopes:
        if name not in list(KeyScope):
            raise BadInput(
                f"scopes: there is no {printable(name)!r}. Choose from {', '.join(KeyScope)}."
            )
        found.add(KeyScope(name))
    if not found:
        raise BadInput(f"scopes must name at least one of {', '.join(KeyScope)}.")
    return frozenset(found)


def checked_roots(
    paths: Iterable[str], settings: Settings, of_key: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """Folders in our form, bound to `of_key`. Raises NotAllowed, and BadInput for unusable ones."""
    to_server = PathMap(settings.path_map).to_server
    kinds = (Roots.media(settings), Roots.cache(settings), Roots.export(settings))
    found = []
    for number, path in enumerate(paths):
        ours = to_server(path, f"roots[{number}]")
        above = next((root for root in of_key or () if lies_in_one(ours, [root])), None)
        if of_key is not None and above is None:
            raise NotAllowed(
                f"roots[{number}]: {ours} lies outside the folders of this licence key."
            )
        refusals = [words for roots in kinds if (words := _refusal(roots, ours))]
        if len(refusals) == len(kinds):
            possible = ", ".join(kinds[0].within(of_key).usable() or ())
            raise BadInput(f"roots[{number}]: {refusals[0]} Possible are: {possible or '/'}.")
        found.append(bind_root(ours, above) if above else ours)
    if not found:
        raise BadInput("roots must name at least one folder; leave it out to allow all of them.")
    return tuple(found)


def checked_expiry(expires_at: float) -> float:
    """Seconds since 1970. Raises BadInput for a time that is over, or more than 20 years ahead."""
    now = time.time()
    if expires_at <= now:
        raise BadInput("expires_at is in the past: name a time that is to come, or leave it out.")
    if expires_at > now + LONGEST_LIFE_S:
        if abs(expires_at / 1000 - now) <= LONGEST_LIFE_S:
            raise BadInput(
                f"expires_at is in seconds; {expires_at:.0f} looks like milliseconds. Send "
                f"{expires_at / 1000:.0f}."
            )
        raise BadInput(
            "expires_at is more than 20 years ahead: name an earlier time, or leave it out."
        )
    return expires_at


def _refusal(roots: Roots, path: str) -> str:
    try:
        roots.check(path)
    except NotAllowed as error:
        return error.message
    return ""
