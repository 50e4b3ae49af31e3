"""What every VisualEmbedder must do, as tests that each model's own test file inherits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.models.protocols import VisualEmbedder

SIZES = ((360, 640), (640, 360), (224, 224), (7, 900), (1, 1))
TEXTS = ["a dog", "a photo of two people on bicycles at night", "", "Übergröße 犬", "word " * 1000]


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Large blobs of colour, so that models see more than grey noise."""
    random = np.random.default_rng(seed)
    blobs = random.integers(0, 256, (4, 4, 3), np.uint8)
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return blobs[rows][:, columns]


class VisualEmbedderContract:
    """Subclasses name the fixture `embedder`; `closeness` is what the model's precision allows."""

    closeness: ClassVar[float] = 1e-5

    @pytest.fixture
    def prepared(self, embedder: VisualEmbedder) -> NDArray[np.float32]:
        return np.stack([embedder.prepare(picture(360, 640, seed)) for seed in range(3)])

    @pytest.mark.parametrize(("height", "width"), SIZES)
    def test_a_picture_of_any_shape_is_prepared(
        self, embedder: VisualEmbedder, height: int, width: int
    ) -> None:
        ready = embedder.prepare(picture(height, width))
        side = embedder.picture_side
        assert (ready.shape, ready.dtype) == ((3, side, side), np.dtype(np.float32))

    def test_pictures_become_unit_rows(
        self, embedder: VisualEmbedder, prepared: NDArray[np.float32]
    ) -> None:
        check_unit_rows(embedder, embedder.embed_images(prepared), 3)

    def test_texts_become_unit_rows_whatever_they_hold(self, embedder: VisualEmbedder) -> None:
        check_unit_rows(embedder, embedder.embed_texts(TEXTS), len(TEXTS))

    def test_no_text_is_no_row(self, embedder: VisualEmbedder) -> None:
        assert embedder.embed_texts([]).shape == (0, embedder.spec.dim)

    def test_a_picture_has_the_same_row_alone_and_in_a_batch(
        self, embedder: VisualEmbedder, prepared: NDArray[np.float32]
    ) -> None:
        together = embedder.embed_images(prepared)
        alone = np.concatenate([embedder.embed_images(one[None]) for one in prepared])
        np.testing.assert_allclose(together, alone, atol=self.closeness)

    def test_a_text_has_the_same_row_alone_and_in_a_batch(self, embedder: VisualEmbedder) -> None:
        together = embedder.embed_texts(TEXTS)
        alone = np.concatenate([embedder.embed_texts([text]) for text in TEXTS])
        np.testing.assert_allclose(together, alone, atol=self.closeness)

    def test_different_things_have_different_rows(
        self, embedder: VisualEmbedder, prepared: NDArray[np.float32]
    ) -> None:
        for rows in (embedder.embed_images(prepared), embedder.embed_texts(TEXTS[:2])):
            assert (rows @ rows.T)[0, 1] < 0.9999

    def test_warming_up_twice_changes_nothing(
        self, embedder: VisualEmbedder, prepared: NDArray[np.float32]
    ) -> None:
        before = embedder.embed_images(prepared)
        embedder.warmup()
        embedder.warmup()
        np.testing.assert_array_equal(embedder.embed_images(prepared), before)

    def test_threads_share_it(
        self, embedder: VisualEmbedder, prepared: NDArray[np.float32]
    ) -> None:
        def work(seed: int) -> tuple[NDArray[np.float32], ...]:
            ready = embedder.prepare(picture(360, 640, seed % 3))
            return ready, embedder.embed_images(ready[None]), embedder.embed_texts(TEXTS[:2])

        texts = embedder.embed_texts(TEXTS[:2])
        with ThreadPoolExecutor(4) as threads:
            for seed, (ready, row, text_rows) in enumerate(threads.map(work, range(12))):
                np.testing.assert_array_equal(ready, prepared[seed % 3])
                alone = embedder.embed_images(prepared[seed % 3][None])
                np.testing.assert_allclose(row, alone, atol=self.closeness)
                np.testing.assert_allclose(text_rows, texts, atol=self.closeness)

    def test_a_batch_size_is_offered(self, embedder: VisualEmbedder) -> None:
        assert embedder.batch_size >= 1


def check_unit_rows(embedder: VisualEmbedder, rows: NDArray[np.float32], count: int) -> None:
    assert rows.dtype == np.float32
    assert rows.shape == (count, embedder.spec.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
