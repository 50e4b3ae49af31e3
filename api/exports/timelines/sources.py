"""From what a container says about itself to a source of a timeline."""

from __future__ import annotations

import contextlib
import ntpath
import posixpath
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple
from urllib.parse import quote

from api.exports.cleaning import clean
from api.exports.timelines.bodies import UrlStyle
from api.exports.timelines.model import Code, Media, PictureFormat, Sound, rounded
from shared.domain import Probe
from shared.errors import BadInput
from shared.media import MediaType
from shared.paths import PathMap
from shared.timecode import Timecode, frame_rate, nearest_rate, nominal_rate

_FIELDS = {"top_first": "upper", "bottom_first": "lower", "interlaced": "upper"}
_WINDOWS = re.compile(r"[A-Za-z]:|\\\\|//")
_UNKNOWN_SOUND = 2  # channels
_DAY = 24 * 3600

_PREFIX: dict[UrlStyle, str] = {
    "localhost": "file://localhost/",
    "empty_host": "file:///",
    "double_slash": "file://localhost//",
}
_DRIVE = re.compile(r"([A-Za-z]):[\\/]")


class TimelineSource(NamedTuple):
    """A media file and what is to be said wherever it is used."""

    media: Media
    remarks: tuple[tuple[Code, str], ...]


def source_of(path: str, probe: Probe) -> TimelineSource:
    """`path` is the file's name in the form of the editing system."""
    remarks: list[tuple[Code, str]] = []
    exact = _exact_rate(probe)
    rate = nearest_rate(exact) if exact else None
    if exact and rate != exact:
        message = f"Runs at {float(exact):.6g} frames a second; written as {rate}."
        remarks.append((Code.ODD_RATE, message))
    if probe.is_vfr:
        message = "Its frame rate varies: cuts may be a few frames off in the editing system."
        remarks.append((Code.VFR_SOURCE, message))
    timecode, refused = _timecode(probe, rate)
    if refused:
        remarks.append((Code.BAD_TIMECODE, f"Its timecode {refused!r} counts no such frame."))
    name = re.split(r"[\\/]" if _WINDOWS.match(path) else "/", path)[-1]
    if clean_name(name) != name:
        remarks.append((Code.NAME_CLEANED, "Its file name holds characters that were left out."))
    media = Media(
        path=path,
        name=clean_name(name) or "media",
        kind=probe.media_type,
        rate=rate,
        seconds=_seconds(probe, rate),
        picture=_picture(probe),
        sounds=_sounds(probe),
        timecode=timecode,
        since_midnight=_since_midnight(probe),
        reel=clean_name(probe.reel or "") or None,
    )
    return TimelineSource(media, tuple(remarks))


def clean_name(text: str) -> str:
    """One line that XML can hold."""
    return clean(text).replace("\n", " ").replace("\t", " ").strip()


def _exact_rate(probe: Probe) -> Fraction | None:
    """The rate of moving pictures, a measured one snapped to the standard one near to it."""
    if probe.media_type is not MediaType.VIDEO or not probe.width:
        return None
    text = probe.fps_rational or (str(probe.fps) if probe.fps else None)
    if text is None:
        return None
    try:
        return frame_rate(text)
    except BadInput:  # of a camera for slow motion, perhaps
        rate = Fraction(text)
        return rate if rate > 0 else None


def _seconds(probe: Probe, rate: Fraction | None) -> Fraction | None:
    """The length as whole frames, so that no rounding of the container's clock remains."""
    if probe.media_type is MediaType.IMAGE or probe.duration_seconds is None:
        return None
    said = Fraction(str(probe.duration_seconds))
    if rate is None:
        return said
    frames = rounded(said * rate)
    counted = probe.frame_count
    is_exact = counted and not probe.is_vfr and not probe.frame_count_is_estimated
    if counted and is_exact and abs(counted - said * rate) <= 1:
        frames = counted
    return max(1, frames) / rate


def _picture(probe: Probe) -> PictureFormat | None:
    if probe.media_type is MediaType.AUDIO or not probe.width or not probe.height:
        return None
    width, height, aspect = probe.width, probe.height, _aspect(probe.pixel_aspect)
    if (probe.rotation or 0) % 180:
        width, height, aspect = height, width, 1 / aspect
    return PictureFormat(width, height, aspect, _FIELDS.get(probe.scan or "", "none"))


