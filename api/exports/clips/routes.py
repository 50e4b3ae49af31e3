"""Clips cut out of media files: a background task whose end the answer may wait for."""

from __future__ import annotations

import asyncio
import logging
import posixpath
import time
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool

from api.exports.clips.answers import ClipsOfTask, ExportedClip, ExportedClips, FailedClip
from api.exports.clips.bodies import ClipBody, ExportClipsBody
from api.exports.clips.downloads import add_addresses
from api.exports.exact_bounds import ExportServices, place_at_cuts
from api.http.client_paths import in_clients_words
from api.http.endpoint import Call, Endpoint, Reply
from api.http.parameters import flag
from api.http.services import CoreServices
from api.http.times import clock_seconds, seconds_of
from api.tasks.answers import Accepted
from api.tasks.callers import OUTSIDE, check_in_roots
from api.tasks.progress import enqueue, note_accepted, waiting_hint
from shared.domain import ProgressType, TaskKind
from shared.errors import BadInput, Missing, NotAllowed, NoWorker, RedisAway, Unavailable
from shared.exports.clips import ClipCode, ClipResult, ClipSpec
from shared.exports.names import check_naming
from shared.exports.writing import output_folder
from shared.ledger.records import (
    FileRecord,
    FileState,
    ItemFile,
    NewItem,
    NewTask,
    Sender,
)
from shared.process import logs
from shared.redis import heartbeats
from shared.rights import KeyScope
from shared.timecode import label_parts

log = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25
# Options of a request that are those of each of its clips.
_SAME = {*ClipSpec.__struct_fields__} & {*ExportClipsBody.__struct_fields__} - {"output_dir"}
_OUTAGE_S = 60.0  # of Redis that a waiting answer sits out
_DOWNLOAD_URLS = flag(
    "download_urls", "`true` gives each exported clip a `download_url`, signed for an hour."
)


