"""Calibrating a model by labelled queries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct, field
from starlette.concurrency import run_in_threadpool

from api.http.answers import Count, Message
from api.http.bodies import CacheDir, Keyed, MediaPath
from api.http.endpoint import Call, Endpoint
from api.models.model_keys import active_key
from api.search.services import SearchScope, SearchServices
from api.search.types import Hit, QueryVectors
from api.search.vectors import TextVector
from shared.domain import ModelKind
from shared.errors import BadInput, ModelLoading, NoWorker
from shared.models import model_catalogue
from shared.models.calibration import LEAST_QUERIES, Calibration, Judged, by_labels
from shared.models.scores import STRENGTHS, Judge, ScoreScale
from shared.query.bounds import LONGEST_QUERY
from shared.rights import KeyScope

Share = Annotated[
    float,
    Meta(
        ge=0,
        le=1,
        description="Share of the matches of that strength that are right; null: there is none.",
        examples=[0.79],
    ),
]
MOST_LABELS = 10_000
MOST_QUERIES = 500  # each is a search
_LOOKED_AT = 5  # matches of each query
_AT_ONCE = 64  # texts


class CalibrationAnswer(Struct, kw_only=True):
    """What scores of the model mean from now on; zeros where labels were forgotten."""

    message: Message
    model_key: Annotated[str, Meta(examples=["conse-lite0"])]
    """The model."""
    queries: Annotated[int, Meta(ge=0, examples=[98])]
    """Labelled queries."""
    found: Annotated[int, Meta(ge=0, examples=[87])]
    """Those with a right answer among their first three matches."""
    left_out: Count
    strong: Share | None
    fair: Share | None
    weak: Share | None


class Label(Struct, kw_only=True):
    """A right answer to a query: a file, or a part of it."""

    query: Annotated[
        str, Meta(min_length=1, max_length=LONGEST_QUERY, examples=["a red car in the rain"])
    ]
    """What is looked for."""
    media_path: MediaPath
    start_seconds: Annotated[float, Meta(ge=0, examples=[12.5])] = 0.0
    """Where what is right begins."""
    end_seconds: Annotated[float, Meta(ge=0, examples=[21.0])] | None = None
    """Where it ends; left out: with the file."""


class CalibrateBody(Keyed, kw_only=True):
    """Queries with all their right answers among the media of a folder."""

    cache_dir: CacheDir
    labels: Annotated[
        list[Label],
        Meta(
            max_length=MOST_LABELS,
            description=f"One for each right answer, of at most {MOST_QUERIES} queries.",
            examples=[[{"query": "a red car", "media_path": "/footage/day1/A001.mov"}]],
        ),
    ] = field(default_factory=list)
    forget: bool = False
    """Forget what labels said of the model instead."""


async def calibrate(call: Call[CalibrateBody], services: SearchServices) -> CalibrationAnswer:
    """Measure what scores mean.

    Searches a folder for labelled queries and learns from which of their matches are right how
    likely a score of the active visual model is right, and below which it is no match. All
    right answers to a query must be labelled: what is not counts as wrong. It holds for all
    folders, in place of what is known of the model or was found out by prompts, until it is
    forgotten. `left_out` counts right answers among the first three that are no match from now
    on.
    """
    body = call.body
    scope = await run_in_threadpool(SearchScope.of, services, body.cache_dir, None)
    model = await run_in_threadpool(active_key, services, ModelKind.VISUAL)
    if body.forget:
        was_there = await run_in_threadpool(services.calibrations.forget, model)
        said = "are forgotten" if was_there else "there were none"
        return _answer(model, f"Labels of {model}: {said}.", [], None, None)
    by_query: dict[str, list[Label]] = {}
    for label in body.labels:
        by_query.setdefault(label.query, []).append(label)
    if not LEAST_QUERIES <= len(by_query) <= MOST_QUERIES:
        raise BadInput(
            f"labels name {len(by_query)} queries: {LEAST_QUERIES} to {MOST_QUERIES} are wanted."
        )
    queries = list(by_query)
    texts: list[TextVector] = []
    for at in range(0, len(queries), _AT_ONCE):
        texts += await services.vectors.of_texts(model, queries[at : at + _AT_ONCE])
    return await services.folders.run(scope.cache_dir, _calibrated, scope, model, body, texts)


@dataclass(frozen=True, slots=True)
class _Right:
    """A right answer: seconds of a MediaFile."""

    hash_str: str
    start: float
    end: float

    def has(self, hit: Hit) -> bool:
        return hit.hash_str == self.hash_str and self.start <= hit.second <= self.end


def _calibrated(
    scope: SearchScope, model: str, body: CalibrateBody, texts: Sequence[TextVector]
) -> CalibrationAnswer:
    services, view = scope.services, scope.view()
    right = _right(scope, model, body)
    judged = []
    for vector, answers in zip((text.vector for text in texts), right.values(), strict=True):
        hits = services.index.search(view, model, QueryVectors(query=vector), None, _LOOKED_AT)
        judged.append(
            Judged(
                tuple(hit.base for hit in hits),
                tuple(any(answer.has(hit) for answer in answers) for hit in hits),
            )
        )
    found = sum(one.best_right is not None for one in judged)
    if found < LEAST_QUERIES:
        raise BadInput(
            f"labels: {found} of {len(judged)} queries have a right answer among their first three "
            f"matches; {LEAST_QUERIES} are needed. Label more, or what this model knows."
        )
    known = model_catalogue.resolve(services.settings, ModelKind.VISUAL, model).scores
    scale = by_labels(judged, known)
    services.calibrations.note(
        model, Calibration(scale=scale, made_at=time.time(), queries=len(judged))
    )
    return _answer(model, f"{model} is calibrated.", judged, scale, texts)


def _right(scope: SearchScope, model: str, body: CalibrateBody) -> dict[str, list[_Right]]:
    """Right answers by query. Raises BadInput for a label of what cannot be found."""
    services, view = scope.services, scope.view()
    paths = [
        services.paths.media(label.media_path, f"labels[{n}].media_path")
        for n, label in enumerate(body.labels)
    ]
    hashes = services.caches.hashes_for(view, paths)
    analyzed = view.announced(model).keys()
    found: dict[str, list[_Right]] = {}
    for n, (label, hash_str) in enumerate(zip(body.labels, hashes, strict=True)):
        if hash_str is None or hash_str not in analyzed:
            raise BadInput(
                f"labels[{n}].media_path: {label.media_path} is not analyzed with {model} in this "
                "cache folder: leave it out, or analyze it first."
            )
        end = float("inf") if label.end_seconds is None else label.end_seconds
        if end < label.start_seconds:
            raise BadInput(f"labels[{n}].end_seconds is before start_seconds.")
        found.setdefault(label.query, []).append(_Right(hash_str, label.start_seconds, end))
    return found


def _answer(
    model: str,
    message: str,
    judged: Sequence[Judged],
    scale: ScoreScale | None,
    texts: Sequence[TextVector] | None,
) -> CalibrationAnswer:
    right: dict[str | None, list[bool]] = {strength: [] for strength in (*STRENGTHS, None)}
    left_out = 0
    for one, text in zip(judged, texts or (), strict=True):
        assert scale is not None
        is_familiar = text.familiarity is None or text.familiarity >= scale.familiar
        judge = Judge.of(scale, text_weight=1.0, has_picture=False, is_familiar=is_familiar)
        assert judge is not None
        left_out += one.best_right is not None and judge.strength(one.best_right) is None
        for cosine, is_right in zip(one.cosines, one.right, strict=True):
            right[judge.strength(cosine)].append(is_right)
    shares = {s: round(sum(of_it) / len(of_it), 3) if of_it else None for s, of_it in right.items()}
    return CalibrationAnswer(
        message=message,
        model_key=model,
        queries=len(judged),
        found=sum(one.best_right is not None for one in judged),
        left_out=left_out,
        strong=shares["strong"],
        fair=shares["fair"],
        weak=shares["weak"],
    )


ENDPOINTS = (
    Endpoint(
        "POST /models/calibrate",
        calibrate,
        "Models",
        KeyScope.MODELS,
        is_audited=True,
        errors={
            BadInput: f"labels name 7 queries: {LEAST_QUERIES} to {MOST_QUERIES} are wanted.",
            NoWorker: "",
            ModelLoading: "",
        },
        example={"forget": True},
        answer_example={"message": "conse-lite0 is calibrated."},
    ),
)
