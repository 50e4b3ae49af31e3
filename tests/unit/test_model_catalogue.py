"""Keys name models safely, licences are told and kept, and what lies in MODELS_DIR is found."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from shared.errors import ModelError
from shared.model_catalogue import (
    CONSE_REVISION,
    catalogue,
    is_downloaded,
    require_allowed,
    resolve,
    safe_key,
)
from shared.models import ModelKind
from shared.settings import Settings

VISUAL = ModelKind.VISUAL


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(Settings(), models_dir=tmp_path)


def test_every_key_is_safe_in_a_file_name(settings: Settings) -> None:
    for key, spec in catalogue(settings).items():
        assert key == spec.key
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", key)


def test_every_model_says_what_it_is_and_where_it_comes_from(settings: Settings) -> None:
    for spec in catalogue(settings).values():
        if spec.kind is VISUAL:
            assert spec.dim
            assert spec.resolution
        else:
            assert spec.languages
            assert spec.limits
        assert spec.size_bytes
        assert spec.licence
        assert spec.source


def test_the_lite_model_tells_its_limits(settings: Settings) -> None:
    limits = catalogue(settings)["conse-lite0"].limits
    for weakness in ("actions", "scenes", "counting", "text"):
        assert weakness in limits


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("open_clip:ViT-B-32:laion2b_s34b_b79k", "ViT-B-32--laion2b_s34b_b79k"),
        ("ViT-B-32--laion2b_s34b_b79k", "ViT-B-32--laion2b_s34b_b79k"),
        ("open_clip:my-folder", "my-folder"),
        ("conse-lite0", "conse-lite0"),
    ],
)
def test_both_forms_of_a_key_mean_the_same(written: str, key: str) -> None:
    assert safe_key(written) == key


def test_anything_that_open_clip_knows_can_be_named(settings: Settings) -> None:
    spec = resolve(settings, VISUAL, "open_clip:coca_ViT-B-32:laion2b_s13b_b90k")
    assert spec.key == "coca_ViT-B-32--laion2b_s13b_b90k"
    assert (spec.architecture, spec.pretrained) == ("coca_ViT-B-32", "laion2b_s13b_b90k")
    assert spec.commercial_use is None


@pytest.mark.parametrize("key", ["zebra", "../x--y", "a/b--c", "--x", "ViT-B-32--", "", "x--é"])
def test_an_unknown_key_is_refused_with_the_known_ones(settings: Settings, key: str) -> None:
    with pytest.raises(ModelError, match="conse-lite0"):
        resolve(settings, VISUAL, key)


def test_a_visual_model_is_no_speech_model(settings: Settings) -> None:
    with pytest.raises(ModelError, match="no speech model 'conse-lite0'"):
        resolve(settings, ModelKind.SPEECH, "conse-lite0")


@pytest.mark.parametrize(
    "key",
    [
        "MobileCLIP-S2--datacompdr",
        "MobileCLIP-B--any",
        "ViT-H-14--dfn5b",
        "ViT-B-32--metaclip_400m",
    ],
)
def test_a_research_only_model_needs_the_operators_word(settings: Settings, key: str) -> None:
    spec = resolve(settings, VISUAL, key)
    assert spec.commercial_use is False
    with pytest.raises(ModelError, match="RUSHES_ALLOW_NONCOMMERCIAL=on"):
        require_allowed(settings, spec)
    require_allowed(dataclasses.replace(settings, allow_noncommercial=True), spec)


def test_local_files_of_a_research_only_model_need_it_too(settings: Settings) -> None:
    path = settings.weights_dir / "open_clip" / "MobileCLIP-S1.pt"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    with pytest.raises(ModelError, match="RUSHES_ALLOW_NONCOMMERCIAL"):
        require_allowed(settings, resolve(settings, VISUAL, "MobileCLIP-S1"))


def test_folders_and_files_in_models_dir_are_models(settings: Settings) -> None:
    root = settings.weights_dir / "open_clip"
    (root / "mine").mkdir(parents=True)
    model = {"embed_dim": 512, "vision_cfg": {"image_size": 224}}
    (root / "mine" / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    (root / "ViT-B-32--openai.pt").write_bytes(b"12345")
    (root / "no config").mkdir()
    (root / "notes.txt").write_text("no model")
    found = catalogue(settings)
    assert "no config" not in found
    assert "notes" not in found
    assert (found["mine"].dim, found["mine"].resolution) == (512, 224)
    for key in ("mine", "ViT-B-32--openai"):
        assert is_downloaded(settings, found[key])
        assert found[key].source.startswith("local: ")
    assert found["ViT-B-32--openai"].dim == 512


def test_an_unfinished_or_older_conversion_is_not_ready(settings: Settings) -> None:
    spec = resolve(settings, VISUAL, "conse-lite0")
    manifest = settings.weights_dir / "conse-lite0" / "manifest.json"
    manifest.parent.mkdir()
    for content in ("", "[]", json.dumps({"revision": CONSE_REVISION - 1})):
        manifest.write_text(content)
        assert not is_downloaded(settings, spec)
    manifest.write_text(json.dumps({"revision": CONSE_REVISION}))
    assert is_downloaded(settings, spec)
