"""The open_clip adapter with a checkpoint of random weights that the test makes: needs torch.

Skipped, and reported so, where the `studio` extra is not installed; CI installs it, and there a
missing one is an error.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.model_catalogue import catalogue, is_downloaded, resolve
from shared.models.specs import ModelSpec
from shared.settings import Settings
from tests.contract.models.visual_embedder import VisualEmbedderContract, picture
from tests.support.skip_or_fail import import_studio
from workers.models.load import load_visual
from workers.models.protocols import VisualEmbedder

pytestmark = pytest.mark.studio
CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32,
    },
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
    },
}  # fmt: skip
PREPROCESSING = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear"}


@dataclasses.dataclass(frozen=True)
class Studio:
    """What the extra brings, and our adapter of it: imported when a test wants it, for seconds."""

    torch: ModuleType
    open_clip: ModuleType
    safetensors: ModuleType
    adapter: ModuleType


@pytest.fixture(scope="module")
def studio() -> Studio:
    names = ("torch", "open_clip", "safetensors.torch")
    return Studio(
        *map(import_studio, names), importlib.import_module("workers.models.visual.open_clip")
    )


def make_folder(studio: Studio, folder: Path, preprocessing: dict[str, object]) -> Path:
    """open_clip's local-dir form of a tiny model with random weights."""
    folder.mkdir(parents=True)
    config = {"model_cfg": CONFIG, "preprocess_cfg": preprocessing}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    studio.torch.manual_seed(0)
    state = studio.open_clip.CLIP(**CONFIG).state_dict()
    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    studio.safetensors.save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def settings(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("models")
    make_folder(studio, root / "open_clip" / "tiny", PREPROCESSING)
    return dataclasses.replace(Settings(), models_dir=root, device="cpu")


def spec_of(settings: Settings, key: str) -> ModelSpec:
    return resolve(settings, ModelKind.VISUAL, key)


@pytest.fixture(scope="module")
def embedder(settings: Settings) -> VisualEmbedder:
    return load_visual(settings, spec_of(settings, "tiny"))


class TestOpenClip(VisualEmbedderContract):
    closeness = 0.02  # bf16 where the CPU has it

    def test_a_folder_is_found_and_described(self, settings: Settings) -> None:
        spec = spec_of(settings, "tiny")
        assert (spec.dim, spec.resolution, spec.commercial_use) == (24, 32, None)
        assert spec.licence == "unknown: supplied by you"
        assert is_downloaded(settings, spec)

    def test_the_folder_says_how_pictures_are_prepared(self, embedder: VisualEmbedder) -> None:
        white = embedder.prepare(np.full((40, 40, 3), 255, np.uint8))
        np.testing.assert_allclose(white, 1.0, atol=1e-6)

    def test_it_computes_what_open_clip_computes(
        self, studio: Studio, settings: Settings, embedder: VisualEmbedder
    ) -> None:
        torch, open_clip = studio.torch, studio.open_clip
        model = open_clip.create_model(f"local-dir:{settings.weights_dir}/open_clip/tiny").eval()
        prepared = np.stack([embedder.prepare(picture(48, 64, seed)) for seed in range(4)])
        with torch.inference_mode():
            right = model.encode_image(torch.from_numpy(prepared), normalize=True).numpy()
            tokens = open_clip.get_tokenizer("ViT-B-32")(["a dog"])
            text = model.encode_text(tokens, normalize=True).numpy()
        np.testing.assert_allclose(embedder.embed_images(prepared), right, atol=self.closeness)
        np.testing.assert_allclose(embedder.embed_texts(["a dog"]), text, atol=self.closeness)


def test_half_precision_stays_near_full_precision(
    studio: Studio, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for precision in ("fp32", "bf16"):
        device = studio.adapter.Device("cpu", precision, 8)
        monkeypatch.setattr(studio.adapter, "choose_device", lambda _setting, device=device: device)
        model = load_visual(settings, spec_of(settings, "tiny"))
        rows.append(model.embed_images(model.prepare(picture(64, 64))[None]))
    assert (rows[0] * rows[1]).sum() > 0.999


def test_a_file_of_a_known_model_and_tag_is_prepared_as_its_tag_was_trained(
    studio: Studio,
) -> None:
    adapter = studio.adapter
    facts = adapter.options_for_file("ViT-B-16-SigLIP", Path("ViT-B-16-SigLIP.safetensors"))
    assert facts["force_preprocess_cfg"]["mean"] == (0.5, 0.5, 0.5)
    facts = adapter.options_for_file("MobileCLIP-S1", Path("MobileCLIP-S1--datacompdr.pt"))
    assert facts["force_preprocess_cfg"]["mean"] == (0.0, 0.0, 0.0)
    facts = adapter.options_for_file("ViT-B-32", Path("ViT-B-32--openai.pt"))
    assert facts["force_quick_gelu"] is True


def test_a_file_whose_preparation_cannot_be_known_is_refused_with_the_way_out(
    studio: Studio,
) -> None:
    with pytest.raises(ModelError, match=r"ViT-B-32--<tag>\.pt with one of openai, "):
        studio.adapter.options_for_file("ViT-B-32", Path("ViT-B-32.pt"))


def test_a_single_file_is_loaded_by_its_models_name(
    studio: Studio, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "tiny-by-name.json"
    config.write_text(json.dumps(CONFIG))
    studio.open_clip.add_model_config(config)
    root = settings.weights_dir / "open_clip"
    for name in ("tiny-by-name.safetensors", "tiny-by-name--mine.safetensors"):
        shutil.copy(root / "tiny" / "open_clip_model.safetensors", root / name)
    assert {"tiny-by-name", "tiny-by-name--mine"} <= set(catalogue(settings))
    model = load_visual(settings, spec_of(settings, "open_clip:tiny-by-name:mine"))
    assert model.embed_texts(["a dog"]).shape == (1, 24)


def test_a_folder_with_broken_weights_is_a_model_error(studio: Studio, settings: Settings) -> None:
    folder = make_folder(studio, settings.weights_dir / "open_clip" / "broken", PREPROCESSING)
    (folder / "open_clip_model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="broken cannot be loaded"):
        load_visual(settings, spec_of(settings, "broken"))
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="broken cannot be loaded"):
        load_visual(settings, spec_of(settings, "broken"))


def test_a_device_that_is_not_there_is_a_model_error(settings: Settings) -> None:
    for device, reason in (("cuda:97", "no such CUDA"), ("tpu", "none of auto")):
        elsewhere = dataclasses.replace(settings, device=device)
        with pytest.raises(ModelError, match=reason):
            load_visual(elsewhere, spec_of(settings, "tiny"))
