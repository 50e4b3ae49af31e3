"""What is told of a model from the moment POST /models/load accepted it; workers are played."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from cli.main import app
from shared.domain import ModelKind
from shared.errors import ModelError
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, HeldModel, ModelState, WorkerKind
from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, Client

LITE = "conse-lite0"
NONE = {"model_key": None, "is_loading": False}
LOADING = {"model_key": LITE, "is_loading": True}
LOADED = {"model_key": LITE, "is_loading": False}


@pytest.fixture
def hearts(client: Client, api_redis: PrivateRedis) -> Iterator[redis.Redis]:
    """The Redis that the API reads; `client` has emptied it."""
    with connect(api_redis.url) as found:
        yield found


def beat(hearts: redis.Redis, kind: WorkerKind, state: ModelState, *held: HeldModel) -> None:
    heart = Heartbeat(
        name=kind,
        kind=kind,
        host="another machine",
        pid=1,
        started_at=0.0,
        models={ModelKind.VISUAL: state},
        held=held,
    )
    heartbeats.publish(hearts, "default", heart, ttl_s=60)


def visual(client: Client) -> Any:
    return client.get("/models/loaded").json()["visual"]


def load(client: Client, key: str = LITE) -> int:
    answer = client.post("/models/load", model_key=key)
    assert answer.json()["is_loading"] == (answer.status_code == 202)
    return answer.status_code


def test_a_fresh_server_names_the_model_before_any_worker_has_spoken(
    client: Client, hearts: redis.Redis
) -> None:
    assert visual(client) == NONE
    assert load(client) == 202
    assert visual(client) == LOADING
    beat(hearts, "query", ModelState(is_loading=True, generation=0))
    assert visual(client) == LOADING
    beat(hearts, "query", ModelState(LITE, generation=1))
    assert visual(client) == LOADED
    assert load(client) == 200
    assert visual(client) == LOADED


def test_the_new_model_is_loading_until_the_last_worker_has_it(
    client: Client, hearts: redis.Redis
) -> None:
    for kind in ("query", "analysis"):
        beat(hearts, kind, ModelState("older", generation=0))
    assert visual(client) == {"model_key": "older", "is_loading": False}
    assert load(client) == 202
    assert visual(client) == LOADING, "no worker has heard of it"
    beat(hearts, "query", ModelState(is_loading=True, generation=1))
    assert visual(client) == LOADING
    beat(hearts, "query", ModelState(LITE, generation=1))
    assert visual(client) == LOADING, "the analysis worker has yet to load it"
    beat(hearts, "analysis", ModelState(LITE, generation=1))
    assert visual(client) == LOADED


def test_a_speech_model_is_loading_until_each_analysis_worker_has_heard_of_it(
    client: Client, hearts: redis.Redis
) -> None:
    def speech() -> Any:
        return client.get("/models/loaded").json()["speech"]

    beat(hearts, "query", ModelState(LITE, generation=0))
    beat(hearts, "analysis", ModelState(LITE, generation=0))  # which says nothing of speech yet
    client.ok("/models/load", model_key="whisper-base", model_type="speech")
    assert speech() == {"model_key": "whisper-base", "is_loading": True}
    models = {ModelKind.SPEECH: ModelState("whisper-base", generation=1)}
    heart = Heartbeat(
        name="analysis", kind="analysis", host="h", pid=1, started_at=0.0, models=models
    )
    heartbeats.publish(hearts, "default", heart)
    assert speech() == {"model_key": "whisper-base", "is_loading": False}


def test_one_that_failed_is_not_loading_and_may_be_asked_for_again(
    client: Client, hearts: redis.Redis
) -> None:
    assert load(client) == 202
    beat(hearts, "query", ModelState(error="It is torn.", generation=1))
    assert visual(client) == NONE
    assert load(client) == 202
    assert visual(client) == LOADING


def test_one_that_was_unloaded_since_is_loading_again_when_asked_for(
    client: Client, hearts: redis.Redis
) -> None:
    assert load(client) == 202
    beat(hearts, "query", ModelState(generation=1))
    assert visual(client) == NONE
    assert load(client) == 202
    assert visual(client) == LOADING


def test_a_model_that_a_file_has_asked_for_is_named_while_it_loads(
    client: Client, hearts: redis.Redis
) -> None:
    held = HeldModel(ModelKind.VISUAL, "of-a-file", 1, is_loading=True)
    beat(hearts, "analysis", ModelState(is_loading=True, generation=0), held)
    assert visual(client) == {"model_key": "of-a-file", "is_loading": True}


def test_the_command_line_says_at_once_why_a_model_was_not_loaded(
    client: Client, hearts: redis.Redis
) -> None:
    torn = ModelState(error="It is torn. Fetch it anew.", generation=1)
    beat(hearts, "query", torn)
    beat(hearts, "analysis", torn)
    why = f"The visual model {LITE} cannot be used on another machine: It is torn. Fetch it anew."
    server = {"RUSHES_SERVER": client.url, "RUSHES_KEY": KEY}
    result = CliRunner().invoke(app, ["models", "load", LITE], env=server)
    assert isinstance(result.exception, ModelError)
    assert result.exception.message == why
