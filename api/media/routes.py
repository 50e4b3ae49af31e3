"""What a media file is: its id, its streams, its times, and what is analysed of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from msgspec import UNSET

from api.cache.view import CacheView
from api.http.answers import MatchPlace
from api.http.concurrency import map_concurrently, own_slot
from api.http.endpoint import Call, Endpoint
from api.media.answers import (
    AnalysisState,
    MadeResult,
    MediaDetails,
    MediaItem,
    Metadata,
    PersonInFile,
    Rate,
    SceneSpan,
    SpokenSummary,
)
from api.media.bodies import MetadataBody
from api.models.model_keys import active_key
from api.people.people import PeopleServices
from shared.cache import catalogue, transcripts
from shared.cache.cache_dir import CacheDir
from shared.clock_times import timestamp
from shared.domain import ModelKind, Probe, Stage
from shared.errors import (
    CacheError,
    FolderHangs,
    MediaChanging,
    MediaUnreadable,
    NotAllowed,
    RedisAway,
    UnusablePath,
)
from shared.media import is_hashed_whole, media_type_of
from shared.models.languages import language_name
from shared.query.messages import Lane, ProbeFile
from shared.rights import KeyScope

_LONGEST_BEGIN = 200  # characters


P = ParamSpec("P")
R = TypeVar("R")
_OF_CONTAINER = frozenset(Probe.__struct_fields__) & frozenset(MediaItem.__struct_fields__)


def details_of(
    services: PeopleServices, view: CacheView, hash_str: str, shown: Callable[[str], str]
) -> MediaDetails:
    """What manifests, its transcript and collections say of a file. Blocks.

    `shown`: a path of ours in the client's form.
    """
    manifests = sorted(view.cache.manifests(hash_str), key=lambda m: list(Stage).index(m.stage))
    frames = next((m for m in manifests if m.stage is Stage.FRAMES), None)
    return MediaDetails(
        places=[
            MatchPlace(path=shown(place.path), online=place.opens)
            for place in services.caches.places(view, [hash_str])[hash_str]
        ],
        results=[
            MadeResult(
                kind=manifest.stage.value,
                model_key=manifest.model or None,
                count=manifest.rows,
                made_at=manifest.made_at,
                warnings=manifest.warnings,
            )
            for manifest in manifests
        ],
        scenes=[
            SceneSpan(start_seconds=scene.start, end_seconds=scene.end)
            for scene in (frames.scenes if frames else ())
        ],
        people=[
            PersonInFile(
                cluster_job_name=one.collection,
                cluster_id=str(one.cluster_id),
                name=one.name,
                seconds=one.seconds,
                first_timestamp=timestamp(one.first),
            )
            for one in services.people.in_file(view.cache, hash_str)
        ],
        transcript=_spoken(services, view, hash_str),
    )


def _spoken(services: PeopleServices, view: CacheView, hash_str: str) -> SpokenSummary | None:
    manifest = transcripts.find(view.cache, hash_str, active_key(services, ModelKind.SPEECH))
    if manifest is None:
        return None
    try:
        found = transcripts.read(view.cache, hash_str, manifest)
    except CacheError:  # /transcriptions says what is wrong with it
        return None
    begin = " ".join(segment.text.strip() for segment in found.segments[:20])
    words = transcripts.vocabulary_of(manifest)
    return SpokenSummary(
        model_key=manifest.model,
        language=language_name(found.language) if found.language else None,
        segments=len(found.segments),
        speech_seconds=round(found.speech_seconds, 3),
        begin=begin if len(begin) <= _LONGEST_BEGIN else f"{begin[:_LONGEST_BEGIN]}…",
        doubts=len(found.warnings),
        vocabulary_used=words if words is UNSET else list(words),
    )


async def get_media_metadata(call: Call[MetadataBody], services: PeopleServices) -> Metadata:
    """Describe files.

    Gives `hash_str` and what the container says about itself. A file that is missing,
    unreadable or outside the allowed roots has `error` in its own slot.
    """
    body = call.body
    cache, details = None, None
    if body.cache_dir:
        folder = services.paths.cache(body.cache_dir)
        cache = await services.folders.run(folder, services.caches.cache, folder)
    items = await map_concurrently(
        lambda numbered: _item(services, numbered[0], numbered[1], cache),
        list(enumerate(body.media_paths)),
        call.is_gone,
    )
    if body.cache_dir and cache is not None:
        await services.in_cache_dir(body.cache_dir, _fill_face_jobs, services, items, cache)
        if body.details:
            details = await services.in_cache_dir(body.cache_dir, _details, services, items, cache)
    return Metadata(media=items, details=details)


def _details(
    services: PeopleServices, items: list[MediaItem], cache: CacheDir
) -> list[MediaDetails | None]:
    """Of each item; one that is away is filled in from what is known of it."""
    view = services.caches.follow(cache)
    found: list[MediaDetails | None] = []
    for item in items:
        details = None
        if item.hash_str is None and not item.exists:  # away: known by where it was
            with suppress(NotAllowed, UnusablePath):
                ours = services.paths.media(item.media_path, "media_paths")
                item.hash_str = services.caches.hash_for(view, ours)
        if item.hash_str is not None:
            shown = partial(services.paths.back, like=item.media_path)
            details = details_of(services, view, item.hash_str, shown)
            frames = cache.manifest(item.hash_str, Stage.FRAMES)
            if not item.exists and frames and frames.probe:
                _fill(item, frames.probe)
        found.append(details)
    return found


def _fill_face_jobs(services: PeopleServices, items: list[MediaItem], cache: CacheDir) -> None:
    hashes = {item.hash_str for item in items if item.hash_str}
    found = services.people.collections_of(cache.root, hashes)
    for item in items:
        if item.analysis and item.hash_str:
            item.analysis.face_jobs = found[item.hash_str]


async def _item(
    services: PeopleServices, number: int, client_path: str, cache: CacheDir | None
) -> MediaItem:
    """One file's item. Only an outage ends the request."""
    item = MediaItem(media_path=client_path)
    try:
        path = services.paths.media(client_path, f"media_paths[{number}]")
    except (NotAllowed, UnusablePath) as error:
        item.error = error.message
        return item
    with own_slot(path, RedisAway, CacheError, FolderHangs) as failure:
        found = await _beside(services, path, _facts, services, item, path)
        if cache is not None:
            await services.folders.run(str(cache.root), _analysed, item, path, found, cache)
        probe = await services.query_client.ask(
            Lane.PROBE, ProbeFile(path=path, roots=services.paths.key_roots)
        )
        await _beside(services, path, _check_unchanged, services, item, path)
        _fill(item, probe)
    if failure.reason is not None:
        item.error = services.paths.in_words(failure.reason, like=client_path)
    return item


