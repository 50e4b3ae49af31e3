"""What a process says of models that it should have, over a real Redis; the models are fakes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.specs import ModelSpec
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import ModelState
from shared.settings import Settings
from tests.support.fake_models import FakeEmbedder, FakeTranscriber
from tests.support.waiting import wait_for
from workers import model_reconciler
from workers.model_reconciler import ModelReconciler
from workers.models.pool import ModelPool
from workers.presence.availability import Availability

VISUAL, SPEECH = ModelKind.VISUAL, ModelKind.SPEECH


class Process:
    """What a worker process has for its models, and a loader that a test may hold up or break."""

    def __init__(self, settings: Settings, client: redis.Redis) -> None:
        self.broken: Exception | None = None
        self.may_finish = threading.Event()
        self.may_finish.set()
        self.client = client
        loaders: Any = {VISUAL: self._load, SPEECH: lambda _s, spec: FakeTranscriber(spec)}
        self.pool = ModelPool(settings, loaders)
        self.availability = Availability(settings, 0.02)
        self.models = ModelReconciler(
            settings, client, self.pool, self.availability, (VISUAL, SPEECH)
        )

    def _load(self, _settings: Settings, spec: ModelSpec) -> FakeEmbedder:
        assert self.may_finish.wait(10)
        if self.broken:
            raise self.broken
        return FakeEmbedder(spec)

    def reconcile(self) -> None:
        self.models.reconcile(lambda _: None)

    def visual(self) -> ModelState:
        return self.models.states()[VISUAL]

    def desire(self, kind: ModelKind, key: str) -> int:
        return heartbeats.desire(self.client, "default", kind, key).generation


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a machine with the weights of the visual model `a--b`, and no others."""
    folder = tmp_path / "open_clip" / "a--b"
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps({}))
    return Settings(models_dir=tmp_path, visual_model="open_clip:a:b")


@pytest.fixture
def process(settings: Settings, redis_url: str) -> Iterator[Process]:
    with connect(redis_url) as client:
        process = Process(settings, client)
        yield process
        process.availability.end()
        process.pool.close()


def test_the_visual_model_is_loading_from_the_start_until_it_is_loaded(process: Process) -> None:
    assert process.visual() == ModelState(is_loading=True, generation=0)
    process.reconcile()
    assert process.visual() == ModelState("a--b", generation=0)
    process.pool.unload_idle(0)
    assert process.visual() == ModelState(generation=0), "unloaded, which is no failure"


def test_another_that_is_asked_for_is_loading_until_it_is_loaded(process: Process) -> None:
    process.reconcile()
    process.may_finish.clear()
    generation = process.desire(VISUAL, "x--y")
    assert process.visual() == ModelState("a--b", generation=0), "it has yet to hear of it"
    loading = threading.Thread(target=process.reconcile)
    loading.start()
    wait_for(lambda: process.visual().generation == generation, 5, "the process to hear of it")
    assert process.visual() == ModelState(is_loading=True, generation=generation)
    process.may_finish.set()
    loading.join(10)
    assert process.visual() == ModelState("x--y", generation=generation)


def test_a_failure_is_said_until_a_later_try_succeeds(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_reconciler, "_TRY_AGAIN_S", 0.0)
    process.broken = ModelError("It is torn.")
    process.reconcile()
    assert process.visual() == ModelState(error="It is torn.", generation=0)
    process.may_finish.clear()
    process.broken = None
    again = threading.Thread(target=process.reconcile)
    again.start()
    wait_for(lambda: process.visual().is_loading, 5, "the second try")
    assert process.visual() == ModelState(is_loading=True, error="It is torn.", generation=0)
    process.may_finish.set()
    again.join(10)
    assert process.visual() == ModelState("a--b", generation=0)


@pytest.mark.logs_errors
def test_a_librarys_own_error_leads_to_the_log_and_is_forgotten_when_asked_again(
    process: Process,
) -> None:
    process.broken = RuntimeError("out of luck")
    process.reconcile()
    assert process.visual().error == "a--b failed: out of luck; the worker's log says more."
    process.broken = None
    generation = process.desire(VISUAL, "a--b")
    process.reconcile()
    assert process.visual() == ModelState("a--b", generation=generation)


def test_a_speech_model_is_missed_only_where_a_setting_or_a_client_asks_for_it(
    settings: Settings, process: Process
) -> None:
    process.reconcile()
    assert process.models.states().keys() == {VISUAL}
    generation = process.desire(SPEECH, "whisper-tiny.en")
    process.reconcile()
    assert process.models.states()[SPEECH] == ModelState("whisper-tiny.en", generation=generation)

    other = Process(replace(settings, speech_model="small", instance="other"), process.client)
    assert other.models.states()[SPEECH] == ModelState(generation=0), "the first file loads it"
    other.availability.start()
    wait_for(lambda: other.models.states()[SPEECH].error, 5, "a look at the weights")
    other.reconcile()
    said = other.models.states()[SPEECH]
    assert not said.is_loading
    assert str(said.error).endswith("Fetch them with `rushes models pull whisper-small`.")
    other.availability.end()
    other.pool.close()


def test_a_process_that_loads_no_models_says_nothing_of_them(
    settings: Settings, process: Process
) -> None:
    none = ModelReconciler(settings, process.client, process.pool, Availability(settings), ())
    process.reconcile()
    none.reconcile(lambda _: None)
    assert none.states() == {}


def test_while_items_are_in_hand_a_wanted_model_waits(process: Process) -> None:
    assert process.models.reconcile(lambda _: None, may_load=False) is False
    assert process.visual() == ModelState(is_loading=True, generation=0)
    assert process.models.reconcile(lambda _: None) is True
    assert process.models.reconcile(lambda _: None, may_load=False) is True
    process.desire(VISUAL, "x--y")
    assert process.models.reconcile(lambda _: None, may_load=False) is False
    assert process.pool.states()[0].model_key == "a--b", "it is loaded, and the other is not"
