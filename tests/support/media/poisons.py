"""Small files that claim, or cost, far more than they are."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.support.media.header_poisons import (
    HIDDEN_EDITS,
    boxes_in,
    edits_again_and_again,
    header_in_a_header,
    packed_header,
    replaced,
    samples_without_a_table,
    streams_at_once,
)
from tests.support.media.media import make_clip

GB = 1 << 30


def wav(
    path: Path,
    *,
    rate: int = 8000,
    bits: int = 8,
    channels: int = 1,
    tag: int = 1,
    data: int = 400_000,
    stated: int | None = None,
) -> Path:
    """A WAV of noise; `stated`: the bytes of sound that its header claims."""
    frame = max(1, channels * bits // 8)
    size = data if stated is None else stated
    head = struct.pack("<4sI8sI", b"RIFF", min(size + 36, 2**32 - 1), b"WAVEfmt ", 16)
    head += struct.pack("<HHIIHH", tag, channels, rate, rate * frame & 0xFFFFFFFF, frame, bits)
    head += b"data" + struct.pack("<I", min(size, 2**32 - 1))
    noise = np.random.default_rng(1).integers(96, 160, data, np.uint8).tobytes()
    path.write_bytes(head + noise)
    return path


def with_a_hole(path: Path, size: int) -> Path:
    """Grow a file to a size that takes no room on the disk."""
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def sparse_wav(path: Path) -> Path:
    return with_a_hole(wav(path, rate=8000, data=8000, stated=2**32 - 1), 1000 * GB)


def sparse_clip(path: Path) -> Path:
    return with_a_hole(make_clip(path, 2, size=(160, 96)), 64 * GB)


def holes_only(path: Path) -> Path:
    path.touch()
    return with_a_hole(path, 64 * GB)


def edited(path: Path, box: bytes, change: Callable[[bytearray, int], None]) -> Path:
    """A clip of which `change` is given all bytes and the places behind the name of a box."""
    data = bytearray(make_clip(path, 2, size=(160, 96)).read_bytes())
    at = data.find(box)
    assert at > 0, box
    while at > 0:
        change(data, at + 4)
        at = data.find(box, at + 4)
    path.write_bytes(data)
    return path


def _put(offset: int, *values: int) -> Callable[[bytearray, int], None]:
    def change(data: bytearray, at: int) -> None:
        struct.pack_into(f">{len(values)}I", data, at + offset, *values)

    return change


def edit_list_of_centuries(path: Path) -> Path:
    return edited(path, b"elst", _put(8, 0xFFFFFFF0))


def empty_edit_of_centuries(path: Path) -> Path:
    return edited(path, b"elst", _put(8, 0xFFFFFFF0, 0xFFFFFFFF))


def huge_sample_count(path: Path) -> Path:
    return edited(path, b"stsz", _put(4, 1, 0xFFFFFFFF))


def huge_time_table(path: Path) -> Path:
    return edited(path, b"stts", _put(4, 0xFFFFFFF0))


def pictures_a_year_apart(path: Path) -> Path:
    return edited(path, b"stts", _put(12, 0x7FFFFFFF))


def duration_of_centuries(path: Path) -> Path:
    return edited(path, b"mdhd", _put(16, 0xFFFFFFF0))


def time_scale_of_one(path: Path) -> Path:
    return edited(path, b"mdhd", _put(12, 1))


def huge_dimensions(path: Path) -> Path:
    return edited(path, b"avc1", _put(24, 0xFFFFFFFF))


def times_that_jump(path: Path) -> Path:
    """A second of film, and another one thirty years later."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", 25)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        video.options = {"g": "1", "bf": "0"}
        sound = out.add_stream("aac", 48_000)
        for number in range(50):
            late = 30 * 365 * 86_400 if number >= 25 else 0
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), number * 4, np.uint8), "rgb24")
            frame.pts, frame.time_base = number + late * 25, Fraction(1, 25)
            heard = av.AudioFrame.from_ndarray(
                np.zeros((1, 1920), np.float32), format="fltp", layout="mono"
            )
            heard.sample_rate, heard.pts = 48_000, number * 1920 + late * 48_000
            heard.time_base = Fraction(1, 48_000)
            for packet in (*video.encode(frame), *sound.encode(heard)):
                out.mux(packet)
        for packet in (*video.encode(), *sound.encode()):
            out.mux(packet)
    return path


