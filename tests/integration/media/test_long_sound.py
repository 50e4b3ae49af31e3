"""A recording of hours is read in little memory, and its last words at their time."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.running.long_form import by_form

RATE = 12_000  # makes packets of nearly 0.1 s
HOURS = by_form(short=1, long=12)
MARKS = (1.5, HOURS * 1800 + 0.25, HOURS * 3600 - 3.75)
MOST_GROWTH_MB = by_form(short=5, long=30)

READ = """
import sys
from tests.support.media.by_path import open_sound
import numpy as np
samples, marks, beats = 0, [], 0
def peak():  # MB; not ru_maxrss, which begins with what the parent process had
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
def beat():
    global beats
    beats += 1
with open_sound(sys.argv[1]) as reader:
    for block in reader.blocks("mix", beat):
        if samples == 0:
            before = peak()
        assert block.start == samples
        samples += len(block.pcm)
        loud = np.flatnonzero(block.pcm > 0.3)
        if len(loud):
            marks.append((block.start + int(loud[0])) / 16000)
print(samples / 16000, peak(), peak() - before, beats, *marks)
"""


@pytest.mark.timeout(300)
def test_hours_are_read_in_constant_memory(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", READ, str(silence_with_marks(tmp_path / "long.wav"))],
        capture_output=True, text=True, check=True, timeout=280,
    )  # fmt: skip
    seconds, megabytes, growth, beats, *marks = map(float, result.stdout.split())
    assert seconds == HOURS * 3600
    assert marks == pytest.approx(MARKS, abs=0.01)
    assert megabytes < 250
    assert growth < MOST_GROWTH_MB
    assert beats > 2 * HOURS


def silence_with_marks(path: Path) -> Path:
    """A mono WAV of 16 bits at 12 kHz; the silence in it takes no room on the disk."""
    size = HOURS * 3600 * RATE * 2
    head = b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE * 2, 2, 16)
    head += b"data" + struct.pack("<I", size)
    mark = np.full(RATE // 100, 20_000, "<i2").tobytes()
    with path.open("wb") as file:
        file.write(head)
        for seconds in MARKS:
            file.seek(len(head) + round(seconds * RATE) * 2, os.SEEK_SET)
            file.write(mark)
        file.truncate(len(head) + size)
    return path
