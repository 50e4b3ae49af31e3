"""Where a search in the mode "fast" looks, or why its answer is the exact one."""

from __future__ import annotations

from collections.abc import Set

from api.people.frame_filter import FrameFilter
from api.search.frames.log import VectorSnapshot
from api.search.frames.scan import RowRange
from api.search.scenes.scene_index import MOST_RESULTS
from api.search.scenes.scene_store import SceneStore
from api.search.types import QueryVectors


def ranges_for(
    store: SceneStore,
    snapshot: VectorSnapshot,
    query: QueryVectors,
    hashes: Set[str] | None,
    max_results: int,
    only: FrameFilter | None,
) -> list[RowRange] | str:
    """Rows that hold nearly all of the best matches, or the reason to look at all of them."""
    if only is not None:
        return "people_filter or spoken needs all frames"
    if query.exclude is not None and len(query.exclude):
        return "exclude needs the scores of all frames"
    if hashes is not None and not snapshot.files.keys() <= hashes:
        return "media_paths or filters leave files out"
    if max_results > MOST_RESULTS:
        return f"max_results is over {MOST_RESULTS}"
    index = store.current(snapshot)
    return index if isinstance(index, str) else index.ranges(snapshot, query, max_results)