def clip_time(value: float | str, field: str) -> float | str:
    """Seconds, or the timecode as it was written. Raises BadInput naming the field."""
    if not isinstance(value, str) or clock_seconds(value) is not None:
        return seconds_of(value, field)
    hours, minutes, seconds, _ = label_parts(value) or (24, 0, 0, 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise BadInput(
            f"{field} must be a number of seconds, HH:MM:SS[.mmm], or a timecode of the source, "
            f"HH:MM:SS:FF or HH:MM:SS;FF, not {value!r}."
        )
    return value


def submit_clips(services: CoreServices, body: ExportClipsBody, sender: Sender) -> NewTask:
    """Nothing is accepted unless all of it can be understood and somebody is there to do it."""
    specs = _specs(services, body)
    if not heartbeats.live(services.redis, services.settings.instance, "export"):
        raise NoWorker(
            "No export worker is running, so nothing was accepted. Start one with `rushes worker "
            "export`."
        )
    if body.create_dir and not body.dry_run:
        _output_dir(services, body, make=True)
    items = [
        NewItem(msgspec.json.encode(spec), (ItemFile(spec.client_path, (ProgressType.EXPORT,)),))
        for spec in specs
    ]
    task = NewTask(kind=TaskKind.EXPORT, queue="export", items=items, sender=sender)
    services.ledger.submit(task)
    note_accepted(task)
    enqueue(services, task, front=not body.background)  # somebody waits for it
    return task


def _specs(services: CoreServices, body: ExportClipsBody) -> list[ClipSpec]:
    """Everything about the request that can be wrong, without touching the media."""
    if not body.clips:
        raise BadInput("clips must hold at least one clip.")
    check_naming(body.naming)
    folder = _output_dir(services, body)
    is_ours = "/" + posixpath.normpath(body.output_dir).lstrip("/") == folder
    common = {name: getattr(body, name) for name in _SAME} | {
        "output_dir": folder,
        "roots": services.paths.key_roots,
        # As it was written, so that answers never lead through another pair of the path map.
        "client_output_dir": folder if is_ours else body.output_dir,
    }
    return [_spec(services, clip, n, common) for n, clip in enumerate(body.clips)]


def _spec(services: CoreServices, clip: ClipBody, n: int, common: dict[str, Any]) -> ClipSpec:
    path, refused = services.paths.listed(clip.media_path, f"clips[{n}].media_path")
    return ClipSpec(
        **common,
        index=n,
        media_path=path,
        client_path=clip.media_path,
        refused=refused,
        start=clip_time(clip.start_time, f"clips[{n}].start_time"),
        end=clip_time(clip.end_time, f"clips[{n}].end_time"),
        name=clip.name,
    )


def _output_dir(services: CoreServices, body: ExportClipsBody, *, make: bool = False) -> str:
    """Our form of a folder that is there, in the roots also where links lead. Touches the disk.

    One that is to be made is made at last, with `make`, when all else is understood.
    """
    given = body.output_dir
    folder = services.paths.export(given, "output_dir")
    if body.create_dir and not body.dry_run and not make:
        return folder
    try:
        with output_folder(folder, services.paths.export_roots, "output_dir", create=make):
            pass
    except (BadInput, NotAllowed) as error:
        said = error.message
        if body.create_dir:
            said = said.replace("make it, or send create_dir: true", "a dry run makes none")
        raise type(error)(in_clients_words(said, {folder: given})) from None
    return folder


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


async def export_clips(
    call: Call[ExportClipsBody], services: ExportServices
) -> ExportedClips | Reply:
    """Cut clips into files.

    Each clip is a file of its own; one that fails stops no other and is answered in `failed`
    with a `code`. Ranges are half-open and exact to the frame when they are encoded. Files are
    written under a temporary name; a name that is taken gets a number. The answer waits for the
    clips, however long they take, and a client that closes the connection stops them. With
    `"background": true` it is 202 at once, with progress of `type` "export" over Socket.IO.
    /analyze/cancel with the task_id (see /tasks) stops clips: what was exported stays. Clips
    never wait for an analysis, nor it for them. 503 where no export worker runs; nothing is
    accepted then.
    """
    folder = services.paths.export(call.body.output_dir, "output_dir")
    call.warnings.extend(await place_at_cuts(services, call.body))
    task = await services.folders.run(folder, submit_clips, services, call.body, call.sender)
    logs.task_id_var.set(task.task_id)
    if call.body.background:
        count = len(task.items)
        hint = await run_in_threadpool(
            waiting_hint, services, TaskKind.EXPORT, call.body.output_dir
        )
        message = f"Export of {count} clip{'' if count == 1 else 's'} accepted.{hint}"
        return Reply(202, Accepted(message=message, task_id=task.task_id))
    await _ended(call, services, task.task_id)
    wants_urls = call.body.download_urls
    found = await run_in_threadpool(_clips, call, services, task.task_id, wants_urls)
    return ExportedClips(exported=found.exported, failed=found.failed)


def get_exported_clips(call: Call[None], services: ExportServices) -> ClipsOfTask:
    """What became of the clips of a task.

    While it runs: of those that have ended. Kept for a day after its end.
    """
    record = services.ledger.record(call.path["task_id"])
    if record:
        check_in_roots(call, record)
    wants_urls = _DOWNLOAD_URLS.read(call.query)
    return _clips(call, services, call.path["task_id"], wants_urls)


def _clips(
    call: Call[Any], services: ExportServices, task_id: str, wants_urls: bool
) -> ClipsOfTask:
    """List the clips that have ended, in request order. Raises Missing for other tasks."""
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
    if wants_urls:
        add_addresses(services, task_id, found.exported, call.sender.owner)
    return found


async def _ended(call: Call[ExportClipsBody], services: ExportServices, task_id: str) -> None:
    """Wait for the end of a Task, in no thread; a client that leaves meanwhile stops it."""
    ledger = services.ledger
    pause_s = _FIRST_PAUSE_S
    answered_at = time.monotonic()
    try:
        while True:
            try:
                record = await run_in_threadpool(ledger.record, task_id)
                answered_at = time.monotonic()
                if record is None:
                    raise Unavailable(
                        f"Redis was started anew and has lost task {task_id}. Clips that were "
                        "exported are in output_dir; send the others again."
                    )
                if record.status.is_final:
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


ENDPOINTS = (
    Endpoint(
        "POST /export/clips",
        export_clips,
        "Exports",
        KeyScope.EXPORT,
        also={
            202: (
                Accepted,
                {
                    "message": "Export of 2 clips accepted.",
                    "task_id": "8f14e45fceea167a5a36dedd4bea2543",
                },
            )
        },
        is_audited=True,
        errors={
            BadInput: "clips must hold at least one clip.",
            NoWorker: "No export worker is running, so nothing was accepted. Start one with "
            "`rushes worker export`.",
            Unavailable: "This server is being stopped, and the clips with it. What was exported "
            "stays in output_dir; send the others again.",
        },
        example={"clips": [{"end_time": "00:00:20.000"}]},
    ),
    Endpoint(
        "GET /tasks/{task_id}/exports",
        get_exported_clips,
        "Exports",
        KeyScope.EXPORT,
        query=(_DOWNLOAD_URLS,),
        answer_example={"status": "completed"},
        errors={
            Missing: "There is no export task 8f14e45fceea167a5a36dedd4bea2543.",
            NotAllowed: OUTSIDE,
        },
    ),
)
