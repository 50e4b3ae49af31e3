"""Media with known content, made by PyAV and Pillow alone: no ffmpeg program is needed.

Clips made here carry the number of each picture as a bar code, so that a test can prove which
picture it was given.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from tests.support.running.once import copied

RGB = NDArray[np.uint8]
BITS = 16  # of the bar code: clips of up to 65,536 pictures
TIME_BASE = Fraction(1, 90_000)
_ORIENTATION = 0x0112
_BEEP = 2_400  # samples


@dataclass(frozen=True)
class Encoding:
    """How a clip is written. The defaults are H.264 with B pictures and a closed GOP of 2 s."""

    codec: str = "libx264"
    fps: Fraction | int = 25
    pixels: str = "yuv420p"
    gop: int = 50
    b_frames: int = 3
    options: dict[str, str] = field(default_factory=dict)
    container: str | None = None  # None: by the name's extension
    container_options: dict[str, str] = field(default_factory=dict)
    rotation: int = 0  # stored on its side: degrees counter-clockwise make it upright
    aspect: Fraction | None = None  # of one pixel
    timecode: str | None = None
    start_s: float = 0  # presentation time of the first picture
    tone_hz: float = 0  # 0: no sound
    channels: int = 1
    beeps: bool = False  # the tone sounds for the first 50 ms of each second only
    sound_codec: str | None = None  # None: the container's usual one
    languages: tuple[str, ...] = ("",)  # a stream of sound each
    cover: bool = False  # an attached cover picture before everything else


H264 = Encoding()
H264_OPEN = Encoding(options={"x264-params": "open-gop=1:scenecut=0"})
HEVC = Encoding("libx265")  # x265 writes open GOPs by default
MPEG2 = Encoding("mpeg2video", gop=12, b_frames=2)
MPEG2_INTERLACED = Encoding("mpeg2video", gop=12, b_frames=2, options={"flags": "+ildct+ilme"})
H264_INTERLACED = Encoding(options={"flags": "+ildct+ilme", "x264-params": "tff=1"})
MPEG4 = Encoding("mpeg4", b_frames=2)
MJPEG = Encoding("mjpeg", pixels="yuvj420p", gop=1, b_frames=0)
PRORES = Encoding("prores_ks", pixels="yuv422p10le", gop=1, b_frames=0)


def also(encoding: Encoding, **changes: object) -> Encoding:
    """The same but for these fields."""
    return dataclasses.replace(encoding, **changes)


# What decodes alike in all of them, with its awkward forms: (name, encoding).
FILES = (
    ("h264.mp4", H264),
    ("long gop.mp4", also(H264, gop=250)),
    ("open gop.mkv", also(H264_OPEN, gop=33)),
    ("open gop.ts", also(H264_OPEN, gop=33, start_s=5)),
    ("hevc.mov", HEVC),
    ("mpeg2.mpg", MPEG2),
    ("mpeg2.mxf", MPEG2_INTERLACED),
    ("prores.mov", PRORES),
    ("mpeg4.avi", MPEG4),
    ("raw.h264", also(H264, container="h264")),
)


def make_clip(
    path: Path,
    seconds: float = 4,
    *,
    size: tuple[int, int] = (320, 180),
    shots: Sequence[tuple[tuple[int, int, int], float]] | None = None,
    encoding: Encoding = H264,
    times: Callable[[int], float] | None = None,
) -> Path:
    """A clip of plain colours with bar codes; `shots` are (colour, seconds) with a cut between.

    Without `shots` one colour, taken from the file's name, so that clips differ. `times` gives
    picture n its own presentation time (VFR). The same clip is encoded once a run.
    """
    if shots is None:
        mixed = zlib.crc32(os.fsencode(path.name))
        shots = [((mixed & 0xFF, mixed >> 8 & 0xFF, mixed >> 16 & 0xFF), seconds)]
    colours = list(_shot_colours(shots, encoding.fps))

    def make(target: Path) -> Path:
        pictures = (with_bar_code(colour, size, n) for n, colour in enumerate(colours))
        return write_video(target, pictures, encoding=encoding, times=times)

    own_times = [times(number) for number in range(len(colours))] if times else None
    return copied(path, f"clip {size} {shots} {encoding} {own_times}", make)


def picture_video(
    path: Path,
    shots: Sequence[tuple[Path | RGB, float]],
    *,
    size: tuple[int, int] = (640, 360),
    encoding: Encoding = H264,
) -> Path:
    """Real pictures as shots of the given seconds, filled and cropped to `size`; encoded once."""
    filled = [(fill(source, size), seconds) for source, seconds in shots]

    def make(target: Path) -> Path:
        pictures = (
            picture for picture, seconds in filled for _ in range(round(seconds * encoding.fps))
        )
        return write_video(target, pictures, encoding=encoding)

    shown = [(hashlib.sha256(picture).hexdigest(), seconds) for picture, seconds in filled]
    return copied(path, f"pictures {size} {shown} {encoding}", make)


def write_video(
    path: Path,
    pictures: Iterable[RGB | Image.Image | av.VideoFrame],
    *,
    fps: Fraction | int | None = None,
    encoding: Encoding = H264,
    times: Callable[[int], float] | None = None,
) -> Path:
    """Encode RGB arrays [h, w, 3], images or frames, all of one size; number n at n / fps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(fps or encoding.fps)
    scaler = VideoReformatter()
    with av.open(
        str(path), "w", format=encoding.container, options=encoding.container_options
    ) as out:
        stream = None
        seconds = 0.0
        for number, picture in enumerate(pictures):
            frame = _frame(picture, encoding, scaler)
            if stream is None:
                cover = _add_cover(out) if encoding.cover else None
                stream = _video_stream(out, frame, rate, encoding, times is not None)
                sounds = _sound_streams(out, encoding) if encoding.tone_hz else []
                if cover is not None:
                    out.mux(cover)
            seconds = times(number) if times else float(number / rate)
            tick = Fraction(number) / rate if times is None else Fraction(seconds)
            base = TIME_BASE if times else 1 / rate
            frame.time_base = base
            frame.pts = int((tick + Fraction(encoding.start_s)) / base + Fraction(1, 2))
            out.mux(stream.encode(frame))
        if stream is None:
            raise ValueError("a clip needs at least one picture")
        out.mux(stream.encode())
        for sound in sounds:
            _write_tone(out, sound, encoding, seconds + float(1 / rate))
    return path


