"""How a file is played: what it is, and signed addresses of its bytes, its preview, its frames."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.media.answers import OriginalStream, Playback, PreviewStream, Rate
from api.media.bodies import PlaybackBody
from api.media.playback.previews import SignedOriginal, SignedPreview
from api.media.playback.stream_routes import ORIGINALS, PREVIEWS
from api.search.frames.previews import SignedFrame
from api.search.picture_routes import PATH as FRAMES
from api.signed_addresses import Signed, token_of
from shared.cache.cache_dir import CacheDir
from shared.domain import Probe, Stage
from shared.errors import (
    CacheError,
    FolderHangs,
    MediaChanging,
    MediaMissing,
    MediaUnreadable,
    NoCacheFolder,
    NotAllowed,
    NoWorker,
)
from shared.media import MediaType
from shared.media_facts import VideoStream
from shared.query.messages import SEGMENT_S, Lane, ProbeFile
from shared.rights import KeyScope

OTHER = "application/octet-stream"
_STILLS = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}
_OF_WEBM = frozenset(("vp8", "vp9", "av1", "opus", "vorbis"))
_CONTAINERS = {  # as pictures, and as sound alone
    "mov": ("video/mp4", "audio/mp4"),  # by that name browsers say that they play it
    "mp4": ("video/mp4", "audio/mp4"),
    "matroska": ("video/x-matroska", "audio/x-matroska"),
    "ogg": ("video/ogg", "audio/ogg"),
    "mpegts": ("video/mp2t", "audio/mp2t"),
    "mpeg": ("video/mpeg", "audio/mpeg"),
    "avi": ("video/x-msvideo", "audio/x-msvideo"),
    "flv": ("video/x-flv", "audio/x-flv"),
    "asf": ("video/x-ms-wmv", "audio/x-ms-wma"),
    "mxf": ("video/x-mxf", "audio/x-mxf"),
    "wav": ("audio/wav", "audio/wav"),
    "mp3": ("audio/mpeg", "audio/mpeg"),
    "flac": ("audio/flac", "audio/flac"),
    "aac": ("audio/aac", "audio/aac"),
    "aiff": ("audio/aiff", "audio/aiff"),
}
_BARE = frozenset(("audio/mpeg", "audio/flac", "audio/aac"))  # they hold one codec alone
_H264 = {
    "Baseline": "42E0", "Constrained Baseline": "42E0", "Main": "4D40", "High": "6400",
    "High 10": "6E00", "High 4:2:2": "7A00", "High 4:4:4 Predictive": "F400",
}  # fmt: skip
_HEVC = {"Main": "1.6", "Main 10": "2.4", "Rext": "4.10"}
_LARGE = 1920 * 1088  # pixels; above that a level for 4K is asked about
_CODECS = {
    "vp8": "vp8", "mpeg4": "mp4v.20.9", "aac": "mp4a.40.2", "mp3": "mp3", "opus": "opus",
    "vorbis": "vorbis", "flac": "flac", "ac3": "ac-3", "eac3": "ec-3", "alac": "alac",
}  # fmt: skip


_PICTURES, _SOUND = "avc1.640028", "mp4a.40.2"  # what workers.preview encodes


def browser_type(probe: Probe) -> str:
    """The MIME type of a file for `canPlayType`, with the codecs of what is shown and heard first.

    Only types of media are named, whatever the file says: what is served as one of these is never
    a page of ours.
    """
    container = probe.container or ""
    if probe.media_type is MediaType.IMAGE:
        return _STILLS.get(container, OTHER)
    names = [name for name in (probe.video_codec, probe.audio_codec) if name]
    video, audio = _CONTAINERS.get(container, (OTHER, OTHER))
    if container == "matroska" and _OF_WEBM.issuperset(names):
        video, audio = "video/webm", "audio/webm"
    kind = video if probe.video_codec else audio
    if kind == OTHER or kind in _BARE:
        return kind
    codecs = [_video_codec(probe)] if probe.video_codec else []
    if probe.audio_codec:
        codecs.append(_audio_codec(probe.audio_codec, container))
    return f'{kind}; codecs="{", ".join(codecs)}"'


def _video_codec(probe: Probe) -> str:
    """As RFC 6381 has it. Levels are not known: one that is asked of any decoder for that size."""
    stream = probe.video_streams[0] if probe.video_streams else None
    is_large = (probe.width or 0) * (probe.height or 0) > _LARGE
    profile = (stream.profile if stream else None) or ""
    deep = "10" if stream and (stream.bit_depth or 8) > 8 else "08"
    match probe.video_codec:
        case "h264" if profile in _H264:
            return f"avc1.{_H264[profile]}{'33' if is_large else '2A'}"
        case "hevc" if profile in _HEVC:
            return f"hvc1.{_HEVC[profile]}.L{153 if is_large else 123}.B0"
        case "vp9":
            return f"vp09.{'02' if deep == '10' else '00'}.{'51' if is_large else '41'}.{deep}"
        case "av1":
            return f"av01.0.{'13' if is_large else '09'}M.{deep}"
    return _CODECS.get(probe.video_codec or "") or _tag(stream) or probe.video_codec or "unknown"


def _tag(stream: VideoStream | None) -> str:
    """The four letters of the container, such as those of ProRes."""
    tag = (stream.codec_tag if stream else None) or ""
    return tag if tag.isalnum() else ""


def _audio_codec(name: str, container: str) -> str:
    if name.startswith("pcm_"):
        return "1" if container == "wav" else "lpcm"
    return _CODECS.get(name, name)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a cache folder knows of a file."""

    cache: CacheDir
    hash_str: str
    probe: Probe | None
    seconds: int  # before which all stored frames lie


