"""Lists of a request are as long as they may be, and hold up nobody else's request."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from api.browsing.bodies import EstimateBody, FilesBelowBody
from api.browsing.estimate_routes import estimate_analysis
from api.browsing.folder_routes import list_media_files
from api.folders import Folders
from api.http.client_paths import ClientPaths
from api.http.endpoint import Call
from api.http.services import CoreServices
from api.media.bodies import ThumbnailsBody
from api.media.thumbnail_routes import get_thumbnails
from api.search.bodies import SearchTextBody
from api.search.routes import search_by_text
from shared.settings import Settings

LIST = {"cache_dir": "/c", "media_paths": ["a.mov"]}


class _Asked(Exception):
    pass


class RecordingPaths(ClientPaths):
    """Notes who asks for a media path, which ends the request."""

    def __init__(self) -> None:
        self.settings = Settings.from_env({"RUSHES_REDIS_URL": "unix:///nowhere"})
        super().__init__(self.settings)
        self.asked_in: list[threading.Thread] = []

    def media(self, path: str, field: str) -> str:
        self.asked_in.append(threading.current_thread())
        raise _Asked


@pytest.mark.parametrize(
    ("handler", "body"),
    [
        (list_media_files, msgspec.convert({"paths": ["/a"]}, FilesBelowBody)),
        (estimate_analysis, msgspec.convert({"cache_dir": "/c", "paths": ["/a"]}, EstimateBody)),
        (search_by_text, msgspec.convert({**LIST, "query": "a"}, SearchTextBody)),
        (
            get_thumbnails,
            msgspec.convert(
                {"cache_dir": "/c", "requests": [{"media_path": "a.mov", "time_seconds": 0}]},
                ThumbnailsBody,
            ),
        ),
    ],
    ids=["files", "estimate", "search", "thumbnails"],
)
def test_paths_are_checked_beside_the_event_loop(handler: Any, body: Any) -> None:
    services = SimpleNamespace(paths=RecordingPaths(), folders=Folders())
    services.settings = services.paths.settings
    services.in_cache_dir = lambda *args: CoreServices.in_cache_dir(cast(Any, services), *args)
    with pytest.raises(_Asked):
        asyncio.run(handler(Call(services.paths, body, {}, {}), services))
    assert threading.current_thread() not in services.paths.asked_in
    assert len(services.paths.asked_in) == 1
