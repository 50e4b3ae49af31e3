"""A download from the Hugging Face hub into MODELS_DIR, with what an earlier try has left of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.file_download import repo_folder_name

from shared.models.download_progress import Report, progress
from shared.models.model_catalogue import hub_dir
from shared.models.specs import ModelSpec
from shared.settings import Settings


def discard(settings: Settings, repository: str) -> None:
    """Remove all that was downloaded of a repository, which turned out to be of no use."""
    shutil.rmtree(_folder(settings, repository), ignore_errors=True)


@contextlib.contextmanager
def hub_download(
    settings: Settings, spec: ModelSpec, repository: str, report: Report
) -> Iterator[None]:
    """Report how far the files of `repository` are, those of an earlier try included."""
    folder = _folder(settings, repository)
    # Of a process that was killed. The hub's library begins each anew, under another name.
    for left in folder.glob("blobs/*.incomplete"):
        left.unlink(missing_ok=True)
    with progress(spec.key, folder, spec.size_bytes, report):
        yield


def _folder(settings: Settings, repository: str) -> Path:
    return hub_dir(settings) / repo_folder_name(repo_id=repository, repo_type="model")
