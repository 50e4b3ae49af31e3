"""The speakers artefact: who speaks when in a file, by its sound and the words of a transcript."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

import msgspec

from shared.cache import speakers
from shared.cache.speakers import SpeakerTurns
from shared.cache.spoken_by import speaking_times
from shared.cache.transcripts import Transcript
from shared.domain import AnalyzeSpec, Manifest, Stage
from shared.errors import CacheError, ModelError
from shared.models import voice_model
from shared.process import traces
from shared.settings import Settings
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.speakers.diarizing import Diarizer, warnings_of
from workers.context import Context
from workers.media.budget import work_limit_s
from workers.media.sound.kept_sound import KeptSound
from workers.media.sound.sound_reader import SoundBlock, open_sound
from workers.models.load import load_voices
from workers.models.protocols import SAMPLE_RATE, VoiceEmbedder

log = logging.getLogger(__name__)


class SpeakerTelling:
    """Tells the speakers of transcripts of one Item apart, where that is wanted."""

    def __init__(
        self,
        context: Context,
        spec: AnalyzeSpec,
        load: Callable[[Settings], VoiceEmbedder] = load_voices,
    ) -> None:
        self._context = context
        self._spec = spec
        self._load = load
        is_set = context.bench.settings.speakers
        self.are_wanted = is_set if spec.speakers is None else spec.speakers

    def are_missing(self, file: AnalyzedFile, transcript: Manifest) -> bool:
        """Whether a transcript that is there could have speakers, and has none made since."""
        if not self.are_wanted or not transcript.rows:
            return False
        found = file.published(Stage.SPEAKERS, transcript.model)
        return found is None or found.made_at < transcript.made_at

    @traces.stage("tell speakers")
    def told(
        self,
        file: AnalyzedFile,
        transcript: Transcript,
        kept: KeptSound | None,
        report: Callable[[float], None],
    ) -> SpeakerTurns | None:
        """Who speaks when; None where nobody does, or it is not wanted, or cannot be told here.

        The words have to be known before, so the sound comes once more: what was `kept` of it,
        else from the file. `report` hears up to which second it came. Raises as reading it does.
        """
        if not self.are_wanted or not transcript.segments:
            return None
        try:
            voices = self._load(self._context.bench.settings)
        except ModelError as error:  # the words are worth more than who says them
            log.warning("The speakers of this transcript are not told apart: %s", error.message)
            return None
        limit_s = work_limit_s(file.opened.status, transcript.duration_seconds)
        with self._context.limited(limit_s):
            diarizer = self._heard(file, transcript, kept, voices, report)
            found, turns = diarizer.finish()
        self._context.counts["speakers"] += len(found)
        return SpeakerTurns(
            model=voice_model.KEY,
            speakers=found,
            turns=turns,
            warnings=tuple(warnings_of(turns, diarizer.noise)),
        )

    def _heard(
        self,
        file: AnalyzedFile,
        transcript: Transcript,
        kept: KeptSound | None,
        voices: VoiceEmbedder,
        report: Callable[[float], None],
    ) -> Diarizer:
        """One that has heard all of the sound: what was kept of it, else what is in the file."""
        context = self._context

        def hear(sound: Iterable[SoundBlock]) -> Diarizer:
            diarizer = Diarizer(transcript.segments, voices, context.checkpoint)
            for block in sound:
                context.come_to(file.index, "the voices", block.start / SAMPLE_RATE)
                report(block.start / SAMPLE_RATE)
                diarizer.hear(block.stream, block.pcm)
            return diarizer

        if kept is not None and kept.is_whole:
            try:
                return hear(kept.blocks(context.checkpoint))
            except OSError as error:
                log.warning("Sound is decoded twice, as what was kept cannot be read: %s", error)
        with open_sound(file.opened) as reader:
            return hear(reader.blocks(transcript.audio_streams, context.checkpoint))

    @traces.stage("publish")
    def publish(self, file: AnalyzedFile, found: SpeakerTurns, transcript_made_at: float) -> None:
        """Write the artefact, to be shown with what else is made of the file."""
        context = self._context
        context.checkpoint()
        found = with_lasting_ids(file.hash_str, found, self._former(file.hash_str))
        with file.draft(Stage.SPEAKERS, self._spec.speech_model, ".json") as draft:
            draft.file.write(msgspec.json.encode(found))
            draft.publish(
                rows=len(found.speakers),
                audio_streams=self._spec.audio_streams,
                task_id=context.lease.task_id,
                worker=context.bench.worker,
                made_at=max(time.time(), transcript_made_at),
            )

    def _former(self, hash_str: str) -> SpeakerTurns | None:
        """Who spoke when by what is there; None also where that cannot be read.

        What tells of nobody hides no older one, by the words of another model.
        """
        spec = self._spec
        cache = self._context.cache(spec.cache_dir, spec.cache_id, spec.roots)
        told = [found for found in cache.manifests(hash_str) if found.rows]
        manifest = speakers.newest_of(told, outdated=True)
        try:
            return speakers.read(cache, hash_str, manifest) if manifest else None
        except CacheError as error:
            log.warning("The former speakers of %s are not known: %s", hash_str, error.message)
            return None


def with_lasting_ids(
    hash_str: str, found: SpeakerTurns, former: SpeakerTurns | None
) -> SpeakerTurns:
    """Who speaks when, each with the id of the former speaker who spoke at the same times.

    One has the id of one; those who share the most seconds come first. Others get new ids.
    """
    if former is None:
        return speakers.with_ids(hash_str, found)
    now, before = speaking_times(found.turns), speaking_times(former.turns)
    shared = sorted(
        (-seconds, one, other)
        for one, own in now.items()
        for other, theirs in before.items()
        if (seconds := own.shared(theirs)) > 0 and own.may_be(theirs, seconds)
    )
    ids: dict[int, int] = {}
    taken: set[int] = set()
    for _, one, other in shared:
        if one not in ids and other not in taken:
            taken.add(other)
            ids[one] = former.speakers[other].id
    kept = tuple(
        msgspec.structs.replace(speaker, id=ids.get(number, 0))
        for number, speaker in enumerate(found.speakers)
    )
    return speakers.with_ids(
        hash_str,
        msgspec.structs.replace(found, speakers=kept),
        [speaker.id for speaker in former.speakers],
    )