def _aspect(text: str | None) -> Fraction:
    try:
        aspect = Fraction((text or "1").replace(":", "/"))
    except (ValueError, ZeroDivisionError):
        return Fraction(1)
    return aspect if aspect > 0 else Fraction(1)


def _sounds(probe: Probe) -> tuple[Sound, ...]:
    if probe.audio_streams:
        return tuple(
            Sound(s.channels or _UNKNOWN_SOUND, s.sample_rate or 48_000, s.bits or 16)
            for s in probe.audio_streams
        )
    if probe.has_audio:
        return (Sound(probe.audio_channels or _UNKNOWN_SOUND),)
    return ()


def _since_midnight(probe: Probe) -> Fraction:
    """Start of broadcast wave, to the sample: Resolve finds it offline at any other time."""
    if probe.media_type is not MediaType.AUDIO or not probe.time_reference:
        return Fraction(0)
    sample_rate = probe.audio_streams[0].sample_rate if probe.audio_streams else None
    return Fraction(probe.time_reference, sample_rate) % _DAY if sample_rate else Fraction(0)


def _timecode(probe: Probe, rate: Fraction | None) -> tuple[Timecode | None, str | None]:
    """Timecode of the first picture, or as it is written where it cannot be counted."""
    text = probe.timecode.value if probe.timecode else probe.start_timecode
    if text is None or probe.media_type is MediaType.IMAGE:
        return None, None
    rates = [rate] if rate is not None else []
    if probe.timecode is not None:
        with contextlib.suppress(BadInput):
            own = frame_rate(probe.timecode.rate)
            # One of the pictures' own base counts them one by one: 24 of 23.976 is 23.976.
            if rate is None or nominal_rate(own) != nominal_rate(rate):
                rates.insert(0, own)
    for likeliest in rates:
        with contextlib.suppress(BadInput):
            return Timecode.starting_at(likeliest, text), None
    return None, text if rates else None


def path_map(pairs: Sequence[tuple[str, str]]) -> PathMap:
    """The map of a request's (from, to). Raises BadInput, naming the field."""
    for number, (source, target) in enumerate(pairs):
        for field, path in (("from", source), ("to", target)):
            if "\x00" in path:
                raise BadInput(f"path_map[{number}].{field} holds a NUL byte: {path!r}.")
            if not re.match(r"[A-Za-z]:|\\\\|/", path):
                raise BadInput(
                    f"path_map[{number}].{field} must be an absolute folder such as /Volumes/nas, "
                    f"Z:/ or \\\\nas\\share, not {path!r}."
                )
    return PathMap(tuple((target, source) for source, target in pairs))


def editors_path(path: str, ours: str, paths: PathMap) -> str:
    """A client's path in the form of the editing system; the longest prefix wins.

    `ours`: the server's form. //nas/share/a.mov is a share's, unless the server opens it as that.
    """
    plain = "/" + posixpath.normpath(path).lstrip("/")
    is_share = path.startswith("//") and plain != ours
    if is_share or re.match(r"[A-Za-z]:|\\\\", path):
        plain = ntpath.normpath(path)
    return paths.to_client(plain)


def pathurl(path: str, style: UrlStyle = "localhost") -> str:
    """The URL of a path of any system; every byte that is not plain is percent-encoded."""
    if path.startswith(("\\\\", "//")):
        host, _, rest = path[2:].replace("\\", "/").partition("/")
        if style == "double_slash":
            return f"{_PREFIX['localhost']}/{quote(host)}/{_encoded(rest)}"
        return f"file://{quote(host)}/{_encoded(rest)}"
    drive = _DRIVE.match(path)
    if drive is None:
        return _PREFIX[style] + _encoded(path.lstrip("/"))
    rest = _encoded(path[drive.end() :].replace("\\", "/"))
    # Premiere writes the colon so; elsewhere a URL of a drive has it plain.
    colon = ":" if style == "empty_host" else "%3a"
    return f"{_PREFIX[style]}{drive[1]}{colon}/{rest}"


def _encoded(path: str) -> str:
    return quote(path, safe="/")
