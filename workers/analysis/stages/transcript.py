"""The transcript artefact: what the speech model hears in a file, published when all was heard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from opentelemetry.trace import get_current_span

from shared.cache import transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import AudioStreams, Transcript
from shared.domain import AnalyzeSpec, FileWork, ProgressType, Stage
from shared.errors import MediaError, MediaUnreadable, NotAllowed, RushesError
from shared.media import MediaType
from shared.models.languages import language_name
from shared.models.model_catalogue import resolve
from shared.models.specs import ModelKind
from shared.models.speech_models import may_understand
from shared.process import traces
from workers.analysis.item_files import FoundFile, ItemFiles, Numbered, share_done
from workers.analysis.speech.transcribing import Heard, SpeechNotUnderstood, transcribe
from workers.context import Context
from workers.media.sound.reader import SoundBlock, SoundReader, open_sound
from workers.models.load import load_detector
from workers.models.protocols import SAMPLE_RATE, Transcriber, VoiceDetector

log = logging.getLogger(__name__)

T = TypeVar("T")

_READING = 0.1  # of the work on a file, the rest is for finding its words


class Transcripts:
    """The audio part of an Item. The model is lent anew for each file, when it has sound."""

    def __init__(
        self,
        context: Context,
        spec: AnalyzeSpec,
        cache: CacheDir,
        new_detector: Callable[[], VoiceDetector] = load_detector,
    ) -> None:
        self._context = context
        self._spec = spec
        self._cache = cache
        self._new_detector = new_detector
        self._streams = cast(AudioStreams, spec.audio_streams)
        self._done = 0

    def do(self, numbered: list[Numbered], files: ItemFiles) -> None:
        """Transcribe these files, tick each; one that fails does so alone."""
        for index, work in numbered:
            self._context.checkpoint()
            error: RushesError | None = None
            is_made = False
            try:
                is_made = self._do(work, files.find(work.path))
            except (MediaError, NotAllowed) as failure:
                error = failure
                log.info("The sound of %s failed: %s", work.path, error.message)
            self._done += 1
            self._context.tick(
                ProgressType.AUDIO,
                index,
                work.client_path,
                error,
                skipped=not (is_made or error),
            )

    def _do(self, work: FileWork, found: FoundFile) -> bool:
        """False: its transcript was there already."""
        if work.media_type is MediaType.IMAGE:
            raise MediaUnreadable("It is a still picture; there is no sound to transcribe in it.")
        self._check_language(work)
        is_missing = not self._is_published(work, found)
        if is_missing:
            with (
                open_sound(work.path) as reader,
                self._context.speech_model(self._spec.speech_model) as model,
            ):
                heard = self._hear(work, reader, model)
            found.check_unchanged()
            self._publish(found, heard, tuple(reader.warnings))
        found.remember()
        return is_missing

    def _check_language(self, work: FileWork) -> None:
        """Before the model is loaded, which may not even be on this machine."""
        model = resolve(self._context.settings, ModelKind.SPEECH, self._spec.speech_model)
        if work.language and not may_understand(model, work.language):
            cure = "another" if model.multilingual else "a multilingual"
            raise SpeechNotUnderstood(
                f"The speech model {model.key} does not understand "
                f"{language_name(work.language)}. Choose {cure} model for this file."
            )

    def _is_published(self, work: FileWork, found: FoundFile) -> bool:
        """By this model, of these streams, in the language wanted, and of the file as it is now."""
        model = self._spec.speech_model
        known = self._cache.manifest(found.hash_str, Stage.TRANSCRIPT, model)
        return (
            known is not None
            and known.audio_streams == self._streams
            and work.language in (None, known.language)
            and found.has(Stage.TRANSCRIPT, model)
            and found.is_same()
        )

    @traces.stage("transcribe")
    def _hear(self, work: FileWork, reader: SoundReader, model: Transcriber) -> Heard:
        context = self._context
        get_current_span().set_attribute("rushes.path", work.path)
        came = done = 0.0  # seconds that were read, and of which the words are known

        def blocks() -> Iterator[SoundBlock]:
            nonlocal came
            for block in reader.blocks(self._streams, context.checkpoint):
                came = (block.start + len(block.pcm)) / SAMPLE_RATE
                yield block

        def report(seconds: float) -> None:
            nonlocal done
            done = seconds
            context.worked(ProgressType.AUDIO, done)
            share = share_done(_READING * came + (1 - _READING) * done, reader.duration_seconds)
            context.report(ProgressType.AUDIO, self._done + share, work.client_path)

        def call(function: Callable[[], T]) -> T:
            report(done)
            context.counts["speech_calls"] += 1
            return context.call(function)

        heard = transcribe(
            blocks(),
            model,
            self._new_detector,
            language=work.language,
            call=call,
            heard=report,
        )
        context.worked(ProgressType.AUDIO, heard.duration_seconds)
        context.counts.update(
            {
                "sound_seconds": round(heard.duration_seconds),
                "speech_seconds": round(heard.speech_seconds),
            }
        )
        return heard

    @traces.stage("publish")
    def _publish(self, found: FoundFile, heard: Heard, warnings: tuple[str, ...]) -> None:
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
        with self._cache.draft(
            found.hash_str, Stage.TRANSCRIPT, model, ".json", context.draft_token
        ) as draft:
            draft.file.write(transcripts.encode(transcript))
            draft.publish(
                rows=len(heard.segments),
                language=heard.language or None,
                audio_streams=self._streams,
                task_id=context.lease.task_id,
                worker=context.worker,
                warnings=warnings,
            )
