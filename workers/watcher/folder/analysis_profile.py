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
    """Model keys are "" for what is not wanted."""

    visual: str = ""
    speech: str = ""
    audio_streams: str = "mix"
    language: str | None = None
    faces: str = ""
    collection: str = ""
    # No part of the signature: what is transcribed stays.
    people_of: str = ""  # the Collection of voices, also where no faces are wanted
    vocabulary: tuple[str, ...] = ()
    uses_vocabulary: bool = True
    speakers: bool | None = None
    _signatures: dict[MediaType, str] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    @classmethod
    def of(
        cls, folder: WatchFolder, keys: Mapping[ModelKind, str], audio_streams: str
    ) -> AnalysisProfile:
        return cls(
            visual=keys[ModelKind.VISUAL] if folder.analyze_visual else "",
            speech=keys[ModelKind.SPEECH] if folder.analyze_speech else "",
            audio_streams=audio_streams,
            language=folder.language,
            faces=keys[ModelKind.FACES] if folder.analyze_faces else "",
            collection=(folder.cluster_job_name or "") if folder.analyze_faces else "",
            people_of=folder.cluster_job_name or "",
            vocabulary=most_relevant(folder.vocabulary),
            uses_vocabulary=folder.uses_vocabulary,
            speakers=folder.speakers,
        )

    def parts(self, media_type: MediaType) -> tuple[ProgressType, ...]:
        """What can be made of such a file, and is wanted."""
        keys = {
            ProgressType.VIDEO: self.visual,
            ProgressType.AUDIO: self.speech,
            ProgressType.FACES: self.faces,
        }
        return tuple(part for part in _PARTS[media_type] if keys[part])

    def signature(self, media_type: MediaType) -> str:
        """Equal for equal profiles: what was made with another one is looked at again."""
        known = self._signatures.get(media_type)
        if known is None:  # asked for every file of every walk
            known = self._signatures[media_type] = self._sign(media_type)
        return known

    def _sign(self, media_type: MediaType) -> str:
        words = {
            ProgressType.VIDEO: f"visual {self.visual}",
            ProgressType.AUDIO: f"speech {self.speech} {self.audio_streams} {self.language or ''}",
            ProgressType.FACES: f"faces {self.faces} {self.collection}",
        }
        return "; ".join(words[part].strip() for part in self.parts(media_type))

    def spec(self, cache_dir: str) -> AnalyzeSpec:
        """What all Items of a Task share."""
        return AnalyzeSpec(
            cache_dir=cache_dir,
            files=(),
            visual_model=self.visual,
            speech_model=self.speech,
            face_model=self.faces,
            collection=self.collection,
            audio_streams=self.audio_streams,
            vocabulary=self.vocabulary,
            uses_vocabulary=self.uses_vocabulary,
            speakers=self.speakers,
            people_of=self.people_of,
        )
