"""Where somebody speaks, and the windows of speech that a model hears at once.

A window leaves longer pauses out and knows where each of its frames lies in the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workers.models.protocols import SAMPLE_RATE, VoiceDetector

# Hysteresis of Silero's get_speech_timestamps: speech begins at 0.5 and lasts until it falls
# below 0.5 - 0.15 (threshold, neg_threshold; the same in faster-whisper 1.2.1, vad.py).
ONSET = 0.5
OFFSET = 0.35
# Sound kept before and after speech: speech_pad_ms of faster-whisper 1.2.1. A pause of up to
# twice this stays whole, so that sentences keep their rhythm.
PAD_S = 0.4
# A pause is not shortened by less: each cut in it is heard.
SPLICED_S = 0.15
# What is shorter is a click: min_duration_on of WhisperX 3 (vads/vad.py).
SHORTEST_S = 0.1
# A window ends in the last pause of so many seconds after this share of it: of what speakers take
# between sentences, of faster-whisper 1.2.1's batches (min_silence_duration_ms), and the shortest
# that it cuts in (min_silence_samples_at_max_speech).
_CUTS = ((0.4, 0.6), (0.16, 0.5), (0.098, 0.33))
# No word holds a longer pause: longer than the closure of any stop consonant, by some margin.
PAUSE_WITHIN_S = 0.25
_DETECT_S = 10  # sound given to the detector at once
_SETTLED_S = 20  # of digital silence, by which the detector has forgotten what was before

Side = Literal["first", "most", "last"]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Sound of one stream that holds speech, in frames that need not lie side by side."""

    stream: int | None
    pcm: NDArray[np.float32]  # [n * samples of a frame]
    probabilities: NDArray[np.float32]  # [n] of speech
    speaking: NDArray[np.bool_]  # [n] the same after hysteresis
    numbers: NDArray[np.int64]  # [n] of the frames in the stream, ascending

    @property
    def frame_s(self) -> float:
        return len(self.pcm) / len(self.numbers) / SAMPLE_RATE

    @property
    def seconds(self) -> float:
        return len(self.pcm) / SAMPLE_RATE

    @property
    def speech_seconds(self) -> float:
        return float(self.speaking.sum()) * self.frame_s

    def part(self, first: int, end: int) -> Window:
        """The frames [first, end) as a window of their own."""
        samples = len(self.pcm) // len(self.numbers)
        return Window(
            self.stream,
            self.pcm[first * samples : end * samples],
            self.probabilities[first:end],
            self.speaking[first:end],
            self.numbers[first:end],
        )

    def frames(self, start: float, end: float) -> tuple[int, int]:
        """[first, end) of the frames that a span in seconds of the window touches: at least one."""
        count = len(self.numbers)
        first = min(max(int(start / self.frame_s), 0), count - 1)
        return first, min(max(int(np.ceil(end / self.frame_s - 1e-6)), first + 1), count)

    def place(self, start: float, end: float, side: Side = "most") -> tuple[float, float]:
        """Seconds of the file for a word's span in seconds of the window.

        A word lies in one place: of a span that reaches over a pause one side is kept, the one
        with "most" speech, the "first" or the "last". Silence at its ends does not count. Models
        are loose about both for the words next to a pause.
        """
        first, last = self._side(*self.frames(start, end), side)
        shift = (int(self.numbers[first]) - first) * self.frame_s
        begin = min(max(start, first * self.frame_s), last * self.frame_s)
        return begin + shift, max(min(end, last * self.frame_s), begin) + shift

    def _side(self, first: int, end: int, side: Side) -> tuple[int, int]:
        """[first, end) of the speech within these frames that is kept; all where there is none."""
        spoken = np.flatnonzero(self.speaking[first:end]) + first
        if not len(spoken):
            jumps = np.flatnonzero(np.diff(self.numbers[first:end]) > 1) + first + 1
            if not len(jumps):
                return first, end
            return (int(jumps[-1]), end) if side == "last" else (first, int(jumps[0]))
        gaps = np.flatnonzero(np.diff(self.numbers[spoken]) * self.frame_s > PAUSE_WITHIN_S)
        runs = np.split(spoken, gaps + 1)
        run = max(runs, key=len) if side == "most" else runs[0 if side == "first" else -1]
        return int(run[0]), int(run[-1]) + 1


@dataclass(frozen=True, slots=True)
class _Frame:
    number: int
    probability: float
    speaking: bool
    pcm: NDArray[np.float32]


def best_cut(window: Window, following: int) -> int:
    """Where to cut it when frame number `following` comes next: the first frame after the cut.

    At the last pause between sentences, so that windows stay long, else at a shorter one, else at
    the least likely speech.
    """
    numbers = np.append(window.numbers, following)
    silences = [*_silences(window.speaking)][::-1]
    first_cut = 0
    for least_s, share in _CUTS:
        first_cut = max(int(len(window.numbers) * share), 1)
        for first, end in silences:
            cut = first + _middle(numbers[first : end + 1])
            length_s = int(numbers[end] - numbers[first]) * window.frame_s
            if cut >= first_cut and length_s >= least_s:
                return cut
    smooth = np.convolve(window.probabilities, np.ones(3) / 3, mode="same")[first_cut:-1]
    return first_cut + len(smooth) - 1 - int(np.argmin(smooth[::-1]))  # the last such frame


