"""Looks into folders are short and come to an end, however long a folder takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from api.browsing import looking, walking
from api.browsing.bodies import EstimateBody, FilesBelowBody
from api.browsing.looking import page_of
from api.browsing.walking import FolderWalk
from api.folders import Folders
from api.http.client_paths import ClientPaths
from api.http.services import CoreServices
from shared.settings import Settings


@pytest.fixture
def services() -> Iterator[CoreServices]:
    """As much of them as a look into folders takes."""
    settings = Settings.from_env({"RUSHES_REDIS_URL": "unix:///nowhere"})
    folders = Folders()
    yield cast(
        CoreServices,
        SimpleNamespace(settings=settings, paths=ClientPaths(settings), folders=folders),
    )
    folders.close()


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    for name in ("a/deep/1.mov", "a/deep/2.mov", "b/3.mov", "c.mov", "d/4.mov", "e.mov"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "linked.mov").symlink_to(tmp_path / "c.mov")
    return tmp_path


async def _is_here() -> bool:
    return False


def test_a_walk_whose_time_is_always_over_comes_to_its_end(
    services: CoreServices, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "WALKS_FOR_S", 0.0)
    monkeypatch.setattr(walking, "_AT_LEAST_S", 0.0)
    (footage / "linked.mov").unlink()  # no link is followed in no time
    found: list[str] = []
    after = None
    for _ in range(20):
        walk = FolderWalk(services, [str(footage)], is_recursive=True)
        walked = asyncio.run(walk.files(100, after, _is_here))
        found += [file.path for file in walked.files]
        after = walked.next
        if after is None:
            break
        assert walked.is_partial
    assert after is None
    assert found == sorted(map(str, footage.rglob("*.mov")))


def test_a_page_whose_time_is_over_leads_on(
    services: CoreServices, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_STATS_FOR_S", 0.0)
    found, after = [], None
    for _ in range(3):
        page = page_of(services, str(footage), str(footage), after, 100)
        found.append([Path(file.path).name for file in page.files])
        after = page.next
    assert (found, after) == ([["c.mov"], ["e.mov"], ["linked.mov"]], None)


@pytest.mark.parametrize(
    ("body", "more"), [(FilesBelowBody, {}), (EstimateBody, {"cache_dir": "/c"})]
)
def test_some_thousands_of_paths_may_be_chosen(body: Any, more: dict[str, str]) -> None:
    msgspec.convert({"paths": ["/a"] * 5_000, **more}, body)
    with pytest.raises(msgspec.ValidationError, match="5000"):
        msgspec.convert({"paths": ["/a"] * 5_001, **more}, body)
