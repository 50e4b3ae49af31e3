"""Watch folders: the folders themselves and the service that watches them."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import msgspec
from msgspec import UNSET
from starlette.concurrency import run_in_threadpool

from api.http.endpoint import Call, Endpoint, RootsRule
from api.watch import status
from api.watch.answers import (
    ServiceAnswer,
    UnwatchAnswer,
    WatchFolderAnswer,
    WatchFolderList,
    WatchStatus,
)
from api.watch.bodies import NothingBody, WatchFolderBody, WatchFolderChanges
from api.watch.fields import check_folder, check_overlap, locate, requested_fields, vain_globs
from api.watch.status import WatchServices
from shared.domain import TaskKind
from shared.errors import AlreadyWatched, BadInput, Missing
from shared.models.languages import language_name
from shared.rights import KeyScope
from shared.watch.folders import WatchFolder, new_folder_id
from shared.watch.live import NO_WATCHER

_ID = "watch_folder_id"


def list_watch_folders(call: Call[None], services: WatchServices) -> WatchFolderList:
    """All watched folders."""
    folders = services.watch_folders.all()
    of_key = services.paths.is_of_key
    return WatchFolderList(
        watch_folders=[
            _answer(folder) for folder in folders if of_key(folder.path, folder.cache_dir)
        ]
    )


async def add_watch_folder(
    call: Call[WatchFolderBody], services: WatchServices
) -> WatchFolderAnswer:
    """Watch a folder.

    What is already in it is analysed too. Files are taken when they have settled; content that
    is known already is not analysed again. The cache_dir may lie inside the folder, which is
    then left out. 409: these files are watched already with the same cache_dir.
    """
    path = services.paths.media(call.body.path, "path")
    call.warnings.extend(vain_globs(call.body.excluded_filename_globs))
    return await services.folders.run(path, _add, services, call.body)


def _add(services: WatchServices, body: WatchFolderBody) -> WatchFolderAnswer:
    fields = locate(services, requested_fields(services, body))
    folder = WatchFolder(id=new_folder_id(), created_at=round(time.time(), 3), **fields)
    check_folder(folder)
    with services.watch_folders.changing() as changes:
        check_overlap(services.paths, folder, changes.all())
        changes.put(folder)
    services.watch_live.announce()
    return _answer(folder)


async def change_watch_folder(
    call: Call[WatchFolderChanges], services: WatchServices
) -> WatchFolderAnswer:
    """Change a watched folder.

    Only the given fields change; the folder as a whole is checked as when it is added. What has
    changed applies to files seen before, too, and nothing that is done is done again. Null
    resets `language`, `schedule` and `cluster_job_name`.
    """
    body = call.body
    call.warnings.extend(vain_globs(body.excluded_filename_globs))
    if body.path is None:
        return await run_in_threadpool(_change, services, call.path[_ID], body)
    path = services.paths.media(body.path, "path")
    return await services.folders.run(path, _change, services, call.path[_ID], body)


def _change(services: WatchServices, folder_id: str, body: WatchFolderChanges) -> WatchFolderAnswer:
    current = services.watched_folder(folder_id)
    fields = requested_fields(services, body)
    # A place that stays is not looked at: it may be away, and the folder is to be disabled for it.
    for names in (("path", "client_path"), ("cache_dir", "client_cache_dir")):
        if all(fields.get(name) == getattr(current, name) for name in names):
            for name in names:
                del fields[name]
    fields = locate(services, fields)
    with services.watch_folders.changing() as changes:
        current = changes.get(folder_id)
        folder = msgspec.structs.replace(current, **fields)
        check_folder(folder)
        check_overlap(services.paths, folder, changes.all())
        if folder != current:
            folder = msgspec.structs.replace(folder, revision=current.revision + 1)
            changes.put(folder)
    services.watch_live.announce()
    return _answer(folder)


def remove_watch_folder(call: Call[None], services: WatchServices) -> UnwatchAnswer:
    """Stop watching a folder.

    Its media and its analysis data stay.
    """
    folder_id = call.path[_ID]
    services.watched_folder(folder_id)
    with services.watch_folders.changing() as changes:
        folder = changes.remove(folder_id)
    services.watch_live.announce()
    return UnwatchAnswer(
        message=f"{folder.client_path} is watched no more. Its analysis data stays in "
        f"{folder.client_cache_dir}."
    )


def start_watching(call: Call[NothingBody], services: WatchServices) -> ServiceAnswer:
    """Start watching.

    Stays started over restarts of everything. Starting twice is fine.
    """
    services.watch_folders.want(True)
    services.watch_live.announce()
    message = "Watching is started, also after restarts, until it is stopped."
    if not services.watch_lease.is_held():
        message += f" {NO_WATCHER}"
    return ServiceAnswer(message=message, state=status.state(services))


def stop_watching(call: Call[NothingBody], services: WatchServices) -> ServiceAnswer:
    """Stop watching.

    What is being analysed winds down. Stopping twice is fine.
    """
    services.watch_folders.want(False)
    if not services.watch_lease.is_held():  # else it ends its Tasks itself
        for task_id in services.ledger.open_tasks(TaskKind.INGEST, "analysis"):
            with contextlib.suppress(Missing):
                services.ledger.stop(task_id)
    services.watch_live.announce()
    return ServiceAnswer(
        message="Watching is stopped, also after restarts, until it is started.",
        state=status.state(services),
    )


def get_watch_status(call: Call[None], services: WatchServices) -> WatchStatus:
    """What the watch service does.

    The same comes over Socket.IO to those who join `watch-folders`.
    """
    return status.status(services)


def _answer(folder: WatchFolder) -> WatchFolderAnswer:
    same: dict[str, Any] = {
        name: getattr(folder, name) for name in WatchFolderAnswer.__struct_fields__
    }
    same |= {
        "path": folder.client_path,
        "cache_dir": folder.client_cache_dir,
        "language": None if folder.language is None else language_name(folder.language),
        "excluded_extensions": list(folder.excluded_extensions),
        "excluded_filename_globs": list(folder.excluded_filename_globs),
        "vocabulary": list(folder.vocabulary) or (UNSET if folder.uses_vocabulary else []),
        "speakers": UNSET if folder.speakers is None else folder.speakers,
    }
    return WatchFolderAnswer(**same)


ENDPOINTS = (
    Endpoint(
        "GET /watch-folders",
        list_watch_folders,
        "Watch folders",
        KeyScope.WATCH,
        roots=RootsRule.FILTERED,
    ),
    Endpoint(
        "POST /watch-folders",
        add_watch_folder,
        "Watch folders",
        KeyScope.WATCH,
        is_audited=True,
        errors={
            BadInput: "path: /footage/incoming is not a folder; analyze a single file with POST "
            "/analyze.",
            AlreadyWatched: "/footage/incoming is watched already with this cache_dir, by watch "
            "folder 5f2b9c0e1d3a4b67 (/footage/incoming); change that one.",
        },
        status=201,
        example={"excluded_extensions": ...},
    ),
    Endpoint(
        "PUT /watch-folders/{watch_folder_id}",
        change_watch_folder,
        "Watch folders",
        KeyScope.WATCH,
        is_audited=True,
        errors={
            AlreadyWatched: "/footage/incoming is watched already with this cache_dir, by watch "
            "folder 5f2b9c0e1d3a4b67 (/footage/incoming); change that one."
        },
        keeps_nulls=True,
        example={"enabled": False, "language": None},
        answer_example={"enabled": False},
    ),
    Endpoint(
        "DELETE /watch-folders/{watch_folder_id}",
        remove_watch_folder,
        "Watch folders",
        KeyScope.WATCH,
        is_audited=True,
        answer_example={"message": "/footage/incoming is watched no more."},
    ),
    Endpoint(
        "POST /watch-folders/service/start",
        start_watching,
        "Watch folders",
        KeyScope.WATCH,
        roots=RootsRule.REFUSED,
        is_audited=True,
        answer_example={"message": "Watching is started."},
    ),
    Endpoint(
        "POST /watch-folders/service/stop",
        stop_watching,
        "Watch folders",
        KeyScope.WATCH,
        roots=RootsRule.REFUSED,
        is_audited=True,
        answer_example={"message": "Watching is stopped.", "state": "stopping"},
    ),
    Endpoint(
        "GET /watch-folders/service/status",
        get_watch_status,
        "Watch folders",
        KeyScope.WATCH,
        roots=RootsRule.FILTERED,
        answer_example={"folder_stats": {"5f2b9c0e1d3a4b67": {}}},
    ),
)
