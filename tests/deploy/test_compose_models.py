"""Which models the two profiles of docker-compose.yml take, and what is fetched for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared.domain import ModelKind
from shared.models import voice_model
from shared.models.model_catalogue import models_of, resolve
from shared.models.specs import ModelSpec
from shared.settings import Settings
from tests.deploy.commands import parse
from tests.deploy.compose import PROJECT, resolved
from workers.models.__main__ import named_models
from workers.models.weights.package_weights import download_size


def models_in(services: dict[str, Any]) -> dict[ModelKind, ModelSpec]:
    """The models of all processes of ours, which must be the same."""
    found = []
    for name in services.keys() - {"redis"}:
        environment = services[name]["environment"]
        given = {name: value for name, value in environment.items() if name.startswith("RUSHES_")}
        settings = Settings.from_env(given)
        keys = {kind: model.key for kind, model in models_of(settings).items()}
        found.append({kind: resolve(settings, kind, key) for kind, key in keys.items()})
    assert all(each == found[0] for each in found)
    return found[0]


def of_profile(profile: str, tmp_path: Path, **more: str) -> dict[str, Any]:
    """The services where .env says which profile it is."""
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    changed = re.sub(r"^COMPOSE_PROFILES=cpu$", f"COMPOSE_PROFILES={profile}", text, flags=re.M)
    (tmp_path / "env").write_text(changed, encoding="utf-8")
    return dict(resolved(env_file=tmp_path / "env", **more)["services"])


def test_without_a_gpu_the_models_are_the_default_ones(tmp_path: Path) -> None:
    found = models_in(of_profile("cpu", tmp_path))
    defaults = {kind: model.key for kind, model in models_of(Settings()).items()}
    assert {kind: spec.key for kind, spec in found.items()} == defaults


def test_with_a_gpu_they_are_worth_it_for_every_process_and_free_for_commercial_use(
    tmp_path: Path,
) -> None:
    services = of_profile("gpu", tmp_path)
    assert "query-gpu" in services
    found = models_in(services)
    assert found[ModelKind.VISUAL].key == "ViT-B-16-SigLIP2--webli"
    assert found[ModelKind.SPEECH].key == "whisper-large-v3-turbo"
    for spec in found.values():
        assert spec.commercial_use, spec.key
        assert spec.family in ("open_clip", "whisper", "dlib"), "the image has what it needs"


def test_the_sizes_that_are_told_are_those_that_are_downloaded(tmp_path: Path) -> None:
    told = (PROJECT / ".env.example").read_text(encoding="utf-8")
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    operations = (PROJECT / "docs" / "operate" / "operations.md").read_text(encoding="utf-8")
    for profile, size in [("cpu", "354 MB"), ("gpu", "3.2 GB")]:
        service = of_profile(profile, tmp_path)["models" if profile == "cpu" else "models-gpu"]
        given = {k: v for k, v in service["environment"].items() if k.startswith("RUSHES_")}
        *_, name = service["command"]
        fetched = named_models(Settings.from_env(given), name, print)
        assert voice_model.SPEC in fetched
        bytes_in_all = sum(download_size(spec) or 0 for spec in fetched)
        number, unit = size.split()
        in_unit = bytes_in_all / (1e6 if unit == "MB" else 1e9)
        assert f"{in_unit:.{0 if unit == 'MB' else 1}f}" == number
        assert size in told
        assert size in readme
        assert size in operations


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_what_env_names_takes_the_place_of_the_profiles_models(
    profile: str, tmp_path: Path
) -> None:
    key = "ViT-SO400M-16-SigLIP2-384--webli"
    services = of_profile(profile, tmp_path, RUSHES_VISUAL_MODEL=key, RUSHES_SPEECH_MODEL="base")
    found = models_in(services)
    assert found[ModelKind.VISUAL].key == key
    assert found[ModelKind.SPEECH].key == "whisper-base"


@pytest.mark.parametrize(("profile", "service"), [("cpu", "models"), ("gpu", "models-gpu")])
def test_what_the_settings_name_is_fetched_and_what_models_says_besides(
    profile: str, service: str, tmp_path: Path
) -> None:
    services = of_profile(profile, tmp_path)
    assert services[service]["command"] == ["models", "pull", "configured"]
    more = of_profile(profile, tmp_path, MODELS="lite whisper-small")[service]["command"]
    parse(more)
    assert more == ["models", "pull", "configured", "lite", "whisper-small"]


def test_a_profile_that_has_no_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"deploy/models/cpu,gpu.env"):
        of_profile("cpu,gpu", tmp_path)
