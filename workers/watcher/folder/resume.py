"""A watch folder is taken up with what an earlier watcher, or an earlier thread, knew of it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from shared.watch.files import FolderFacts, WatchedFile
from shared.watch.folders import WatchFolder
from workers.watcher.context import WatcherContext
from workers.watcher.folder.analysis_profile import AnalysisProfile
from workers.watcher.folder.arriving_stills import ArrivingStills
from workers.watcher.folder.file_table import FileTable
from workers.watcher.folder.state import FolderState
from workers.watcher.scan.names import NameRules


def resume(
    folder: WatchFolder,
    context: WatcherContext,
    facts: FolderFacts,
    files: dict[str, WatchedFile],
    checkpoint: Callable[[], None],
) -> FolderState:
    """Files that workers have are theirs still, and so are their contents."""
    table, rules = FileTable.of(files), NameRules.of(folder, context.settings)
    state = FolderState(
        folder=folder,
        context=context,
        table=table,
        rules=rules,
        profile=AnalysisProfile.of(folder, context.conditions.keys, context.settings.audio_streams),
        facts=facts,
        checkpoint=checkpoint,
        stills=ArrivingStills(folder, rules),
    )
    _follow_move(state)
    queued = {path for paths in table.queued.values() for path in paths}
    context.content_locks.keep_only(folder.id, queued)
    for path in queued:
        key = state.content_key(table.files[path])
        context.content_locks.acquire(key, folder.id, path)
    return state


def _follow_move(state: FolderState) -> None:
    """Look at what is known in the light of a path or cache_dir that the folder was given since."""
    facts, folder = state.facts, state.folder
    if facts.path not in ("", folder.path):
        base = folder.path.rstrip("/") + "/"
        for path in [path for path in state.table.files if not path.startswith(base)]:
            state.forget(path)
        state.facts = replace(state.facts, root=None, last_scan_at=None)
    if facts.cache_dir not in ("", folder.cache_dir):
        state.facts = replace(state.facts, cache_id="")
        state.do_again()
    state.facts = replace(state.facts, path=folder.path, cache_dir=folder.cache_dir)