def write_sound(
    path: Path,
    seconds: float = 2,
    *,
    tone_hz: float = 440,
    channels: int = 1,
    codec: str | None = None,
    cover: bool = False,
) -> Path:
    """A sound file with one tone, with a cover picture on demand."""
    encoding = Encoding(tone_hz=tone_hz, channels=channels)
    container = "mp4" if cover and path.suffix == ".m4a" else None
    with av.open(str(path), "w", format=container) as out:
        picture = _add_cover(out) if cover else None
        sound = _sound_stream(out, encoding, codec)
        if picture is not None:
            out.mux(picture)
        _write_tone(out, sound, encoding, seconds)
    return path


def cut_with_edit_list(source: Path, target: Path, seconds: float) -> Path:
    """A stream copy from `seconds` on: pictures before it stay in the file but are not shown."""
    with av.open(str(source)) as took, av.open(str(target), "w") as out:
        video = took.streams.video[0]
        copy = out.add_stream_from_template(video)
        shift = round(seconds / video.time_base)
        for packet in took.demux(video):
            if packet.size:
                packet.pts -= shift
                packet.dts -= shift
                packet.stream = copy
                out.mux(packet)
    return target


def make_still(
    path: Path,
    picture: Path | RGB | Image.Image | None = None,
    *,
    colour: tuple[int, int, int] = (200, 30, 30),
    size: tuple[int, int] = (320, 240),
    orientation: int = 1,
    mode: str = "RGB",
    **save: object,
) -> Path:
    """A still in the format of its extension: a real picture, or one colour."""
    if isinstance(picture, Path):
        image = Image.open(picture)
    elif isinstance(picture, Image.Image):
        image = picture
    elif picture is not None:
        image = Image.fromarray(picture)
    else:
        image = Image.new("RGB", size, colour)
    if image.mode != mode:
        image = image.convert(mode)
    path.parent.mkdir(parents=True, exist_ok=True)
    if orientation != 1:
        exif = Image.Exif()
        exif[_ORIENTATION] = orientation
        save["exif"] = exif
    image.save(path, **save)
    return path


