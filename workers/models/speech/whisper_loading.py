"""Opens Whisper's weights: checks whether they are whole, chooses device and precision."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
from faster_whisper import WhisperModel, download_model

from shared.errors import ModelError, os_errors_as
from shared.models.download_progress import Report
from shared.models.model_catalogue import catalogue, hub_dir, speech_folder
from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.speech.whisper import WhisperTranscriber
from workers.models.weights.hub_download import discard, hub_download, mark_ready

log = logging.getLogger(__name__)

# In order of preference. int8 halves a float16 model again and costs no measurable quality.
_CPU_TYPES = ("int8",)
_CUDA_TYPES = ("float16", "int8_float16")
_CUDA_BATCH = 8


@dataclass(frozen=True, slots=True)
class SpeechDevice:
    """A device where CTranslate2 is to run a model, and the precisions, the best first."""

    name: str
    index: int
    precisions: tuple[str, ...]
    batch_size: int


def speech_devices(setting: str) -> list[SpeechDevice]:
    """Devices for CTranslate2 by RUSHES_DEVICE, best first. Raises ModelError for an absent one.

    It knows no Metal, so mps means the CPU.
    """
    cpu = SpeechDevice("cpu", 0, _supported("cpu", 0, _CPU_TYPES), 1)
    count = ctranslate2.get_cuda_device_count()
    if setting in ("cpu", "mps") or (setting == "auto" and not count):
        return [cpu]
    index = setting.partition(":")[2] or "0"
    if setting != "auto" and not (setting.startswith("cuda") and index.isdigit()):
        raise ModelError(f"RUSHES_DEVICE={setting} is none of auto, cpu, mps, cuda and cuda:N.")
    if int(index) >= count:
        raise ModelError(
            f"RUSHES_DEVICE={setting}: CTranslate2 sees no such CUDA device, so no speech model "
            "can run there. Set RUSHES_DEVICE=auto or cpu, or mend the NVIDIA driver."
        )
    _preload_cublas()
    cuda = SpeechDevice(
        "cuda", int(index), _supported("cuda", int(index), _CUDA_TYPES), _CUDA_BATCH
    )
    return [cuda, cpu] if setting == "auto" else [cuda]


def _preload_cublas() -> None:
    """Load cuBLAS out of NVIDIA's Python package when it is installed.

    CTranslate2 asks the system for libcublas.so.12 by name, and the system does not look there.
    """
    if importlib.util.find_spec("nvidia") is None:
        return
    found = importlib.util.find_spec("nvidia.cublas")
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder) / "lib" / "libcublas.so.12"
        if path.is_file():
            with contextlib.suppress(OSError):  # the first computation says what is missing
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _supported(device: str, index: int, wanted: tuple[str, ...]) -> tuple[str, ...]:
    offered = ctranslate2.get_supported_compute_types(device, index)
    return tuple(kind for kind in wanted if kind in offered) or ("float32",)


class _CannotRunThere(Exception):
    """A model cannot run on one device in one precision; there may be others to try."""


def load_whisper(
    settings: Settings, spec: ModelSpec, folder: Path | None = None
) -> WhisperTranscriber:
    """Load a Whisper model. Raises ModelError if missing, damaged or not to be run here."""
    folder = folder or speech_folder(settings, spec)
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # else a line for each piece
    ctranslate2.set_log_level(logging.ERROR)
    require_whole(spec, folder)
    devices = speech_devices(settings.device)
    problem = ""
    for device in devices:
        try:
            return _open_on(spec, folder, device)
        except _CannotRunThere as error:
            problem = str(error)
        if device is not devices[-1]:
            log.warning("%s cannot run on %s (%s): trying the CPU", spec.key, device.name, problem)
    raise ModelError(
        f"{spec.key} cannot be loaded: {problem}. If its files in {folder} are damaged, remove "
        "that folder and fetch them again."
    )


def _open_on(spec: ModelSpec, folder: Path, device: SpeechDevice) -> WhisperTranscriber:
    """Open a Whisper model in the best precision that fits into the device's memory."""
    for precision in device.precisions[:-1]:
        try:
            return _open(spec, folder, device, precision)
        except _CannotRunThere as error:
            if "out of memory" not in str(error).lower():
                raise
            log.info("%s as %s does not fit on %s", spec.key, precision, device.name)
    return _open(spec, folder, device, device.precisions[-1])


def _open(
    spec: ModelSpec, folder: Path, device: SpeechDevice, precision: str
) -> WhisperTranscriber:
    try:
        model = WhisperModel(
            str(folder),
            device=device.name,
            device_index=device.index,
            compute_type=precision,
            cpu_threads=1,  # workers are scaled by processes; threads would fight for cores
            local_files_only=True,
        )
        transcriber = WhisperTranscriber(spec, model, device.batch_size)
        if device.name == "cuda":  # libraries that are missing show at the first computation
            transcriber.warmup()
    except Exception as error:  # CTranslate2 and tokenizers each raise their own
        raise _CannotRunThere(" ".join(str(error).split())[:300]) from error
    return transcriber


def require_whole(spec: ModelSpec, folder: Path) -> None:
    """Raise ModelError unless a Whisper folder has all files, as they should be where known.

    faster-whisper would look for a missing tokenizer on the hub.
    """
    names = {path.name for path in folder.glob("*") if path.is_file()}  # no link to nowhere
    missing = [name for name in ("config.json", "model.bin", "tokenizer.json") if name not in names]
    if not names & {"vocabulary.txt", "vocabulary.json"}:
        missing.append("vocabulary.json")
    sums = _known_sums(folder)
    missing += sorted(set(sums) - names - set(missing))
    if missing:
        raise ModelError(f"{spec.key} is not whole: {folder} holds no {', '.join(missing)}.")
    for name, sha256 in sums.items():
        path = folder / name
        with os_errors_as(ModelError, f"{path} cannot be read"), path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise ModelError(
                f"{name} of {spec.key} is damaged. Remove {folder} and fetch it again with "
                f"`rushes models pull {spec.key}`."
            )


def _known_sums(folder: Path) -> dict[str, str]:
    """sha256 by file name in our own manifest; others have files of that name, too."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {str(name): str(facts["sha256"]) for name, facts in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # a folder that a person has put there, or the hub's


def download(settings: Settings, spec: ModelSpec, report: Report) -> None:
    """Fetch a conversion from the hub, prove that it loads, and only then mark it as ready.

    What an interrupted try has fetched stays in the hub's cache and is not fetched again.
    """
    try:
        with hub_download(settings, spec, spec.pretrained, report):
            folder = Path(download_model(spec.pretrained, cache_dir=str(hub_dir(settings))))
    except Exception as error:  # the hub's library has dozens of its own, and lets others through
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ModelError(
            f"{spec.pretrained} cannot be fetched from the Hugging Face hub: "
            f"{reason.rstrip('.')}. Check the name and the network, or put the model's files into "
            f"{settings.weights_dir / 'whisper' / spec.architecture}."
        ) from error
    try:
        load_whisper(settings, spec, folder).warmup()
    except ModelError:
        if spec.key not in catalogue(settings):  # anybody's, whatever it is
            discard(settings, spec.pretrained)
        raise
    mark_ready(settings, spec, report, folder=str(folder.relative_to(hub_dir(settings))))
