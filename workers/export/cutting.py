"""The cut of one clip, into a file that is there already under a temporary name.

What will be cut is planned before (workers/export/planning.py): that reads little and writes
nothing, so that the file can be named and the disk looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

from shared.exports.clips import ClipCode, ClipSpec
from shared.opening import OpenedFile
from shared.process import traces
from workers.export.copying import copy
from workers.export.encoding import encode
from workers.export.failure import ClipFailed
from workers.export.merging import ClipProgress
from workers.export.planning import ClipPlan, Method, plan


class PartTarget(Protocol):
    """Target of a clip: an open file that `path` reaches (shared.exports.writing.PartFile)."""

    @property
    def path(self) -> str: ...


class Cut(NamedTuple):
    """A clip that was written. Seconds are presented time of the source, as exported."""

    start_seconds: float
    end_seconds: float
    frames: int | None  # None: sound alone
    method: Method
    start_timecode: str | None
    warnings: tuple[str, ...]
    extension: str


@traces.stage("cut")
def cut(
    spec: ClipSpec,
    file: OpenedFile,
    part: PartTarget,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
    planned: ClipPlan | None = None,
) -> Cut:
    """Write a clip to `part.path`. Raises ClipFailed; what `checkpoint` raises goes through.

    `report` is given the share that is done, 0 to 1. `planned`: what `plan` said of the same spec
    a moment ago, to spare the work.
    """
    _refuse_source(file, part.path)
    planned = planned or plan(spec, file)
    progress = ClipProgress(checkpoint, report)
    write = copy if planned.method == "copy" else encode
    outcome = write(planned, file, part.path, progress)
    report(1.0)
    return Cut(
        float(outcome.start),
        float(outcome.end),
        outcome.frames,
        planned.method,
        planned.start_timecode,
        planned.warnings + outcome.warnings,
        planned.extension,
    )


def _refuse_source(source: OpenedFile, target: str) -> None:
    """Raise ClipFailed where the target is the source, under whatever name it was given."""
    try:
        same = os.path.samestat(source.status, os.stat(target))
    except OSError:
        return
    if same:
        raise ClipFailed(ClipCode.NOT_ALLOWED, "The clip would overwrite its own source.")
