"""Containers that clips are written to: families, names for the muxer, what may stand in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.format import VideoFormat

from shared.exports.clips import ClipCodec

_PRORES_HIGHEST = 5  # proxy, LT, standard, HQ, 4444, 4444 XQ
_DNXHR_PROFILES = ("dnxhr_lb", "dnxhr_sq", "dnxhr_hq", "dnxhr_hqx", "dnxhr_444")
_PRORES_HQ, _DNXHR_HQ, _DNXHR_HQX = 3, 2, 3

Family = Literal["isom", "matroska", "mpegts", "mxf", "sound", "other"]

_FAMILIES: dict[str, Family] = {
    "mov,mp4,m4a,3gp,3g2,mj2": "isom",
    "matroska,webm": "matroska",
    "mpegts": "mpegts",
    "mxf": "mxf",
    "wav": "sound",
    "w64": "sound",
}

_RANK = {"420": 0, "422": 1, "444": 2}
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1", 8: "7.1"}
_AAC_BITS_A_CHANNEL = 128_000
_STUDIO_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file that a clip can be written to."""

    extension: str
    muxer: str
    family: Family

    @property
    def has_edit_list(self) -> bool:
        """Whether pictures before the in-point can be in the file without being shown."""
        return self.family == "isom"


FORMS = {
    form.extension: form
    for form in (
        Form("mp4", "mp4", "isom"),
        Form("m4v", "mp4", "isom"),
        Form("m4a", "mp4", "isom"),
        Form("mov", "mov", "isom"),
        Form("mkv", "matroska", "matroska"),
        Form("mka", "matroska", "matroska"),
        Form("webm", "webm", "matroska"),
        Form("ts", "mpegts", "mpegts"),
        Form("mxf", "mxf", "mxf"),
        Form("wav", "wav", "sound"),
        Form("flac", "flac", "sound"),
        Form("mp3", "mp3", "sound"),
    )
}


def family_of(container: InputContainer) -> Family:
    return _FAMILIES.get(container.format.name, "other")


def own_form(container: InputContainer, path: str, has_video: bool) -> Form | None:
    """The Form of a source, so that a copy of it stays what it is; None: it cannot be written."""
    family = family_of(container)
    named = FORMS.get(PurePath(path).suffix.lower().lstrip("."))
    if named is not None and named.family == family and family != "isom":
        return named
    if family == "isom":
        is_mov = container.metadata.get("major_brand", "qt").strip() == "qt"
        return FORMS["mov" if is_mov else "mp4" if has_video else "m4a"]
    usual = {"matroska": "mkv" if has_video else "mka", "mpegts": "ts", "mxf": "mxf"}
    if container.format.name == "wav":
        return FORMS["wav"]
    return FORMS.get(usual.get(family, ""))


@dataclass(frozen=True, slots=True)
class Depth:
    """Depth of a picture's samples: bits, chroma, alpha."""

    bits: int = 8
    chroma: str = "420"  # "422", "444"
    has_alpha: bool = False


@dataclass(frozen=True, slots=True)
class PictureCodec:
    """An encoder of pictures with all that it is told."""

    encoder: str
    pixels: str
    bits_per_pixel: float  # roughly, of the written file
    options: dict[str, str] = field(default_factory=dict)
    tag: str | None = None
    warnings: tuple[str, ...] = ()


def depth_of(pixels: VideoFormat | None) -> Depth:
    if pixels is None or not pixels.components:
        return Depth()
    first = pixels.components[0]
    subsampling = pixels.chroma_width(16), pixels.chroma_height(16)
    chroma = {(8, 8): "420", (8, 16): "422"}.get(subsampling, "444")
    alpha = any(c.is_alpha for c in pixels.components)
    return Depth(first.bits, "420" if pixels.name.startswith("gray") else chroma, alpha)


def picture_codec(codec: ClipCodec | None, quality: int | None, depth: Depth) -> PictureCodec:
    """The PictureCodec of a codec; None: H.264, or where it would cost depth HEVC or ProRes."""
    deep = "hevc" if depth.chroma == "420" else "prores"
    return _MAKERS[codec or ("h264" if depth.bits <= 8 else deep)](quality, depth)


def _h264(quality: int | None, depth: Depth) -> PictureCodec:
    warnings = _losses(depth, 8, "420", "H.264")
    crf = 18 if quality is None else max(0, min(51, quality))
    options = {"preset": "veryfast", "crf": str(crf), "threads": "1"}
    return PictureCodec("libx264", "yuv420p", 0.3, options, "avc1", warnings)


def _hevc(quality: int | None, depth: Depth) -> PictureCodec:
    deep = depth.bits > 8
    pixels = ("yuv422p10le" if depth.chroma != "420" else "yuv420p10le") if deep else "yuv420p"
    warnings = _losses(depth, 10, "422" if deep else "420", "HEVC")
    crf = 18 if quality is None else max(0, min(51, quality))
    options = {
        "preset": "veryfast",
        "crf": str(crf),
        "threads": "1",
        "x265-params": "log-level=none:pools=none:frame-threads=1:repeat-headers=0",
    }
    return PictureCodec("libx265", pixels, 0.3, options, "hvc1", warnings)


def _prores(quality: int | None, depth: Depth) -> PictureCodec:
    rich = depth.chroma == "444" and depth.bits > 8
    level = (
        max(0, min(_PRORES_HIGHEST, quality)) if quality is not None else 4 if rich else _PRORES_HQ
    )
    if depth.has_alpha:
        options = {"profile": "4444", "alpha_bits": "16", "threads": "1"}
        return PictureCodec("prores_ks", "yuva444p10le", 6.0, options)
    pixels = "yuv444p10le" if level >= 4 else "yuv422p10le"
    options = {"profile": str(level), "threads": "1"}
    return PictureCodec("prores_aw", pixels, (0.9, 2, 3, 4.4, 6.6, 10)[level], options)


