"""Leave files out of analysis, take them again, and list them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from api.http import bodies
from api.http.answers import ClientPath, Count, Message, counted
from api.http.bodies import MOST_ITEMS, Keyed, ListedPath
from api.http.endpoint import Call, Endpoint
from api.http.parameters import AFTER_FILE, FILE_LIMIT, IN_CACHE_DIR, path_cursor, path_of
from api.http.services import CoreServices
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput, NotAllowed
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.left_out import LeftOutMark
from shared.paths import strip_bounds
from shared.rights import KeyScope
from shared.watch.files import WatchedFiles
from shared.watch.options import FileGroup

_FAILED = (FileGroup.FAILED, FileGroup.UNSUPPORTED)


class LeaveOutBody(Keyed, kw_only=True):
    """Which files are left out, or are so no more."""

    cache_dir: bodies.CacheDir
    media_paths: Annotated[
        list[ListedPath],
        Meta(min_length=1, max_length=MOST_ITEMS, examples=[["/footage/day1/A002.mov"]]),
    ]
    """Their absolute paths."""
    left_out: Annotated[bool, Meta(examples=[True])]
    """`false`: they are taken again."""


class LeaveOutAnswer(Struct, kw_only=True):
    """How many marks were set or taken back."""

    message: Message
    changed: Count


class LeftOutFile(Struct, kw_only=True):
    """A file that is left out."""

    media_path: ClientPath
    at: Annotated[float, Meta(examples=[1764028800.0])]
    """Since when; Unix seconds."""
    by: Annotated[str, Meta(examples=["Editing 1"])]
    """The label of the key that did it."""
    reason: Annotated[str, Meta(examples=["The file is cut off."])] | None
    """Why it had failed, where that was known."""


class LeftOutPage(Struct, kw_only=True):
    """Files by path."""

    files: list[LeftOutFile]
    """At most `limit`."""
    total: Annotated[int, Meta(ge=0, examples=[1])]
    """Of all pages."""
    next: Annotated[str, Meta(examples=["L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y"])] | None
    """For `after`: leads to the next page. Null: no more."""


@dataclass(frozen=True, slots=True)
class LeftOutServices(CoreServices):
    """The core services, and files of watch folders."""

    watched_files: WatchedFiles


def leave_out(call: Call[LeaveOutBody], services: LeftOutServices) -> LeaveOutAnswer:
    """Leave files out of analysis.

    Watch folders do not try them (again), and coverage counts them apart, neither as missing
    nor as failed. What is made of them stays. `left_out: false` takes them again; so does an
    /analyze or a retry that names them.
    """
    body = call.body
    cache_dir = services.paths.cache(body.cache_dir)
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


def list_left_out(call: Call[None], services: LeftOutServices) -> LeftOutPage:
    """Files that are left out."""
    asked, limit = IN_CACHE_DIR.read(call.query), FILE_LIMIT.read(call.query)
    cursor = AFTER_FILE.read(call.query)
    after = path_of(cursor) if cursor else None
    paths = services.paths
    folders = None if paths.key_roots is None else map(strip_bounds, paths.key_roots)
    page = services.left_out.page(paths.cache(asked), folders, after=after, limit=limit)
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
