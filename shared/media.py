"""Identity of media files: type by extension and `hash_str` by content."""

from __future__ import annotations

import os
import stat
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from pathlib import PurePath

from shared.errors import MediaChanging, MediaMissing, MediaUnreadable
from shared.opening import without_waiting

_MIB = 1 << 20
_SMALL = 4 * _MIB
_BLOCK = 64 << 10
_BLOCKS = 16
_REMEMBERED_HASHES = 100_000


class MediaType(StrEnum):
    """What a media file is, by its name."""

    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"


VIDEO_EXTENSIONS = frozenset(
    ".mp4 .mov .m4v .mkv .webm .avi .mxf .ts .m2ts .mts .mpg .mpeg .m2v .vob .wmv .flv .3gp .3g2 "
    ".ogv .dv .f4v .gxf .lrf .lrv .insv .y4m .h264 .264 .hevc .265 .mjpeg .mjpg".split()
)
IMAGE_EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .png .webp .tif .tiff .heic .heif .avif .bmp .gif .jp2 .tga .dpx .exr".split()
)
AUDIO_EXTENSIONS = frozenset(
    ".wav .mp3 .m4a .aac .flac .ogg .oga .opus .aif .aiff .wma .bwf .rf64 .w64 .amr .caf .ac3 "
    ".mka .mp2".split()
)
A_FOLDER = "It is a folder, not a file."
NO_PERMISSION = "The server has no permission to read the file."

UNSUPPORTED_FORMATS = {  # raw formats of cameras that no decoder here reads
    ".braw": "Blackmagic RAW",
    ".r3d": "R3D",
    ".ari": "ARRIRAW",
    ".arx": "ARRIRAW",
    ".nev": "N-RAW",
}


def media_type_of(path: str) -> MediaType | None:
    """MediaType by file name extension, any case; None for what is no media. Touches no disk."""
    extension = PurePath(path).suffix.lower()
    if extension in VIDEO_EXTENSIONS:
        return MediaType.VIDEO
    if extension in IMAGE_EXTENSIONS:
        return MediaType.IMAGE
    if extension in AUDIO_EXTENSIONS:
        return MediaType.AUDIO
    return None


def unsupported_format(path: str) -> str | None:
    """Name of the raw format that no decoder here reads, by extension; None for all else."""
    return UNSUPPORTED_FORMATS.get(PurePath(path).suffix.lower())


def check_regular(found: os.stat_result) -> None:
    """Raise MediaUnreadable unless that is the status of a regular file with content."""
    if stat.S_ISDIR(found.st_mode):
        raise MediaUnreadable(A_FOLDER)
    if not stat.S_ISREG(found.st_mode):
        raise MediaUnreadable("It is not a regular file.")
    if found.st_size == 0:
        raise MediaUnreadable("The file is empty (0 bytes).")


def hash_media(path: str) -> str:
    """`hash_str` of a file: 16 hex digits from at most about 3 MiB of its content.

    Two CRC-32s over disjoint samples with the size mixed in: A over size (8 bytes, little
    endian), first and last MiB; B over 16 blocks of 64 KiB at multiples of the largest power of
    two not above size/18. Files up to 4 MiB: A over size and all bytes, B over all bytes reversed.
    Raises MediaMissing, MediaUnreadable (empty, a folder, no permission) or MediaChanging.
    """
    try:
        with open(path, "rb", buffering=0, opener=without_waiting) as file:
            before = os.fstat(file.fileno())
            check_regular(before)
            digest = _digest(file.fileno(), before.st_size)
            after = os.fstat(file.fileno())
    except FileNotFoundError:
        raise MediaMissing from None
    except IsADirectoryError:
        raise MediaUnreadable(A_FOLDER) from None
    except PermissionError:
        raise MediaUnreadable(NO_PERMISSION) from None
    except (OSError, ValueError) as error:
        raise MediaUnreadable(f"The file cannot be read: {error}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise MediaChanging
    return digest


def is_hashed_whole(size: int) -> bool:
    """Whether `hash_str` covers every byte of a file of that size."""
    return size <= _SMALL


def full_crc(path: str, checkpoint: Callable[[], None] = lambda: None) -> str:
    """CRC-32 of all bytes of a file, as 8 hex digits.

    Finds a change in the parts that `hash_str` does not sample. Reads the whole file, with a
    `checkpoint` every 8 MiB. Raises as `hash_media` does.
    """
    crc = 0
    try:
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(8 * _MIB):
                crc = zlib.crc32(piece, crc)
                checkpoint()
    except FileNotFoundError:
        raise MediaMissing from None
    except OSError as error:
        raise MediaUnreadable(f"The file cannot be read: {error}") from error
    return f"{crc:08x}"


def _digest(fd: int, size: int) -> str:
    first = zlib.crc32(size.to_bytes(8, "little"))
    if size <= _SMALL:
        data = _read(fd, 0, size)
        return f"{zlib.crc32(data, first):08x}{zlib.crc32(data[::-1]):08x}"
    first = zlib.crc32(_read(fd, 0, _MIB), first)
    first = zlib.crc32(_read(fd, size - _MIB, _MIB), first)
    stride = 1 << ((size // (_BLOCKS + 2)).bit_length() - 1)
    second = 0
    for block in range(1, _BLOCKS + 1):
        second = zlib.crc32(_read(fd, block * stride, _BLOCK), second)
    return f"{first:08x}{second:08x}"


def _read(fd: int, offset: int, length: int) -> bytes:
    pieces = []
    while length > 0:
        piece = os.pread(fd, length, offset)
        if not piece:
            raise MediaChanging
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)


class HashCache:
    """Remembers hashes by (path, size, mtime, inode), so that an unchanged file is read once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, int, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def hash_of(self, path: str) -> str:
        """`hash_str` of a file, read only if it changed; raises as `hash_media` does."""
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise MediaMissing from None
        except (OSError, ValueError) as error:
            raise MediaUnreadable(f"The file cannot be read: {error}") from error
        key = (path, found.st_size, found.st_mtime_ns, found.st_ino)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        digest = hash_media(path)
        with self._lock:
            self._known[key] = digest
            if len(self._known) > _REMEMBERED_HASHES:
                self._known.popitem(last=False)
        return digest
