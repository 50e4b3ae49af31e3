"""Files of watch folders: what became of them, and new tries for those that failed."""

from __future__ import annotations

from api.http.client_paths import in_clients_words
from api.http.endpoint import Call, Endpoint
from api.http.parameters import AFTER_FILE, FILE_LIMIT, choice, path_cursor, path_of
from api.watch import status
from api.watch.answers import RetryAnswer, WatchedFileItem, WatchedFilePage
from api.watch.bodies import RetryBody
from api.watch.status import WatchServices
from shared.errors import BadInput, Missing
from shared.rights import KeyScope
from shared.watch.files import RetryRequest, WatchedFile
from shared.watch.live import NO_WATCHER
from shared.watch.options import FileGroup

_ID = "watch_folder_id"
_STATE = choice(
    "state",
    "What became of the files.",
    tuple(FileGroup),
    "failed",
    allOf=[{"$ref": "#/components/schemas/FileGroup"}],
    default=FileGroup.PENDING.value,
)


def retry_watched_files(call: Call[RetryBody], services: WatchServices) -> RetryAnswer:
    """Try failed files again.

    Also takes the folder and its cache_dir as they are now, where they were taken for strange
    ones (another disk in the same place). 404 for a path that is not among the failed files.
    """
    folder_id, asked = call.path[_ID], call.body.paths
    services.watched_folder(folder_id)
    paths: dict[str, str] | None = None  # ours -> the client's
    if asked is None:
        count = services.watched_files.counts([folder_id])[folder_id][FileGroup.FAILED]
    else:
        paths = {services.paths.media(path, f"paths[{n}]"): path for n, path in enumerate(asked)}
        found = services.watched_files.find(folder_id, list(paths))
        for path, file in zip(paths.values(), found, strict=True):
            if file is None or file.group is not FileGroup.FAILED:
                raise Missing(f"{path} is not among the failed files of this watch folder.")
        count = len(paths)
    request = RetryRequest(folder_id=folder_id, paths=None if paths is None else tuple(paths))
    services.watch_retries.add(request)
    if not count:
        message = "No file has failed; the folder is looked at anew."
    else:
        message = f"{count} failed file{'' if count == 1 else 's'} will be tried again."
    if not services.watch_lease.is_held():
        message += f" {NO_WATCHER}"
    return RetryAnswer(message=message, files=count)


def list_watched_files(call: Call[None], services: WatchServices) -> WatchedFilePage:
    """Files of a watched folder."""
    group, limit = FileGroup(_STATE.read(call.query)), FILE_LIMIT.read(call.query)
    cursor = AFTER_FILE.read(call.query)
    after = path_of(cursor) if cursor else None
    folder = services.watched_folder(call.path[_ID])
    page = services.watched_files.page(folder.id, group, after=after, limit=limit)
    names = status.names_of(folder)
    return WatchedFilePage(
        files=[
            _file(services.paths.back(path, like=folder.client_path), file, names)
            for path, file in page.files
        ],
        total=page.total,
        next=None if page.after is None else path_cursor(page.after),
    )


def _file(client_path: str, file: WatchedFile, names: dict[str, str]) -> WatchedFileItem:
    return WatchedFileItem(
        path=client_path,
        state=file.group,
        reason=in_clients_words(file.reason, names) or None,
        tries=file.tries,
        size=file.size,
        modified_at=file.mtime_ns / 1e9,
        hash_str=file.hash_str or None,
        task_id=file.task_id or None,
    )


ENDPOINTS = (
    Endpoint(
        "POST /watch-folders/{watch_folder_id}/retry",
        retry_watched_files,
        "Watch folders",
        KeyScope.WATCH,
        is_audited=True,
        errors={
            Missing: "/footage/incoming/A002.mov is not among the failed files of this watch "
            "folder."
        },
        example={"paths": ...},
        answer_example={"message": "3 failed files will be tried again."},
    ),
    Endpoint(
        "GET /watch-folders/{watch_folder_id}/files",
        list_watched_files,
        "Watch folders",
        KeyScope.WATCH,
        query=(_STATE, FILE_LIMIT, AFTER_FILE),
        errors={BadInput: "limit must be a whole number from 1 to 1000, not 'many'."},
        answer_example={"files": [{"reason": "The file is cut off.", "tries": 3}]},
    ),
)
