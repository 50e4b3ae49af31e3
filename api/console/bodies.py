"""Bodies of requests about sessions of the console; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import LONGEST_WORD, Keyed


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
