"""The transcript artefact: what the speech model hears in a file, published when all was heard.

Rows by which what is said is found by its meaning lie beside it, and who speaks comes with it.
What captions a file holds is read after all that, also where there is nothing to hear.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property, partial
from typing import TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import get_current_span

from shared.cache import sentence_rows, transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import Segment, Transcript
from shared.domain import AnalyzeSpec, AudioStreams, Manifest, ModelKind, Probe, ProgressType, Stage
from shared.errors import (
    CacheError,
    MediaError,
    MediaUnreadable,
    ModelError,
    NotAllowed,
    RushesError,
)
from shared.ledger.ledger import WorkKind
from shared.media import MediaType
from shared.models import sentence_model
from shared.models.languages import language_name
from shared.models.model_catalogue import resolve
from shared.models.sentence_model import DIM
from shared.models.speech_and_faces import may_understand, speech_key
from shared.people.collection import Collection
from shared.process import traces
from shared.settings import Settings
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.speech.transcribing import SpeechNotUnderstood, transcribe
from workers.analysis.speech.vocabulary import vocabulary_of
from workers.analysis.stage import share_done
from workers.analysis.stages.captions import CaptionReading
from workers.analysis.stages.speakers import SpeakerTelling
from workers.context import Context
from workers.media.budget import work_limit_s
from workers.media.probing.probe import probe
from workers.media.sound.kept_sound import KeptSound
from workers.media.sound.sound_reader import SoundBlock, SoundReader, open_sound
from workers.models.load import load_detector, load_voices
from workers.models.protocols import SAMPLE_RATE, Transcriber, VoiceDetector, VoiceEmbedder
from workers.recluster.voice_upkeep import keep_voices_grouped

Embed = Callable[[list[str]], NDArray[np.float32] | None]

_AT_ONCE = 256  # segments; a second or two of work
# Of a segment with its neighbours, beside the segment alone. Recall is the same from 0.3 to 0.7
# (tests/quality/transcripts).
_NEIGHBOURS_WEIGHT = 0.5

log = logging.getLogger(__name__)

T = TypeVar("T")

_READING = 0.1  # of the work on a file, the rest is for finding its words
_TELLING = 0.1  # of the work on a file whose speakers are told apart, too


class TranscriptStage:
    """The audio part of an Item. The model is lent anew for each file, when it has sound."""

    def __init__(
        self,
        context: Context,
        spec: AnalyzeSpec,
        new_detector: Callable[[], VoiceDetector] = load_detector,
        *,
        embeds_sentences: bool = True,
        load_voices: Callable[[Settings], VoiceEmbedder] = load_voices,
    ) -> None:
        self._context = context
        self._spec = spec
        self._new_detector = new_detector
        self._embeds_sentences = embeds_sentences
        self._speakers = SpeakerTelling(context, spec, load_voices)
        self._captions = CaptionReading(context)
        self._streams = cast(AudioStreams, spec.audio_streams)
        self._done = 0

    def do(self, files: Sequence[AnalyzedFile]) -> None:
        """Transcribe these files and end their AUDIO; one that fails does so alone.

        Then the voices in them are grouped with those of the Item's Collection.
        """
        if self._context.lease.tries:  # it may fail for good: then nobody comes after it
            self._group_voices(())
        heard: set[str] = set()
        for file in files:
            self._context.checkpoint()
            failure: MediaError | NotAllowed | None = None
            try:
                file.find()
                self._do(file)
            except (MediaError, NotAllowed) as error:
                failure = error
                log.info("The sound of %s failed: %s", file.entry.path, error.message)
            else:
                heard.add(file.hash_str)
            changed = self._captions.make(file)
            failure = failure or changed
            self._done += 1
            file.end(ProgressType.AUDIO, failure)
        self._group_voices(heard)

    def _group_voices(self, hashes: Iterable[str]) -> None:
        """Also what earlier Items have left. What fails is of no concern to the Item's files."""
        name = self._spec.people_of
        if not name:
            return
        try:
            cache = self._cache()
            keep_voices_grouped(self._context, cache, Collection(cache.root, name), hashes)
        except (RushesError, OSError, ValueError) as error:
            log.warning("The voices of %s wait for the next grouping: %s", name, error)

    def _do(self, file: AnalyzedFile) -> None:
        if file.entry.media_type is MediaType.IMAGE:
            raise MediaUnreadable("It is a still picture; there is no sound to transcribe in it.")
        self._check_language(file.entry.language)
        if known := self._published(file):
            self._complete(file, known)
            return
        self._context.come_to(file.index, "the sound", 0)
        with self._kept() as kept:
            with (
                open_sound(file.opened) as reader,
                self._context.speech_model(self._spec.speech_model) as model,
                self._second_model() as second,
                self._context.limited(work_limit_s(file.opened.status, reader.duration_seconds)),
            ):
                how = partial(
                    transcribe,
                    transcriber=model,
                    new_detector=self._new_detector,
                    language=file.entry.language,
                    vocabulary=self._vocabulary,
                    second=second,
                    streams=self._streams,
                )
                sound = reader.blocks(self._streams, self._context.checkpoint)
                heard = self._hear(file, reader, kept.passing(sound) if kept else sound, how)
            self._show(file, heard, tuple(reader.warnings), sound=kept)

    def _kept(self) -> AbstractContextManager[KeptSound | None]:
        """A place for the sound, where who speaks is to be told by it."""
        folder = self._context.bench.settings.state_dir / "sound"
        return KeptSound(folder) if self._speakers.are_wanted else nullcontext()

    def _complete(self, file: AnalyzedFile, known: Manifest) -> None:
        """A transcript is there: only what an earlier version did not make of it is made."""
        misses_rows = self._embeds_sentences and sentence_rows.are_missing(known)
        if not (self._speakers.are_missing(file, known) or misses_rows):
            file.keep()
            return
        try:
            transcript = transcripts.read(self._cache(), file.hash_str, known)
        except CacheError as error:  # who searches in it is told
            log.warning("%s: %s", file.entry.path, error.message)
            file.keep()
            return
        self._show(file, transcript, known.warnings, known)

    def _show(
        self,
        file: AnalyzedFile,
        transcript: Transcript,
        warnings: tuple[str, ...],
        known: Manifest | None = None,
        sound: KeptSound | None = None,
    ) -> None:
        """Publish a transcript and its rows, then who speaks; of a `known` one what is missing.

        The words come first: what fails or dies while their speakers are told loses none of them.
        """
        made_at, is_kept = known.made_at if known else time.time(), False
        if known is None or sentence_rows.are_missing(known):
            rows = self._rows(transcript)
            if rows is not None or known is None:
                publish = partial(self._publish, file, transcript, rows, warnings, known)
                file.make([ProgressType.AUDIO], publish)
                is_kept = True
        if known is None or self._speakers.are_missing(file, known):
            report = partial(self._say_telling, file, transcript, 0 if known else 1 - _TELLING)
            found = self._speakers.told(file, transcript, sound, report)
            if found is not None:
                publish = partial(self._speakers.publish, file, found, made_at)
                file.make([ProgressType.AUDIO], publish)
                is_kept = True
        if not is_kept:
            file.keep()

    def _say_telling(
        self, file: AnalyzedFile, transcript: Transcript, before: float, seconds: float
    ) -> None:
        """`before`: part of the work on the file that was done before speakers were told."""
        share = before + (1 - before) * share_done(seconds, transcript.duration_seconds)
        self._context.progress.report(
            ProgressType.AUDIO,
            self._done + share,
            file.entry.client_path,
            "Telling speakers apart.",
        )

    def _rows(self, transcript: Transcript) -> sentence_rows.Rows | None:
        """Rows for search by meaning; None where there can be none here."""
        segments = transcript.segments
        understood = segments and sentence_model.is_understood(transcript.language)
        if not (understood and self._embeds_sentences):
            return None
        try:
            with traces.stage("embed text"), ExitStack() as lent:
                with self._context.stall.wide():
                    lend = self._context.bench.pool.lend(ModelKind.VISUAL, sentence_model.KEY)
                    model = lent.enter_context(lend)
                return rows_of(segments, model.embed_sentences, self._context.checkpoint)
        except ModelError as error:  # the words are worth more than what they mean
            log.warning("This transcript cannot be searched by meaning: %s", error.message)
            return None

    def _check_language(self, language: str | None) -> None:
        """Raise SpeechNotUnderstood for a language that the model does not know.

        Comes before the model is loaded, which may not even be on this machine.
        """
        model = resolve(self._context.bench.settings, ModelKind.SPEECH, self._spec.speech_model)
        if language and not may_understand(model, language):
            cure = "another" if model.multilingual else "a multilingual"
            raise SpeechNotUnderstood(
                f"The speech model {model.key} does not understand "
                f"{language_name(language)}. Choose {cure} model for this file."
            )

    def _published(self, file: AnalyzedFile) -> Manifest | None:
        """A transcript by model, streams and language as wanted that is there, and not stale."""
        known = file.published(Stage.TRANSCRIPT, self._spec.speech_model)
        is_wanted = (
            known is not None
            and known.audio_streams == self._streams
            and file.entry.language in (None, known.language)
            and file.is_same()
        )
        return known if is_wanted else None

    @contextmanager
    def _second_model(self) -> Iterator[Transcriber | None]:
        """The model for a second look, lent; None where none is wanted, or it cannot be had."""
        key = self._context.bench.settings.speech_second_model
        with ExitStack() as lent:
            second: Transcriber | None = None
            if key and speech_key(key) != self._spec.speech_model:
                try:
                    second = lent.enter_context(self._context.speech_model(key))
                except ModelError as error:
                    log.warning("Speech is heard without a second look: %s", error.message)
            yield second

    @cached_property
    def _vocabulary(self) -> tuple[str, ...]:
        """Words for all files, read when the first one needs them."""
        return vocabulary_of(self._cache(), self._spec)

    def _cache(self) -> CacheDir:
        spec = self._spec
        return self._context.cache(spec.cache_dir, spec.cache_id, spec.roots)

    @traces.stage("transcribe")
    def _hear(
        self,
        file: AnalyzedFile,
        reader: SoundReader,
        sound: Iterable[SoundBlock],
        how: Callable[..., Transcript],
    ) -> Transcript:
        context = self._context
        get_current_span().set_attribute("rushes.path", file.entry.path)
        came = done = 0.0  # seconds that were read, and of which the words are known

        def blocks() -> Iterator[SoundBlock]:
            nonlocal came
            for block in sound:
                context.come_to(file.index, "the sound", came)
                came = (block.start + len(block.pcm)) / SAMPLE_RATE
                yield block

        def report(seconds: float) -> None:
            nonlocal done
            done = seconds
            context.progress.worked(ProgressType.AUDIO, done)
            share = share_done(_READING * came + (1 - _READING) * done, reader.duration_seconds)
            share *= 1 - _TELLING if self._speakers.are_wanted else 1
            context.progress.report(ProgressType.AUDIO, self._done + share, file.entry.client_path)

        def call(function: Callable[[], T]) -> T:
            report(done)
            context.counts["speech_calls"] += 1
            return context.call(function)

        began = context.cores.shared_s()
        heard = how(blocks(), call=call, heard=report)
        context.progress.worked(ProgressType.AUDIO, heard.duration_seconds)
        kind = WorkKind.of("footage", {ProgressType.AUDIO: self._spec.speech_model})
        took_s = context.cores.shared_s() - began
        context.progress.measured(kind, heard.duration_seconds, took_s)
        context.counts["sound_seconds"] += round(heard.duration_seconds)
        context.counts["speech_seconds"] += round(heard.speech_seconds)
        return heard

    @traces.stage("publish")
    def _publish(
        self,
        file: AnalyzedFile,
        transcript: Transcript,
        rows: sentence_rows.Rows | None,
        warnings: tuple[str, ...],
        known: Manifest | None,
    ) -> None:
        context, model = self._context, self._spec.speech_model
        context.checkpoint()
        has_rows = rows is not None
        with file.draft(Stage.TRANSCRIPT, model, ".json", has_pack=has_rows) as draft:
            draft.file.write(msgspec.json.encode(transcript))
            if rows is not None and draft.pack is not None:
                sentence_rows.write(draft.pack, rows)
            draft.publish(
                rows=len(transcript.segments),
                probe=(known and known.probe) or _facts(file),
                language=transcript.language or None,
                audio_streams=self._streams,
                sentence_model=sentence_model.ROWS if has_rows else "",
                vocabulary=transcripts.vocabulary_of(known) if known else self._vocabulary,
                task_id=context.lease.task_id,
                worker=context.bench.worker,
                made_at=known.made_at if known else time.time(),
                warnings=warnings,
            )


