"""Where requests to query workers and their replies lie in Redis.

A request's text expires with its deadline, so that nobody works for a caller who has gone.
"""

from __future__ import annotations

from enum import StrEnum

from shared.redis.clients import key_prefix

BLOCK_S = 1.0  # of one blocking pop, on either side


class Lane(StrEnum):
    """A queue with worker threads of its own. Whoever asks chooses it by how long it may take."""

    EMBED = "embed"  # texts: milliseconds, and somebody is typing
    GRAB = "grab"  # what a picture must be decoded for first
    PROBE = "probe"
    FACES = "faces"  # seconds, and the first time a model is loaded
    PREVIEW = "preview"  # seconds, of all cores that are free


def lane_key(instance: str, lane: Lane) -> str:
    """The list of ids of requests that wait."""
    return f"{key_prefix(instance)}asks:{lane}"


def request_key(instance: str, request_id: str) -> str:
    """The request itself."""
    return f"{key_prefix(instance)}ask:{request_id}"


def withdrawn_key(instance: str, request_id: str) -> str:
    """There for a while once nobody waits for the answer any more."""
    return f"{key_prefix(instance)}ask-withdrawn:{request_id}"


def replies_key(instance: str, client_id: str) -> str:
    """The list of replies to one API process."""
    return f"{key_prefix(instance)}answers:{client_id}"
