"""What became of the clips of a task, from the ledger."""

from __future__ import annotations

import msgspec

from api.exports.clips.answers import ClipsOfTask, ExportedClip, FailedClip
from api.http.services import CoreServices
from shared.domain import TaskKind
from shared.errors import Missing
from shared.exports.clips import ClipCode, ClipResult
from shared.ledger.records import FileRecord, FileState


def clips_of(services: CoreServices, task_id: str) -> ClipsOfTask:
    """The clips that have ended, in request order. Raises Missing for what is no export task."""
    record = services.ledger.record(task_id)
    if record is None or record.kind is not TaskKind.EXPORT:
        raise Missing(f"There is no export task {task_id}.")
    found = ClipsOfTask(exported=[], failed=[], task_id=task_id, status=record.status)
    results = services.ledger.results(task_id)
    files = services.ledger.files(task_id)
    for n, (raw, file) in enumerate(zip(results, files, strict=True)):
        clip = _clip(n, None if raw is None else msgspec.convert(raw, ClipResult), file)
        if isinstance(clip, ExportedClip):
            found.exported.append(clip)
        elif clip:
            found.failed.append(clip)
    return found


def _clip(n: int, result: ClipResult | None, file: FileRecord) -> ExportedClip | FailedClip | None:
    """The answer about one clip; None while it has not ended."""
    if result is not None and result.error is None:
        return msgspec.convert(result, ExportedClip, from_attributes=True)
    if result is not None:
        error, code = result.error, result.code
    elif file.state is FileState.CANCELLED:
        error, code = "Stopped before it was exported.", ClipCode.CANCELLED
    elif file.state is FileState.FAILED:
        error, code = file.error, ClipCode.INTERNAL
    else:
        return None
    return FailedClip(
        index=n,
        media_path=file.media_path,
        error=error or "Unknown.",
        code=code or ClipCode.INTERNAL,
    )
