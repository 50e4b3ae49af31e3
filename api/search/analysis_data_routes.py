"""Loading results before searching. Searching loads what is missing, so this is never a must."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import counted
from api.http.endpoint import Call, Endpoint, RootsRule
from api.search.answers import LoadAnswer, LoadForMediaAnswer
from api.search.bodies import LoadBody, LoadForMediaBody
from api.search.services import SearchServices
from api.search.types import LoadReport
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError, NoCacheFolder, NotAllowed, Unavailable
from shared.rights import KeyScope

_WITHIN_S = 2.0
_COUNTED = 32  # of those used last: more would push others out of what is kept at hand


class KnownFolder(Struct, kw_only=True):
    """A cache folder that this server knows."""

    cache_dir: Annotated[str, Meta(examples=["/footage/.rushes"])]
    """The folder, in the client's form."""
    online: Annotated[bool, Meta(examples=[True])]
    """It is there and answers."""
    files: Annotated[int, Meta(ge=0, examples=[1204])] | None = None
    """Files that are analyzed into it; null: it is away, or counting takes too long now. Only the
    32 that were used last are counted."""
    hours: Annotated[float, Meta(ge=0, examples=[96.5])] | None = None
    """How long they are together; null as above."""
    last_used_at: Annotated[float, Meta(examples=[1764028800.0])] | None = None
    """When it was searched, loaded or analyzed into last, to the hour, in Unix seconds; null: not
    that this server knows of."""


class KnownFolderList(Struct, kw_only=True):
    """Cache folders."""

    folders: list[KnownFolder]
    """Inside the roots of the key; the last used first."""


@dataclass(slots=True)
class _FolderCount:
    """What was found out so far; another thread may be at it still."""

    folder: str
    is_counted: bool
    is_allowed: bool = True
    online: bool = False
    files: int | None = None
    hours: float | None = None


def known_folders(services: SearchServices) -> list[KnownFolder]:
    """CacheDirs that the licence key may read, the last used first. Blocks, for seconds at most."""
    used = services.used_cache_dirs()
    looks = [_FolderCount(folder, n < _COUNTED) for n, folder in enumerate(used)]
    services.folders.each(
        looks,
        lambda look: _find_out(services, look),
        lambda look: look.folder,
        lambda look: None,
        within_s=_WITHIN_S,
    )
    return [
        KnownFolder(
            cache_dir=services.paths.back(look.folder),
            online=look.online,
            files=look.files,
            hours=look.hours,
            last_used_at=used[look.folder],
        )
        for look in looks
        if look.is_allowed
    ]


def _find_out(services: SearchServices, look: _FolderCount) -> None:
    # Not by services.caches.open, which counts as a use.
    try:
        cache = CacheDir.open(look.folder, services.paths.cache_roots, create=False)
        look.online = True
        if look.is_counted:
            view = services.caches.follow(cache)
            files = services.index.facts.snapshot(view).files
            look.hours = round(sum(facts.seconds or 0.0 for facts in files.values()) / 3600, 3)
            look.files = len(files)
    except NotAllowed:  # its links lead elsewhere
        look.is_allowed = False
    except (NoCacheFolder, CacheError, Unavailable):
        return


def load_analysis_data(call: Call[LoadBody], services: SearchServices) -> LoadAnswer:
    """Load everything in a cache folder.

    Additive and idempotent; what changed on disk is loaded again. Where memory has no room for
    what searches read, X-Rushes-Warnings says so.
    """
    cache_dir = services.paths.cache(call.body.cache_dir)
    report = services.index.load(services.caches.open(cache_dir, thorough=True))
    call.warnings.extend(report.warnings)
    transcripts = counted(report.transcription_files, "transcript")
    return LoadAnswer(
        message=f"{_message(report)} {transcripts} can be searched.",
        visual_files=report.visual_files,
        transcription_files=report.transcription_files,
        frames=report.frames,
        skipped=report.skipped,
    )


def list_cache_folders(call: Call[None], services: SearchServices) -> KnownFolderList:
    """The cache folders that this server knows.

    Those of watch folders and of the last analyses, and the 1,000 that were searched or loaded
    last, also before a restart. One that is away is listed, as not `online`. The answer takes
    two seconds at the most, whatever hangs.
    """
    return KnownFolderList(folders=known_folders(services))


def load_analysis_data_for_media(
    call: Call[LoadForMediaBody], services: SearchServices
) -> LoadForMediaAnswer:
    """Load the visual data of some files.

    `missing` names the files that have no visual data there.
    """
    body = call.body
    paths = [
        (path, *services.paths.listed(path, f"media_paths[{n}]"))
        for n, path in enumerate(body.media_paths)
    ]
    usable = [path for _, path, refused in paths if not refused]
    hashes: dict[str, str | None] = {}
    report = LoadReport()
    if usable:
        view = services.caches.open(services.paths.cache(body.cache_dir))
        hashes = dict(zip(usable, services.caches.hashes_for(view, usable), strict=True))
        found = [hash_str for hash_str in map(hashes.get, usable) if hash_str is not None]
        report = services.index.load_for_media(view, found)
    without = {None, *report.missing}
    return LoadForMediaAnswer(
        message=_message(report),
        visual_files=report.visual_files,
        transcription_files=report.transcription_files,
        frames=report.frames,
        skipped=report.skipped,
        missing=[client_path for client_path, path, _ in paths if hashes.get(path) in without],
    )


def _message(report: LoadReport) -> str:
    return f"The visual data of {counted(report.visual_files, 'file')} is loaded."


ENDPOINTS = (
    Endpoint(
        "GET /analysis-data/folders",
        list_cache_folders,
        "Analysis data",
        KeyScope.SEARCH,
        roots=RootsRule.FILTERED,
    ),
    Endpoint(
        "POST /analysis-data/load",
        load_analysis_data,
        "Analysis data",
        KeyScope.SEARCH,
        answer_example={"message": "The visual data of 12 files is loaded."},
    ),
    Endpoint(
        "POST /analysis-data/load-for-media",
        load_analysis_data_for_media,
        "Analysis data",
        KeyScope.SEARCH,
        example={"media_paths": ...},
        answer_example={"message": "The visual data of 12 files is loaded."},
    ),
)
