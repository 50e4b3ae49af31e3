"""A recording of many hours that is made, and read, in seconds."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.fake_models import said


def long_recording(path: Path, hours: int) -> Path:
    """Silence with two words at the beginning of each hour, as FLAC in its longest frames."""
    frame, rate = 65_535, 16_000
    voice = (said([(1, "Alpha"), (2, "bravo")], frame / rate) * 32_767).astype(np.int16)[None]
    silence = np.zeros((1, frame), np.int16)
    speaking = {hour * 3600 * rate // frame for hour in range(hours)}
    options = {"frame_size": str(frame), "compression_level": "0"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=rate, layout="mono", options=options)
        for number in range(hours * 3600 * rate // frame):
            pcm = voice if number in speaking else silence
            made = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            made.sample_rate, made.pts, made.time_base = rate, number * frame, Fraction(1, rate)
            out.mux(stream.encode(made))
        out.mux(stream.encode())
    return path
