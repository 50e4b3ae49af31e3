"""The real analysis worker in a process that counts: a byte in a file of COUNTS for each thing.

`pictures`: what decoders give. `fsyncs`: files and folders that are written to the disk for sure.
`ranges`: parts of a film that were decoded side by side.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

COUNTS = Path(os.environ["COUNTS"])


def note(what: str, times: int = 1) -> None:
    fd = os.open(COUNTS / what, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, b"x" * times)
    os.close(fd)


class CountingDecoder:
    """A codec context, whose class cannot be changed."""

    def __init__(self, codec: Any) -> None:
        object.__setattr__(self, "_codec", codec)

    def decode(self, packet: Any) -> list[Any]:
        frames: list[Any] = self._codec.decode(packet)
        note("pictures", len(frames))
        return frames

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._codec, name, value)


def counting_syncs(fsync: Callable[[int], None]) -> Callable[[int], None]:
    def counted(fd: int) -> None:
        note("fsyncs")
        fsync(fd)

    return counted


def main() -> int:
    from workers.media.gops import Feeder

    begin = Feeder.__init__

    def counted(feeder: Feeder, codec: Any, *more: Any, **named: Any) -> None:
        begin(feeder, CountingDecoder(codec), *more, **named)

    Feeder.__init__ = counted  # type: ignore[method-assign]
    from workers.media.ranges import RangeReader

    read = RangeReader.read

    def counted_range(reader: RangeReader, *more: Any) -> Iterator[Any]:
        note("ranges")
        return read(reader, *more)

    RangeReader.read = counted_range  # type: ignore[method-assign]
    os.fsync = counting_syncs(os.fsync)  # type: ignore[assignment]
    from workers.__main__ import main as worker

    return worker(["analysis"])


if __name__ == "__main__":
    sys.exit(main())