def _dnxhr(quality: int | None, depth: Depth) -> PictureCodec:
    usual = _DNXHR_HQX if depth.bits > 8 else _DNXHR_HQ
    level = max(0, min(4, quality)) if quality is not None else usual
    pixels = ("yuv422p", "yuv422p", "yuv422p", "yuv422p10le", "yuv444p10le")[level]
    options = {"profile": _DNXHR_PROFILES[level], "threads": "1"}
    warnings = _losses(depth, 8 if level < _DNXHR_HQX else 10, "422", "This DNxHR profile")
    return PictureCodec("dnxhd", pixels, (0.9, 3, 4.4, 4.4, 8.8)[level], options, None, warnings)


_MAKERS: dict[str, Callable[[int | None, Depth], PictureCodec]] = {
    "h264": _h264,
    "hevc": _hevc,
    "prores": _prores,
    "dnxhr": _dnxhr,
}


def _losses(depth: Depth, bits: int, chroma: str, what: str) -> tuple[str, ...]:
    lost = []
    if depth.bits > bits:
        lost.append(f"{depth.bits} bit became {bits}")
    if _RANK[depth.chroma] > _RANK[chroma]:
        lost.append(f"4:{depth.chroma[1]}:{depth.chroma[2]} became 4:{chroma[1]}:{chroma[2]}")
    if depth.has_alpha:
        lost.append("transparency is lost")
    return (f"{what} keeps less than the source has: {', '.join(lost)}.",) if lost else ()


def encoded_form(own: Form | None, wanted: str | None, codec: PictureCodec) -> Form:
    """The container of an encoded clip: as asked for or as the source's, where the codec fits."""
    asked = FORMS.get(wanted or "", own)
    if codec.encoder.startswith("prores"):
        return asked if asked is not None and asked.extension in ("mov", "mkv") else FORMS["mov"]
    if codec.encoder == "dnxhd":
        return asked if asked is not None and asked.extension in ("mov", "mxf") else FORMS["mov"]
    if asked is None or asked.family in ("mxf", "sound", "other") or asked.extension == "m4a":
        return FORMS["mp4"]
    if asked.extension in ("webm", "mka"):
        return FORMS["mkv"]
    return asked


@dataclass(frozen=True, slots=True)
class SoundCodec:
    """An encoder of sound with all that it is told. `layout` has as many channels as the source."""

    encoder: str
    samples: str  # sample format
    rate: int
    layout: str
    bit_rate: int | None = None
    warning: str = ""


def pcm_name(stream: AudioStream) -> str:
    """The name of a PCM codec whose packets can be cut at every sample, else ""."""
    name = stream.codec.canonical_name
    is_pcm = name.startswith("pcm_") and "planar" not in name and name != "pcm_dvd"
    return name if is_pcm and "bluray" not in name and "lxf" not in name else ""


def sound_codec(stream: AudioStream, form: Form, picture: str) -> SoundCodec:
    """AAC, or PCM where the container and its users expect it. `picture`: the video's encoder."""
    channels, rate = stream.channels, stream.sample_rate
    layout = layout_of(stream)
    name = stream.codec.canonical_name
    is_deep = any(bits in name for bits in ("s24", "s32", "f32", "f64"))
    is_deep |= name in ("flac", "alac", "wavpack") and stream.format.bytes > 2
    kind = ("pcm_s24le", "s32") if is_deep else ("pcm_s16le", "s16")
    pcm = SoundCodec(*kind, rate, layout)
    if form.extension == "wav":
        return pcm
    if form.extension == "flac":
        return replace(pcm, encoder="flac")
    if form.family == "mxf":
        return replace(pcm, rate=_STUDIO_RATE)
    studio = picture in ("prores_aw", "prores_ks", "dnxhd") or bool(pcm_name(stream))
    if form.extension in ("mov", "mkv") and studio:
        return pcm
    warning = ""
    if channels not in _AAC_LAYOUTS:
        if form.family != "mpegts":
            return SoundCodec("pcm_s16le", "s16", rate, layout)
        layout, warning = "stereo", f"{channels} channels were mixed to stereo."
    else:
        layout = _AAC_LAYOUTS[channels]
    if rate not in _AAC_RATES:
        rate = _STUDIO_RATE
    bits = _AAC_BITS_A_CHANNEL * min(channels, 8)
    return SoundCodec("aac", "fltp", rate, layout, bits, warning)


def sound_form(sounds: Sequence[AudioStream], own: Form | None, wanted: str | None) -> Form:
    """The container of a clip of sound alone."""
    asked = FORMS.get(wanted or "")
    if asked is not None and asked.extension in ("wav", "flac", "m4a", "mka", "mov", "mp4"):
        return asked
    if len(sounds) > 1:
        return FORMS["mka"] if own is not None and own.family == "matroska" else FORMS["m4a"]
    lossless = pcm_name(sounds[0]) or sounds[0].codec.canonical_name.startswith("pcm_")
    if lossless or own == FORMS["wav"]:
        return FORMS["wav"]
    return FORMS["flac" if sounds[0].codec.canonical_name in ("flac", "alac") else "m4a"]


def layout_of(stream: AudioStream) -> str:
    """The name of a stream's layout; without one, the usual one of as many channels."""
    name = stream.layout.name
    if name and "channels" not in name:
        return name
    return _LAYOUTS.get(stream.channels, f"{stream.channels} channels")
