"""What a file is to a browser: a MIME type with codecs, as `canPlayType` takes it.

Only types of media are named, whatever the file says: what is served as one of these is never a
page of ours.
"""

from __future__ import annotations

from shared.domain import Probe
from shared.media import MediaType
from shared.media_facts import VideoStream

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


def browser_type(probe: Probe) -> str:
    """The type of a file, with the codecs of what is shown and heard first."""
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
