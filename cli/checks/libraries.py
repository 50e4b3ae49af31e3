"""The libraries of the extras: installed, importable, and which GPUs they see."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cli.checks.finding import Finding, fine, problem, warning
from shared.process import telemetry

# By extra, as in pyproject.toml, the modules that its packages bring.
EXTRAS = {
    "worker": ("av", "PIL", "pi_heif", "simplejpeg", "pebble", "watchdog"),
    "lite": ("onnxruntime", "tokenizers", "onnx", "ctranslate2", "faster_whisper", "hdbscan"),
    "insightface": ("insightface", "skimage"),
    "studio": ("torch", "open_clip", "transformers"),
}
_SMALL = ("worker", "lite")
_IMPORTS_WITHIN_S = 60
# What each library sees of GPUs: counts of CUDA devices, and whether there is Metal.
_DEVICES: dict[str, Callable[[Any], dict[str, int]]] = {
    "onnxruntime": lambda it: {"cuda": "CUDAExecutionProvider" in it.get_available_providers()},
    "ctranslate2": lambda it: {"cuda": it.get_cuda_device_count()},
    "torch": lambda it: {
        "cuda": it.cuda.device_count(),
        "mps": int(it.backends.mps.is_available()),
    },
}


@dataclass(slots=True)
class Libraries:
    """Results of importing each module of the extras."""

    missing: set[str] = field(default_factory=set)
    untried: set[str] = field(default_factory=set)  # extras
    broken: dict[str, str] = field(default_factory=dict)
    devices: dict[str, dict[str, int]] = field(default_factory=dict)


def look(needed: set[str]) -> Libraries:
    """Import libraries, one process an extra; for large ones that nothing needs, only look."""
    found = Libraries()
    tried = {name: EXTRAS[name] for name in EXTRAS if name in {*_SMALL, *needed}}
    with ThreadPoolExecutor() as threads:
        for answers in threads.map(_import, tried.values()):
            for name, answer in answers.items():
                if "missing" in answer:
                    found.missing.add(name)
                elif "error" in answer:
                    found.broken[name] = answer["error"]
                found.devices[name] = answer.get("devices", {})
    for extra in EXTRAS.keys() - tried.keys():
        found.untried.add(extra)
        found.missing |= {name for name in EXTRAS[extra] if not is_installed(name)}
    return found


def is_installed(module: str) -> bool:
    return find_spec(module) is not None


def findings(libraries: Libraries, needed: set[str]) -> Iterator[Finding]:
    """Findings on the extras. `needed`: those that this machine's settings cannot do without."""
    for extra, modules in EXTRAS.items():
        broken = [name for name in modules if name in libraries.broken]
        missing = [name for name in modules if name in libraries.missing]
        cure = f"run `{sys.executable} -m pip install 'rushes[{extra}]'`"
        for name in broken:
            message = f"{name} is installed and cannot be imported ({libraries.broken[name]})"
            yield problem(f"extra {extra}", message, f"{cure} with --force-reinstall")
        if missing and extra in needed:
            yield problem(f"extra {extra}", f"{', '.join(missing)} not installed", cure)
        elif missing and extra in _SMALL:
            message = f"{', '.join(missing)} not installed, so this machine can run no workers"
            yield warning(f"extra {extra}", message, f"{cure} if it is to run some")
        elif missing:
            yield fine(f"extra {extra}", "is not installed, and no active model needs it")
        elif extra in libraries.untried:
            yield fine(f"extra {extra}", "is installed, and no active model needs it")
        elif not broken:
            yield fine(f"extra {extra}", f"{', '.join(modules)} can be imported")


def _import(modules: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-P", "-m", "cli.checks.libraries", *modules]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=_IMPORTS_WITHIN_S, check=False
        )
        lines, end = run.stdout, f"the process ended with exit status {run.returncode}"
    except subprocess.TimeoutExpired as late:
        lines = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        end = f"it took longer than {_IMPORTS_WITHIN_S} s"
    answers = {answer["module"]: answer for answer in map(json.loads, lines.splitlines())}
    for name in modules:
        answers.setdefault(name, {"error": end})
    return answers


def main(names: list[str]) -> None:
    telemetry.switch_off()
    warnings.simplefilter("ignore")
    answers = sys.stdout
    sys.stdout = sys.stderr  # libraries that print while they are imported
    for name in names:
        answer: dict[str, Any] = {"module": name}
        try:
            module = import_module(name)
            if name in _DEVICES:
                answer["devices"] = {k: int(v) for k, v in _DEVICES[name](module).items()}
        except ModuleNotFoundError as error:
            answer["missing" if error.name == name else "error"] = str(error)
        except BaseException as error:  # noqa: BLE001 (whatever a foreign module raises)
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
