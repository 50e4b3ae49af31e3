"""Frame packs: the grid's JPEGs in one file, appended while decoding, offsets at the end.

Layout, little endian: the JPEGs; one record a frame (second u32, length u32, offset u64), seconds
ascending; a footer (offset of the records u64, their number u32, CRC-32 of them u32, magic).
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, limits
from shared.errors import CacheError, os_errors_as
from shared.opening import RootedPath

THUMBNAIL_SIDE = 320  # pixels, long side of the JPEGs

_RECORD = np.dtype([("second", "<u4"), ("length", "<u4"), ("offset", "<u8")])
_FOOTER = struct.Struct("<QII8s")
_MAGIC = b"RUSHPAK1"
# Records of packs that were read before, by path, inode, length and time of the last change.
PackIndexes = dict[tuple[str, int, int, int], NDArray[np.void]]
_SMALL_INDEX = 64 << 10  # bytes that are worth keeping: of an hour


class PackWriter:
    """Appends frames to a pack: a file that the caller opened, empty, and will close."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._records: list[tuple[int, int, int]] = []
        self._offset = 0

    def add(self, second: int, jpeg: bytes) -> None:
        """Append the frame of a grid second; seconds ascend."""
        if self._records and second <= self._records[-1][0]:
            raise ValueError(f"second {second} after {self._records[-1][0]}")
        self._file.write(jpeg)
        self._records.append((second, len(jpeg), self._offset))
        self._offset += len(jpeg)

    def finish(self) -> int:
        """Write the offsets; returns how many frames the pack holds."""
        records = np.array(self._records, dtype=_RECORD).tobytes()
        self._file.write(records)
        self._file.write(
            _FOOTER.pack(self._offset, len(self._records), zlib.crc32(records), _MAGIC)
        )
        return len(self._records)


class PackReader:
    """Reads single frames of a pack by second. Never maps the file: it may lie on a share.

    Raises CacheError for a pack that is missing, cut or damaged. `known`: spares reading the
    records of a pack that did not change; the caller bounds it.
    """

    def __init__(self, path: RootedPath, known: PackIndexes | None = None) -> None:
        self._path = path
        with os_errors_as(CacheError, f"The frame pack {path.name} cannot be opened"):
            self._file = cache_files.opened(path)
        status = self._file.status
        key = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
        try:
            records = None if known is None else known.get(key)
            self._records = self._read_records() if records is None else records
        except BaseException:  # whatever it is: nobody else can close it
            self._file.close()
            raise
        if known is not None and self._records.nbytes <= _SMALL_INDEX:
            known[key] = self._records

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    @property
    def seconds(self) -> NDArray[np.uint32]:
        """The grid seconds that have a frame, ascending."""
        seconds: NDArray[np.uint32] = self._records["second"]
        return seconds

    def read(self, second: int) -> bytes | None:
        """The JPEG of exactly this grid second, None where the grid has no picture."""
        row = bisect_left(self.seconds, second)  # looks at a dozen; numpy would copy all of them
        if row == len(self._records) or int(self.seconds[row]) != second:
            return None
        record = self._records[row]
        if record["length"] > limits.JPEG:
            raise self._damaged(f"its frame of second {second} is too large")
        return self._pread(int(record["offset"]), int(record["length"]))

    def nearest(self, second: float) -> int | None:
        """The nearest second with a frame (the earlier of two), None in an empty pack."""
        if not len(self._records):
            return None
        after = bisect_left(self.seconds, second)
        if after == 0:
            return int(self.seconds[0])
        if after == len(self._records):
            return int(self.seconds[-1])
        earlier, later = int(self.seconds[after - 1]), int(self.seconds[after])
        return earlier if second - earlier <= later - second else later

    def _read_records(self) -> NDArray[np.void]:
        size = self._file.status.st_size
        if size < _FOOTER.size:
            raise self._damaged("it is too short")
        offset, count, crc, magic = _FOOTER.unpack(self._pread(size - _FOOTER.size, _FOOTER.size))
        length = count * _RECORD.itemsize
        if magic != _MAGIC or offset + length + _FOOTER.size != size:
            raise self._damaged("its end is missing")
        if count > limits.PACK_FRAMES:
            raise self._damaged(f"it says that it has {count:,} frames")
        raw = self._pread(offset, length)
        if zlib.crc32(raw) != crc:
            raise self._damaged("its offsets are wrong")
        return np.frombuffer(raw, _RECORD)

    def _pread(self, offset: int, length: int) -> bytes:
        pieces = []
        while length > 0:
            try:
                piece = os.pread(self._file.fd, length, offset)
            except OSError as error:
                raise self._damaged(str(error)) from error
            if not piece:
                raise self._damaged("it is cut off")
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def _damaged(self, why: str) -> CacheError:
        return CacheError(
            f"The frame pack {self._path.name} is damaged: {why}. Analyze with force."
        )