def _silences(speaking: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """[first, end) of each run of frames without speech."""
    edges = np.flatnonzero(np.diff(np.concatenate(([1], speaking.astype(np.int8), [1]))))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end)


def _middle(numbers: NDArray[np.int64]) -> int:
    """Where to cut within a silence: at what was left out of it, else in its middle."""
    steps = np.diff(numbers)
    widest = int(np.argmax(steps))
    return widest + 1 if steps[widest] > 1 else len(steps) // 2


class SpeechFinder:
    """Finds the speech of one stream, given bit by bit, and packs it into windows.

    A frame is kept when it is speech or lies within PAD_S of it. What comes out does not depend
    on how the sound was cut into blocks; no more than one window of it is held.
    """

    def __init__(self, stream: int | None, detector: VoiceDetector, longest_s: float) -> None:
        self._stream = stream
        self._detector = detector
        self._samples = detector.frame_samples
        frame_s = self._samples / SAMPLE_RATE
        self._pad = round(PAD_S / frame_s)
        self._shortest = max(1, round(SHORTEST_S / frame_s))
        self._settled = round(_SETTLED_S / frame_s)
        self._longest = int(longest_s / frame_s)
        self._pending: list[_Frame] = []  # of speech that no window holds yet
        self._spare = round(SPLICED_S / frame_s)
        self._undecided: deque[_Frame] = deque(maxlen=2 * self._pad + self._shortest + self._spare)
        self._kept_until = 0  # number of the frame after the last one that was kept
        self._rest = np.empty(0, np.float32)
        self._next = 0  # number of the next frame
        self._run = 0  # frames of speech in a row, up to now
        self._keep_until = -1
        self._silent = 0  # frames of digital silence in a row
        self.samples = 0
        self.speech_frames = 0

    @property
    def heard_seconds(self) -> float:
        """How much of the stream has come in."""
        return self.samples / SAMPLE_RATE

    @property
    def waiting_seconds(self) -> float:
        """Speech that no window holds yet."""
        return len(self._pending) * self._samples / SAMPLE_RATE

    @property
    def speech_seconds(self) -> float:
        return self.speech_frames * self._samples / SAMPLE_RATE

    def hear(self, pcm: NDArray[np.float32]) -> Iterator[Window]:
        """The next sound of the stream; the windows that are full now."""
        self.samples += len(pcm)
        sound = np.concatenate((self._rest, pcm))
        whole = len(sound) // self._samples * self._samples
        self._rest = sound[whole:]
        step = _DETECT_S * SAMPLE_RATE // self._samples * self._samples
        for at in range(0, whole, step):
            yield from self._frames(sound[at : min(at + step, whole)])

    def finish(self) -> Iterator[Window]:
        """The stream has ended; the last window."""
        if len(self._rest):
            yield from self._frames(np.pad(self._rest, (0, self._samples - len(self._rest))))
            self._rest = self._rest[:0]
        last, self._pending = self._pending, []
        if last:
            yield self._window(last)

    def _frames(self, sound: NDArray[np.float32]) -> Iterator[Window]:
        frames = sound.reshape(-1, self._samples)
        is_silent = not sound.any()
        is_known = is_silent and self._silent > self._settled
        self._silent = self._silent + len(frames) if is_silent else 0
        probabilities = [0.0] * len(frames)
        if not is_known:  # of a gap of hours the detector need not hear the rest
            probabilities = self._detector.probabilities(sound).tolist()
        for probability, pcm in zip(probabilities, frames, strict=True):
            for kept in self._judge(probability, pcm):
                if len(self._pending) == self._longest:
                    cut = best_cut(self._window(self._pending), kept.number)
                    window = self._window(self._pending[:cut])
                    del self._pending[:cut]
                    yield window
                self._pending.append(kept)

    def _window(self, frames: list[_Frame]) -> Window:
        return Window(
            self._stream,
            np.concatenate([frame.pcm for frame in frames]),
            np.array([frame.probability for frame in frames], np.float32),
            np.array([frame.speaking for frame in frames], np.bool_),
            np.array([frame.number for frame in frames], np.int64),
        )

    def _judge(self, probability: float, pcm: NDArray[np.float32]) -> list[_Frame]:
        """The frames of which it is known now that they are kept."""
        speaking = probability >= (OFFSET if self._run else ONSET)
        self._run = self._run + 1 if speaking else 0
        number = self._next
        self._next += 1
        # A view would keep the whole block of sound.
        self._undecided.append(_Frame(number, probability, speaking, pcm.copy()))
        if self._run >= self._shortest:
            self._keep_until = number + self._pad
            self.speech_frames += self._shortest if self._run == self._shortest else 1
        if number > self._keep_until:
            return []
        first = self._first_kept(number)
        kept = [frame for frame in self._undecided if frame.number >= first]
        self._undecided.clear()
        self._kept_until = number + 1
        return kept

    def _first_kept(self, number: int) -> int:
        """From which of the undecided frames on all are kept, now that the last one is."""
        waiting, before = self._undecided, self._kept_until
        # A click so near belongs to the word: its first sound, after which a stop is closed.
        is_whole = waiting[0].number == before  # nothing of the pause was dropped yet
        earliest = waiting[0].number if is_whole else before + self._spare + 1
        spoken = (frame.number for frame in waiting if frame.speaking and frame.number >= earliest)
        first = max(next(spoken, number) - self._pad, earliest)
        return before if is_whole and first - before <= self._spare else first
