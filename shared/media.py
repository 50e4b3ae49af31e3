"""Identity of media files: type by extension and `hash_str` by content."""

from __future__ import annotations

import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import islice, product
from pathlib import PurePath
from unicodedata import normalize

from shared.errors import MediaChanging, MediaMissing, MediaUnreadable
from shared.opening import OpenedFile, open_file
from shared.paths import Roots
from shared.unusable_files import NotRegularFile

_MIB = 1 << 20
_SMALL = 4 * _MIB
_BLOCK = 64 << 10
_BLOCKS = 16
_REMEMBERED_HASHES = 100_000
_MOST_FORMS = 17


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


def open_media_file(path: str, roots: Roots) -> OpenedFile:
    """Open a media file, for one request or Item; what follows is asked of this very file.

    Raises NotAllowed, MediaMissing or MediaUnreadable.
    """
    try:
        return _open_in_any_form(path, roots)
    except (FileNotFoundError, NotADirectoryError):
        raise MediaMissing from None
    except IsADirectoryError:
        raise MediaUnreadable(A_FOLDER) from None
    except NotRegularFile:
        raise MediaUnreadable("It is not a regular file.") from None
    except PermissionError:
        raise MediaUnreadable(NO_PERMISSION) from None
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error


def _open_in_any_form(path: str, roots: Roots) -> OpenedFile:
    """The file, also where the disk spells its name in the other Unicode form.

    macOS writes "é" as two characters (NFD), Linux and Windows mostly as one (NFC); a name that
    came over another way than its file has the other form.
    """
    try:
        return open_file(path, roots)
    except FileNotFoundError:
        for other in other_forms(path):
            with suppress(FileNotFoundError):
                return open_file(other, roots)
        raise


def other_forms(path: str) -> Iterator[str]:
    """The path with each of its names in either Unicode form; at most 16 of them."""
    if path.isascii():
        return
    names = path.split("/")
    forms = [
        dict.fromkeys((name, normalize("NFC", name), normalize("NFD", name))) for name in names
    ]
    yield from (p for p in islice(map("/".join, product(*forms)), _MOST_FORMS) if p != path)


def check_content(file: OpenedFile) -> None:
    """Raise MediaUnreadable for a file without content."""
    if file.status.st_size == 0:
        raise MediaUnreadable("The file is empty (0 bytes).")


def hash_media(file: OpenedFile) -> str:
    """`hash_str` of a file: 16 hex digits from at most about 3 MiB of its content.

    Two CRC-32s over disjoint samples with the size mixed in: A over size (8 bytes, little
    endian), first and last MiB; B over 16 blocks of 64 KiB at multiples of the largest power of
    two not above size/18. Files up to 4 MiB: A over size and all bytes, B over all bytes reversed.
    Raises MediaUnreadable (also for an empty one) or MediaChanging.
    """
    check_content(file)
    try:
        before = os.fstat(file.fd)
        digest = _digest(file.fd, before.st_size)
        after = os.fstat(file.fd)
    except OSError as error:
        raise _unreadable(error) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise MediaChanging
    return digest


def is_hashed_whole(size: int) -> bool:
    """Whether `hash_str` covers every byte of a file of that size."""
    return size <= _SMALL


def full_crc(file: OpenedFile, checkpoint: Callable[[], None] = lambda: None) -> str:
    """CRC-32 of all bytes of a file, as 8 hex digits.

    Finds a change in the parts that `hash_str` does not sample. Reads the whole file, with a
    `checkpoint` every 8 MiB. Raises MediaUnreadable.
    """
    crc = at = 0
    try:
        while piece := os.pread(file.fd, 8 * _MIB, at):
            crc = zlib.crc32(piece, crc)
            at += len(piece)
            checkpoint()
    except OSError as error:
        raise _unreadable(error) from error
    return f"{crc:08x}"


def _unreadable(error: OSError | ValueError) -> MediaUnreadable:
    reason = getattr(error, "strerror", None) or error
    return MediaUnreadable(f"The file cannot be read: {reason}.")


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
    """Remembers hashes by path, size, mtime and inode: an unchanged file is read once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, int, int, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def hash_of(self, file: OpenedFile) -> str:
        """`hash_str` of a file as it was opened, read only if it changed; raises as `hash_media`.

        The hash belongs to `file.status`: one that changed since is MediaChanging.
        """
        found = file.status
        key = (file.path, found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        digest = hash_media(file)
        now = os.fstat(file.fd)
        if (now.st_size, now.st_mtime_ns) != (found.st_size, found.st_mtime_ns):
            raise MediaChanging
        with self._lock:
            self._known[key] = digest
            if len(self._known) > _REMEMBERED_HASHES:
                self._known.popitem(last=False)
        return digest
