"""What an installation pulls in, read from the metadata of the installed packages."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement

HEAVY = {"torch", "open-clip-torch", "transformers", "torchvision"}
# Pillow comes with reportlab, which writes PDFs; the API never imports it at its start.
NOT_FOR_THE_API = HEAVY | {"av", "onnxruntime", "tokenizers", "onnx", "pebble", "opentelemetry-sdk"}


def pulled_in(name: str, *extras: str) -> set[str]:
    """Names of all packages that `pip install name[extras]` brings, by installed metadata."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(name, extras)]
    while waiting:
        package, wanted = waiting.pop()
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        try:
            lines = requires(package) or []
        except PackageNotFoundError:  # wanted for another platform, or an extra we lack
            continue
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *wanted)):
                plain = re.sub(r"[-_.]+", "-", requirement.name).lower()
                waiting.append((plain, tuple(sorted(requirement.extras))))
    return {package for package, _ in seen}


@pytest.mark.studio
@pytest.mark.short
def test_the_base_brings_no_model_library_and_no_decoder() -> None:
    base = pulled_in("rushes")
    assert {"starlette", "redis", "numpy", "opentelemetry-api"} <= base
    assert not base & NOT_FOR_THE_API


@pytest.mark.studio
@pytest.mark.short
def test_the_lite_extra_brings_no_torch() -> None:
    lite = pulled_in("rushes", "lite")
    assert {"av", "onnxruntime", "faster-whisper"} <= lite
    assert not lite & HEAVY


def test_the_studio_extra_is_the_one_that_brings_torch() -> None:
    assert "torch" in pulled_in("rushes", "studio")


@pytest.mark.studio
@pytest.mark.short
def test_the_api_process_imports_no_model_library_and_no_decoder() -> None:
    program = "import api.app, sys; print(' '.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {module.partition(".")[0] for module in result.stdout.split()}
    assert not loaded & {
        *("torch", "onnxruntime", "av", "open_clip", "tokenizers", "PIL", "onnx"),
        *("faster_whisper", "ctranslate2", "huggingface_hub"),
    }
