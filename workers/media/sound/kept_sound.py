"""Sound that is heard twice and decoded once: what was heard waits in a file without a name."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from shared.private_files import make_private, spare_bytes
from workers.media.sound.sound_reader import SoundBlock

log = logging.getLogger(__name__)

_MOST_BYTES = 2**30  # of one stream more than nine hours
_SCALE = 32767  # 16 bits a sample: as much as most recordings have


class KeptSound:
    """Keeps the blocks that pass, 115 MB an hour and stream, in a private folder of this machine.

    `is_whole` says whether all of them can be heard again: not before the last one has come, and
    never where there is no room for them. The file goes with the process, whatever ends it.
    """

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self.is_whole = False
        self._blocks: list[tuple[int | None, int, int]] = []  # stream, first sample, samples
        self._folder = folder
        self._left = most_bytes
        self._file: IO[bytes] | None = None

    def __enter__(self) -> KeptSound:
        try:
            make_private(self._folder)
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)
        except OSError as error:
            self._give_up(str(error))
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def passing(self, blocks: Iterable[SoundBlock]) -> Iterator[SoundBlock]:
        for block in blocks:
            self._keep(block)
            yield block
        self.is_whole = self._file is not None

    def blocks(self, checkpoint: Callable[[], None]) -> Iterator[SoundBlock]:
        """All that passed once more, rounded to 16 bits; only where `is_whole`. Raises OSError."""
        assert self._file is not None
        self._file.seek(0)
        for stream, start, count in self._blocks:
            checkpoint()
            samples = self._file.read(2 * count)
            if len(samples) < 2 * count:
                raise OSError("The file is shorter than what was written into it.")
            pcm = np.frombuffer(samples, np.int16).astype(np.float32)
            yield SoundBlock(stream, start, pcm / np.float32(_SCALE))

    def _keep(self, block: SoundBlock) -> None:
        if self._file is None:
            return
        samples = np.rint(block.pcm * _SCALE).astype(np.int16).tobytes()
        self._left -= len(samples)
        try:
            if self._left < 0:
                self._give_up("It is too long.")
            elif spare_bytes(self._folder) < 0 or self._file.write(samples) < len(samples):
                self._give_up("The disk is nearly full.")
        except OSError as error:
            self._give_up(str(error))
        self._blocks.append((block.stream, block.start, len(block.pcm)))

    def _give_up(self, why: str) -> None:
        log.info("Sound is decoded twice, as it cannot be kept in %s: %s", self._folder, why)
        self._drop()

    def _drop(self) -> None:
        self.is_whole = False
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