def _facts(file: AnalyzedFile) -> Probe | None:
    """What the container says, where nothing that is published of its pictures says it."""
    if file.published(Stage.FRAMES) is not None:
        return None
    try:
        return probe(file.opened, file.entry.media_type)
    except MediaError:  # its sound is fine: no reason to be without a transcript
        return None


def rows_of(
    segments: Sequence[Segment], embed: Embed, checkpoint: Callable[[], None]
) -> NDArray[np.float16] | None:
    """A row for each segment, [n, 384]: the mean of its own and of what is said around it.

    A cosine with such a row is that mean of the two cosines. None where `embed` gives none.
    """
    own = np.zeros((len(segments), DIM), np.float32)
    for at in range(0, len(segments), _AT_ONCE):
        checkpoint()
        found = embed([segment.text for segment in segments[at : at + _AT_ONCE]])
        if found is None:
            return None
        own[at : at + len(found)] = found
    rows = (own + _NEIGHBOURS_WEIGHT * _around(segments, own)) / (1 + _NEIGHBOURS_WEIGHT)
    return rows.astype(np.float16)


def _around(segments: Sequence[Segment], own: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit rows of each segment together with those before and after it in its stream."""
    streams = np.array([-1 if one.stream is None else one.stream for one in segments])
    order = np.lexsort((np.array([one.start for one in segments]), streams))
    sorted_rows, sorted_streams = own[order], streams[order]
    sums = sorted_rows.copy()
    are_neighbours = (sorted_streams[1:] == sorted_streams[:-1])[:, None]
    sums[1:] += sorted_rows[:-1] * are_neighbours
    sums[:-1] += sorted_rows[1:] * are_neighbours
    around = np.empty_like(own)
    around[order] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return around
