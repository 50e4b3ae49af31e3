"""What a watch folder wants of its files, with the models that are active now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain import AnalyzeSpec, ModelKind, ProgressType
from shared.media import MediaType
from shared.models.vocabulary import most_relevant
from shared.watch.folders import WatchFolder

_PARTS = {
    MediaType.VIDEO: (ProgressType.VIDEO, ProgressType.AUDIO, ProgressType.FACES),
    MediaType.IMAGE: (ProgressType.VIDEO, ProgressType.FACES),
    MediaType.AUDIO: (ProgressType.AUDIO,),
}


@dataclass(frozen=True, slots=True)
class AnalysisProfile:
    """`spec` is what all Items of a Task share; its model keys are "" for what is not wanted."""

    spec: AnalyzeSpec
    language: str | None
    _signatures: dict[MediaType, str] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    @classmethod
    def of(
        cls, folder: WatchFolder, keys: Mapping[ModelKind, str], audio_streams: str
    ) -> AnalysisProfile:
        collection = folder.cluster_job_name or ""
        spec = AnalyzeSpec(
            cache_dir=folder.cache_dir,
            files=(),
            visual_model=keys[ModelKind.VISUAL] if folder.analyze_visual else "",
            speech_model=keys[ModelKind.SPEECH] if folder.analyze_speech else "",
            face_model=keys[ModelKind.FACES] if folder.analyze_faces else "",
            collection=collection if folder.analyze_faces else "",
            audio_streams=audio_streams,
            roots=folder.key_roots,
            # No part of the signature: what is transcribed stays.
            vocabulary=most_relevant(folder.vocabulary),
            uses_vocabulary=folder.uses_vocabulary,
            speakers=folder.speakers,
            people_of=collection,  # voices, also where no faces are wanted
        )
        return cls(spec, folder.language)

    def parts(self, media_type: MediaType) -> tuple[ProgressType, ...]:
        """What can be made of such a file, and is wanted."""
        keys = {
            ProgressType.VIDEO: self.spec.visual_model,
            ProgressType.AUDIO: self.spec.speech_model,
            ProgressType.FACES: self.spec.face_model,
        }
        return tuple(part for part in _PARTS[media_type] if keys[part])

    def signature(self, media_type: MediaType) -> str:
        """Equal for equal profiles: what was made with another one is looked at again."""
        known = self._signatures.get(media_type)
        if known is None:  # asked for every file of every walk
            known = self._signatures[media_type] = self._sign(media_type)
        return known

    def _sign(self, media_type: MediaType) -> str:
        spec = self.spec
        speech = f"speech {spec.speech_model} {spec.audio_streams} {self.language or ''}"
        words = {
            ProgressType.VIDEO: f"visual {spec.visual_model}",
            ProgressType.AUDIO: speech,
            ProgressType.FACES: f"faces {spec.face_model} {spec.collection}",
        }
        return "; ".join(words[part].strip() for part in self.parts(media_type))
