"""What the threads of all watch folders share during one term as the active watcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.ledger.bells import Bells
from shared.ledger.ledger import Ledger
from shared.models.specs import ModelKind
from shared.paths import PathMap
from shared.settings import Settings
from shared.watch.files import WatchedFiles
from workers.watcher.claims import Claims


@dataclass(slots=True)
class Situation:
    """What the main thread sees; it replaces the values, the others read them."""

    keys: Mapping[ModelKind, str]  # of the active models
    is_paused: bool = False  # a foreground analysis has the lock


@dataclass(frozen=True, slots=True)
class Tools:
    """`token` is that of the lease of this term."""

    settings: Settings
    ledger: Ledger
    bells: Bells
    files: WatchedFiles
    token: str
    situation: Situation
    claims: Claims = field(default_factory=Claims)

    @property
    def paths(self) -> PathMap:
        return PathMap(self.settings.path_map)