def still_screen(path: Path, minutes: int) -> Path:
    """A recording of a screen with a picture a minute."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", 1)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(minutes):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
            frame.pts, frame.time_base = number * 60, Fraction(1)
            out.mux(video.encode(frame))
        out.mux(video.encode())
    return path


def sound_with_a_gap(path: Path, hours: float) -> Path:
    """Two packets of sound, hours apart, in Matroska."""
    with av.open(str(path), "w", format="matroska") as out:
        sound = out.add_stream("pcm_s16le", 8000, layout="mono")
        for number in range(2):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, 800), 3000, np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = 8000, round(number * hours * 3600 * 8000)
            for packet in sound.encode(frame):
                out.mux(packet)
    return path


def two_sounds(path: Path, odd_rate: int) -> Path:
    """A second of sound in two tracks, the first of which has an odd rate."""
    with av.open(str(path), "w", format="matroska") as out:
        rates = (odd_rate, 8000)
        tracks = [out.add_stream("pcm_s16le", rate, layout="mono") for rate in rates]
        for track, rate in zip(tracks, rates, strict=True):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, rate), 3000, np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = rate, 0
            for packet in track.encode(frame):
                out.mux(packet)
    return path


def many_streams(path: Path) -> Path:
    """A MOV whose header is made of the same track a hundred thousand times."""
    data = make_clip(path, 1, size=(160, 96)).read_bytes()
    boxes = {name: data[start:end] for name, start, end in boxes_in(data)}
    moov = boxes[b"moov"]
    inside = moov[8:]
    tracks = [inside[s:e] for name, s, e in boxes_in(inside) if name == b"trak"]
    others = b"".join(inside[s:e] for name, s, e in boxes_in(inside) if name != b"trak")
    body = others + tracks[0] * 20_000
    moov = struct.pack(">I4s", len(body) + 8, b"moov") + body
    path.write_bytes(boxes[b"ftyp"] + moov + boxes[b"mdat"])
    return path


def avi_index_bomb(path: Path) -> Path:
    """An AVI whose index names one chunk a million times."""
    data = bytearray(make_clip(path, 2, size=(160, 96)).read_bytes())
    at = data.find(b"idx1")
    assert at > 0
    entry = bytes(data[at + 8 : at + 24])
    data = data[: at + 4] + struct.pack("<I", 16 * 1_000_000) + entry * 1_000_000
    struct.pack_into("<I", data, 4, len(data) - 8)
    path.write_bytes(data)
    return path


def animated(path: Path, count: int = 20_000) -> Path:
    """A still format with as many pictures as a film."""
    first = Image.new("L", (16, 16), 0)
    others = (Image.new("L", (16, 16), n % 256) for n in range(1, count))
    first.save(path, save_all=True, append_images=others)
    return path


def png_of(path: Path, width: int, height: int) -> Path:
    """A PNG that says this size; there is a little of it."""
    row = b"\0" + bytes((width + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(min(height, 16))) + packer.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )
    return path


def matroska_of_years(path: Path) -> Path:
    """A Matroska file that says it lasts ten thousand years."""
    data = bytearray(make_clip(path, 2, size=(160, 96)).read_bytes())
    at = data.find(b"\x44\x89\x88")  # Duration, 8 bytes
    assert at > 0
    struct.pack_into(">d", data, at + 3, 3.15e14)
    path.write_bytes(data)
    return path


def jpeg_of_many_scans(path: Path, scans: int = 12_000) -> Path:
    """A progressive JPEG whose last scan comes again and again."""
    written = io.BytesIO()
    Image.new("RGB", (1000, 1000)).save(written, "JPEG", progressive=True)
    data = written.getvalue()
    last = data.rindex(b"\xff\xda")
    path.write_bytes(data[:-2] + data[last:-2] * scans + b"\xff\xd9")
    return path


def motion_jpeg_of_many_scans(path: Path) -> Path:
    """A JPEG of many scans as the only frame of a video."""
    return _muxed(path, jpeg_of_many_scans(path).read_bytes())


def one_frame_again(path: Path, count: int = 3000) -> Path:
    """A MOV of motion JPEG whose index names its one frame again and again."""
    noise = np.random.default_rng(1).integers(0, 255, (1000, 1000, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(noise).save(written, "JPEG", quality=60)
    data = _muxed(path, written.getvalue()).read_bytes()
    tables = {
        b"stsz": struct.pack(">III", 0, len(written.getvalue()), count),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, 1, 1),
        b"stco": struct.pack(">II", 0, count) + struct.pack(">I", data.index(b"\xff\xd8")) * count,
        b"stts": struct.pack(">IIII", 0, 1, count, 1 << 14),
        b"elst": bytes(8),
    }
    path.write_bytes(replaced(data, lambda name, old: tables.get(name, old)))
    return path


def _muxed(path: Path, frame: bytes) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", 1)
        stream.width = stream.height = 1000
        stream.pix_fmt = "yuvj420p"
        packet = av.Packet(frame)
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1)
        packet.is_keyframe = True
        out.mux(packet)
    return path


def jpeg_of_many_segments(path: Path) -> Path:
    """A JPEG with 50 MB of EXIF, which Pillow joins segment by segment."""
    written = io.BytesIO()
    Image.new("RGB", (64, 64)).save(written, "JPEG")
    data = written.getvalue()
    segment = b"\xff\xe1\xff\xff" + b"Exif\0\0".ljust(65_533, b"\0")
    path.write_bytes(data[:2] + segment * 800 + data[2:])
    return path


def avif_of_many_frames(path: Path, count: int = 4000) -> Path:
    """An AVIF still in which its one frame comes again and again, for one call of the decoder."""
    written = io.BytesIO()
    Image.new("RGB", (2000, 2000), (90, 90, 90)).save(written, "AVIF", quality=30, speed=10)
    data = bytearray(written.getvalue())
    at = data.index(b"mdat")
    content = bytes(data[at + 4 :])
    frame = content.index(b"\x32")  # OBU_FRAME with a size; the sequence header is before it
    many = content + content[frame:] * count
    length = data.index(struct.pack(">I", len(content)), data.index(b"iloc"))
    data[length : length + 4] = struct.pack(">I", len(many))
    data[at - 4 : at] = struct.pack(">I", len(many) + 8)
    path.write_bytes(bytes(data[: at + 4]) + many)
    return path


def sound_with_gaps(path: Path, gaps: int, seconds: float, streams: int = 1) -> Path:
    """Bits of noise with a time without any after each, in each stream at another time."""
    with av.open(str(path), "w", format="matroska") as out:
        sounds = [out.add_stream("pcm_s16le", 8000, layout="mono") for _ in range(streams)]
        noise = np.random.default_rng(1).integers(-9000, 9000, (1, 400), np.int16)
        for number in range(gaps * streams):
            frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, round(number * seconds * 8000)
            out.mux(sounds[number % streams].encode(frame))
    return path


POISONS: dict[str, Callable[[Path], Path]] = {
    "1hz.wav": lambda p: wav(p, rate=1),
    "2hz.wav": lambda p: wav(p, rate=2, data=4_000_000),
    "500hz.wav": lambda p: wav(p, rate=500, data=4_000_000),
    "4ghz.wav": lambda p: wav(p, rate=4_000_000_000),
    "channels.wav": lambda p: wav(p, channels=65_535, data=4_000_000),
    "tag.wav": lambda p: wav(p, tag=0x9999),
    "bits.wav": lambda p: wav(p, bits=0),
    "sparse.wav": sparse_wav,
    "sparse.mkv": sparse_clip,
    "sparse.ts": sparse_clip,
    "sparse.mp4": sparse_clip,
    "sparse.avi": sparse_clip,
    "sparse.mxf": holes_only,
    "holes.ts": holes_only,
    "holes.mkv": holes_only,
    "holes.mp3": holes_only,
    "edits.mp4": edit_list_of_centuries,
    "empty_edit.mp4": empty_edit_of_centuries,
    "samples.mp4": huge_sample_count,
    "times.mp4": huge_time_table,
    "years.mp4": pictures_a_year_apart,
    "duration.mp4": duration_of_centuries,
    "scale.mp4": time_scale_of_one,
    "dimensions.mp4": huge_dimensions,
    "jump.mkv": times_that_jump,
    "jump.mp4": times_that_jump,
    "gap.mka": lambda p: sound_with_a_gap(p, 11.5),
    "long_gap.mka": lambda p: sound_with_a_gap(p, 24 * 365),
    "streams.mov": many_streams,
    "index.avi": avi_index_bomb,
    "years.mkv": matroska_of_years,
    "film.gif": lambda p: animated(p, 2000),
    "film.webp": lambda p: animated(p, 2000),
    "film.png": animated,
    "wide.png": lambda p: png_of(p, 65_535, 65_535),
    "thin.png": lambda p: png_of(p, 200_000_000, 1),
    "gaps.mka": lambda p: sound_with_gaps(p, 2000, 190),
    "gaps_in_turn.mka": lambda p: sound_with_gaps(p, 150, 190, streams=8),
    "repeats.mp4": edits_again_and_again,
    **{f"{name}.mp4": make for name, make in HIDDEN_EDITS.items()},
    "scans.mov": motion_jpeg_of_many_scans,
    "again.mov": one_frame_again,
    "fragment.mp4": samples_without_a_table,
    "packed.mov": lambda p: packed_header(p, bytes(1 << 20), 1 << 30),
    "packed_twice.mov": header_in_a_header,
    "programs.ts": streams_at_once,
}
