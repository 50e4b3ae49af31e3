"""GET /ready?require=models,roots: what keeps a fresh start from working, named with its fix."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.domain import ModelKind
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, ModelState, WorkerKind
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, running_stack

STRICT = "/ready?require=models,roots"
PULL = "The weights of it are away. Fetch them with `rushes models pull it`."


@pytest.fixture
def hearts(client: Client, api_redis: PrivateRedis) -> Iterator[redis.Redis]:
    """The Redis that the API reads; `client` has emptied it."""
    with connect(api_redis.url) as found:
        yield found


@pytest.fixture
def roots(media: Path, caches: Path) -> tuple[str, str]:
    """Those of the API's settings."""
    return str(media), str(caches)


def beat(hearts: redis.Redis, kind: WorkerKind, number: int = 0, **more: Any) -> Heartbeat:
    fields = {"models": {ModelKind.VISUAL: ModelState(generation=0)}, **more}
    heart = Heartbeat(
        name=f"{kind}-{number}", kind=kind, host=f"host{number}", pid=1, started_at=0.0, **fields
    )
    heartbeats.publish(hearts, "default", heart, ttl_s=60)
    return heart


def failed(error: str = PULL, generation: int = 0) -> ModelState:
    return ModelState(error=error, generation=generation)


def said(client: Client, words: str = "models,roots") -> str:
    """The sentences of a 503."""
    answer = client.get(f"/ready?require={words}")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    return str(answer.json()["message"])


def test_what_the_usual_asks_for_is_asked_for_as_well(
    client: Client, hearts: redis.Redis, roots: tuple[str, str]
) -> None:
    for words in ("models", "roots", "redis,models", "export,roots"):
        assert "No query and no analysis" in said(client, words)
    beat(hearts, "query", roots=roots)
    assert said(client) == "No analysis worker is running. Start `rushes worker analysis`."


def test_all_seen_and_usable_is_200_with_the_fields_of_the_usual_answer(
    client: Client, hearts: redis.Redis, roots: tuple[str, str]
) -> None:
    beat(hearts, "query", roots=())
    beat(hearts, "analysis", roots=roots)
    answer = client.get(STRICT)
    assert answer.status_code == 200
    assert answer.json() == client.get("/ready").json()


def test_a_model_that_loads_is_none_that_is_missing(
    client: Client, hearts: redis.Redis, roots: tuple[str, str]
) -> None:
    loading = {ModelKind.VISUAL: ModelState(is_loading=True, generation=0)}
    for kind in ("query", "analysis"):
        beat(hearts, kind, roots=roots, models=loading, state="loading")
    answer = client.get(STRICT)
    assert (answer.status_code, answer.json()["loading"]) == (200, True)


def test_the_active_model_that_failed_is_named_also_while_it_is_tried_again(
    client: Client, hearts: redis.Redis, roots: tuple[str, str]
) -> None:
    beat(hearts, "analysis", roots=roots)
    state = ModelState(is_loading=True, error=PULL, generation=0)
    beat(hearts, "query", roots=roots, models={ModelKind.VISUAL: state})
    assert client.get("/ready").status_code == 200
    assert client.get("/ready?require=roots").status_code == 200
    assert said(client) == f"The visual model conse-lite0 cannot be used on host0: {PULL}"


def test_one_worker_of_a_kind_that_can_use_the_model_is_enough(
    client: Client, hearts: redis.Redis, roots: tuple[str, str]
) -> None:
    broken = {ModelKind.VISUAL: failed()}
    beat(hearts, "query", roots=roots)
    beat(hearts, "analysis", 0, roots=roots, models=broken)
    assert "cannot be used on host0" in said(client, "models")
    beat(hearts, "analysis", 1, roots=roots)
    assert client.get(STRICT).status_code == 200
    beat(hearts, "query", roots=roots, models=broken)
    assert "cannot be used on host0" in said(client, "models")


def test_what_failed_before_another_model_was_asked_for_counts_no_more(
    client: Client, hearts: redis.Redis, roots: tuple[str, str]
) -> None:
    for kind in ("query", "analysis"):
        beat(hearts, kind, roots=roots, models={ModelKind.VISUAL: failed()})
    assert "conse-lite0" in said(client)
    heartbeats.desire(hearts, "default", ModelKind.VISUAL, "other")
    assert client.get(STRICT).status_code == 200
    beat(hearts, "query", roots=roots, models={ModelKind.VISUAL: failed(generation=1)})
    assert said(client).startswith("The visual model other cannot be used on host0: ")


@pytest.mark.parametrize("kind", [ModelKind.SPEECH, ModelKind.FACES])
def test_models_that_nobody_asked_for_may_have_no_weights(
    client: Client, hearts: redis.Redis, roots: tuple[str, str], kind: ModelKind
) -> None:
    usual = {ModelKind.VISUAL: ModelState(generation=0)}
    beat(hearts, "query", roots=roots)
    beat(hearts, "analysis", roots=roots, models={**usual, kind: failed()})
    assert client.get(STRICT).status_code == 200
    heartbeats.desire(hearts, "default", kind, "it")
    beat(hearts, "analysis", roots=roots, models={**usual, kind: failed(generation=1)})
    word = "face" if kind is ModelKind.FACES else "speech"
    assert said(client) == f"The {word} model it cannot be used on host0: {PULL}"


def test_a_root_that_no_worker_sees_is_named_with_its_setting(
    client: Client, hearts: redis.Redis, roots: tuple[str, str]
) -> None:
    media, caches = roots
    beat(hearts, "query", roots=())
    beat(hearts, "analysis", roots=(media,))
    beat(hearts, "watcher", roots=None)  # it says nothing of roots, and for none of them
    assert said(client) == (
        f"No live worker sees {caches} (RUSHES_CACHE_ROOTS). Mount its disk where the workers "
        "run, or correct the setting."
    )
    assert client.get("/ready?require=models").status_code == 200
    beat(hearts, "export", roots=(caches,))
    assert client.get(STRICT).status_code == 200


def test_all_that_is_missing_is_said_at_once(client: Client, hearts: redis.Redis) -> None:
    beat(hearts, "analysis", roots=(), models={ModelKind.VISUAL: failed()})
    message = said(client)
    for words in ("No query worker", "conse-lite0", "RUSHES_MEDIA_ROOTS", "RUSHES_CACHE_ROOTS"):
        assert words in message


def test_while_no_worker_lives_the_api_looks_for_weights_itself(
    tmp_path: Path, redis_url: str
) -> None:
    settings = {"RUSHES_MODELS_DIR": str(tmp_path), "RUSHES_SPEECH_MODEL": "small"}
    with running_stack(tmp_path, redis_url, analysis=0, query=0, **settings) as stack:
        message = said(stack.client())
        with connect(redis_url) as hearts:  # of a machine that may have its own
            beat(hearts, "recluster", models={})
        elsewhere = said(stack.client())
    for kind, key in (("visual", "conse-lite0"), ("speech", "whisper-small")):
        assert f"The {kind} model {key} cannot be used on {socket.gethostname()}: " in message
        assert f"`rushes models pull {key}`" in message
    assert "dlib-resnet" not in message, "nobody has asked for it"
    assert elsewhere.startswith("No query and no analysis worker is running.")
    assert "cannot be used" not in elsewhere


def test_what_can_be_asked_for_is_said_to_who_asks_for_something_else(client: Client) -> None:
    answer = client.get("/ready?require=models,disks")
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "require: 'disks' is unknown; name some of redis, analysis, query, recluster, export, "
        "watcher, models, roots."
    )
