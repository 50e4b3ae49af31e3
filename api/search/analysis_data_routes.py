"""Loading results before searching. Searching loads what is missing, so this is never a must."""

from __future__ import annotations

from api.http.answers import counted
from api.http.endpoint import Call, Endpoint, RootsRule
from api.search.answers import LoadAnswer, LoadForMediaAnswer, Skipped
from api.search.bodies import LoadBody, LoadForMediaBody
from api.search.folders.listing import KnownFolderList, known_folders
from api.search.services import SearchServices
from api.search.types import LoadReport
from shared.rights import KeyScope


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
        skipped=[Skipped(hash_str=s.hash_str, reason=s.reason) for s in report.skipped],
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
    report = LoadReport(visual_files=0, transcription_files=0, frames=0)
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
        skipped=[Skipped(hash_str=s.hash_str, reason=s.reason) for s in report.skipped],
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
