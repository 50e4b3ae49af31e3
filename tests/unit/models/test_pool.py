"""The pool loads a model once, lends it to all who ask, and makes room when it must."""

from __future__ import annotations

import dataclasses
import errno
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.model_catalogue import REVISIONS
from shared.models.specs import ModelSpec
from shared.settings import Settings
from tests.support.fake_models import FakeEmbedder, FakeFaceFinder, FakeTranscriber
from tests.support.waiting import wait_for
from workers.models.pool import ModelPool

VISUAL = ModelKind.VISUAL


class Garage:
    """Makes fake models, counts them, and can be told to hold loading up or to fail it."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.may_finish = threading.Event()
        self.may_finish.set()
        self.broken: set[str] = set()

    def load(self, _settings: Settings, spec: ModelSpec) -> FakeEmbedder:
        assert self.may_finish.wait(10)
        if spec.key in self.broken:
            raise ModelError(f"{spec.key} is broken")
        self.loaded.append(spec.key)
        return FakeEmbedder(spec)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Models a, b and c of 100 MB each, so 150 MB in memory, where 320 MB may be taken."""
    for key in "abc":
        folder = tmp_path / "open_clip" / key
        folder.mkdir(parents=True)
        (folder / "open_clip_config.json").write_text(json.dumps({}))
        with (folder / "open_clip_model.safetensors").open("wb") as file:
            file.truncate(100_000_000)
    return dataclasses.replace(Settings(), models_dir=tmp_path, model_memory_mb=320)


@pytest.fixture
def garage() -> Garage:
    return Garage()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(settings: Settings, garage: Garage, clock: Clock) -> Iterator[ModelPool]:
    pool = ModelPool(settings, {VISUAL: garage.load}, clock)
    yield pool
    garage.may_finish.set()
    pool.close()


def use(pool: ModelPool, key: str) -> None:
    with pool.lend(VISUAL, key):
        pass


def state(pool: ModelPool) -> dict[str, tuple[bool, bool]]:
    return {s.model_key: (s.is_loaded, s.is_loading) for s in pool.states()}


def test_many_who_ask_at_once_share_one_load(pool: ModelPool, garage: Garage) -> None:
    garage.may_finish.clear()
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(use, pool, "a") for _ in range(8)]
        wait_for(lambda: pool.states() and pool.states()[0].users == 8, 5, "eight users")
        assert state(pool) == {"a": (False, True)}
        garage.may_finish.set()
        for each in asked:
            each.result(timeout=10)
    assert garage.loaded == ["a"]
    assert state(pool) == {"a": (True, False)}


def test_a_model_is_warm_when_it_is_lent(pool: ModelPool) -> None:
    with pool.lend(VISUAL, "a") as model:
        assert isinstance(model, FakeEmbedder)
        assert model.warmups == 1


def test_users_share_a_model_which_stays_until_the_last_has_given_it_back(
    pool: ModelPool, garage: Garage
) -> None:
    with pool.lend(VISUAL, "a") as model:
        with pool.lend(VISUAL, "a") as same:
            assert same is model
        assert pool.unload_idle(0) == []
    assert pool.unload_idle(0) == ["a"]
    assert garage.loaded == ["a"]


def test_two_models_are_used_side_by_side(pool: ModelPool) -> None:
    with pool.lend(VISUAL, "a"), pool.lend(VISUAL, "b"):
        assert state(pool) == {"a": (True, False), "b": (True, False)}


def test_what_nobody_uses_for_long_is_unloaded(pool: ModelPool, clock: Clock) -> None:
    use(pool, "a")
    clock.now += 29 * 60
    assert pool.unload_idle() == []
    with pool.lend(VISUAL, "b"):
        clock.now += 31 * 60
        assert pool.unload_idle() == ["a"]
        assert state(pool) == {"b": (True, False)}


def test_the_longest_unused_model_makes_room(pool: ModelPool, garage: Garage, clock: Clock) -> None:
    for key in ("a", "b", "a", "c"):
        clock.now += 1
        use(pool, key)
    assert set(state(pool)) == {"a", "c"}
    assert garage.loaded == ["a", "b", "c"]


def test_a_model_in_use_is_never_taken_away(pool: ModelPool) -> None:
    with pool.lend(VISUAL, "a"), pool.lend(VISUAL, "b"):
        use(pool, "c")
        assert set(state(pool)) == {"a", "b", "c"}


