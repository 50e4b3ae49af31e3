"""Any open_clip model, with weights from a local folder or file, or from the hub."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from shared.errors import ModelError
from shared.models.download_progress import Report
from shared.models.model_catalogue import hub_dir
from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.turns import Turns
from workers.models.weights.hub_download import hub_download, mark_ready

log = logging.getLogger(__name__)

_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


class OpenClipEmbedder:
    """One open_clip model on one device. Its two towers share a space by training."""

    def __init__(self, spec: ModelSpec, model: Any, tokenizer: Any, device: Device) -> None:
        preprocessing = open_clip.get_model_preprocess_cfg(model)
        transform_of = PreprocessCfg(**preprocessing)
        self._model, self._tokenizer, self._device = model.eval(), tokenizer, device
        self._transform = image_transform_v2(transform_of, is_train=False)
        self._dtype = open_clip.get_input_dtype(device.precision) or torch.float32
        size = transform_of.size
        self.picture_side = int(size if isinstance(size, int) else min(size))
        self.spec = spec
        self.batch_size = device.batch_size
        self._turns = Turns()

    def warmup(self) -> None:
        self.embed_images(
            np.zeros((self.batch_size, 3, self.picture_side, self.picture_side), np.float32)
        )
        self.embed_texts(["warm-up"])

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return cast("NDArray[np.float32]", self._transform(Image.fromarray(rgb)).numpy())

    def embed_images(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._turns, torch.inference_mode():
            pixels = torch.from_numpy(prepared).to(self._device.name, self._dtype)
            return _rows(self._model.encode_image(pixels, normalize=True))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        with self._turns, torch.inference_mode():  # tokenizers keep state, too
            tokens = self._tokenizer(texts).to(self._device.name)
            return _rows(self._model.encode_text(tokens, normalize=True))

    def embed_sentences(self, texts: list[str]) -> None:
        return None

    def familiarity(self, rows: NDArray[np.float32]) -> None:
        return None


def _rows(features: torch.Tensor) -> NDArray[np.float32]:
    """Features as unit rows in float32: half precision leaves norms off by up to a percent."""
    rows = features.float()
    return cast("NDArray[np.float32]", (rows / rows.norm(dim=1, keepdim=True)).cpu().numpy())


def load_open_clip(settings: Settings, spec: ModelSpec) -> OpenClipEmbedder:
    """Load an open_clip model. Raises ModelError if missing, broken or unknown."""
    device = choose_device(settings.device)
    if device.name == "cpu":
        torch.set_num_threads(1)  # workers are scaled by processes; threads would fight for cores
    try:
        model, tokenizer = _create(settings, spec, device)
    except ModelError:
        raise
    except Exception as error:  # torch, timm, safetensors and pickle each raise their own
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{spec.key} cannot be loaded: {reason}") from error
    if spec.architecture.startswith("MobileCLIP"):
        from timm.utils import reparameterize_model  # only these models need it

        model = reparameterize_model(model)
    return OpenClipEmbedder(spec, model, tokenizer, device)


def _create(settings: Settings, spec: ModelSpec, device: Device) -> tuple[Any, Any]:
    options: dict[str, Any] = {"precision": device.precision, "device": device.name}
    weights = Path(spec.weights) if spec.weights else None
    if weights is None:
        name, source = spec.architecture, spec.pretrained
        options["cache_dir"] = str(hub_dir(settings))
        config = open_clip.get_pretrained_cfg(name, source)
        options["force_quick_gelu"] = bool(config.get("quick_gelu", False))
    elif weights.is_dir():
        name, source = f"local-dir:{weights}", None
    else:
        name, source = spec.architecture, str(weights)
        options |= options_for_file(spec.architecture, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and timm, about things that are not ours
        model = open_clip.create_model(name, source, require_pretrained=True, **options)
        tokenizer = open_clip.get_tokenizer(name, cache_dir=options.get("cache_dir"))
    return model, tokenizer


def _repository(spec: ModelSpec) -> str:
    """The hub's repository of a tag, such as "timm/ViT-B-16-SigLIP2"; "" for an unknown tag."""
    place = open_clip.get_pretrained_cfg(spec.architecture, spec.pretrained).get("hf_hub", "")
    return "/".join(place.split("/")[:2])  # a file's name may follow


def options_for_file(architecture: str, weights: Path) -> dict[str, Any]:
    """open_clip's options for a bare file of weights, which says nothing of its preprocessing.

    Without them open_clip assumes OpenAI's. `<model>--<tag>` in the name tells; else all known
    tags of the model must agree.
    """
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    told = weights.stem.partition("--")[2]
    known = [told] if told in tags else tags
    found = {json.dumps(_training_facts(architecture, tag), sort_keys=True): tag for tag in known}
    if len(found) > 1:
        raise ModelError(
            f"{weights.name} does not say how its pictures must be prepared. Name it "
            f"{architecture}--<tag>{weights.suffix} with one of {', '.join(tags)}, or make a "
            "folder with open_clip_config.json."
        )
    if not found:
        return {}
    facts = _training_facts(architecture, next(iter(found.values())))
    quick_gelu = bool(facts.pop("quick_gelu"))
    return {"force_preprocess_cfg": facts, "force_quick_gelu": quick_gelu}


def _training_facts(architecture: str, tag: str) -> dict[str, Any]:
    config = open_clip.get_pretrained_cfg(architecture, tag)
    facts = {key: config[key] for key in _PREPROCESSING if config.get(key) is not None}
    return {**facts, "quick_gelu": bool(config.get("quick_gelu", False))}


def download(settings: Settings, spec: ModelSpec, report: Report) -> None:
    """Fetch the weights of a tag through open_clip, from the hub, and prove that they load."""
    with hub_download(settings, spec, _repository(spec), report):
        model = load_open_clip(settings, spec)
    model.warmup()
    mark_ready(settings, spec, report)


@dataclass(frozen=True, slots=True)
class Device:
    name: str  # torch's: "cpu", "cuda:1", "mps"
    precision: str  # open_clip's: "fp16", "bf16", "fp32"
    batch_size: int


def choose_device(setting: str) -> Device:
    """The device that RUSHES_DEVICE names; auto prefers a GPU. Raises ModelError if absent."""
    name = setting
    if setting == "auto":
        name = "cpu"
        if torch.cuda.is_available():
            name = "cuda"
        elif torch.backends.mps.is_available():
            name = "mps"
    if name.startswith("cuda"):
        index = name.partition(":")[2] or "0"
        if not index.isdigit() or int(index) >= torch.cuda.device_count():
            raise ModelError(f"RUSHES_DEVICE={setting}: torch sees no such CUDA device.")
        return Device(name, "fp16", 64)
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise ModelError("RUSHES_DEVICE=mps: torch sees no Metal device.")
        return Device(name, "fp32", 16)
    if name != "cpu":
        raise ModelError(f"RUSHES_DEVICE={setting} is none of auto, cpu, mps, cuda and cuda:N.")
    return Device("cpu", "bf16" if _multiplies_bf16() else "fp32", 8)


def _multiplies_bf16() -> bool:
    """Whether the CPU has bf16 arithmetic, which halves the time of a transformer there."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
