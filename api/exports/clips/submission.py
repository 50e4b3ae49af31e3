"""A request for clips as an export task: all of it understood before any is accepted."""

from __future__ import annotations

import posixpath

import msgspec

from api.exports.clips.bodies import ClipBody, ExportClipsBody
from api.http.client_paths import in_clients_words
from api.http.services import CoreServices
from api.http.times import clock_seconds, seconds_of
from api.tasks.progress import enqueue, note_accepted
from shared.domain import ProgressType, TaskKind
from shared.errors import BadInput, NotAllowed, NoWorker
from shared.exports.clips import ClipSpec
from shared.exports.names import check_naming
from shared.exports.writing import output_folder
from shared.ledger.records import ItemFile, NewItem, NewTask, Sender
from shared.redis import heartbeats
from shared.timecode import label_parts


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
    common = ClipSpec(
        index=0,
        media_path="",
        client_path="",
        start=0.0,
        end=0.0,
        output_dir=folder,
        roots=services.paths.key_roots,
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


def _spec(services: CoreServices, clip: ClipBody, n: int, common: ClipSpec) -> ClipSpec:
    path, refused = services.paths.listed(clip.media_path, f"clips[{n}].media_path")
    return msgspec.structs.replace(
        common,
        index=n,
        media_path=path,
        client_path=clip.media_path,
        refused=refused,
        start=clip_time(clip.start_time, f"clips[{n}].start_time"),
        end=clip_time(clip.end_time, f"clips[{n}].end_time"),
        name=clip.name,
    )


def _is_ours(given: str, folder: str) -> bool:
    """Whether a client calls the folder as we do."""
    return "/" + posixpath.normpath(given).lstrip("/") == folder


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
