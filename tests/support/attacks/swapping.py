"""A process that leads a link inside and outside in turn, as fast as it can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SWAP = """
import os, sys
link, *targets = sys.argv[1:]
while True:
    for target in targets:
        os.symlink(target, link + ".new")
        os.rename(link + ".new", link)
"""


@contextmanager
def swapping(link: Path, targets: Sequence[Path]) -> Iterator[None]:
    link.symlink_to(targets[0])
    process = subprocess.Popen([sys.executable, "-c", _SWAP, str(link), *map(str, targets)])
    try:
        yield
        assert process.poll() is None, "it swapped to the end"
    finally:
        process.kill()
        process.wait()
