"""The real analysis worker whose speech models hear tones, as slowly as TEST_SPEECH (JSON) says.

`seconds`: what each call of the model takes. `hold_at`: this call of the process (from 1; 0: the
loading) writes `marker`, then goes on only when `release` exists; like a native call it hears of
no stop.
`invents`: text that the models add over the end of all they hear.
`sees`: the visual model is the lite one, not FakeEmbedder; so it is with `embeds_sentences`, where
it embeds them. `tells_speakers`: the real network tells voices apart, or where the following are
told a fake one: `hold_voices`, the call of a file at which it holds as with `hold_at`;
`dies_at_voices`, the call that kills the process.
`hold_captions`: 1 holds before captions are read, and hears of a stop; `dies_at_captions`: how the
name of a file begins whose captions kill the process; `fails_at_captions`: whose disk is
away the first time, which `marker` says.
`stall_s`, `wide_s`: the stall timer's terms. `still_base_s`: the CPU seconds that any still may
take.
"""

from __future__ import annotations

import errno
import functools
import itertools
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.domain import ModelKind
from shared.errors import MediaUnreadable
from shared.models.languages import language_code
from shared.models.specs import ModelSpec
from shared.opening import OpenedFile
from shared.process import logs
from shared.settings import Settings
from tests.support.analysis.dying import die
from tests.support.fake_models import FakeTranscriber, FakeVoiceDetector, load_fake_embedder
from tests.support.fake_voices import FakeVoices
from workers.analysis.pipeline import analyze, why_not
from workers.analysis.stages import captions
from workers.analysis.stages.thumbnails import ThumbnailStage
from workers.analysis.stages.transcript import TranscriptStage
from workers.analysis.stages.visual import VisualStage
from workers.liveness import STALL_S, WIDE_STALL_S, StallTimer, end_on_signals
from workers.media import budget, stills
from workers.media.captions.reader import FoundCaptions, read_captions
from workers.models.load import load_visual, load_voices
from workers.models.protocols import SAMPLE_RATE, SpokenWord, Utterance, VoiceEmbedder
from workers.worker import Work, Worker

TOLD = json.loads(os.environ.get("TEST_SPEECH", "{}"))
SEES = TOLD.get("embeds_sentences") or TOLD.get("sees")
_pause = threading.Event()
_calls = itertools.count(1)


def hold(call: int, at: str = "hold_at", checkpoint: Callable[[], None] = lambda: None) -> None:
    if call == TOLD.get(at):
        with Path(TOLD["marker"]).open("a") as marker:
            marker.write(f"{os.getpid()}\n")
        while not Path(TOLD["release"]).exists():
            checkpoint()
            _pause.wait(0.05)


def mishear(piece: NDArray[np.float32], heard: list[Utterance], _cautious: bool) -> list[Utterance]:
    text = TOLD.get("invents")
    if not text:
        return heard
    end = len(piece) / SAMPLE_RATE
    start = end - 0.35
    return [
        *heard,
        Utterance(start, end, text, (SpokenWord(start, end, text, 0.9),), -0.3, 1.0, 0.05),
    ]


class SlowTranscriber(FakeTranscriber):
    def transcribe(
        self,
        pieces: Sequence[NDArray[np.float32]],
        language: str,
        *,
        cautious: bool = False,
        vocabulary: Sequence[str] = (),
    ) -> list[list[Utterance]]:
        hold(next(_calls))
        _pause.wait(TOLD.get("seconds", 0))
        return super().transcribe(pieces, language, cautious=cautious, vocabulary=vocabulary)


def load_tones(_settings: Settings, spec: ModelSpec) -> SlowTranscriber:
    hold(0)
    codes = {language_code(name) for name in spec.languages} & {"de", "en"}
    spec = msgspec.structs.replace(spec, languages=tuple(map(str, codes)))
    return SlowTranscriber(spec, mishears=mishear)


class SlowVoices(FakeVoices):
    """For one file."""

    calls = 0

    def embed(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self.calls += 1
        _pause.wait(TOLD.get("seconds", 0))
        hold(self.calls, "hold_voices")
        if self.calls == TOLD.get("dies_at_voices"):
            die()
        return super().embed(windows)


def load_tones_apart(settings: Settings) -> VoiceEmbedder:
    is_fake = TOLD.keys() & {"hold_voices", "dies_at_voices"}
    return SlowVoices() if is_fake else load_voices(settings)


def read_told(file: OpenedFile, checkpoint: Callable[[], None] = lambda: None) -> FoundCaptions:
    name = Path(file.path).name
    hold(1, "hold_captions", checkpoint)
    if name.startswith(TOLD.get("dies_at_captions", "/")):
        die()
    marker = Path(TOLD["marker"])
    if name.startswith(TOLD.get("fails_at_captions", "/")) and not marker.exists():
        marker.touch()
        raise MediaUnreadable("Reading the file failed.") from OSError(errno.ESTALE, "Stale")
    return read_captions(file, checkpoint)


def main() -> int:
    captions.read_captions = read_told
    if base_s := TOLD.get("still_base_s"):
        budget.STILL_BASE_S = stills.STILL_BASE_S = base_s
    logs.configure("analysis-worker", "DEBUG", "text")
    run = functools.partial(
        analyze,
        stages=(ThumbnailStage, VisualStage),
        sound=functools.partial(
            TranscriptStage,
            new_detector=FakeVoiceDetector,
            embeds_sentences=TOLD.get("embeds_sentences", False),
            load_voices=load_tones_apart,
        ),
    )
    worker = Worker(
        replace(Settings.from_env(), speakers=TOLD.get("tells_speakers", False)),
        Work("analysis", run, why_not),
        stall=StallTimer(TOLD.get("stall_s", STALL_S), TOLD.get("wide_s", WIDE_STALL_S)),
        loaders={
            ModelKind.VISUAL: load_visual if SEES else load_fake_embedder,
            ModelKind.SPEECH: load_tones,
        },
    )
    end_on_signals(worker.shut_down)
    return worker.serve()


if __name__ == "__main__":
    sys.exit(main())
