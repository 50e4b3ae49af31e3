"""The folders of .env: one path inside and outside, each for media, caches and exports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from tests.deploy.compose import PROJECT, resolved

NUMBERED = {f"MEDIA_DIR_{number}": f"/mnt/media {number}" for number in range(2, 9)}
OWN = {"CACHE_DIR": "/srv/rushes/cache", "EXPORT_DIR": "/srv/rushes/exports"}


def binds(service: dict[str, Any]) -> dict[str, bool]:
    """The folders of the machine that a service has, all as they should be -> may it write."""
    found = [volume for volume in service["volumes"] if volume["type"] == "bind"]
    for volume in found:
        assert volume["source"] == volume["target"], "one path inside and outside"
        assert not volume["bind"].get("create_host_path", False), "a missing one is an error"
    assert len({volume["target"] for volume in found}) == len(found)
    return {volume["target"]: not volume.get("read_only", False) for volume in found}


def roots(service: dict[str, Any]) -> dict[str, list[str]]:
    """Each kind of root, as a process of ours reads it."""
    environment = service["environment"]
    given = {name: value for name, value in environment.items() if name.startswith("RUSHES_")}
    settings = Settings.from_env(given)
    return {
        kind: [str(root) for root in getattr(settings, f"{kind}_roots") or ()]
        for kind in ("media", "cache", "export")
    }


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"MEDIA_DIR_5": "/mnt/archive"},
        {**NUMBERED, **OWN},
        {"MEDIA_DIR_2": "", "CACHE_DIR": "", "EXPORT_DIR": "/footage"},
    ],
    ids=["one", "a-fifth", "eight", "empty"],
)
def test_each_folder_that_is_set_is_mounted_once_and_is_every_kind_of_root(
    more: dict[str, str],
) -> None:
    wanted = list(dict.fromkeys(["/footage", *filter(None, more.values())]))
    services = resolved(**more)["services"]
    for name in services.keys() - {"redis"}:
        service = services[name]
        assert binds(service) == dict.fromkeys(wanted, True), name
        for found in roots(service).values():
            assert list(dict.fromkeys(found)) == wanted, name
        environment = service["environment"]
        volumes = {v["target"] for v in service["volumes"] if v["type"] == "volume"}
        assert volumes == {environment["RUSHES_STATE_DIR"], environment["RUSHES_MODELS_DIR"]}


def test_media_can_be_kept_from_all_change_where_caches_have_folders_of_their_own() -> None:
    read_only = {"MEDIA_READ_ONLY": "true", "MEDIA_DIR_2": "/mnt/archive"}
    media = {"/footage": False, "/mnt/archive": False}
    assert binds(resolved(**read_only)["services"]["api"]) == media
    own = dict.fromkeys(OWN.values(), True)
    assert binds(resolved(**read_only, **OWN)["services"]["api"]) == media | own


def test_every_path_of_the_readmes_examples_may_be_used_as_it_stands() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    caches = {Path(path) for path in re.findall(r"cache_dir\"?[:=] ?\"?(/[^\"\s]+)", text)}
    assert caches == {Path("/footage/.rushes")}
    named = {Path(path) for path in re.findall(r"(?<=[\s\"=])/footage[^\"\s,]*", text)}
    assert len(named) > 10
    api = resolved()["services"]["api"]
    [root] = {*map(Path, roots(api)["media"])}
    assert all(path.is_relative_to(root) for path in caches | named)
    assert binds(api)[str(root)], "the cache folder in it can be written"
