"""Voices that a network can tell apart: flite's of Debian 13, which espeak-ng's are not.

Fetched once into the git-ignored samples folder; whatever cannot be had raises FetchFailed.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.quality.debian_packages import DebianPackage, fetch_deb, members
from tests.support.media import flite
from tests.support.media.photos import SAMPLES
from tests.support.media.sounds import resampled
from tests.support.media.speech import RATE
from tests.support.running.once import kept_value

# A woman and three men; one of these has a Scottish accent ("awb"), one sounds like a machine.
FLITE = ("slt", "rms", "awb", "kal16")
_PACKAGES = (
    DebianPackage(
        "libflite1", "2.2-7",
        "5945190970be7d4a1f71fb6f7e3e340ba2675e770605df0754051d617a6c5ee6", 13,
    ),
    DebianPackage(
        "libasound2t64", "1.2.14-1+deb13u1",  # of which nothing is used, but it is linked
        "5495496142d57e5ad6d581ac5456ec3c87f872c109a2bfb815d154b673eebc67", 1,
    ),
)  # fmt: skip


@functools.cache
def uttered(text: str, voice: str) -> NDArray[np.float32]:
    """`text` by a voice of FLITE: mono at 16 kHz, always the same, and said once a run."""
    return kept_value(f"flite {voice} {text}", lambda: _synthesize(text, voice))


def _synthesize(text: str, voice: str) -> NDArray[np.float32]:
    command = [sys.executable, "-S", flite.__file__, str(_folder()), voice]
    result = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    head, _, sound = result.stdout.partition(b"\n")
    pcm = np.frombuffer(sound, np.int16).astype(np.float32) / 32768
    return resampled(pcm, json.loads(head), RATE)


def _folder() -> Path:
    folder = SAMPLES / "flite"
    if folder.is_dir():
        return folder
    SAMPLES.mkdir(parents=True, exist_ok=True)
    archives = [fetch_deb(package, SAMPLES / "packages") for package in _PACKAGES]
    with tempfile.TemporaryDirectory(dir=SAMPLES, prefix=".flite-") as scratch:
        built = Path(scratch) / "flite"
        built.mkdir()
        for archive in archives:
            for name, content in members(archive):
                library, _, version = Path(name).name.partition(".so.")
                if version:  # by the name that others ask for it with
                    target = built / f"{library}.so.{version.partition('.')[0]}"
                    target.write_bytes(content.read())
        for library in built.glob("libflite*.so.2"):
            library.rename(built / library.name.replace(".so.2", ".so.1"))
        built.rename(folder)
    return folder
