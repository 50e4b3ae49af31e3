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
    hours: Annotated[
        float,
        Meta(ge=0, description="Of those whose length is known; stills have none.", examples=[2.4]),
    ]


class CoverageOfModel(CoveragePart, kw_only=True):
    """What is analyzed with one model."""

    model_key: Annotated[str, Meta(description="The model.", examples=["conse-lite0"])]


class CoverageReason(Struct, kw_only=True):
    """Why some files are not searched, or do not open."""

    state: CoverageState
    reason: Annotated[str, Meta(description="Why.", examples=["The file is cut off."])]
    files: Count
    examples: Annotated[
        list[ClientPath],
        Meta(description="Up to three of them.", examples=[["/footage/day1/A002.mov"]]),
    ]


class Coverage(Struct, kw_only=True):
    """How much of what was asked was searched.

    `asked` is `searched`, `waiting`, `failed`, `left_out`, `other_models` and `unknown` together.
    """

    model_key: Annotated[
        str, Meta(description="The model that was searched by.", examples=["conse-lite0"])
    ]
    asked: Annotated[
        CoveragePart,
        Meta(
            description="Everything in media_paths; without them all media that the cache folder "
            "knows of or that is to go into it, each content once. Of pictures then no sound "
            "files, of what is said no stills and no films without sound.",
            examples=[_PART],
        ),
    ]
    searched: Annotated[
        CoveragePart, Meta(description="Analyzed with this model.", examples=[_PART])
    ]
    waiting: Annotated[
        CoveragePart, Meta(description="In line for analysis or worked on.", examples=[_PART])
    ]
    failed: Annotated[
        CoveragePart, Meta(description="Their last analysis failed.", examples=[_PART])
    ]
    other_models: Annotated[
        CoveragePart, Meta(description="Analyzed with other models only.", examples=[_PART])
    ]
    unknown: Annotated[CoveragePart, Meta(description="None of that.", examples=[_PART])]
    offline: Annotated[
        CoveragePart,
        Meta(
            description="Known, and no place opens where their content was seen.", examples=[_PART]
        ),
    ]
    left_out: (
        Annotated[
            CoveragePart,
            Meta(
                description="Left out of analysis by somebody; only where there are such files.",
                examples=[_PART],
            ),
        ]
        | UnsetType
    ) = UNSET
    speakers: (
        Annotated[
            CoveragePart,
            Meta(
                description="Files of `asked` with speaker labels: in searches in "
                "what was said where there are such files, and wherever `speaker` is asked for.",
                examples=[_PART],
            ),
        ]
        | UnsetType
    ) = UNSET
    captions: (
        Annotated[
            CoveragePart,
            Meta(
                description="Files of `asked` whose own subtitles or captions were searched, "
                "transcribed or not: where `captions` is asked for.",
                examples=[_PART],
            ),
        ]
        | UnsetType
    ) = UNSET
    with_folder_names: (
        Annotated[
            CoveragePart,
            Meta(
                description="Files of `asked` whose transcript was made by a version that "
                "gave the speech model names of folders, which can cost full stops, words and "
                "sentences: only where there are such files. `rushes doctor` names the command "
                "that makes them again.",
                examples=[_PART],
            ),
        ]
        | UnsetType
    ) = UNSET
    models: Annotated[
        list[CoverageOfModel],
        Meta(
            description="What is analyzed with which model.",
            examples=[[_MODEL]],
        ),
    ]
    reasons: Annotated[
        list[CoverageReason],
        Meta(
            description="Most files first.",
            examples=[[_FAILED]],
        ),
    ]
