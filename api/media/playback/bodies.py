"""The request body of playback; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import AbsolutePath, Keyed, MediaPath


class PlaybackBody(Keyed, kw_only=True):
    """A file to play."""

    media_path: MediaPath
    cache_dir: Annotated[AbsolutePath, Meta(examples=["/footage/.rushes"])] | None = None
    """With it, stored pictures are found, also of a file that is away."""
