"""Still pictures by Pillow (HEIC by pi-heif) as upright RGB, from a file or from bytes."""

from __future__ import annotations

import io
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import PurePath
from typing import Any, BinaryIO

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from shared.cache.frame_packs import THUMBNAIL_SIDE
from shared.errors import MediaUnreadable, MediaUnsupported
from shared.opening import OpenedFile
from workers.children import Children, limit_cpu
from workers.media.budget import STILL_BASE_S, check_file, still_limit_s
from workers.media.pictures import encode_rgb, fit

MAX_PIXELS = 256_000_000  # larger ones would need gigabytes of memory for one picture
MAX_SIDE = 100_000  # pixels; of a picture of one line no reduced size can be made
SHARED_SIDE = 640  # pixels: one load of a big JPEG serves thumbnail and embedding
RAW_EXTENSIONS = frozenset(
    ".3fr .ari .arw .bay .braw .cap .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mef "
    ".mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .r3d .sr2 .srf .srw .x3f".split()
)
# Not all that Pillow knows: for EPS it starts Ghostscript, a program that opens files.
_FORMATS = "JPEG PNG WEBP TIFF HEIF AVIF BMP DIB GIF JPEG2000 TGA PPM".split()
# Bytes that the JPEG decoder gets at once: one native call cannot be interrupted, and a scan over
# all pixels of a progressive JPEG may take 35 of them.
_BLOCK = 8192
# Stills that are coded as video: one native call decodes all the frames that such a file holds.
_VIDEO_CODED = frozenset(("HEIF", "AVIF"))
_APART_SIDE = 1280  # pixels: one decoding serves thumbnail, embedding and faces
_MOST_APART = 8  # processes; each takes about 60 MB from the first such still on
_LONGEST_APART_S = 60.0  # also on a busy machine; less than the stall timer of workers
_ORIENTATION = 0x0112  # EXIF tag
_Size = tuple[int, int]  # width, height
_QUARTER_TURNED = frozenset((5, 6, 7, 8))


