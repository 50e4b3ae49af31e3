"""Media with facts that editors care about: tracks, tags, timecodes, colours, broadcast wave."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.media.media import H264, HEVC, Encoding, make_clip

REC709 = replace(
    H264,
    options={"x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709:fullrange=off"},
)
HDR10 = replace(
    HEVC,
    pixels="yuv420p10le",
    options={
        "x265-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited"
        ":hdr10=1:max-cll=1000,400:repeat-headers=1"
        ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    },
)
HLG = replace(
    HEVC,
    pixels="yuv420p10le",
    options={"x265-params": "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"},
)


def uneven(picture: int) -> float:
    """Presentation times of 25 pictures a second, with a pause after every tenth."""
    return picture * 0.04 + picture // 10 * 0.08


def remuxed(
    source: Path,
    target: Path,
    *,
    options: dict[str, str] | None = None,
    video_tags: dict[str, str] | None = None,
    copies: int = 1,
    **tags: str,
) -> Path:
    """The first video track as it is, `copies` times, with tags of the file and of the track."""
    with av.open(str(source)) as took, av.open(str(target), "w", options=options or {}) as out:
        video = took.streams.video[0]
        out.metadata.update(tags)
        streams = [out.add_stream_from_template(video) for _ in range(copies)]
        streams[0].metadata.update(video_tags or {})
        for packet in took.demux(video):
            if not packet.size:
                continue
            for stream in streams:
                again = av.Packet(bytes(packet))
                again.pts, again.dts = packet.pts, packet.dts
                again.time_base, again.duration = packet.time_base, packet.duration
                again.is_keyframe = packet.is_keyframe
                again.stream = stream
                out.mux(again)
    return target


def clip_with_sounds(
    target: Path, sounds: Sequence[tuple[str, str]], *, codec: str = "pcm_s24le", seconds: int = 1
) -> Path:
    """A clip with a silent track for each (layout, language)."""
    picture = make_clip(target.with_name(f"picture of {target.stem}.mov"), seconds, size=(160, 96))
    with av.open(str(picture)) as took, av.open(str(target), "w") as out:
        video = took.streams.video[0]
        copy = out.add_stream_from_template(video)
        tracks = [out.add_stream(codec, rate=48_000, layout=layout) for layout, _ in sounds]
        for track, (_, language) in zip(tracks, sounds, strict=True):
            track.metadata["language"] = language
            track.metadata["title"] = f"Track {language}"
        for packet in took.demux(video):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
        for track in tracks:
            _write_silence(out, track, seconds)
    picture.unlink()
    return target


def with_timecode_rate(clip: Path, rate: Fraction) -> Path:
    """Rewrites what the timecode track of a MOV counts, as cameras write 30 DF beside 59.94p."""
    data = clip.read_bytes()
    found = re.search(rb"stsd.{12}tmcd", data, re.DOTALL)
    assert found, "it has no timecode track"
    at = found.end() - 4
    entry = struct.pack(">IIB", rate.numerator, rate.denominator, min(255, round(rate)))
    clip.write_bytes(data[: at + 20] + entry + data[at + 29 :])
    return clip


def broadcast_wave(
    path: Path, time_reference: int, *, ixml: str | None = None, seconds: int = 1
) -> Path:
    """48 kHz, 16 bits, mono, with a bext chunk, and iXML on demand."""
    bext = bytearray(602)
    bext[320:330], bext[330:338] = b"2026-11-25", b"10:11:12"
    bext[338:346] = time_reference.to_bytes(8, "little")
    chunks = [
        (b"bext", bytes(bext)),
        (b"fmt ", struct.pack("<HHIIHH", 1, 1, 48_000, 96_000, 2, 16)),
        (b"data", bytes(96_000 * seconds)),
    ]
    if ixml is not None:
        chunks.append((b"iXML", ixml.encode()))
    body = b"WAVE"
    for name, content in chunks:
        body += name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    return path


def ixml(rate: str, flag: str) -> str:
    return (
        "<BWFXML><SPEED>"
        f"<TIMECODE_RATE>{rate}</TIMECODE_RATE><TIMECODE_FLAG>{flag}</TIMECODE_FLAG>"
        "</SPEED></BWFXML>"
    )


def encoding(base: Encoding = H264, **changes: object) -> Encoding:
    return replace(base, **changes)


def _write_silence(out: av.container.OutputContainer, track: av.AudioStream, seconds: int) -> None:
    channels = track.layout.nb_channels
    for at in range(0, 48_000 * seconds, 4_800):
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 4_800 * channels), np.int16), format="s16", layout=track.layout.name
        )
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        out.mux(track.encode(frame))
    out.mux(track.encode())
