"""What has changed of a watch folder is written to the ingest ledger in Redis."""

from __future__ import annotations

from shared.errors import NotLeader, RedisAway
from shared.watch.files import FolderFacts
from workers.watcher.folder.state import FolderState


class LedgerWriter:
    """Writes for one folder. `noted`: its facts as Redis has them."""

    def __init__(self, state: FolderState, noted: FolderFacts) -> None:
        self._state = state
        self._noted = noted

    def flush(self) -> None:
        """Write what has changed. Raises NotLeader, RedisAway."""
        state, context = self._state, self._state.context
        changes = state.table.unwritten.take()
        try:
            if changes and not context.files.write(context.token, state.folder.id, changes):
                raise NotLeader
        except RedisAway:
            state.table.unwritten.keep(changes)
            raise
        if state.facts != self._noted:  # after the files, which may have become others by it
            if not context.files.note(context.token, state.folder.id, state.facts):
                raise NotLeader
            self._noted = state.facts
