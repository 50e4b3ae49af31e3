"""What an answer says of the media that it is about."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import ClientPath, Count

CoverageState = Annotated[
    Literal["waiting", "failed", "left_out", "other_model", "unknown", "offline"],
    Meta(
        title="CoverageState",
        description="What a reason is of. `offline` files are counted among the others, too.",
        examples=["failed"],
    ),
]
_PART = {"files": 12, "hours": 2.4}
_NONE = {"files": 0, "hours": 0.0}
_FAILED = {
    "state": "failed",
    "reason": "The file is cut off.",
    "files": 1,
    "examples": ["/footage/day1/A002.mov"],
}
_MODEL = {"model_key": "conse-lite0", **_PART}
COVERAGE = {
    "model_key": "conse-lite0",
    "asked": {"files": 13, "hours": 2.4},
    "searched": _PART,
    "waiting": _NONE,
    "failed": {"files": 1, "hours": 0.0},
    "other_models": _NONE,
    "unknown": _NONE,
    "offline": _NONE,
    "models": [_MODEL],
    "reasons": [_FAILED],
}


class CoveragePart(Struct, kw_only=True):
    """Some of the media."""

    files: Count
    hours: Annotated[float, Meta(ge=0, examples=[2.4])]
    """Of those whose length is known; stills have none."""


class CoverageOfModel(CoveragePart, kw_only=True):
    """What is analyzed with one model."""

    model_key: Annotated[str, Meta(examples=["conse-lite0"])]
    """The model."""


class CoverageReason(Struct, kw_only=True):
    """Why some files are not searched, or do not open."""

    state: CoverageState
    reason: Annotated[str, Meta(examples=["The file is cut off."])]
    """Why."""
    files: Count
    examples: Annotated[list[ClientPath], Meta(examples=[["/footage/day1/A002.mov"]])]
    """Up to three of them."""


class Coverage(Struct, kw_only=True):
    """How much of what was asked was searched.

    `asked` is `searched`, `waiting`, `failed`, `left_out`, `other_models` and `unknown` together.
    """

    model_key: Annotated[str, Meta(examples=["conse-lite0"])]
    """The model that was searched by."""
    asked: Annotated[CoveragePart, Meta(examples=[_PART])]
    """Everything in media_paths; without them all media that the cache folder knows of or that is
    to go into it, each content once. Of pictures then no sound files, of what is said no stills and
    no films without sound."""
    searched: Annotated[CoveragePart, Meta(examples=[_PART])]
    """Analyzed with this model."""
    waiting: Annotated[CoveragePart, Meta(examples=[_PART])]
    """In line for analysis or worked on."""
    failed: Annotated[CoveragePart, Meta(examples=[_PART])]
    """Their last analysis failed."""
    other_models: Annotated[CoveragePart, Meta(examples=[_PART])]
    """Analyzed with other models only."""
    unknown: Annotated[CoveragePart, Meta(examples=[_PART])]
    """None of that."""
    offline: Annotated[CoveragePart, Meta(examples=[_PART])]
    """Known, and no place opens where their content was seen."""
    left_out: Annotated[CoveragePart, Meta(examples=[_PART])] | UnsetType = UNSET
    """Left out of analysis by somebody; only where there are such files."""
    speakers: Annotated[CoveragePart, Meta(examples=[_PART])] | UnsetType = UNSET
    """Files of `asked` with speaker labels: in searches in what was said where there are such
    files, and wherever `speaker` is asked for."""
    captions: Annotated[CoveragePart, Meta(examples=[_PART])] | UnsetType = UNSET
    """Files of `asked` whose own subtitles or captions were searched, transcribed or not: where
    `captions` is asked for."""
    with_folder_names: Annotated[CoveragePart, Meta(examples=[_PART])] | UnsetType = UNSET
    """Files of `asked` whose transcript was made by a version that gave the speech model names of
    folders, which can cost full stops, words and sentences: only where there are such files.
    `rushes doctor` names the command that makes them again."""
    models: Annotated[list[CoverageOfModel], Meta(examples=[[_MODEL]])]
    """What is analyzed with which model."""
    reasons: Annotated[list[CoverageReason], Meta(examples=[[_FAILED]])]
    """Most files first."""