async def _beside(
    services: PeopleServices, path: str, work: Callable[P, R], *args: P.args, **named: P.kwargs
) -> R:
    """`work(*args)` in a thread for the file's folder; that it hangs is the file's own error."""
    try:
        return await services.folders.run(os.path.dirname(path), work, *args, **named)
    except FolderHangs as error:
        raise MediaUnreadable(error.message) from None


def _fill(item: MediaItem, probe: Probe) -> None:
    for name in _OF_CONTAINER:
        setattr(item, name, getattr(probe, name))
    item.duration_frames_estimated = probe.frame_count_is_estimated
    if probe.fps_rational:
        num, _, den = probe.fps_rational.partition("/")
        item.rate = Rate(num=int(num), den=int(den))


def _check_unchanged(services: PeopleServices, item: MediaItem, path: str) -> None:
    """A file that grew since it was hashed has another id and other facts by now."""
    with services.paths.open_media(path) as file:
        found = file.status
    if (found.st_size, found.st_mtime) != (item.file_size, item.modified_at):
        item.hash_str = None
        raise MediaChanging


def _facts(services: PeopleServices, item: MediaItem, path: str) -> os.stat_result:
    """What the disk says. Raises MediaError, NotAllowed."""
    try:
        file = services.paths.open_media(path)
    except MediaUnreadable as error:  # not looked at by name again: that may lead out by now
        item.exists = getattr(error.__cause__, "errno", 0) not in (errno.ENAMETOOLONG, errno.ELOOP)
        raise
    with file:
        item.exists = True
        item.media_type = media_type_of(path)
        item.file_size = file.status.st_size
        item.modified_at = file.status.st_mtime
        item.hash_str = services.caches.hashes.hash_of(file)
        return file.status


def _analysed(item: MediaItem, path: str, found: os.stat_result, cache: CacheDir) -> None:
    """What the cache folder says. Raises CacheError."""
    assert item.hash_str
    manifests = cache.manifests(item.hash_str)
    item.analysis = AnalysisState(
        visual=sorted(m.model for m in manifests if m.stage is Stage.VISUAL),
        transcribed=any(m.stage is Stage.TRANSCRIPT for m in manifests),
        face_jobs=[],  # filled in for all files together
    )
    item.possibly_modified = (
        any(manifest.stage is not Stage.FRAMES for manifest in manifests)
        and not is_hashed_whole(found.st_size)
        and any(
            seen.path == path and seen.mtime_ns != found.st_mtime_ns
            for seen in catalogue.read_paths(cache.media_dir(item.hash_str))
        )
    )


ENDPOINTS = (
    Endpoint(
        "POST /media/metadata",
        get_media_metadata,
        "Media",
        KeyScope.SEARCH,
        example={"cache_dir": ...},
    ),
)
