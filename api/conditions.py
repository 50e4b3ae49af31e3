"""Conditions of requests, as RFC 9110 has them."""

from __future__ import annotations

from starlette.datastructures import Headers


def is_known(asked: Headers, tag: str) -> bool:
    """Whether who asks has what has this ETag. `asked`: the headers of the request.

    A proxy that compresses anew makes a tag weak, which is the same to who only reads.
    """
    known = asked.get("if-none-match", "").split(",")
    return tag in (each.strip().removeprefix("W/") for each in known)
