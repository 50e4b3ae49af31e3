"""Keys name models safely, licences are told and kept, and what lies in MODELS_DIR is found."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import faster_whisper
import pytest

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.languages import language_code, language_name
from shared.models.model_catalogue import (
    REVISIONS,
    catalogue,
    find,
    hub_marker,
    is_downloaded,
    require_allowed,
    resolve,
    safe_key,
    speech_folder,
)
from shared.models.specs import DEFAULT_EPS, FaceScale
from shared.settings import Settings

VISUAL, SPEECH, FACES = ModelKind


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(Settings(), models_dir=tmp_path)


def test_every_key_is_safe_in_a_file_name(settings: Settings) -> None:
    for key, spec in catalogue(settings).items():
        assert key == spec.key
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", key)


def test_every_model_says_what_it_is_and_where_it_comes_from(settings: Settings) -> None:
    for spec in catalogue(settings).values():
        if spec.kind is not SPEECH:
            assert spec.dim
            assert spec.resolution
        if spec.kind is FACES:
            assert spec.faces
            assert -1 < spec.faces.person < spec.faces.track < 1
            assert spec.limits
        if spec.kind is SPEECH:
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
        resolve(settings, SPEECH, "conse-lite0")


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
    for content in ("", "[]", json.dumps({"revision": REVISIONS["conse-lite0"] - 1})):
        manifest.write_text(content)
        assert not is_downloaded(settings, spec)
    manifest.write_text(json.dumps({"revision": REVISIONS["conse-lite0"]}))
    assert is_downloaded(settings, spec)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("whisper-base", "whisper-base"),
        ("base", "whisper-base"),
        ("tiny.en", "whisper-tiny.en"),
        ("large", "whisper-large-v3"),
        ("turbo", "whisper-large-v3-turbo"),
        ("whisper-turbo", "whisper-large-v3-turbo"),
        ("distil-large-v3.5", "whisper-distil-large-v3.5"),
        ("someone/whisper-ct2", "someone--whisper-ct2"),
        ("someone--whisper-ct2", "someone--whisper-ct2"),
    ],
)
def test_a_speech_model_has_one_key_however_it_is_written(
    settings: Settings, written: str, key: str
) -> None:
    assert resolve(settings, SPEECH, written).key == key
    assert find(settings, written) == resolve(settings, SPEECH, written) or "--" in written


@pytest.mark.parametrize(
    "key", ["zebra", "", "../x", "a/b/c", "/etc/passwd", "a/", "--b", "whisper-", "x/é", "a b/c"]
)
def test_an_unknown_speech_model_is_refused_with_the_known_ones(
    settings: Settings, key: str
) -> None:
    with pytest.raises(
        ModelError, match=r"no speech model .*Known: whisper-base, whisper-tiny\.en"
    ):
        resolve(settings, SPEECH, key)


def test_every_size_of_faster_whisper_is_known_by_its_own_repository(settings: Settings) -> None:
    for size in faster_whisper.available_models():
        spec = resolve(settings, SPEECH, size)
        assert spec.pretrained == faster_whisper.utils._MODELS[size]
        assert spec.commercial_use is True


@pytest.mark.parametrize(
    ("key", "count"),
    [("base", 99), ("large-v3", 100), ("turbo", 100), ("tiny.en", 1), ("distil-large-v3", 1)],
)
def test_a_speech_model_tells_its_languages_by_their_english_names(
    settings: Settings, key: str, count: int
) -> None:
    spec = resolve(settings, SPEECH, key)
    assert len(spec.languages) == count
    assert "english" in spec.languages
    assert list(spec.languages) == sorted(spec.languages)
    assert all(language_name(str(language_code(name))) == name for name in spec.languages)
    assert spec.multilingual == (count > 1)
    assert spec.limits.startswith("English only.") == (count == 1)


def whisper_folder(settings: Settings, name: str, language_tokens: int | None) -> Path:
    folder = settings.weights_dir / "whisper" / name
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"12345")
    if language_tokens is not None:
        config = {"lang_ids": list(range(language_tokens))}
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_speech_folders_in_models_dir_are_models(settings: Settings) -> None:
    for name, tokens in (("mine", 99), ("mine-v3", 100), ("english", 98), ("bare", None)):
        whisper_folder(settings, name, tokens)
    (settings.weights_dir / "whisper" / "empty").mkdir()
    found = {key: spec for key, spec in catalogue(settings).items() if spec.weights}
    assert {key: len(spec.languages) for key, spec in found.items()} == {
        "mine": 99, "mine-v3": 100, "english": 1, "bare": 100
    }  # fmt: skip
    for spec in found.values():
        assert is_downloaded(settings, spec)
        assert spec.size_bytes == 5
        assert spec.licence == "unknown: supplied by you"


def test_a_folder_named_like_a_size_is_that_size(settings: Settings) -> None:
    folder = whisper_folder(settings, "turbo", 100)
    spec = resolve(settings, SPEECH, "large-v3-turbo")
    assert (spec.key, spec.weights) == ("whisper-large-v3-turbo", str(folder))
    assert spec.licence == "MIT"
    assert is_downloaded(settings, spec)


def test_a_speech_folder_never_hides_a_visual_model(settings: Settings) -> None:
    whisper_folder(settings, "conse-lite0", 99)
    assert resolve(settings, VISUAL, "conse-lite0").kind is VISUAL
    assert find(settings, "conse-lite0").kind is VISUAL


def test_only_a_marked_model_of_the_hub_is_ready(settings: Settings) -> None:
    spec = resolve(settings, SPEECH, "large-v3")
    assert not is_downloaded(settings, spec)
    marker = hub_marker(settings, spec)
    marker.parent.mkdir()
    marker.write_text(json.dumps({"folder": "models--x/snapshots/1"}))
    assert is_downloaded(settings, spec)
    assert speech_folder(settings, spec) == marker.parent / "models--x/snapshots/1"
    other = resolve(settings, SPEECH, "someone/other")
    assert other.key not in catalogue(settings)
    hub_marker(settings, other).write_text(json.dumps({"folder": "models--y/snapshots/1"}))
    hub_marker(settings, resolve(settings, VISUAL, "ViT-B-16--x")).write_text("{}")
    assert is_downloaded(settings, catalogue(settings)[other.key])
    assert "ViT-B-16--x" not in catalogue(settings)
    marker.write_text("not JSON")
    with pytest.raises(ModelError, match="cannot be read: remove it"):
        speech_folder(settings, spec)


def test_the_default_face_model_may_be_used_commercially(settings: Settings) -> None:
    spec = resolve(settings, FACES, settings.face_model)
    assert spec.key == "dlib-resnet"
    assert spec.commercial_use is True
    require_allowed(settings, spec)
    assert find(settings, "dlib-resnet") == spec


def test_an_older_conversion_of_the_face_model_is_not_ready(settings: Settings) -> None:
    spec = resolve(settings, FACES, "dlib-resnet")
    assert not is_downloaded(settings, spec)
    manifest = settings.weights_dir / spec.key / "manifest.json"
    manifest.parent.mkdir()
    for revision in (REVISIONS["dlib-resnet"] - 1, REVISIONS["dlib-resnet"]):
        manifest.write_text(json.dumps({"revision": revision}))
        assert is_downloaded(settings, spec) == (revision == REVISIONS["dlib-resnet"])


@pytest.mark.parametrize("key", ["zebra", "conse-lite0", "whisper-base", "a/b", "../x", "x--y", ""])
def test_an_unknown_face_model_is_refused_with_the_known_ones(settings: Settings, key: str) -> None:
    with pytest.raises(ModelError, match=r"no face model .*Known: dlib-resnet"):
        resolve(settings, FACES, key)


def test_the_default_eps_is_where_a_face_model_says_one_person() -> None:
    scale = FaceScale(person=0.87, track=0.95)
    assert scale.same_person(DEFAULT_EPS) == pytest.approx(0.87)
    assert scale.same_person(0) == 1
    assert scale.same_person(2 * DEFAULT_EPS) == pytest.approx(0.74)
