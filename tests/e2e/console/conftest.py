"""A stack with footage that is analyzed, and a real browser in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, StorageState

from tests.support.console.chromium import Window, window
from tests.support.console.editor import Editor
from tests.support.console.footage import Shoot, make_shoot
from tests.support.stack import KEY, Client, Stack

CAST = "Cast"  # the collection of people
NAMED = "Lena"


@dataclass(frozen=True)
class Library:
    """An analyzed shoot."""

    client: Client
    cache_dir: Path
    shoot: Shoot


@pytest.fixture(scope="session")
def shoot(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Shoot:
    return make_shoot(tmp_path_factory.mktemp("shoot"), photos)


@pytest.fixture(scope="package")
def library(
    stack: Stack, shoot: Shoot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """Pictures, speech and faces of the shoot, one person named, in a folder of its own."""
    more = [stack.start_worker(kind) for kind in ("recluster", "export")]
    client, cache_dir = stack.client(), tmp_path_factory.mktemp("library")
    client.analyzed(
        cache_dir,
        *shoot.films,
        shoot.still,
        transcription_jobs=[{"path": str(shoot.kitchen), "language": "english"}],
        face_media_paths=[str(shoot.cast)],
        cluster_job_name=CAST,
        speakers=False,  # these people are faces
    )
    found = client.http.get("/faces/clusters", params={"cache_dir": str(cache_dir)}).json()
    people = found["cluster_jobs"][0]["clusters"]
    first = next(one["cluster_id"] for one in people if one["cluster_id"] != "-1")
    named = client.http.put(
        "/faces/clusters/names",
        json={
            "cache_dir": str(cache_dir),
            "cluster_job_name": CAST,
            "assignments": [{"cluster_id": first, "name": NAMED}],
        },
    )
    assert named.status_code == 200, named.text
    yield Library(client, cache_dir, shoot)
    for worker in more:
        stack.processes.pop(worker.name).end()


@pytest.fixture
def shown(browser: Browser, library: Library) -> Iterator[Window]:
    """A window that went nowhere but to this server, and whose page complained of nothing."""
    with well_behaved(browser, library) as opened:
        yield opened


@pytest.fixture(scope="package")
def session(browser: Browser, library: Library) -> StorageState:
    """What a browser keeps of somebody who has signed in."""
    with window(browser) as opened:
        Editor(opened.page, library.client.url).sign_in(KEY)
        return opened.context.storage_state()


@pytest.fixture
def signed_in(browser: Browser, library: Library, session: StorageState) -> Iterator[Window]:
    """The same as `shown`, of somebody who is signed in."""
    with well_behaved(browser, library, storage_state=session) as opened:
        yield opened


@pytest.fixture
def editor(signed_in: Window, library: Library) -> Editor:
    """Somebody who is signed in, and has opened nothing yet."""
    return Editor(signed_in.page, library.client.url)


@contextmanager
def well_behaved(browser: Browser, library: Library, **options: Any) -> Iterator[Window]:
    """A window; in the end it must have asked no other server and printed no error."""
    with window(browser, **options) as opened:
        yield opened
        assert opened.foreign(library.client.url) == []
        assert opened.complaints == []
