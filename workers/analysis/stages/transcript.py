"""The transcript artefact: what the speech model hears in a file, published when all was heard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TypeVar, cast

from opentelemetry.trace import get_current_span

from shared.cache import transcripts
from shared.cache.transcripts import AudioStreams, Transcript
from shared.domain import AnalyzeSpec, ModelKind, ProgressType, Stage
from shared.errors import MediaError, MediaUnreadable, NotAllowed
from shared.media import MediaType
from shared.models.languages import language_name
from shared.models.model_catalogue import resolve
from shared.models.speech_models import may_understand
from shared.process import traces
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.speech.transcribing import Heard, SpeechNotUnderstood, transcribe
from workers.analysis.stage import share_done
from workers.context import Context
from workers.media.budget import work_limit_s
from workers.media.sound.sound_reader import SoundBlock, SoundReader, open_sound
from workers.models.load import load_detector
from workers.models.protocols import SAMPLE_RATE, Transcriber, VoiceDetector

log = logging.getLogger(__name__)

T = TypeVar("T")

_READING = 0.1  # of the work on a file, the rest is for finding its words


class TranscriptStage:
    """The audio part of an Item. The model is lent anew for each file, when it has sound."""

    def __init__(
        self,
        context: Context,
        spec: AnalyzeSpec,
        new_detector: Callable[[], VoiceDetector] = load_detector,
    ) -> None:
        self._context = context
        self._spec = spec
        self._new_detector = new_detector
        self._streams = cast(AudioStreams, spec.audio_streams)
        self._done = 0

    def do(self, files: Sequence[AnalyzedFile]) -> None:
        """Transcribe these files and end their AUDIO; one that fails does so alone."""
        for file in files:
            self._context.checkpoint()
            failure: MediaError | NotAllowed | None = None
            try:
                file.find()
                self._do(file)
            except (MediaError, NotAllowed) as error:
                failure = error
                log.info("The sound of %s failed: %s", file.entry.path, error.message)
            self._done += 1
            file.end(ProgressType.AUDIO, failure)

    def _do(self, file: AnalyzedFile) -> None:
        if file.entry.media_type is MediaType.IMAGE:
            raise MediaUnreadable("It is a still picture; there is no sound to transcribe in it.")
        self._check_language(file.entry.language)
        if self._is_published(file):
            file.keep()
            return
        self._context.come_to(file.index, "the sound", 0)
        with (
            open_sound(file.opened) as reader,
            self._context.speech_model(self._spec.speech_model) as model,
            self._context.limited(work_limit_s(file.opened.status, reader.duration_seconds)),
        ):
            heard = self._hear(file, reader, model)
        show = partial(self._publish, file, heard, tuple(reader.warnings))
        file.decoded([show], ExitStack(), [ProgressType.AUDIO])
        try:
            file.publish()
        finally:
            file.drop()

    def _check_language(self, language: str | None) -> None:
        """Raise SpeechNotUnderstood for a language that the model does not know.

        Comes before the model is loaded, which may not even be on this machine.
        """
        model = resolve(self._context.settings, ModelKind.SPEECH, self._spec.speech_model)
        if language and not may_understand(model, language):
            cure = "another" if model.multilingual else "a multilingual"
            raise SpeechNotUnderstood(
                f"The speech model {model.key} does not understand "
                f"{language_name(language)}. Choose {cure} model for this file."
            )

    def _is_published(self, file: AnalyzedFile) -> bool:
        """Whether a transcript by model, streams and language as wanted is there, and not stale."""
        known = file.published(Stage.TRANSCRIPT, self._spec.speech_model)
        return (
            known is not None
            and known.audio_streams == self._streams
            and file.entry.language in (None, known.language)
            and file.is_same()
        )

    @traces.stage("transcribe")
    def _hear(self, file: AnalyzedFile, reader: SoundReader, model: Transcriber) -> Heard:
        context = self._context
        get_current_span().set_attribute("rushes.path", file.entry.path)
        came = done = 0.0  # seconds that were read, and of which the words are known

        def blocks() -> Iterator[SoundBlock]:
            nonlocal came
            for block in reader.blocks(self._streams, context.checkpoint):
                context.come_to(file.index, "the sound", came)
                came = (block.start + len(block.pcm)) / SAMPLE_RATE
                yield block

        def report(seconds: float) -> None:
            nonlocal done
            done = seconds
            context.progress.worked(ProgressType.AUDIO, done)
            share = share_done(_READING * came + (1 - _READING) * done, reader.duration_seconds)
            context.progress.report(ProgressType.AUDIO, self._done + share, file.entry.client_path)

        def call(function: Callable[[], T]) -> T:
            report(done)
            context.counts["speech_calls"] += 1
            return context.call(function)

        heard = transcribe(
            blocks(),
            model,
            self._new_detector,
            language=file.entry.language,
            call=call,
            heard=report,
        )
        context.progress.worked(ProgressType.AUDIO, heard.duration_seconds)
        context.counts.update(
            {
                "sound_seconds": round(heard.duration_seconds),
                "speech_seconds": round(heard.speech_seconds),
            }
        )
        return heard

    @traces.stage("publish")
    def _publish(self, file: AnalyzedFile, heard: Heard, warnings: tuple[str, ...]) -> None:
        context, model = self._context, self._spec.speech_model
        transcript = Transcript(
            model=model,
            language=heard.language,
            language_probability=heard.language_probability,
            duration_seconds=heard.duration_seconds,
            speech_seconds=heard.speech_seconds,
            audio_streams=self._streams,
            segments=heard.segments,
            warnings=heard.warnings,
        )
        context.checkpoint()
        with file.draft(Stage.TRANSCRIPT, model, ".json") as draft:
            draft.file.write(transcripts.encode(transcript))
            draft.publish(
                rows=len(heard.segments),
                language=heard.language or None,
                audio_streams=self._streams,
                task_id=context.lease.task_id,
                worker=context.worker,
                warnings=warnings,
            )
