"""Fetches a Debian package by name, pinned version and sha256, and reads it without dpkg."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.models.registry_packages import FetchFailed


@dataclass(frozen=True, slots=True)
class DebianPackage:
    name: str
    version: str
    sha256: str
    megabytes: int


def fetch_deb(package: DebianPackage, folder: Path) -> Path:
    """The .deb file in `folder`, downloaded by apt-get unless it is there. Raises FetchFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    for found in folder.glob(f"{package.name}_*.deb"):
        if _sha256(found) == package.sha256:
            return found
    if shutil.which("apt-get") is None:
        raise FetchFailed(f"{package.name} comes from Debian, and there is no apt-get here.")
    print(f"downloading {package.name} {package.version} ({package.megabytes} MB)")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archive = _download(package, Path(scratch), folder / "apt")
        if _sha256(archive) != package.sha256:
            raise FetchFailed(f"{package.name} {package.version} is not the file it was.")
        target = folder / archive.name
        os.replace(archive, target)
        return target


def _download(package: DebianPackage, scratch: Path, state: Path) -> Path:
    """With the system's package lists, else with lists of our own: no root, nothing changed."""
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    own = ["-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}/cache"]
    own += ["-o", "APT::Sandbox::User="]
    wanted = ["download", f"{package.name}={package.version}"]
    attempts = (["-o", "APT::Sandbox::User=", *wanted], [*own, "update"], [*own, *wanted])
    reason = ""
    for arguments in attempts:
        result = subprocess.run(
            ["apt-get", "-qq", *arguments], cwd=scratch, capture_output=True, text=True, check=False
        )
        reason = (result.stderr.strip().splitlines() or [reason])[-1]
        if found := list(scratch.glob("*.deb")):
            return found[0]
    raise FetchFailed(
        f"apt-get could not download {package.name} {package.version} ({reason}). Check the "
        f"network, or put the .deb file into {scratch.parent} by hand."
    )


def members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Path and content of every file that the package installs."""
    with archive.open("rb") as file, tempfile.TemporaryFile() as data:
        _copy_ar_member(file, "data.tar.xz", data)
        with tarfile.open(fileobj=data, mode="r:xz") as tar:
            for entry in tar:
                if entry.isfile() and (content := tar.extractfile(entry)):
                    yield entry.name, content


def _copy_ar_member(file: IO[bytes], wanted: str, target: IO[bytes]) -> None:
    if file.read(8) != b"!<arch>\n":
        raise FetchFailed("This is no Debian package.")
    while header := file.read(60):
        name = header[:16].decode("ascii").strip().rstrip("/")
        size = int(header[48:58])
        if name == wanted:
            target.write(file.read(size))
            target.seek(0)
            return
        file.seek(size + size % 2, os.SEEK_CUR)
    raise FetchFailed(f"The package holds no {wanted}.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
