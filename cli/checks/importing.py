"""`python -m cli.checks.importing MODULE…`: imports each and says how it went, one JSON line each.

A process of its own, because imports may crash and the command line holds no model library.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

from shared.process import telemetry

# What each library sees of GPUs: counts of CUDA devices, and whether there is Metal.
_DEVICES: dict[str, Callable[[Any], dict[str, int]]] = {
    "onnxruntime": lambda it: {"cuda": "CUDAExecutionProvider" in it.get_available_providers()},
    "ctranslate2": lambda it: {"cuda": it.get_cuda_device_count()},
    "torch": lambda it: {
        "cuda": it.cuda.device_count(),
        "mps": int(it.backends.mps.is_available()),
    },
}


def main(names: list[str]) -> None:
    telemetry.switch_off()
    warnings.simplefilter("ignore")
    answers = sys.stdout
    sys.stdout = sys.stderr  # libraries that print while they are imported
    for name in names:
        answer: dict[str, Any] = {"module": name}
        try:
            module = importlib.import_module(name)
            if name in _DEVICES:
                answer["devices"] = {k: int(v) for k, v in _DEVICES[name](module).items()}
        except ModuleNotFoundError as error:
            answer["missing" if error.name == name else "error"] = str(error)
        except BaseException as error:  # noqa: BLE001 (whatever a foreign module raises)
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
