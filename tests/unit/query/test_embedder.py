"""The thread with the model: what it puts into a batch, and what it keeps apart."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.domain import ModelKind
from shared.errors import ModelError, NoWorker, RushesError
from shared.models.specs import ModelSpec
from shared.query.messages import Embedded
from shared.settings import Settings
from tests.support.fake_models import FakeEmbedder
from workers.models.pool import ModelPool
from workers.query.embed import MAX_BATCH, Embedder, EmbedRequest

ONE, OTHER, TORN = "conse-lite0", "ViT-B-32--openai", "ViT-L-14--openai"
GREY = np.full((9, 16, 3), 90, np.uint8)


class Noting(FakeEmbedder):
    """Notes its batches of texts. Stops at "hold" until it may go on."""

    def __init__(self, spec: ModelSpec, desk: Desk) -> None:
        super().__init__(spec)
        self._desk = desk

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        if rgb.shape == (1, 1, 3):
            raise RuntimeError("a picture of one pixel")
        return super().prepare(rgb)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        if texts:
            self._desk.batches.append((self.spec.key, texts))
        if "hold" in texts:
            self._desk.is_held.set()
            assert self._desk.may_go_on.wait(20)
        return super().embed_texts(texts)

    def embed_sentences(self, texts: list[str]) -> NDArray[np.float32] | None:
        if self.spec.key == OTHER:
            return None
        return np.array([[len(text), 0] for text in texts], np.float32).reshape(-1, 2)


class Desk:
    """An embedder with two models and one that cannot be loaded; what it answers by name."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self.is_held, self.may_go_on = threading.Event(), threading.Event()
        self.answers: queue.Queue[tuple[str, Embedded | RushesError]] = queue.Queue()
        self.loads = 0
        self.pool = ModelPool(Settings(), {ModelKind.VISUAL: self._load})
        self.embedder = Embedder(self.pool)
        self.embedder.start()

    def _load(self, _settings: Settings, spec: ModelSpec) -> Noting:
        self.loads += 1
        if spec.key == TORN:
            raise ModelError("It is torn.")
        return Noting(spec, self)

    def ask(self, name: str, model: str = ONE, until: float = math.inf, **what: object) -> None:
        what = what or {"texts": (name,)}
        self.embedder.put(
            EmbedRequest(model, lambda answer: self.answers.put((name, answer)), until, **what)  # type: ignore[arg-type]
        )

    def hold(self) -> None:
        self.ask("hold")
        assert self.is_held.wait(20)

    def answered(self, count: int) -> dict[str, Embedded | RushesError]:
        """What came of "hold" and of so many others."""
        self.may_go_on.set()
        return dict(self.answers.get(timeout=20) for _ in range(count + 1))


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.may_go_on.set()
    desk.embedder.close()
    desk.pool.close()


def test_who_comes_while_nothing_runs_begins_at_once_and_alone(desk: Desk) -> None:
    desk.hold()
    assert desk.batches == [(ONE, ["hold"])]


def test_models_are_never_mixed(desk: Desk) -> None:
    desk.hold()
    for number in range(6):
        desk.ask(f"{number}", (ONE, OTHER)[number % 2])
    assert len(desk.answered(6)) == 7
    assert sorted(desk.batches[1:]) == [(OTHER, ["1", "3", "5"]), (ONE, ["0", "2", "4"])]


def test_a_model_that_cannot_be_loaded_fails_its_own_requests_after_one_try(desk: Desk) -> None:
    desk.hold()
    for number in range(6):
        desk.ask(f"{number}", (ONE, TORN)[number % 2])
    found = desk.answered(6)
    failed = [name for name, answer in found.items() if isinstance(answer, ModelError)]
    assert sorted(failed) == ["1", "3", "5"]
    assert desk.loads == 2


def test_sentences_have_rows_of_their_own_beside_texts(desk: Desk) -> None:
    desk.hold()
    desk.ask("words")
    desk.ask("sentences", texts=("one", "other"), are_sentences=True)
    found = desk.answered(2)
    words, sentences = found["words"], found["sentences"]
    assert isinstance(words, Embedded)
    assert isinstance(sentences, Embedded)
    assert words.dim == 4
    assert sentences.as_array().tolist() == [[3, 0], [5, 0]]
    assert desk.batches[1:] == [(ONE, ["words"])]


@pytest.mark.logs_errors
def test_a_model_that_embeds_no_sentences_says_so(desk: Desk) -> None:
    desk.hold()
    desk.ask("sentences", OTHER, texts=("one",), are_sentences=True)
    found = desk.answered(1)["sentences"]
    assert isinstance(found, ModelError)
    assert "sentences" in found.message


@pytest.mark.logs_errors
def test_whatever_loading_raises_the_thread_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError("no memory is left")

    with monkeypatch.context() as broken:
        broken.setattr(desk.pool, "lend", full)
        desk.ask("first")
        assert isinstance(desk.answers.get(timeout=20)[1], ModelError)
    desk.ask("second")
    assert isinstance(desk.answers.get(timeout=20)[1], Embedded)


@pytest.mark.logs_errors
def test_a_picture_that_fails_fails_neither_texts_nor_pictures_beside_it(desk: Desk) -> None:
    desk.hold()
    desk.ask("words")
    desk.ask("picture", picture=GREY)
    desk.ask("broken", picture=GREY[:1, :1])
    found = desk.answered(3)
    assert isinstance(found["broken"], ModelError)
    for name in ("words", "picture"):
        answer = found[name]
        assert isinstance(answer, Embedded)
        assert answer.rows == 1


def test_requests_whose_callers_have_given_up_meanwhile_are_left_out(desk: Desk) -> None:
    desk.hold()
    desk.ask("late", until=time.monotonic())
    desk.ask("in time", until=time.monotonic() + 60)
    assert isinstance(desk.answered(2)["late"], NoWorker)
    assert desk.batches[1:] == [(ONE, ["in time"])]


def test_a_batch_has_at_most_so_many_requests_and_the_next_the_rest(desk: Desk) -> None:
    desk.hold()
    names = [f"{number}" for number in range(MAX_BATCH + 4)]
    asking = threading.Thread(target=lambda: [desk.ask(name) for name in names])
    asking.start()
    assert len(desk.answered(len(names))) == len(names) + 1
    asking.join()
    assert max(len(texts) for _, texts in desk.batches) <= MAX_BATCH
    assert [text for _, texts in desk.batches[1:] for text in texts] == names