def with_bar_code(colour: tuple[int, int, int], size: tuple[int, int], number: int) -> RGB:
    """One colour, and the number in white and black stripes over the upper half."""
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    bits = np.array([255 if number >> bit & 1 else 0 for bit in range(BITS)], np.uint8)
    stripes = np.repeat(bits, np.diff(np.arange(BITS + 1) * width // BITS))
    picture[: height // 2] = np.repeat(stripes, 3).reshape(width, 3)  # rows are fast to copy
    picture[height // 2 :] = np.tile(np.array(colour, np.uint8), (width, 1))
    return picture


def read_bar_code(picture: RGB) -> int:
    """The number that `with_bar_code` wrote, from an upright picture of any size."""
    height, width = picture.shape[:2]
    row = picture[height // 4].mean(axis=1)
    return sum(int(row[int((bit + 0.5) * width / BITS)] > 127) << bit for bit in range(BITS))


def number_of(frame: av.VideoFrame) -> int:
    """The number that `with_bar_code` wrote, from a decoded picture: by its brightness alone."""
    plane, depth = frame.planes[0], frame.format.components[0].bits
    luma = np.frombuffer(plane, np.uint8 if depth == 8 else np.uint16)
    row = luma.reshape(plane.height, -1)[frame.height // 4, : frame.width]
    middles = row[((np.arange(BITS) + 0.5) * frame.width / BITS).astype(int)]
    return sum(int(level >> depth - 1) << bit for bit, level in enumerate(middles))


def fill(source: Path | RGB, size: tuple[int, int]) -> RGB:
    """A picture scaled and cropped about its centre to `size`."""
    image = Image.open(source) if isinstance(source, Path) else Image.fromarray(source)
    image = image.convert("RGB")
    width, height = size
    scale = max(width / image.width, height / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))


def truncate(path: Path, share: float) -> Path:
    """Cut the file to this share of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def damage(path: Path, start: float, end: float) -> Path:
    """Overwrite the bytes between two shares of the file with noise."""
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * start), int(len(data) * end)
    data[first:last] = np.random.default_rng(7).integers(0, 256, last - first, np.uint8).tobytes()
    path.write_bytes(bytes(data))
    return path


def _shot_colours(
    shots: Sequence[tuple[tuple[int, int, int], float]], fps: Fraction | int
) -> Iterator[tuple[int, int, int]]:
    for colour, seconds in shots:
        for _ in range(round(seconds * fps)):
            yield colour


def _frame(
    picture: RGB | Image.Image | av.VideoFrame, encoding: Encoding, scaler: VideoReformatter
) -> av.VideoFrame:
    frame = picture
    if not isinstance(frame, av.VideoFrame):
        stored = np.rot90(np.asarray(picture, np.uint8), -encoding.rotation // 90)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored))
    return scaler.reformat(frame, format=encoding.pixels, threads=1)


def _video_stream(
    out: av.container.OutputContainer,
    frame: av.VideoFrame,
    rate: Fraction,
    encoding: Encoding,
    times_are_free: bool,
) -> av.VideoStream:
    fast = {
        "libx264": {"preset": "superfast"},
        "libx265": {"preset": "ultrafast"},
    }.get(encoding.codec, {})
    options = {
        "g": str(encoding.gop),
        "threads": "1",
        **({"bf": str(encoding.b_frames)} if encoding.b_frames else {}),
        **fast,
        **encoding.options,
    }
    if encoding.codec == "libx265":
        given = options.get("x265-params")
        own = f"log-level=none:pools=1:frame-threads=1:bframes={encoding.b_frames}"
        own += f":keyint={encoding.gop}:min-keyint={encoding.gop}:scenecut=0"
        options["x265-params"] = f"{own}:{given}" if given else own
    stream = out.add_stream(encoding.codec, rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, encoding.pixels
    if times_are_free:
        stream.codec_context.time_base = TIME_BASE
    if encoding.aspect:
        stream.codec_context.sample_aspect_ratio = encoding.aspect
    if encoding.rotation:
        stream.set_display_rotation(encoding.rotation)
    if encoding.timecode:
        stream.metadata["timecode"] = encoding.timecode
    return stream


def _sound_streams(out: av.container.OutputContainer, encoding: Encoding) -> list[av.AudioStream]:
    streams = []
    for language in encoding.languages:
        stream = _sound_stream(out, encoding, encoding.sound_codec)
        if language:
            stream.metadata["language"] = language
        streams.append(stream)
    return streams


def _sound_stream(
    out: av.container.OutputContainer, encoding: Encoding, codec: str | None = None
) -> av.AudioStream:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[encoding.channels]
    return out.add_stream(codec or out.default_audio_codec, rate=48_000, layout=layout)


def _write_tone(
    out: av.container.OutputContainer, sound: av.AudioStream, encoding: Encoding, seconds: float
) -> None:
    wave = np.sin(2 * np.pi * encoding.tone_hz * np.arange(int(48_000 * seconds)) / 48_000) * 0.4
    if encoding.beeps:
        wave *= np.arange(len(wave)) % 48_000 < _BEEP
    samples = np.repeat((wave * 32767).astype(np.int16)[:, None], encoding.channels, axis=1)
    for at in range(0, len(samples), 1024):
        part = np.ascontiguousarray(samples[at : at + 1024]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout=sound.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        out.mux(sound.encode(frame))
    out.mux(sound.encode())


def _add_cover(out: av.container.OutputContainer) -> av.Packet:
    """An attached picture: the first stream of the file, its one packet to be written first."""
    stream = out.add_stream("mjpeg", rate=1)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8))
    frame.pts, frame.time_base = 0, Fraction(1, 1)
    (packet,) = [*stream.encode(frame), *stream.encode()]
    return packet
