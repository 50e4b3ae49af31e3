"""A Context without Redis and models, which keeps what is told of ended parts."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from shared.domain import ProgressType
from shared.media import HashCache
from shared.settings import Settings
from workers.decode_pool import Cores, DecodePool
from workers.liveness import Signals


class EndedParts:
    """Stands for ItemProgress: `told` has (file, part, error, skipped) of each ended part."""

    def __init__(self) -> None:
        self.told: list[tuple[int, ProgressType, str | None, bool]] = []

    def file_ended(
        self, kind: ProgressType, index: int, _path: str, error: Any, *, skipped: bool
    ) -> None:
        self.told.append((index, kind, error and error.message, skipped))

    def report(self, *_: object) -> None:
        return

    def send_report(self) -> None:
        return

    def worked(self, *_: object) -> None:
        return

    def measured(self, *_: object) -> None:
        return


def bare_context(folder: Path, ended: EndedParts) -> Any:
    """What AnalyzedFile and PicturePass use of a Context."""
    return SimpleNamespace(
        bench=SimpleNamespace(
            settings=Settings(state_dir=folder / "state"),
            hashes=HashCache(),
            decoders=DecodePool(2),
        ),
        lease=SimpleNamespace(
            task_id="task-of-the-test", item_id=0, token=1, tries=0, writer="test-0-1"
        ),
        checkpoint=lambda: None,
        come_to=lambda _index, _what, _seconds: None,
        limited=lambda _seconds: nullcontext(),
        judge=lambda _path, _error: None,
        say=lambda _message: None,
        counts=Counter(),
        signals=Signals(),
        stall=SimpleNamespace(arm=lambda: None),
        cores=Cores(2).enter(),
        progress=ended,
    )