async def get_playback(call: Call[PlaybackBody], services: CoreServices) -> Playback:
    """Play a file.

    Gives signed paths that a player fetches without a licence key: the original, by ranges; a
    preview in pieces of H.264 and AAC at 540 lines at most, whose pictures are shown at the
    times of the original; and the stored pictures.
    """
    body = call.body
    path = services.paths.media(body.media_path, "media_path")
    stored = None
    if body.cache_dir:
        with suppress(NoCacheFolder, FolderHangs, CacheError):  # the file plays without
            stored = await services.in_cache_dir(
                body.cache_dir, _stored, services, services.paths.cache(body.cache_dir), path
            )
    known = stored.probe if stored else None
    hash_str, status = stored.hash_str if stored else None, None
    try:
        hash_str, status = await services.folders.run(os.path.dirname(path), _hash, services, path)
        probe: Probe = await services.query_client.ask(
            Lane.PROBE, ProbeFile(path=path, roots=services.paths.key_roots)
        )
    except (MediaMissing, FolderHangs):
        if known is None:
            raise
        probe, status = known, None
    except NoWorker:
        if known is None:
            raise
        probe = known
    found = _facts(body.media_path, probe)
    found.online, found.hash_str = status is not None, hash_str
    file = (path, status.st_size, status.st_mtime_ns) if status else None
    await run_in_threadpool(_add_addresses, call, services, found, probe, file, stored)
    return found


def _hash(services: CoreServices, path: str) -> tuple[str, os.stat_result]:
    with services.paths.open_media(path) as file:
        return services.caches.hashes.hash_of(file), file.status


def _stored(services: CoreServices, cache_dir: str, path: str) -> _Stored | None:
    view = services.caches.open(cache_dir)
    found = services.caches.hash_for(view, path)
    manifest = view.cache.manifest(found, Stage.FRAMES) if found else None
    if not found or not manifest:
        return None
    last = manifest.seconds[-1] if manifest.seconds else manifest.first_frame + manifest.rows - 1
    return _Stored(view.cache, found, manifest.probe, last + 1)


def _facts(media_path: str, probe: Probe) -> Playback:
    is_still = probe.media_type is MediaType.IMAGE
    found = Playback(
        media_path=media_path,
        online=True,
        kind="still" if is_still else "video" if probe.video_codec else "audio",
        duration_seconds=None if is_still else probe.duration_seconds,
        width=probe.display_width or probe.width,
        height=probe.display_height or probe.height,
    )
    if probe.fps_rational and not is_still:
        num, _, den = probe.fps_rational.partition("/")
        found.rate = Rate(num=int(num), den=int(den))
    return found


def _add_addresses(
    call: Call[PlaybackBody],
    services: CoreServices,
    found: Playback,
    probe: Probe,
    file: tuple[str, int, int] | None,
    stored: _Stored | None,
) -> None:
    """Fill in what can be fetched. Asks Redis for the secret. `file`: as in SignedFile."""
    owner = call.sender.owner
    signer = services.addresses.signer()

    def url(place: str, signed: Signed) -> str:
        return f"{services.settings.public_path}{place}/{token_of(signer, signed)}"

    if file:
        full = browser_type(probe)
        served = SignedOriginal(*file, owner, full.partition(";")[0])
        found.original = OriginalStream(url=url(ORIGINALS, served), type=full)
    if file and found.kind != "still" and found.duration_seconds:
        has_picture, has_sound = found.kind == "video", probe.audio_codec is not None
        seconds = round(found.duration_seconds, 3)
        codecs = [_PICTURES] * has_picture + [_SOUND] * has_sound
        found.preview = PreviewStream(
            url=url(PREVIEWS, SignedPreview(*file, owner, seconds, has_picture, has_sound)),
            type=f'{found.kind}/mp4; codecs="{", ".join(codecs)}"',
            segment_seconds=SEGMENT_S,
            segments=math.ceil(seconds / SEGMENT_S),
        )
    if stored is not None and stored.hash_str == found.hash_str:
        roots = services.paths.key_roots
        frames = SignedFrame(
            str(stored.cache.root), stored.hash_str, 0, 0, stored.seconds, roots, owner
        )
        found.frames_url = url(FRAMES, frames)


ENDPOINTS = (
    Endpoint(
        "POST /media/playback",
        get_playback,
        "Media",
        KeyScope.SEARCH,
        errors={
            MediaMissing: "",
            MediaUnreadable: "It is not a media file that can be read, or its beginning is "
            "damaged.",
            MediaChanging: "",
            NotAllowed: "media_path: /tmp/x.mov lies outside the folders in RUSHES_MEDIA_ROOTS.",
            NoWorker: "",
        },
        example={"cache_dir": ...},
    ),
)
