"""Search over what CacheDirs hold. Sync: routes call it in a thread."""

from api.search.frame_filter import NO_FRAMES, FrameFilter
from api.search.index import SearchIndex
from api.search.types import Hit, LoadReport, QueryVectors, Skipped

__all__ = [
    "NO_FRAMES",
    "FrameFilter",
    "Hit",
    "LoadReport",
    "QueryVectors",
    "SearchIndex",
    "Skipped",
]
