"""Request bodies about deleting; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from api.http.bodies import CacheDir, Keyed, MediaPaths, Text, Word
from api.people.bodies import ClusterId

DryRun = Annotated[
    bool,
    Meta(description="Only say what would be deleted. Nothing is deleted unless this is false."),
]


class DeleteDataBody(Keyed, kw_only=True):
    """Whose results go: those of some files, of one model, or of that model in those files."""

    cache_dir: CacheDir
    media_paths: MediaPaths | None = None
    """Left out: all files of the cache folder."""
    model_key: Annotated[Word, Meta(examples=["conse-lite0"])] | None = None
    """Left out: results of all models, the stored frames and the captions that are in files too,
    which are no model's. With a speech model its transcripts and who speaks in them go; captions
    stay."""
    dry_run: DryRun = True


class UndoDeletionBody(Keyed, kw_only=True):
    """Which deletion to take back."""

    cache_dir: CacheDir
    deletion_id: Annotated[Word, Meta(examples=["5f0c1de2a49b7c38"])]
    """From the answer of the deletion, or from GET /analysis-data/deletions."""


class DeletePersonBody(Keyed, kw_only=True):
    """Who goes: everybody of a name, or one cluster."""

    NOT_AUDITED: ClassVar = ("name",)

    cache_dir: CacheDir
    name: Annotated[Text, Meta(examples=["Ada"])] | None = None
    """All people of this name, in every collection of the cache folder."""
    cluster_job_name: Annotated[Text, Meta(examples=["Season 1"])] | None = None
    """The collection of `cluster_id`."""
    cluster_id: Annotated[ClusterId, Meta(examples=["77031420"])] | None = None
    """One cluster, instead of `name`."""
    dry_run: DryRun = True
