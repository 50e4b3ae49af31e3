"""Facts that MediaInfo knows and the decoder does not; without the library, nothing is added.

The only place that imports it. Native code: runs in child processes. It is given an opened file,
never a path; still it would follow playlists and locators to other files and addresses, so that
nothing can be opened in the process while it reads.
"""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import msgspec

from shared.domain import Probe
from shared.media import MediaType
from shared.media_facts import AudioStream, StartTimecode
from shared.opening import OpenedFile
from shared.timecode import label_of_tag
from workers.media.probing.probe import iso

try:
    from pymediainfo import MediaInfo
except ImportError:
    MediaInfo = None

log = logging.getLogger(__name__)

_LOSSLESS = frozenset(("flac", "alac", "tta", "wavpack", "truehd", "mlp"))
_ORDERS = {"TFF": "top_first", "BFF": "bottom_first"}


def completed(found: Probe, file: OpenedFile) -> Probe:
    """A Probe with what was not known filled in by MediaInfo; what is known stays."""
    if MediaInfo is None or not _lacks_something(found):
        return found
    tracks = _tracks(file)
    picture = next((t for t in tracks if t.track_type == "Video"), None)
    general = next((t for t in tracks if t.track_type == "General"), None)
    facts: dict[str, Any] = {
        "timecode": _timecode(found, tracks),
        "audio_streams": _with_bits(found.audio_streams, tracks),
        "created_at": found.created_at or _created_at(general),
        "camera": found.camera or _camera(general),
    }
    if picture is not None and found.video_streams:
        facts["scan"] = found.scan or _scan(picture)
        if found.is_vfr is None:
            facts["is_vfr"] = {"CFR": False, "VFR": True}.get(picture.frame_rate_mode)
    if found.start_timecode is None and facts["timecode"]:
        facts["start_timecode"] = facts["timecode"].value
    return msgspec.structs.replace(found, **facts)


def _lacks_something(found: Probe) -> bool:
    if found.media_type is MediaType.IMAGE:
        return False
    timecode = found.timecode
    is_unsure = timecode is None or (
        timecode.rate_source == "derived" and timecode.source != "picture"
    )
    lacks_picture = found.scan is None or found.is_vfr is None or is_unsure
    return (bool(found.video_streams) and lacks_picture) or any(
        map(_lacks_bits, found.audio_streams)
    )


def _tracks(file: OpenedFile) -> Sequence[Any]:
    try:
        MediaInfo.can_parse()  # loads the library
        with file.reader() as content, _opening_nothing(file.fd):
            return tuple(MediaInfo.parse(content, parse_speed=0).tracks)
    except (OSError, RuntimeError, ValueError, SyntaxError) as error:
        log.warning("MediaInfo could not read a file: %s", error)
        return ()


@contextmanager
def _opening_nothing(fd: int) -> Iterator[None]:
    """No thread of the process gets a new descriptor in the block; open ones go on.

    The limit is the lowest free number, not 0: below the number of those that it waits for, a
    thread could not even wait.
    """
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(fd)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


def _timecode(found: Probe, tracks: Sequence[Any]) -> StartTimecode | None:
    """The known timecode with the rate that a track states; one of a track if none is known."""
    known = found.timecode
    if known is not None and known.rate_source != "derived":
        return known
    for track in tracks:
        value = label_of_tag(track.time_code_of_first_frame or "")
        rate = _rate(track)
        wanted = found.start_timecode
        if track.track_type == "Other" and value and rate and wanted in (None, value):
            return StartTimecode(
                value=value,
                rate=f"{rate.numerator}/{rate.denominator}",
                drop_frame=";" in value,
                source=known.source if known else "mediainfo",
                rate_source="mediainfo",
            )
    return known


def _rate(track: Any) -> Fraction | None:
    num, den = str(track.framerate_num or ""), str(track.framerate_den or "")
    if num.isdecimal() and den.isdecimal() and int(num) and int(den):
        return Fraction(int(num), int(den))
    return None


def _scan(picture: Any) -> str | None:
    kind = (picture.scan_type or "").casefold()
    if kind == "progressive":
        return "progressive"
    return (
        _ORDERS.get(picture.scan_order, "interlaced") if kind in ("interlaced", "mbaff") else None
    )


def _lacks_bits(stream: AudioStream) -> bool:
    return stream.bits is None and stream.codec in _LOSSLESS


def _with_bits(streams: tuple[AudioStream, ...], tracks: Sequence[Any]) -> tuple[AudioStream, ...]:
    """Sound streams with the bits of MediaInfo's tracks, by order, if there are as many."""
    sounds = [track for track in tracks if track.track_type == "Audio"]
    if len(sounds) != len(streams):
        return streams
    return tuple(
        msgspec.structs.replace(stream, bits=_number(sound.bit_depth))
        if _lacks_bits(stream)
        else stream
        for stream, sound in zip(streams, sounds, strict=True)
    )


def _created_at(general: Any) -> str | None:
    if general is None:
        return None
    return iso(str(general.recorded_date or "")) or iso(str(general.encoded_date or ""))


def _camera(general: Any) -> str | None:
    if general is None:
        return None
    names = (general.encoded_hardware_companyname, general.encoded_hardware_name)
    return " ".join(str(name) for name in names if name) or None


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdecimal() and int(value) else None
