"""Look into media folders, and name the media files below some."""

from __future__ import annotations

import os

from starlette.concurrency import run_in_threadpool

from api.browsing.answers import FilesBelow, FolderContent, ListedFile, ListedFolder
from api.browsing.bodies import FilesBelowBody, FolderBody
from api.browsing.looking import (
    FolderPage,
    LyingFile,
    beginnings,
    media_roots,
    page_of,
    parent_of,
    seen_folders,
)
from api.browsing.standings import FileStanding, FileStandings
from api.browsing.walking import FolderWalk, Walked
from api.http.endpoint import Call, Endpoint
from api.search.services import SearchServices
from shared.errors import BadInput, NotAllowed
from shared.rights import KeyScope

_OUTSIDE = "path: /etc lies outside the folders in RUSHES_MEDIA_ROOTS."


async def get_media_folder(call: Call[FolderBody], services: SearchServices) -> FolderContent:
    """Look into a folder.

    What lies in a folder that the server can read: folders first, then media files, by name.
    With cache_dir each file says what of it is analyzed there, by what was seen at its path:
    one that was moved since counts as new. Without path: the media roots.
    """
    body = call.body
    cache_dir = services.paths.cache(body.cache_dir) if body.cache_dir else None
    path = None if body.path is None else services.paths.media(body.path, "path")
    if path is None or body.path is None:
        page = await run_in_threadpool(_beginnings, services)
    else:
        words = (path, body.path, body.after, body.limit)
        page = await services.folders.run(path, page_of, services, *words)
    standings: list[FileStanding] | None = None
    analyzed: list[int] | None = None
    if cache_dir:
        standings, analyzed = await services.folders.run(
            cache_dir, _known, services, cache_dir, page
        )
    return _content(services, body, path, page, standings, analyzed)


def _beginnings(services: SearchServices) -> FolderPage:
    """Roots are shown although they are away; what is merely usual only where it is there."""
    folders = seen_folders(services, beginnings(services))
    if media_roots(services).usable() is None:
        folders = [folder for folder in folders if folder.online]
    return FolderPage(folders, [], 0, None, [])


def _known(
    services: SearchServices, cache_dir: str, page: FolderPage
) -> tuple[list[FileStanding], list[int]]:
    standings = FileStandings.of(services, cache_dir, page.files)
    folders = [folder.path for folder in page.folders]
    counts = standings.view.seen.counts_below(folders, standings.analyzed()) if folders else []
    return standings.each(), counts


def _content(
    services: SearchServices,
    body: FolderBody,
    path: str | None,
    page: FolderPage,
    standings: list[FileStanding] | None,
    analyzed: list[int] | None,
) -> FolderContent:
    above = None if path is None else parent_of(services, path)
    folders = [
        ListedFolder(
            path=services.paths.back(seen.path, body.path),
            name=os.path.basename(seen.path) or seen.path,
            analyzed=analyzed[n] if analyzed else None,
            online=seen.online,
        )
        for n, seen in enumerate(page.folders)
    ]
    unasked = FileStanding({}, None, None)
    files = [
        _listed(services, body, file, standings[n] if standings else unasked)
        for n, file in enumerate(page.files)
    ]
    return FolderContent(
        path=body.path,
        parent=None if above is None else services.paths.back(above, body.path),
        folders=folders,
        files=files,
        unsupported=page.unsupported,
        next=page.next,
        warnings=page.warnings,
    )


def _listed(
    services: SearchServices, body: FolderBody, file: LyingFile, standing: FileStanding
) -> ListedFile:
    reason = standing.reason
    return ListedFile(
        path=services.paths.back(file.path, body.path),
        name=os.path.basename(file.path),
        size=file.size,
        modified_at=file.mtime_ns / 1e9,
        media_type=file.media_type,
        states=standing.answer(),
        reason=None if reason is None else services.paths.in_words(reason, body.path),
    )


async def list_media_files(call: Call[FilesBelowBody], services: SearchServices) -> FilesBelow:
    """Name the media files below folders.

    For clients that want to send folders to /analyze. Hidden files and cache folders are left
    out. The look takes at most some seconds: where that is too short, `is_partial` is true, and
    `next` goes on where it ended.
    """
    body = call.body
    walk = await run_in_threadpool(FolderWalk, services, body.paths, is_recursive=body.recursive)
    after = services.paths.media(body.after, "after") if body.after else None
    found = await walk.files(body.limit, after, call.is_gone)
    if body.media_types is not None:
        found.files = [one for one in found.files if one.media_type in body.media_types]
    return await run_in_threadpool(_below, services, found, walk.like)


def _below(services: SearchServices, found: Walked, like: str) -> FilesBelow:
    return FilesBelow(
        files=[services.paths.back(file.path, like) for file in found.files],
        total_bytes=sum(file.size for file in found.files),
        next=None if found.next is None else services.paths.back(found.next, like),
        is_partial=found.is_partial,
        warnings=found.warnings,
    )


ENDPOINTS = (
    Endpoint(
        "POST /media/folder",
        get_media_folder,
        "Media",
        KeyScope.ANALYZE,
        errors={
            BadInput: "path: there is no folder /footage/day9 on the server. See RUSHES_PATH_MAP "
            "if the server calls it otherwise.",
            NotAllowed: _OUTSIDE,
        },
        example={"path": ..., "cache_dir": ...},
        answer_example={
            "parent": "/footage",
            "folders": [{"path": "/footage/day1/b", "name": "b"}],
        },
    ),
    Endpoint(
        "POST /media/files",
        list_media_files,
        "Media",
        KeyScope.ANALYZE,
        errors={
            BadInput: "paths[0] must be an absolute path, not 'day1'.",
            NotAllowed: "paths[0]: /etc lies outside the folders in RUSHES_MEDIA_ROOTS.",
        },
    ),
)
