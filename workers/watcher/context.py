"""What the threads of all watch folders share while this process is the active watcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shared.domain import ModelKind
from shared.ledger.jobs import JobQueues
from shared.ledger.ledger import Ledger
from shared.ledger.left_out import LeftOut
from shared.paths import PathMap
from shared.settings import Settings
from shared.watch.files import WatchedFiles
from shared.watch.folders import WatchFolder
from workers.watcher.content_locks import ContentLocks


@dataclass(slots=True)
class Conditions:
    """What the main thread sees; it replaces the values, the other threads read them."""

    keys: Mapping[ModelKind, str]  # of the active models
    is_paused: bool = False  # a foreground analysis has the lock


@dataclass(frozen=True)
class WatcherContext:
    """`token` is that of the lease. Another leadership gets another context."""

    settings: Settings
    ledger: Ledger
    jobs: JobQueues
    files: WatchedFiles
    token: str
    conditions: Conditions
    left_out: LeftOut
    content_locks: ContentLocks = field(default_factory=ContentLocks)

    def client_path(self, path: str, folder: WatchFolder) -> str:
        """The path as the client that made the folder writes it."""
        return self._path_map.to_client(path, folder.client_path)

    @cached_property
    def _path_map(self) -> PathMap:
        return PathMap(self.settings.path_map)
