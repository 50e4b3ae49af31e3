"""Opens ONNX Runtime sessions the way every adapter needs them: one thread, quiet."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from shared.errors import ModelError

_ERRORS_ONLY = 3


def open_session(path: Path, device: str) -> ort.InferenceSession:
    """An ONNX session on `device` ("cuda:1", "cpu", …). Raises ModelError for a broken file."""
    try:
        return ort.InferenceSession(str(path), session_options(), providers=providers(device))
    except Exception as error:  # ONNX Runtime has a dozen of its own, whose one base this is
        raise ModelError(
            f"{path} cannot be loaded ({error}). Remove its folder and pull the model again."
        ) from error


def session_options() -> ort.SessionOptions:
    """Options for one thread: workers are processes, and threads of several fight for cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return options


def providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    """ONNX Runtime's words for RUSHES_DEVICE; the CPU where the wished one cannot be used."""
    has_cuda = "CUDAExecutionProvider" in ort.get_available_providers()
    if device.startswith(("cuda", "auto")) and has_cuda:
        index = device.partition(":")[2] or "0"
        return [("CUDAExecutionProvider", {"device_id": index}), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]