class StillPicture:
    """A still that is decoded on the first use, at reduced size where the format allows it.

    Its file must be open for that long.
    """

    def __init__(self, source: OpenedFile | bytes) -> None:
        self._source = source
        self._loaded: Image.Image | None = None
        self._is_reduced = False
        with _readable(), self._open() as image:
            self.stored_width, self.stored_height = image.size
            self.format = (image.format or "").lower()
            # Pillow turns TIFF by itself; pi-heif leaves no orientation behind.
            is_upright = self.format == "tiff"
            self._orientation = 1 if is_upright else image.getexif().get(_ORIENTATION, 1)
        turned = self._orientation in _QUARTER_TURNED
        self.width = self.stored_height if turned else self.stored_width
        self.height = self.stored_width if turned else self.stored_height

    @property
    def rotation(self) -> int:
        """Clockwise degrees to apply for an upright picture."""
        return {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(self._orientation, 0)

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """[height, width, 3], upright."""
        turned = self._orientation in _QUARTER_TURNED
        stored = (height, width) if turned else (width, height)
        with _readable():
            image = self._load(*stored)
            return np.array(_turn(_resized(image, stored), self._orientation))

    def thumbnail_jpeg(self, long_side: int = THUMBNAIL_SIDE) -> bytes:
        return encode_rgb(self.rgb(*fit(self.width, self.height, long_side)))

    @contextmanager
    def _open(self) -> Iterator[Image.Image]:
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        pi_heif.register_heif_opener()
        source = self._source
        reader = nullcontext(io.BytesIO(source)) if isinstance(source, bytes) else source.reader()
        with reader as opened, Image.open(file := _LimitedFile(opened), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if max(image.size) > MAX_SIDE:
                raise MediaUnreadable(
                    f"The picture has {image.width:,} by {image.height:,} pixels; the limit is "
                    f"{MAX_SIDE:,} for each side."
                )
            size = len(source) if isinstance(source, bytes) else source.status.st_size
            file.limit_s = still_limit_s(image.width * image.height, size)
            if image.format in ("JPEG", "MPO"):
                image.decodermaxblock = _BLOCK
            yield image

    def _load(self, width: int, height: int) -> Image.Image:
        """The decoded picture, stored orientation, at least of this size where there is so much."""
        loaded = self._loaded
        if loaded and not (self._is_reduced and (width > loaded.width or height > loaded.height)):
            return loaded
        with self._open() as image:
            if image.format in _VIDEO_CODED and _apart is not None:
                self._loaded = _apart.decode(self._source, image.size, (width, height))
                self._is_reduced = self._loaded.size != image.size
                return self._loaded
            scale = max(SHARED_SIDE / min(image.size), width / image.width, height / image.height)
            if scale < 1:  # only JPEG heeds this: it decodes at 1/2, 1/4 or 1/8, never below
                image.draft(None, (round(image.width * scale), round(image.height * scale)))
            image.load()
            self._is_reduced = image.size != (self.stored_width, self.stored_height)
            self._loaded = _to_rgb(image)
        return self._loaded


class _LimitedFile:
    """A file that ends with MediaUnreadable once its thread has computed for too long."""

    def __init__(self, file: BinaryIO) -> None:
        self.limit_s = STILL_BASE_S  # CPU seconds
        self._file = file
        self._since = time.thread_time()

    def read(self, count: int = -1) -> bytes:
        if time.thread_time() - self._since > self.limit_s:
            raise MediaUnreadable(
                f"Decoding it takes more than {self.limit_s:.0f} s of processor time. "
                "No real still of its size does."
            )
        return self._file.read(count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Apart:
    """Disposable processes that decode stills for this one: a native call there can be ended."""

    def __init__(self, count: int) -> None:
        self._children = Children(count, pi_heif.register_heif_opener)
        self._turns = threading.Semaphore(count)

    def decode(self, source: OpenedFile | bytes, size: _Size, least: _Size) -> Image.Image:
        """Return a still in stored orientation, of `least` or more. Raises MediaUnreadable."""
        data = source if isinstance(source, bytes) else source.read(source.status.st_size)
        cpu_s = 2 * still_limit_s(size[0] * size[1], len(data))
        with self._turns:
            run = self._children.run
            return Image.fromarray(run(_LONGEST_APART_S, _decode, data, least, cpu_s))


_apart: _Apart | None = None


def decode_apart(count: int) -> None:
    """Have HEIC and AVIF decoded in disposable processes from now on, `count` or a few less."""
    global _apart
    _apart = _Apart(min(count, _MOST_APART))


def _decode(data: bytes, least: _Size, cpu_s: float) -> NDArray[np.uint8]:
    """In a child: decode a still, and shrink it as far as its users allow: it is sent over."""
    limit_cpu(min(cpu_s, _LONGEST_APART_S))
    still = StillPicture(data)
    image = still._load(still.stored_width, still.stored_height)
    scale = max(_APART_SIDE / max(image.size), least[0] / image.width, least[1] / image.height)
    return np.asarray(image.reduce(int(1 / scale)) if scale <= 0.5 else image)


def open_still(file: OpenedFile) -> StillPicture:
    """A still from a file; raises MediaUnreadable with a reason."""
    if PurePath(file.path).suffix.lower() in RAW_EXTENSIONS:
        raise MediaUnsupported(
            "Camera raw files are not supported: they need a developer for each camera. "
            "Export the picture as JPEG or TIFF."
        )
    check_file(file)
    return StillPicture(file)


def still_from_bytes(data: bytes) -> StillPicture:
    """A still that came over the wire; raises MediaUnreadable when it is no picture."""
    if not data:
        raise MediaUnreadable("The picture is empty (0 bytes).")
    return StillPicture(data)


@contextmanager
def _readable() -> Iterator[None]:
    """The one place where errors of the picture library become ours."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise MediaUnreadable(
            f"The picture has more than {MAX_PIXELS // 1_000_000} megapixels, which is the limit."
        ) from None
    except UnidentifiedImageError:
        raise MediaUnreadable("It is no picture in a format that can be read here.") from None
    except MemoryError:
        raise MediaUnreadable("Decoding the picture needs more memory than there is.") from None
    except (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError) as error:
        raise MediaUnreadable(f"The picture is damaged or incomplete: {error}") from error
    except struct.error as error:
        raise MediaUnreadable(f"The picture is damaged: {error}") from error


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Averages over areas where it shrinks; by a whole factor that takes a fifth of the time."""
    if size[0] > image.width or size[1] > image.height:
        return image.resize(size, Image.Resampling.BICUBIC)
    factor = image.width // size[0]
    if factor > 1 and image.size == (size[0] * factor, size[1] * factor):
        return image.reduce(factor)
    return image.resize(size, Image.Resampling.BOX)


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of any mode: deep pictures are scaled, transparent ones get a background."""
    if image.mode.startswith(("I", "F")):
        return _deep_to_rgb(image)
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _flatten(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _deep_to_rgb(image: Image.Image) -> Image.Image:
    """16-bit grey by its full range; float by 0 to 1; other ranges by their maximum."""
    values = np.asarray(image, dtype=np.float32)
    peak = float(values.max(initial=0.0)) if np.isfinite(values).all() else 0.0
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < peak <= 65535):
        top = 65535.0
    elif image.mode == "I" and peak <= 255:
        top = 255.0
    else:
        top = max(peak, 1.0)
    grey = np.clip(np.nan_to_num(values) * (255.0 / top), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _flatten(image: Image.Image) -> Image.Image:
    """Over white, but over black when what is visible is itself nearly white."""
    small = np.asarray(image.resize(fit(*image.size, 64), Image.Resampling.BOX), dtype=np.float32)
    alpha = small[..., 3]
    weight = float(alpha.sum())
    light = float((small[..., :3].mean(axis=2) * alpha).sum()) / weight if weight else 0.0
    ground = Image.new("RGBA", image.size, "black" if light > 200 else "white")
    return Image.alpha_composite(ground, image).convert("RGB")