def test_a_model_larger_than_the_budget_is_refused(settings: Settings, garage: Garage) -> None:
    pool = ModelPool(
        dataclasses.replace(settings, model_memory_mb=100), {VISUAL: garage.load}, Clock()
    )
    with pytest.raises(ModelError, match="a needs about 150 MB, more than the 100 MB"):
        use(pool, "a")
    pool.close()


def test_a_model_that_cannot_be_loaded_says_why_and_may_be_tried_again(
    pool: ModelPool, garage: Garage
) -> None:
    garage.broken.add("a")
    with pytest.raises(ModelError, match="a is broken"):
        use(pool, "a")
    assert [(s.model_key, s.is_loaded, s.error) for s in pool.states()] == [
        ("a", False, "a is broken")
    ]
    garage.broken.clear()
    use(pool, "a")
    assert [s.error for s in pool.states()] == [None]


def test_a_model_that_could_not_be_warmed_up_is_loaded_anew(
    pool: ModelPool, garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_model: FakeEmbedder) -> None:
        raise ModelError("its device is full")

    with monkeypatch.context() as full:
        full.setattr(FakeEmbedder, "warmup", fail)
        with pytest.raises(ModelError, match="its device is full"):
            use(pool, "a")
    assert not any(state.is_loaded for state in pool.states())
    use(pool, "a")
    assert garage.loaded == ["a", "a"]


def test_a_speech_model_is_lent_beside_a_visual_one_of_the_same_pool(
    settings: Settings, garage: Garage
) -> None:
    folder = settings.weights_dir / "whisper" / "a"  # the key of a visual model, too
    folder.mkdir(parents=True)
    (folder.parent / "tones").mkdir()
    for each in (folder, folder.parent / "tones"):
        (each / "model.bin").write_bytes(b"tones")
    loaders = {VISUAL: garage.load, ModelKind.SPEECH: lambda _, spec: FakeTranscriber(spec)}
    pool = ModelPool(settings, loaders, Clock())
    with pool.lend(VISUAL, "a") as embedder, pool.lend(ModelKind.SPEECH, "tones") as transcriber:
        assert isinstance(embedder, FakeEmbedder)
        assert isinstance(transcriber, FakeTranscriber)
        assert transcriber.warmups == 1
        assert [(s.kind, s.model_key) for s in pool.states()] == [
            (ModelKind.SPEECH, "tones"), (VISUAL, "a")
        ]  # fmt: skip
    with pytest.raises(ModelError, match="no speech model 'a'"), pool.lend(ModelKind.SPEECH, "a"):
        pass
    pool.close()


def test_a_face_model_is_lent_warm(settings: Settings) -> None:
    pool = ModelPool(settings, {ModelKind.FACES: lambda _, spec: FakeFaceFinder(spec)}, Clock())
    with pool.lend(ModelKind.FACES, "dlib-resnet") as finder:
        assert isinstance(finder, FakeFaceFinder)
        assert finder.warmups == 1
        assert [(s.kind, s.model_key) for s in pool.states()] == [(ModelKind.FACES, "dlib-resnet")]
    pool.close()


def test_face_weights_that_are_missing_or_damaged_are_one_sentence(settings: Settings) -> None:
    pool = ModelPool(settings, clock=Clock())
    with (
        pytest.raises(ModelError, match="rushes models pull dlib-resnet"),
        pool.lend(ModelKind.FACES, "dlib-resnet"),
    ):
        pass
    folder = settings.weights_dir / "dlib-resnet"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"revision": REVISIONS["dlib-resnet"]}))
    (folder / "pnet.onnx").write_bytes(b"no network")
    with (
        pytest.raises(ModelError, match=r"pnet\.onnx cannot be loaded .*pull the model again"),
        pool.lend(ModelKind.FACES, "dlib-resnet"),
    ):
        pass
    pool.close()


def test_weights_that_the_disk_does_not_give_are_the_models_fault(settings: Settings) -> None:
    def load(_settings: Settings, _spec: ModelSpec) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    pool = ModelPool(settings, {VISUAL: load}, Clock())
    sentence = "The model a cannot be loaded: Input/output error."
    with pytest.raises(ModelError) as raised, pool.lend(VISUAL, "a"):
        pass
    assert raised.value.message == sentence
    assert [state.error for state in pool.states()] == [sentence]
    pool.close()


def test_an_unknown_model_is_named_with_those_that_are_known(pool: ModelPool) -> None:
    with pytest.raises(ModelError, match=r"no visual model 'zebra'.*conse-lite0"):
        use(pool, "zebra")


def test_a_closed_pool_holds_nothing(pool: ModelPool) -> None:
    use(pool, "a")
    pool.close()
    assert pool.states() == []
