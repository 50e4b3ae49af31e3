"""Clips cut out of media files: a background task whose end the answer may wait for."""

from __future__ import annotations

import asyncio
import logging
import posixpath
import time

import msgspec
from starlette.concurrency import run_in_threadpool

from api.exports.clips.answers import ClipsOfTask, ExportedClip, ExportedClips, FailedClip
from api.exports.clips.bodies import MOST_CLIPS, ClipBody, ExportClipsBody
from api.exports.clips.times import check_order, clip_time
from api.http.client_paths import in_clients_words
from api.http.endpoint import Call, Endpoint, Reply
from api.services import Services
from api.tasks.answers import Accepted
from api.tasks.progress import waiting_hint
from api.tasks.ringing import ring
from shared.domain import ProgressType, TaskKind
from shared.errors import BadInput, Missing, NotAllowed, NoWorker, RedisAway, Unavailable
from shared.exports.clip_names import check_naming
from shared.exports.clips import ClipCode, ClipResult, ClipSpec
from shared.exports.writing import real_folder
from shared.ledger.records import FileRecord, FileState, ItemFile, NewItem, NewTask, TaskRecord
from shared.process import logs
from shared.redis import heartbeats

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25
_OUTAGE_S = 60.0  # of Redis that a waiting answer sits out


async def export_clips(call: Call[ExportClipsBody]) -> ExportedClips | Reply:
    """The clips once all have ended; in the background 202. A client that leaves stops them."""
    task = await run_in_threadpool(_submit, call.services, call.body)
    logs.task_id_var.set(task.task_id)
    if call.body.background:
        count = len(task.items)
        hint = await run_in_threadpool(
            waiting_hint, call.services, TaskKind.EXPORT, call.body.output_dir
        )
        message = f"Export of {count} clip{'' if count == 1 else 's'} accepted.{hint}"
        return Reply(202, Accepted(message=message, task_id=task.task_id))
    await _ended(call, task.task_id)
    found = await run_in_threadpool(_clips_of, call.services, task.task_id)
    return ExportedClips(exported=found.exported, failed=found.failed)


async def get_exported_clips(call: Call[None]) -> ClipsOfTask:
    """What became of the clips so far."""
    logs.task_id_var.set(call.path["task_id"])
    return await run_in_threadpool(_clips_of, call.services, call.path["task_id"])


def _submit(services: Services, body: ExportClipsBody) -> NewTask:
    """Nothing is accepted unless all of it can be understood and somebody is there to do it."""
    specs = _specs(services, body)
    if not heartbeats.live(services.redis, services.settings.instance, "export"):
        raise NoWorker(
            "No export worker is running, so nothing was accepted. Start one with `rushes worker "
            "export`."
        )
    items = [
        NewItem(msgspec.json.encode(spec), (ItemFile(spec.client_path, (ProgressType.EXPORT,)),))
        for spec in specs
    ]
    task = NewTask(kind=TaskKind.EXPORT, queue="export", items=items)
    services.ledger.submit(task)
    ring(services, task, front=not body.background)  # somebody waits for it
    return task


def _specs(services: Services, body: ExportClipsBody) -> list[ClipSpec]:
    """Everything about the request that can be wrong, without touching the media."""
    if not body.clips:
        raise BadInput("clips must hold at least one clip.")
    if len(body.clips) > MOST_CLIPS:
        raise BadInput(
            f"clips holds {len(body.clips):,} clips; send at most {MOST_CLIPS:,} in one request."
        )
    check_naming(body.naming)
    folder = _output_dir(services, body.output_dir)
    common = ClipSpec(
        index=0,
        media_path="",
        client_path="",
        start=0.0,
        end=0.0,
        output_dir=folder,
        # As it was written, so that answers never lead through another pair of the path map.
        client_output_dir=folder if _is_ours(body.output_dir, folder) else body.output_dir,
        naming=body.naming,
        mode=body.mode,
        codec=body.codec,
        quality=body.quality,
        container=body.container,
        audio=body.audio,
        handle_seconds=body.handle_seconds,
        on_exists=body.on_exists,
        dry_run=body.dry_run,
    )
    return [_spec(services, clip, n, common) for n, clip in enumerate(body.clips)]


def _spec(services: Services, clip: ClipBody, n: int, common: ClipSpec) -> ClipSpec:
    start = clip_time(clip.start_time, f"clips[{n}].start_time")
    end = clip_time(clip.end_time, f"clips[{n}].end_time")
    check_order(start, end, f"clips[{n}]")
    return msgspec.structs.replace(
        common,
        index=n,
        media_path=services.paths.media(clip.media_path, f"clips[{n}].media_path"),
        client_path=clip.media_path,
        start=start,
        end=end,
        name=clip.name,
    )


def _is_ours(given: str, folder: str) -> bool:
    """Whether a client calls the folder as we do."""
    return "/" + posixpath.normpath(given).lstrip("/") == folder


