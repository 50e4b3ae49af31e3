"""Request bodies about deleting; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from api.http.bodies import LONGEST_TEXT, LONGEST_WORD, CacheDir, Keyed, MediaPaths
from api.people.bodies import ClusterId

DryRun = Annotated[
    bool,
    Meta(description="Only say what would be deleted. Nothing is deleted unless this is false."),
]


class DeleteDataBody(Keyed, kw_only=True):
    """Whose results go: those of some files, of one model, or of that model in those files."""

    cache_dir: CacheDir
    media_paths: (
        Annotated[MediaPaths, Meta(description="Left out: all files of the cache folder.")] | None
    ) = None
    model_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_WORD,
                description="Left out: results of all models, the stored frames and the captions "
                "that are in files too, which are no model's. With a speech model its transcripts "
                "and who speaks in them go; captions stay.",
                examples=["conse-lite0"],
            ),
        ]
        | None
    ) = None
    dry_run: DryRun = True


class UndoDeletionBody(Keyed, kw_only=True):
    """Which deletion to take back."""

    cache_dir: CacheDir
    deletion_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_WORD,
            description="From the answer of the deletion, or from GET /analysis-data/deletions.",
            examples=["5f0c1de2a49b7c38"],
        ),
    ]


class DeletePersonBody(Keyed, kw_only=True):
    """Who goes: everybody of a name, or one cluster."""

    NOT_AUDITED: ClassVar = ("name",)

    cache_dir: CacheDir
    name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_TEXT,
                description="All people of this name, in every collection of the cache folder.",
                examples=["Ada"],
            ),
        ]
        | None
    ) = None
    cluster_job_name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_TEXT,
                description="The collection of `cluster_id`.",
                examples=["Season 1"],
            ),
        ]
        | None
    ) = None
    cluster_id: (
        Annotated[
            ClusterId, Meta(description="One cluster, instead of `name`.", examples=["77031420"])
        ]
        | None
    ) = None
    dry_run: DryRun = True
