"""All that a cache folder knows of one file."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from api.cache.view import CacheView
from api.http.answers import MatchPlace
from api.media.answers import MadeResult, MediaDetails, PersonInFile, SceneSpan, SpokenSummary
from api.models.model_keys import active_key
from api.people.people import PeopleServices
from shared.cache import transcripts
from shared.clock_times import timestamp
from shared.domain import Manifest, ModelKind, Stage
from shared.errors import CacheError
from shared.models.languages import language_name

_LONGEST_BEGIN = 200  # characters


def details_of(
    services: PeopleServices, view: CacheView, hash_str: str, shown: Callable[[str], str]
) -> MediaDetails:
    """What manifests, its transcript and collections say of a file. Blocks.

    `shown`: a path of ours in the client's form.
    """
    manifests = sorted(view.cache.manifests(hash_str), key=lambda m: list(Stage).index(m.stage))
    frames = next((m for m in manifests if m.stage is Stage.FRAMES), None)
    return MediaDetails(
        places=[
            MatchPlace(path=shown(place.path), online=place.opens)
            for place in services.caches.places(view, [hash_str])[hash_str]
        ],
        results=[_result(manifest) for manifest in manifests],
        scenes=[
            SceneSpan(start_seconds=scene.start, end_seconds=scene.end)
            for scene in (frames.scenes if frames else ())
        ],
        people=[
            PersonInFile(
                cluster_job_name=one.collection,
                cluster_id=str(one.cluster_id),
                name=one.name,
                seconds=one.seconds,
                first_timestamp=timestamp(one.first),
            )
            for one in services.people.in_file(view.cache, hash_str)
        ],
        transcript=_spoken(services, view, hash_str),
    )


def _result(manifest: Manifest) -> MadeResult:
    return MadeResult(
        kind=manifest.stage.value,
        model_key=manifest.model or None,
        count=manifest.rows,
        made_at=manifest.made_at,
        warnings=manifest.warnings,
    )


def _spoken(services: PeopleServices, view: CacheView, hash_str: str) -> SpokenSummary | None:
    manifest = transcripts.find(view.cache, hash_str, active_key(services, ModelKind.SPEECH))
    if manifest is None:
        return None
    try:
        found = transcripts.read(view.cache, hash_str, manifest)
    except CacheError:  # /transcriptions says what is wrong with it
        return None
    begin = " ".join(segment.text.strip() for segment in found.segments[:20])
    words = transcripts.vocabulary_of(manifest)
    return SpokenSummary(
        model_key=manifest.model,
        language=language_name(found.language) if found.language else None,
        segments=len(found.segments),
        speech_seconds=round(found.speech_seconds, 3),
        begin=begin if len(begin) <= _LONGEST_BEGIN else f"{begin[:_LONGEST_BEGIN]}…",
        doubts=len(found.warnings),
        vocabulary_used=words if words is UNSET else list(words),
    )
