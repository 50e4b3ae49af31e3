"""The Tasks that have files of one watch folder."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from shared.errors import Missing
from shared.ledger.ledger import Ledger
from workers.watcher.folder.file_table import FileTable


@dataclass(slots=True)
class OpenTasks:
    """`stopped`: those that we, not a user, have asked to stop."""

    ledger: Ledger
    table: FileTable
    stopped: set[str] = field(default_factory=set)

    def stop_all(self) -> None:
        """Ask all of them to stop; their files are pending again then."""
        for task_id in set(self.table.queued) - self.stopped:
            with contextlib.suppress(Missing):  # not submitted yet, or lost
                self.ledger.stop(task_id)
            self.stopped.add(task_id)
