"""Codecs that the sound of a clip is encoded with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from av.audio.stream import AudioStream

from workers.export.formats import FORMS, Form

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1", 8: "7.1"}
_AAC_BITS_A_CHANNEL = 128_000
_STUDIO_RATE = 48_000


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
    deep = _is_deep(stream)
    if form.extension == "wav":
        return SoundCodec("pcm_s24le" if deep else "pcm_s16le", _pcm(deep), rate, layout)
    if form.extension == "flac":
        return SoundCodec("flac", "s32" if deep else "s16", rate, layout)
    if form.family == "mxf":
        return SoundCodec("pcm_s24le" if deep else "pcm_s16le", _pcm(deep), _STUDIO_RATE, layout)
    studio = picture in ("prores_aw", "prores_ks", "dnxhd") or bool(pcm_name(stream))
    if form.extension in ("mov", "mkv") and studio:
        return SoundCodec("pcm_s24le" if deep else "pcm_s16le", _pcm(deep), rate, layout)
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
    asked = FORMS.get((wanted or "").lower().lstrip("."))
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


def _is_deep(stream: AudioStream) -> bool:
    name = stream.codec.canonical_name
    return any(bits in name for bits in ("s24", "s32", "f32", "f64")) or (
        name in ("flac", "alac", "wavpack") and stream.format.bytes > 2
    )


def _pcm(deep: bool) -> str:
    return "s32" if deep else "s16"
