"""Checks of the active models: known, allowed, their weights here, and the device to run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cli.checks.finding import Finding, fine, problem, warning
from cli.checks.libraries import Libraries
from shared.domain import ModelKind
from shared.errors import ModelError, SettingsError
from shared.models import libraries, model_catalogue
from shared.models.specs import ModelSpec
from shared.settings import Settings


def default_model(settings: Settings, kind: ModelKind) -> ModelSpec:
    """The default model of a kind by the settings.

    Raises SettingsError for an unknown one, and where the folder of weights may not be read.
    """
    setting, key = {
        ModelKind.VISUAL: ("RUSHES_VISUAL_MODEL", settings.visual_model),
        ModelKind.SPEECH: ("RUSHES_SPEECH_MODEL", settings.speech_model),
        ModelKind.FACES: ("RUSHES_FACE_MODEL", settings.face_model),
    }[kind]
    try:
        return model_catalogue.resolve(settings, kind, key)
    except ModelError as error:
        raise SettingsError(f"{setting}: {error.message}") from error
    except OSError as error:
        raise _unreadable(settings, error) from error


def extras_needed(settings: Settings) -> set[str]:
    """The extras that the active models need beyond the lite ones."""
    return {libraries.NEEDED[spec.family][0] for spec in _active(settings)} - {"lite"}


def weights(settings: Settings, *, is_worker: bool = True) -> Iterator[Finding]:
    """A finding for each kind of model. Without a Redis of its own, `rushes up` fetches them."""
    for kind in ModelKind:
        subject = f"{'face' if kind is ModelKind.FACES else kind} model"
        try:
            spec = default_model(settings, kind)
            model_catalogue.require_allowed(settings, spec)
            yield _weights(settings, spec, subject, is_worker)
        except SettingsError as error:
            yield problem(subject, error.message.rstrip("."), "name another, or leave it unset")
        except ModelError as error:
            yield problem(subject, error.message.rstrip("."), "or name another one")
        except OSError as error:
            said = _unreadable(settings, error).message.rstrip(".")
            yield problem(subject, said, "name another, or leave it unset")


def device(settings: Settings, libraries: Libraries) -> Iterator[Finding]:
    """Whether the libraries that load the active models see the device of RUSHES_DEVICE."""
    wanted = settings.device
    seen = {name: found for name, found in libraries.devices.items() if found}
    users = {"onnxruntime", "ctranslate2"}
    if any(spec.family == "open_clip" for spec in _active(settings)):
        users.add("torch")
    if wanted.startswith("cuda"):
        yield from _cuda(wanted, seen, users)
    elif wanted == "mps":
        yield from _mps(seen, users)
    elif wanted == "auto":
        yield _auto(seen, users)
    else:
        yield fine("device", "models run on the CPU, as RUSHES_DEVICE says")


def _active(settings: Settings) -> Iterator[ModelSpec]:
    for kind in ModelKind:
        try:
            yield default_model(settings, kind)
        except SettingsError:
            continue  # said by `weights`


def _unreadable(settings: Settings, error: OSError) -> SettingsError:
    why = error.strerror or error
    return SettingsError(f"RUSHES_MODELS_DIR: {settings.weights_dir} cannot be read ({why}).")


def _weights(settings: Settings, spec: ModelSpec, subject: str, is_worker: bool) -> Finding:
    if model_catalogue.is_downloaded(settings, spec):
        licence = spec.licence or "unknown licence"
        return fine(subject, f"{spec.key} is in {settings.weights_dir} ({licence})")
    message = f"the weights of {spec.key} are not in {settings.weights_dir}"
    cure = f"run `rushes models pull {spec.key}`"
    if not is_worker:
        return fine(subject, f"{message}, and this machine runs no workers that would need them")
    if settings.redis_url is None:
        return warning(subject, message, f"{cure}, or let `rushes up` do it")
    return problem(subject, message, cure)


def _cuda(wanted: str, seen: dict[str, dict[str, int]], users: set[str]) -> Iterator[Finding]:
    index = int(wanted.partition(":")[2] or 0)
    blind = sorted(name for name in users if seen.get(name, {}).get("cuda", 0) == 0)
    if "onnxruntime" in blind:  # it runs on the CPU then; the others refuse
        blind.remove("onnxruntime")
        message = f"this build of onnxruntime has no CUDA, so it uses the CPU despite {wanted}"
        yield warning("device", message, "install onnxruntime-gpu in its place")
    for name in sorted(users - {"onnxruntime"} - set(blind)):
        if seen[name]["cuda"] <= index:
            blind.append(name)
    for name in blind:
        message = f"RUSHES_DEVICE={wanted}, and {name} sees no such device"
        cure = f"set RUSHES_DEVICE=cpu, or install the driver and a {name} with CUDA"
        yield problem("device", message, cure)
    if not blind:
        yield fine("device", f"{wanted} is there")


def _mps(seen: dict[str, dict[str, int]], users: set[str]) -> Iterator[Finding]:
    if "torch" not in users:
        message = "RUSHES_DEVICE=mps, and no active model can use it: all run on the CPU"
        yield warning("device", message, "set RUSHES_DEVICE=cpu, or choose an open_clip model")
    elif not seen.get("torch", {}).get("mps"):
        message = "RUSHES_DEVICE=mps, and torch sees no Metal"
        yield problem("device", message, "set RUSHES_DEVICE=cpu")
    else:
        yield fine("device", "Metal is there")


def _auto(seen: dict[str, dict[str, int]], users: set[str]) -> Finding:
    using = sorted(name for name in users if any(seen.get(name, {}).values()))
    if using:
        return fine("device", f"{', '.join(using)} run on the GPU, everything else on the CPU")
    if Path("/dev/nvidia0").exists():
        message = "there is a GPU, and nothing that loads the active models can use it"
        return warning("device", message, "install onnxruntime-gpu and the libraries of CUDA 12")
    return fine("device", "models run on the CPU: no GPU is seen")
