"""Speech weights that are damaged, not whole, foreign or on another device: each one sentence."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import ctranslate2
import pytest

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.model_catalogue import is_downloaded, resolve
from shared.settings import Settings
from tests.support.lite_models import lite_weights
from workers.models.load import load_speech
from workers.models.speech.whisper_loading import speech_devices

FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """MODELS_DIR with whisper-base, as links: whoever damages a file must copy it first."""
    real, spec = lite_weights("whisper-base")
    folder = tmp_path / spec.key
    folder.mkdir()
    for file in (real.weights_dir / spec.key).iterdir():
        os.link(file, folder / file.name)
    return dataclasses.replace(Settings(), models_dir=tmp_path, device="cpu")


def by_hand(settings: Settings, name: str) -> Path:
    """The same files as a person puts them there: without our manifest."""
    folder = settings.weights_dir / "whisper" / name
    folder.mkdir(parents=True)
    for file in FILES:
        os.link(settings.weights_dir / "whisper-base" / file, folder / file)
    return folder


def copy_of(path: Path) -> bytearray:
    content = bytearray(path.read_bytes())
    path.unlink()
    return content


def load(settings: Settings, key: str) -> None:
    load_speech(settings, resolve(settings, ModelKind.SPEECH, key))


def test_a_single_wrong_bit_in_our_weights_is_noticed(settings: Settings) -> None:
    path = settings.weights_dir / "whisper-base" / "model.bin"
    content = copy_of(path)
    content[70_000_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.bin of whisper-base is damaged.*models pull"):
        load(settings, "whisper-base")


@pytest.mark.parametrize("name", FILES[:3])
def test_a_file_that_is_missing_is_named_and_looked_for_nowhere_else(
    settings: Settings, name: str
) -> None:
    (by_hand(settings, "mine") / name).unlink()
    if name == "model.bin":  # no model at all, then
        with pytest.raises(ModelError, match="no speech model 'mine'"):
            load(settings, "mine")
        return
    with pytest.raises(ModelError, match=f"mine is not whole: .*/whisper/mine holds no {name}"):
        load(settings, "mine")


def test_a_link_to_a_file_that_is_gone_is_a_missing_file(settings: Settings) -> None:
    """As in a hub's cache that was cleared; faster-whisper would ask the hub for a tokenizer."""
    path = by_hand(settings, "mine") / "tokenizer.json"
    path.unlink()
    path.symlink_to(settings.weights_dir / "gone")
    with pytest.raises(ModelError, match=r"mine is not whole: .* holds no tokenizer\.json"):
        load(settings, "mine")


def test_a_file_that_our_manifest_names_and_that_is_gone_is_missing(settings: Settings) -> None:
    path = settings.weights_dir / "whisper-base" / "manifest.json"
    facts = json.loads(copy_of(path))
    facts["files"]["preprocessor_config.json"] = {"sha256": "0" * 64}
    path.write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=r"is not whole: .* holds no preprocessor_config\.json"):
        load(settings, "whisper-base")


@pytest.mark.parametrize("content", ["", "[]", '{"files": ["model.bin"]}', '{"name": "a page"}'])
def test_a_manifest_of_something_else_is_no_matter(settings: Settings, content: str) -> None:
    (by_hand(settings, "mine") / "manifest.json").write_text(content)
    load(settings, "mine")


@pytest.mark.parametrize("length", [0, 1000, 70_000_000])
def test_weights_that_were_cut_off_are_one_sentence(settings: Settings, length: int) -> None:
    path = by_hand(settings, "mine") / "model.bin"
    content = copy_of(path)
    path.write_bytes(content[:length])
    with pytest.raises(ModelError, match=r"mine cannot be loaded: .*remove that folder") as raised:
        load(settings, "mine")
    assert "\n" not in raised.value.message


def test_a_tokenizer_that_is_none_is_one_sentence(settings: Settings) -> None:
    path = by_hand(settings, "mine") / "tokenizer.json"
    path.unlink()
    path.write_text("{}")
    with pytest.raises(ModelError, match="mine cannot be loaded"):
        load(settings, "mine")


def test_a_folder_put_there_by_hand_is_a_model(settings: Settings) -> None:
    by_hand(settings, "mine")
    spec = resolve(settings, ModelKind.SPEECH, "mine")
    assert is_downloaded(settings, spec)
    assert load_speech(settings, spec).languages >= {"en", "de", "ja"}


def test_weights_that_are_not_there_say_how_to_fetch_them(settings: Settings) -> None:
    with pytest.raises(ModelError, match="rushes models pull whisper-large-v3"):
        load(settings, "large-v3")


@pytest.mark.skipif(ctranslate2.get_cuda_device_count() > 0, reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_said(settings: Settings, device: str) -> None:
    with pytest.raises(ModelError, match=f"RUSHES_DEVICE={device}: CTranslate2 sees no such CUDA"):
        load(dataclasses.replace(settings, device=device), "whisper-base")


def test_a_device_that_makes_no_sense_is_said() -> None:
    with pytest.raises(ModelError, match="RUSHES_DEVICE=cuda:x is none of"):
        speech_devices("cuda:x")


def test_metal_means_the_cpu() -> None:
    """CTranslate2 knows no Metal; visual models may still use it."""
    assert speech_devices("mps") == speech_devices("cpu")


@pytest.mark.studio
@pytest.mark.short
def test_loading_a_speech_model_imports_no_torch_and_no_second_decoder(settings: Settings) -> None:
    """Whatever else is installed: CTranslate2 can convert models of torch and transformers."""
    program = (
        "import sys, dataclasses, pathlib; from shared.settings import Settings;"
        "from shared.models.model_catalogue import find;"
        "from workers.models.load import load_speech;"
        "settings = dataclasses.replace(Settings(), models_dir=pathlib.Path(sys.argv[1]));"
        "load_speech(settings, find(settings, 'whisper-base')); print(' '.join(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(settings.weights_dir)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {module.partition(".")[0] for module in result.stdout.split()}
    assert "ctranslate2" in loaded
    assert not loaded & {"torch", "transformers", "torchaudio", "soundfile", "scipy", "open_clip"}
