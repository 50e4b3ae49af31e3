"""GET /machines: what every process says of itself, and what is missing, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from shared.domain import ModelKind
from shared.ledger.ledger import Ledger
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, HeldModel, ModelState, WorkerKind
from tests.support.played_worker import claim
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack

_AWAY = "The weights of it are away. Fetch them with `rushes models pull it`."


@pytest.fixture
def hearts(client: Client, api_redis: PrivateRedis) -> Iterator[redis.Redis]:
    """The Redis that the API reads; `client` has emptied it."""
    with connect(api_redis.url) as found:
        yield found


def beat(hearts: redis.Redis, kind: WorkerKind, host: str = "edit3", **more: Any) -> str:
    name = f"{kind}-{host}"
    heart = Heartbeat(name=name, kind=kind, host=host, pid=7, started_at=12.5, **more)
    heartbeats.publish(hearts, "default", heart, ttl_s=60)
    return name


def shown(client: Client) -> dict[str, Any]:
    answer = client.get("/machines")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_without_workers_each_kind_is_missed_with_what_that_means(
    client: Client, hearts: redis.Redis
) -> None:
    found = shown(client)
    assert found["machines"] == []
    said = " ".join(found["lacks"])
    for kind in ("analysis", "query", "recluster", "export"):
        assert f"No {kind} worker is running. Start `rushes worker {kind}`. Without it" in said
    assert "watcher" not in said, "no folder is watched"
    for kind in ("analysis", "query", "recluster", "export"):
        beat(hearts, kind)
    assert "is running" not in " ".join(shown(client)["lacks"])


def test_a_worker_shows_its_task_its_file_and_its_models(
    client: Client, hearts: redis.Redis, media: Path, caches: Path
) -> None:
    task_id = client.analyze(caches / "m", media / "a.mp4", media / "b.mp4")
    held = (
        HeldModel(ModelKind.VISUAL, "conse-lite0", 180),
        HeldModel(ModelKind.SPEECH, "whisper-base", 90, is_loading=True),
    )
    states = {
        ModelKind.VISUAL: ModelState("conse-lite0", generation=0),
        ModelKind.FACES: ModelState(error=_AWAY, generation=0),
    }
    name = beat(hearts, "analysis", state="working", task_id=task_id, held=held, models=states)
    assert claim(Ledger(hearts, "default"), task_id, 1, name, "n")
    beat(hearts, "query", "edit1")
    found = shown(client)
    assert [machine["host"] for machine in found["machines"]] == ["edit1", "edit3"]
    [process] = found["machines"][1]["processes"]
    assert process["media_path"] == str(media / "b.mp4")
    assert (process["kind"], process["state"], process["task_id"]) == (
        "analysis", "working", task_id,
    )  # fmt: skip
    visual, speech, faces = process["models"]
    assert (visual["model_key"], visual["bytes"], visual["error"]) == ("conse-lite0", 180, None)
    assert speech["is_loading"] is True
    assert (faces["model_key"], faces["bytes"], faces["error"]) == ("dlib-resnet", None, _AWAY)
    here = f"The face model dlib-resnet cannot be used on edit3: {_AWAY}"
    assert here in found["machines"][1]["lacks"]
    assert here in found["lacks"], "no other machine can use it"
    assert found["machines"][0]["lacks"] == []


def test_a_folder_that_one_machine_does_not_see_is_told_there_alone(
    client: Client, hearts: redis.Redis, media: Path, caches: Path
) -> None:
    beat(hearts, "analysis", "edit1", roots=(str(media), str(caches)))
    beat(hearts, "analysis", "edit3", roots=(str(caches),))
    first, second = shown(client)["machines"]
    assert first["lacks"] == []
    assert second["processes"][0]["roots_missing"] == [str(media)]
    assert second["lacks"] == [
        f"{media} is not seen on edit3. Mount its disk there, or take it out of "
        "RUSHES_MEDIA_ROOTS and RUSHES_CACHE_ROOTS."
    ]
    assert not any("No live worker sees" in said for said in shown(client)["lacks"])


def test_heartbeats_of_other_versions_are_shown_as_far_as_they_go(
    client: Client, hearts: redis.Redis
) -> None:
    old = {"name": "old", "kind": "analysis", "host": "a", "pid": 1, "started_at": 1.0}
    strange = {**old, "name": "strange", "kind": "of tomorrow"}
    for each in (old, strange):
        hearts.sadd("rushes:default:heartbeats", each["name"])  # type: ignore[arg-type]
        hearts.set(f"rushes:default:heartbeat:{each['name']}", msgspec.json.encode(each))
    [machine] = shown(client)["machines"]
    [process] = machine["processes"]
    assert (process["name"], process["models"], process["roots_missing"]) == ("old", [], [])
    assert machine["lacks"] == []


def test_it_is_for_administrators(api_stack: Stack, client: Client) -> None:
    key = client.post("/keys", scopes=["analyze"]).json()["license_key"]
    for path in ("/machines", "/doctor", "/audit"):
        answer = api_stack.client(key=key).get(path)
        assert answer.status_code == 403
        assert "admin" in answer.json()["message"]
