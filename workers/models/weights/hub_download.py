"""A download from the Hugging Face hub into MODELS_DIR, with what an earlier try has left of it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.file_download import repo_folder_name

from shared.models.download_progress import Report, progress
from shared.models.model_catalogue import hub_dir, hub_marker
from shared.models.specs import ModelSpec
from shared.private_files import replacing
from shared.settings import Settings


def discard(settings: Settings, repository: str) -> None:
    """Remove all that was downloaded of a repository, which turned out to be of no use."""
    shutil.rmtree(_folder(settings, repository), ignore_errors=True)


@contextlib.contextmanager
def hub_download(
    settings: Settings, spec: ModelSpec, repository: str, report: Report
) -> Iterator[None]:
    """Report how far the files of `repository` are, those of an earlier try included."""
    size = f" ({spec.size_bytes / 1e6:.0f} MB)" if spec.size_bytes else ""
    report(f"downloading {repository or spec.key}{size} from the Hugging Face hub")
    folder = _folder(settings, repository)
    # Of a process that was killed. The hub's library begins each anew, under another name.
    for left in folder.glob("blobs/*.incomplete"):
        left.unlink(missing_ok=True)
    with progress(spec.key, folder, spec.size_bytes, report):
        yield


def mark_ready(settings: Settings, spec: ModelSpec, report: Report, **facts: str) -> None:
    """Write the file that says that a model was fetched whole, last of all."""
    with replacing(hub_marker(settings, spec), is_private=False) as file:
        file.write(json.dumps({"key": spec.key, "licence": spec.licence, **facts}).encode())
    report(f"{spec.key} is ready")


def _folder(settings: Settings, repository: str) -> Path:
    return hub_dir(settings) / repo_folder_name(repo_id=repository, repo_type="model")
