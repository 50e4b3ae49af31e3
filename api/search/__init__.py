"""Search over what CacheDirs hold. Sync: routes call it in a thread."""

from api.search.index import SearchIndex
from api.search.types import FrameFilter, Hit, LoadReport, QueryVectors, Skipped

__all__ = ["FrameFilter", "Hit", "LoadReport", "QueryVectors", "SearchIndex", "Skipped"]
