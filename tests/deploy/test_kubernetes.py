"""The manifests: valid by Kubernetes' own schema, and about things that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from shared.settings import Settings
from tests.deploy.commands import SETTINGS, parse, unknown_names
from tests.deploy.compose import PROJECT, resolved

FOLDER = PROJECT / "deploy" / "kubernetes"
GPU = PROJECT / "deploy" / "kubernetes-gpu"
VERSIONS = ("1.29", "1.34")


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def resources() -> list[dict[str, Any]]:
    """Everything that the kustomization names."""
    (listed,) = documents(FOLDER / "kustomization.yaml")
    return [one for name in listed["resources"] for one in documents(FOLDER / name)]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Pods of ours, by the name of what makes them."""
    for one in resources():
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def patched(resource: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The operations of a JSON patch that we use."""
    for operation in operations:
        *parents, last = operation["path"].lstrip("/").split("/")
        place: Any = resource
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        key = last.replace("~1", "/")
        assert operation["op"] == "add" or key in place, operation
        place[key] = operation["value"]
    return resource


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_valid(version: str) -> None:
    for resource in resources():
        kubernetes_validate.validate(resource, version, strict=True)


def test_every_file_is_named_in_the_kustomization() -> None:
    (listed,) = documents(FOLDER / "kustomization.yaml")
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(listed["resources"])


def test_with_the_gpu_patches_they_are_still_valid() -> None:
    (overlay,) = documents(GPU / "kustomization.yaml")
    # Kustomize takes neither files of another folder nor a base that contains the overlay.
    (base,) = ((GPU / name).resolve() for name in overlay["resources"])
    assert base == FOLDER
    assert not GPU.is_relative_to(base)
    changed = set()
    for patch in overlay["patches"]:
        (operations,) = documents(GPU / patch["path"])
        target = patch["target"]
        for resource in resources():
            name = resource["metadata"]["name"]
            if resource["kind"] == target["kind"] and re.fullmatch(target["name"], name):
                kubernetes_validate.validate(patched(resource, operations), "1.34", strict=True)
                (container,) = resource["spec"]["template"]["spec"]["containers"]
                assert "cuda" in container["image"]
                changed.add(name)
    assert changed == {"rushes-query", "rushes-analysis", "rushes-models"}


def test_settings_are_right_and_commands_exist() -> None:
    for file in (*FOLDER.glob("*.yaml"), *GPU.glob("*.yaml")):
        assert not unknown_names(file.read_text(encoding="utf-8")), file.name
    (settings,) = documents(FOLDER / "settings.yaml")
    assert set(settings["data"]) <= SETTINGS
    Settings.from_env(settings["data"])
    for _, pod in pods():
        parse(pod["containers"][0]["args"])


def test_a_setting_named_like_a_service_is_not_overwritten() -> None:
    """Kubernetes sets RUSHES_…_PORT for services unless it is told not to."""
    for name, pod in pods():
        assert pod["enableServiceLinks"] is False, name


def test_pods_are_confined_and_see_the_folders_of_the_settings() -> None:
    (settings,) = documents(FOLDER / "settings.yaml")
    for name, pod in pods():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes, name
        for key in ("MEDIA_ROOTS", "CACHE_ROOTS", "EXPORT_ROOTS", "STATE_DIR", "MODELS_DIR"):
            folder = settings["data"][f"RUSHES_{key}"]
            assert any(folder.startswith(path) for path in mounted), f"{name}: {folder}"


def test_the_api_is_alive_by_health_and_ready_by_redis_and_workers_by_their_heartbeat() -> None:
    found = dict(pods())
    api = found["rushes-api"]["containers"][0]
    assert api["livenessProbe"]["httpGet"]["path"] == "/api/v1/health"
    assert api["readinessProbe"]["httpGet"]["path"] == "/api/v1/ready?require=redis"
    (redis,) = (container for name, container in containers() if name == "redis")
    alive, ready = redis["livenessProbe"], redis["readinessProbe"]
    assert alive["exec"] == ready["exec"]
    assert alive["periodSeconds"] * alive["failureThreshold"] >= 300, "slow is not dead"
    for kind in ("query", "analysis", "recluster", "export", "watcher"):
        probe = found[f"rushes-{kind}"]["containers"][0]["livenessProbe"]
        assert probe["exec"]["command"] == ["python", "-m", "workers.alive", kind]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of ours, and Redis's."""
    for one in resources():
        if one["kind"] in ("Deployment", "Job", "StatefulSet"):
            for container in one["spec"]["template"]["spec"]["containers"]:
                yield one["metadata"]["name"], container


def test_every_container_has_a_limit_of_memory_above_what_it_asks_for() -> None:
    for name, container in containers():
        told = container["resources"]
        asked, most = (_bytes(told[what]["memory"]) for what in ("requests", "limits"))
        assert asked < most, name


def test_the_password_of_redis_is_in_a_secret_that_is_made_at_install() -> None:
    shipped = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml"))
    assert not re.search(r"redis://(?!:\$password@)", shipped)
    secrets = {one["metadata"]["name"] for one in resources() if one["kind"] == "Secret"}
    assert secrets == {"rushes-keys"}
    how = (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
    assert "create secret generic rushes-redis" in how
    assert re.findall(r"--from-literal=(\w+)=", how) == ["REDISCLI_AUTH", "RUSHES_REDIS_URL"]
    found = dict(containers())
    (told,) = found["redis"]["env"]
    assert told["valueFrom"]["secretKeyRef"] == {"name": "rushes-redis", "key": told["name"]}
    for name, container in found.items():
        if name not in ("redis", "rushes-models"):
            given = [source["secretRef"]["name"] for source in container["envFrom"][1:]]
            assert given == ["rushes-keys", "rushes-redis"], name


def test_redis_is_started_as_with_compose() -> None:
    (one,) = (container for name, container in containers() if name == "redis")
    redis = resolved()["services"]["redis"]
    assert [*one["command"], *one["args"]] == [word.replace("$$", "$") for word in redis["command"]]


def _bytes(text: str) -> int:
    return int(text[:-2]) << {"Mi": 20, "Gi": 30}[text[-2:]]