def _output_dir(services: Services, given: str) -> str:
    """Our form of a folder that is there, in the roots also where links lead. Touches the disk."""
    folder = services.paths.export(given, "output_dir")
    try:
        real_folder(folder, services.paths.export_roots, "output_dir")
    except (BadInput, NotAllowed) as error:
        raise type(error)(in_clients_words(error.message, {folder: given})) from None
    return folder


async def _ended(call: Call[ExportClipsBody], task_id: str) -> None:
    """Wait for the end of a Task, in no thread; a client that leaves meanwhile stops it."""
    ledger = call.services.ledger
    pause_s = _FIRST_PAUSE_S
    answered_at = time.monotonic()
    try:
        while True:
            try:
                record = await run_in_threadpool(ledger.record, task_id)
                answered_at = time.monotonic()
                if _is_over(record, task_id):
                    return
                if await call.is_gone():
                    log.info("the client has gone: task %s is stopped", task_id)
                    await run_in_threadpool(ledger.stop, task_id)
                    return
            except RedisAway as error:
                if time.monotonic() - answered_at > _OUTAGE_S:
                    raise RedisAway(
                        f"Redis does not answer. What was exported stays, and task {task_id} goes "
                        f"on when it is back: see GET /tasks/{task_id}/exports."
                    ) from error
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
    except asyncio.CancelledError:
        # This process is ending. At once, not in a thread: nobody waits for us any more.
        ledger.stop(task_id)
        raise Unavailable(
            "This server is being stopped, and the clips with it. What was exported stays in "
            "output_dir; send the others again."
        ) from None


def _is_over(record: TaskRecord | None, task_id: str) -> bool:
    if record is None:
        raise Unavailable(
            f"Redis was started anew and has lost task {task_id}. Clips that were exported are in "
            "output_dir; send the others again."
        )
    return record.status.is_final


def _clips_of(services: Services, task_id: str) -> ClipsOfTask:
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
    """None: it has not ended yet."""
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


_EXPORTED = {
    "index": 0,
    "output_path": "/footage/exports/Interview Ada.mov",
    "media_path": "/footage/day1/A001.mov",
    "start_seconds": 12.0,
    "end_seconds": 20.0,
    "frames": 200,
    "method": "copy",
    "start_timecode": "10:00:12:00",
    "skipped": False,
    "warnings": [],
}
_FAILED = {
    "index": 1,
    "media_path": "/footage/day1/A002.mov",
    "error": "The file does not exist.",
    "code": "missing_media",
}
_CLIPS = {"exported": [_EXPORTED], "failed": [_FAILED]}

ENDPOINTS = (
    Endpoint(
        "POST",
        "/export/clips",
        export_clips,
        tag="Exports",
        summary="Cut clips into files",
        description="Each clip is a file of its own; one that fails stops no other and is answered "
        "in `failed` with a `code`. Ranges are half-open and exact to the frame when they are "
        "encoded. Files are written under a temporary name; a name that is taken gets a number. "
        "The answer waits for the clips, however long they take, and a client that closes the "
        'connection stops them. With `"background": true` it is 202 at once, with progress of '
        '`type` "export" over Socket.IO. /analyze/cancel with the task_id (see /tasks) stops '
        "clips: what was exported stays. Clips never wait for an analysis, nor it for them. 503 "
        "where no export worker runs; nothing is accepted then.",
        body=ExportClipsBody,
        answer=ExportedClips,
        errors={
            BadInput: "clips must hold at least one clip.",
            NoWorker: "No export worker is running, so nothing was accepted. Start one with "
            "`rushes worker export`.",
            Unavailable: "This server is being stopped, and the clips with it. What was exported "
            "stays in output_dir; send the others again.",
        },
        also={202: Accepted},
        also_examples={
            202: {
                "message": "Export of 2 clips accepted.",
                "task_id": "8f14e45fceea167a5a36dedd4bea2543",
            }
        },
        example={
            "clips": [
                {
                    "media_path": "/footage/day1/A001.mov",
                    "start_time": 12,
                    "end_time": "00:00:20.000",
                    "name": "Interview Ada",
                },
                {
                    "media_path": "/footage/day1/A002.mov",
                    "start_time": "10:00:12:00",
                    "end_time": "10:00:20:00",
                },
            ],
            "output_dir": "/footage/exports",
            "mode": "auto",
            "handle_seconds": 0,
        },
        answer_example=_CLIPS,
    ),
    Endpoint(
        "GET",
        "/tasks/{task_id}/exports",
        get_exported_clips,
        tag="Exports",
        summary="What became of the clips of a task",
        description="While it runs: of those that have ended. Kept for a day after its end.",
        answer=ClipsOfTask,
        errors={Missing: "There is no export task 8f14e45fceea167a5a36dedd4bea2543."},
        answer_example={
            **_CLIPS,
            "task_id": "8f14e45fceea167a5a36dedd4bea2543",
            "status": "completed",
        },
    ),
)
