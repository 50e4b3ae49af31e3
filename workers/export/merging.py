"""Outcome of writing a clip, and how the clip's parts are put together."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av.error
from av.packet import Packet

from shared.exports.clips import ClipCode
from workers.export.formats import Form
from workers.export.output import ClipFailed, ClipFile
from workers.export.reading import Damage
from workers.export.source import ClipSource

Timed: TypeAlias = "tuple[Fraction, Packet[Any]]"  # seconds of decoding since the clip's start


_SILENCE_S = Fraction(1, 10)


_OF_STREAMS = ("language", "handler_name", "title", "reel_name", "vendor_id")
_CONTAINERS_OWN = frozenset(
    (
        "major_brand", "minor_version", "compatible_brands", "encoder", "timecode", "duration",
        "operational_pattern_ul", "uid", "generation_uid", "company_name", "product_name",
        "product_version_num", "product_version", "application_platform", "product_uid",
        "toolkit_version_num", "toolkit_version", "material_package_umid", "file_package_umid",
        "modification_date",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WrittenClip:
    """What a clip holds, in seconds of presented time of the source."""

    start: Fraction
    end: Fraction
    frames: int | None
    warnings: tuple[str, ...]


def encoded(stream: Any, frame: Any) -> Iterator[Timed]:
    """Packets that the encoder of a stream has for a frame; for None: the last ones.

    Raises ClipFailed.
    """
    try:
        packets = stream.encode(frame)
    except av.error.FFmpegError as error:
        reason = error.strerror or str(error)
        raise ClipFailed(ClipCode.INTERNAL, f"The encoder failed: {reason}.") from error
    for packet in packets:
        base = packet.time_base or stream.codec_context.time_base
        yield (packet.dts if packet.dts is not None else packet.pts or 0) * base, packet


def write_merged(
    out: ClipFile,
    parts: list[Iterator[Timed]],
    length: Fraction,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
) -> None:
    """Write packets of all parts in the order of decoding times. Raises ClipFailed for none."""
    seconds = None
    for seconds, packet in heapq.merge(*parts, key=lambda timed: timed[0]):
        checkpoint()
        out.mux(packet)
        if length:
            report(min(1.0, max(0.0, float(seconds / length))))
    if seconds is None:  # less than a sample was asked for, or than a packet that is copied whole
        raise ClipFailed(ClipCode.BAD_RANGE, "The range is too short: no sound lies in it.")


def with_ending(packets: Iterator[Timed], end: Callable[[], Fraction]) -> Iterator[Timed]:
    """Packets of which the last one lasts until the clip's end, in seconds of the clip.

    MP4 counts a stream's length in decoding times, which with uneven pictures end too early.
    """
    first: tuple[Fraction, Fraction] | None = None
    held: Timed | None = None
    for timed in packets:
        if held is not None:
            yield held
        held = timed
        if first is None and timed[1].pts is not None:
            first = timed[0], timed[1].pts * timed[1].time_base
    if held is None:
        return
    seconds, packet = held
    if first is not None:
        rest = round((end() - first[1] - (seconds - first[0])) / packet.time_base)
        if rest > 0:
            packet.duration = rest
    yield held


def told(damage: Damage) -> tuple[str, ...]:
    """Warnings about the damage that was met while reading."""
    warnings = []
    if damage.broke_off:
        warnings.append(f"The source is damaged and ends early: {damage.broke_off}.")
    if damage.hole:
        warnings.append(
            f"No picture begins for {float(damage.hole):.2f} s; the source may be damaged."
        )
    if damage.silence > _SILENCE_S:
        warnings.append(f"{float(damage.silence):.2f} s of sound are missing in the source.")
    if damage.patched:
        warnings.append(f"The source is damaged: {damage.patched} pictures are incomplete.")
    if damage.refused:
        warnings.append(
            f"The source is damaged: {damage.refused} packets in this range could not be decoded."
        )
    elif damage.corrupt:
        warnings.append(f"The source is damaged: {damage.corrupt} packets are incomplete.")
    return tuple(warnings)


def container_tags(source: ClipSource) -> dict[str, str]:
    """What the container says of its content; not what it says of itself."""
    return {k: v for k, v in source.container.metadata.items() if k.lower() not in _CONTAINERS_OWN}


def tag_stream(taken: Any, written: Any) -> None:
    """Copy language, names and role of a stream."""
    for key in _OF_STREAMS:
        if value := taken.metadata.get(key):
            written.metadata[key] = value
    written.disposition = taken.disposition


def tag_start(written: Any, source: ClipSource, label: str | None, form: Form) -> None:
    """Timecode of the clip's first picture, and the reel it comes from."""
    if label is not None and form.family != "mpegts":
        written.metadata["timecode"] = label
    reel = reel_of(source)
    if reel:
        written.metadata["reel_name"] = reel


def reel_of(source: ClipSource) -> str:
    """The name of the tape or card, from the timecode track or the container."""
    places = [*(s.metadata for s in source.container.streams), source.container.metadata]
    return next((str(p["reel_name"]) for p in places if p.get("reel_name")), "")
