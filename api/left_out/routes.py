"""Leave files out of analysis, take them again, and list them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.http.parameters import IN_CACHE_DIR
from api.http.services import CoreServices
from api.left_out.answers import LeaveOutAnswer, LeftOutFile, LeftOutPage
from api.left_out.bodies import LeaveOutBody
from api.path_cursors import AFTER_FILE, FILE_LIMIT, path_after, path_cursor
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput, NotAllowed
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.left_out import LeftOutMark
from shared.paths import strip_bounds
from shared.rights import KeyScope
from shared.watch.files import WatchedFiles
from shared.watch.options import FileGroup

_FAILED = (FileGroup.FAILED, FileGroup.UNSUPPORTED)


@dataclass(frozen=True, slots=True)
class LeftOutServices(CoreServices):
    """The core services, and files of watch folders."""

    watched_files: WatchedFiles


async def leave_out(call: Call[LeaveOutBody], services: LeftOutServices) -> LeaveOutAnswer:
    """Leave files out of analysis.

    Watch folders do not try them (again), and coverage counts them apart, neither as missing
    nor as failed. What is made of them stays. `left_out: false` takes them again; so does an
    /analyze or a retry that names them.
    """
    cache_dir = services.paths.cache(call.body.cache_dir)
    return await services.folders.run(cache_dir, _leave_out, call, services, cache_dir)


def _leave_out(
    call: Call[LeaveOutBody], services: LeftOutServices, cache_dir: str
) -> LeaveOutAnswer:
    body = call.body
    listed = [
        services.paths.listed(path, f"media_paths[{n}]") for n, path in enumerate(body.media_paths)
    ]
    paths = [path for path, refused in listed if not refused]
    call.warnings.extend(refused for _, refused in listed if refused)
    if not paths:
        raise BadInput(call.warnings[0])
    if body.left_out:
        # It has an id from now on, by which the marks are found however it is called.
        CacheDir.open(cache_dir, services.paths.cache_roots, create=True)
        by = call.sender.label or call.sender.owner
        reasons = _reasons(services, cache_dir, paths)
        now = time.time()
        marks = {path: LeftOutMark(now, by, reasons.get(path, "")) for path in paths}
        changed = services.left_out.mark(cache_dir, marks)
        message = f"{counted(changed, 'file')} left out."
    else:
        changed = services.left_out.take_back(cache_dir, paths)
        message = f"{counted(changed, 'file')} taken again."
    return LeaveOutAnswer(message=message, changed=changed)


def _reasons(services: LeftOutServices, cache_dir: str, paths: list[str]) -> dict[str, str]:
    """Why files have failed, as watch folders and the last tasks know it."""
    wanted = set(paths)
    found = AnalysisFiles(services.redis, services.settings.instance).why_failed(cache_dir)
    reasons = {path: why for path, why in found.items() if path in wanted}
    for folder in services.watch_folders.read()[0]:
        if folder.cache_dir == cache_dir:
            files = services.watched_files.find(folder.id, paths)
            reasons |= {
                path: file.reason
                for path, file in zip(paths, files, strict=True)
                if file and (file.tries or file.group in _FAILED)
            }
    return reasons


async def list_left_out(call: Call[None], services: LeftOutServices) -> LeftOutPage:
    """Files that are left out."""
    asked, limit = IN_CACHE_DIR.read(call.query), FILE_LIMIT.read(call.query)
    after = path_after(call.query)
    paths = services.paths
    cache_dir = paths.cache(asked)

    def read() -> LeftOutPage:
        marks = services.left_out
        folders = None if paths.key_roots is None else map(strip_bounds, paths.key_roots)
        page = marks.page(cache_dir, folders, after=after, limit=limit)
        return LeftOutPage(
            files=[
                LeftOutFile(
                    media_path=paths.back(path, like=asked),
                    at=mark.at,
                    by=mark.by,
                    reason=paths.in_words(mark.reason, like=asked) or None,
                )
                for path, mark in page.files
            ],
            total=page.total,
            next=None if page.after is None else path_cursor(page.after),
        )

    return await services.folders.run(cache_dir, read)


ENDPOINTS = (
    Endpoint(
        "POST /analysis-data/left-out",
        leave_out,
        "Analysis data",
        KeyScope.ANALYZE,
        is_audited=True,
        errors={
            BadInput: "media_paths[0] must be an absolute path, not 'A002.mov'.",
            NotAllowed: "media_paths[0]: /private/A002.mov lies outside the folders that are "
            "allowed.",
        },
        answer_example={"message": "12 files left out."},
    ),
    Endpoint(
        "GET /analysis-data/left-out",
        list_left_out,
        "Analysis data",
        KeyScope.SEARCH,
        query=(IN_CACHE_DIR, FILE_LIMIT, AFTER_FILE),
        errors={BadInput: "limit must be a whole number from 1 to 1000, not 'many'."},
    ),
)
