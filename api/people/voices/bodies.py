"""Request bodies about voices; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import MediaPath, Word
from api.people.bodies import ClusterId, OfCollection

MOST_VOICES = 200  # of one page: each may need a transcript of its own


class VoicesBody(OfCollection, kw_only=True):
    """Whose voices to list, and which part of the list."""

    cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])]
    """Whose voices; "-1": those that were said to be nobody's."""
    limit: Annotated[int, Meta(ge=1, le=MOST_VOICES, examples=[50])] = 50
    """At most this many."""
    after: Annotated[Word, Meta(examples=["9ae0daaf81f5b2c3-voice-1f2e3d4c"])] | None = None
    """`next` of the page before this one. Null or left out: the first page."""


class FileVoicesBody(OfCollection, kw_only=True):
    """Who speaks in one file."""

    media_path: MediaPath
