"""Media with captions in them, whose bytes are written here by the book (CEA-608, ATSC A/53)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

RCL, RU2, RDC, EDM, CR, ENM, EOC = 0x20, 0x25, 0x29, 0x2C, 0x2D, 0x2E, 0x2F
CODES = {  # what takes the place of a plainer character before it
    "ü": ("u", 0x12, 0x25), "ö": ("o", 0x13, 0x33), "ß": ("s", 0x13, 0x34), "Ä": ("A", 0x13, 0x30),
}  # fmt: skip
NOTE = (0x11, 0x37)
_HEADER = b"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Default,Arial,16,&Hffffff
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
BasicPair = tuple[int, int]
FieldPairs = Sequence[tuple[int, int, int]]  # (field, first, second)


def odd(byte: int) -> int:
    """With the parity bit."""
    return byte | (0x80 if byte.bit_count() % 2 == 0 else 0)


def command(code: int, channel: int = 1) -> list[BasicPair]:
    """A control code, sent twice as it has to be."""
    return [(0x14 | (channel - 1) << 3, code)] * 2


def row(channel: int = 1, *, is_last: bool = True) -> list[BasicPair]:
    """Where text is written: the last row or the one above, from its beginning on."""
    return [(0x14 | (channel - 1) << 3, 0x70 if is_last else 0x50)] * 2


def written(text: str, channel: int = 1) -> list[BasicPair]:
    """Characters, two at a time; codes twice."""
    pairs: list[BasicPair] = []
    plain = ""
    for character in [*text, ""]:
        base, *code = CODES.get(character, (character,)) if character != "♪" else ("", *NOTE)
        plain += base
        if code or not character:
            pairs += [
                (ord(plain[at]), ord(plain[at + 1 : at + 2] or "\0"))
                for at in range(0, len(plain), 2)
            ]
            plain = ""
        if code:
            pairs += [(code[0] | (channel - 1) << 3, code[1])] * 2
    return pairs


def pop_on(text: str, channel: int = 1) -> list[BasicPair]:
    """A caption that is shown with the last pair but one."""
    return [
        *command(RCL, channel),
        *command(ENM, channel),
        *row(channel),
        *written(text, channel),
        *command(EOC, channel),
    ]


def scc(events: Sequence[tuple[str, Sequence[BasicPair]]]) -> str:
    """A Scenarist file of pairs from so many time codes on."""
    lines = [
        f"{at}\t{' '.join(f'{odd(first):02x}{odd(second):02x}' for first, second in pairs)}\n"
        for at, pairs in events
    ]
    return "\n".join(["Scenarist_SCC V1.0\n", *lines])


def caption_film(path: Path, *programmes: str) -> Path:
    """A MOV of caption tracks alone, one for each text of an SCC file."""
    with av.open(str(path), "w") as out:
        inputs = []
        for number, programme in enumerate(programmes):
            source = path.with_suffix(f".{number}.scc")
            source.write_text(programme)
            container = av.open(str(source))
            inputs.append((container, out.add_stream_from_template(container.streams[0])))
        for container, stream in inputs:
            for packet in container.demux():
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
            container.close()
    return path


def atsc(field_pairs: FieldPairs) -> bytes:
    """User data of one picture; parity bits are yet to be set."""
    triplets = b"".join(bytes((0xFC | f, odd(a), odd(b))) for f, a, b in field_pairs)
    return b"GA94\x03" + bytes((0x40 | len(field_pairs), 0xFF)) + triplets + b"\xff"


def with_captions(
    source: Path, target: Path, at: Callable[[int], FieldPairs], fps: int = 25
) -> Path:
    """A copy of a film whose pictures carry these pairs, by number in the order of showing."""
    with av.open(str(source)) as film, av.open(str(target), "w") as out:
        stream = film.streams.video[0]
        copied = out.add_stream_from_template(stream)
        base = stream.time_base or 1
        for packet in film.demux(stream):
            if packet.pts is None:
                continue
            number = round((packet.pts - (stream.start_time or 0)) * base * fps)
            data = _inserted(stream.codec.canonical_name, bytes(packet), atsc(at(number)))
            new = Packet(data)
            new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
            new.time_base, new.stream = packet.time_base, copied
            new.is_keyframe = packet.is_keyframe
            out.mux(new)
    return target


def by_picture(*fields: Sequence[tuple[int, Sequence[BasicPair]]]) -> Callable[[int], FieldPairs]:
    """For each field, pairs that go out one a picture from a picture on; else padding."""
    sent: dict[tuple[int, int], BasicPair] = {}
    for field, events in enumerate(fields):
        for start, pairs in events:
            for n, pair in enumerate(pairs):
                sent[field, start + n] = pair
    return lambda picture: [
        (field, *sent.get((field, picture), (0, 0))) for field in range(len(fields))
    ]


def subtitled(
    path: Path, texts: Sequence[tuple[float, str, float]], codec: str = "subrip", **named: str
) -> Path:
    """Text alone in a container, a track for forced subtitles where `named` says "forced"."""
    forced = named.pop("forced", "")
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec)
        stream.codec_context.subtitle_header = _HEADER
        stream.metadata.update(named)
        if forced:
            stream.disposition = Disposition.forced
        for packet in _text_packets(texts, codec):
            packet.stream = stream
            out.mux(packet)
    return path


def _text_packets(
    texts: Sequence[tuple[float, str, float]], codec: str
) -> Iterator[Packet[av.stream.Stream]]:
    for start, text, end in texts:
        data = text.encode()
        if codec == "mov_text":
            data = len(data).to_bytes(2, "big") + data
        packet = Packet(data)
        packet.time_base = Fraction(1, av.time_base)
        packet.pts = packet.dts = round(start * 1e6)
        packet.duration = round((end - start) * 1e6)
        yield packet


def _inserted(codec: str, packet: bytes, user_data: bytes) -> bytes:
    if codec == "mpeg2video":
        at = packet.index(b"\0\0\1\1")  # the first slice
        return packet[:at] + b"\0\0\1\xb2" + user_data + packet[at:]
    payload = b"\xb5\x00\x31" + user_data
    head = b"\x06" if codec == "h264" else b"\x4e\x01"
    unit = head + _escaped(bytes((4, len(payload))) + payload + b"\x80")
    begins = packet[:4] == b"\0\0\0\1"
    return (b"\0\0\0\1" if begins else len(unit).to_bytes(4, "big")) + unit + packet


def _escaped(data: bytes) -> bytes:
    out = bytearray()
    for byte in data:
        if byte < 4 and out[-2:] == b"\0\0":
            out.append(3)
        out.append(byte)
    return bytes(out)


def with_sound(text: Path, target: Path, pcm: NDArray[np.float32], rate: int = 16_000) -> Path:
    """A copy of a file of text alone, with a track of mono sound."""
    with av.open(str(text)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(source.streams[0])
        sound = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                out.mux(packet)
        samples = np.round(np.clip(pcm, -1, 1) * 32767).astype(np.int16)
        for at in range(0, len(samples), rate):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + rate], "s16", "mono")
            frame.sample_rate, frame.pts = rate, at
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return target
