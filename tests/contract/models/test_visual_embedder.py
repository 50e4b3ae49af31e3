"""The fake and the lite model keep the contract of a VisualEmbedder, each with its own meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.contract.models.visual_embedder import VisualEmbedderContract
from tests.support.fake_models import COLOURS, FakeEmbedder
from tests.support.lite_models import lite_model
from workers.models.protocols import VisualEmbedder

GOLDEN = Path(__file__).with_name("conse_golden.npz")


class TestFakeEmbedder(VisualEmbedderContract):
    @pytest.fixture
    def embedder(self) -> VisualEmbedder:
        return FakeEmbedder()

    def test_each_colour_finds_its_own_picture(self, embedder: VisualEmbedder) -> None:
        plain = [np.full((9, 16, 3), colour, np.uint8) for colour in COLOURS.values()]
        pictures = embedder.embed_images(np.stack([embedder.prepare(rgb) for rgb in plain]))
        texts = embedder.embed_texts([f"a {name} wall" for name in COLOURS])
        assert list(np.argmax(texts @ pictures.T, axis=1)) == list(range(len(COLOURS)))


class TestLiteModel(VisualEmbedderContract):
    @pytest.fixture
    def embedder(self) -> VisualEmbedder:
        return lite_model()

    def test_it_computes_what_torch_computes_from_the_same_weights(
        self, embedder: VisualEmbedder
    ) -> None:
        """conse_golden.npz was made by timm's EfficientNet-Lite0 and a BERT in torch."""
        with np.load(GOLDEN) as golden:
            pictures = embedder.embed_images(golden["pixels"])
            np.testing.assert_allclose(pictures, golden["picture_rows"], atol=2e-4)
            texts = embedder.embed_texts([str(text) for text in golden["texts"]])
            np.testing.assert_allclose(texts, golden["text_rows"], atol=2e-4)

    def test_a_text_has_the_same_row_whoever_is_beside_it(self, embedder: VisualEmbedder) -> None:
        words = "a red car stands beside two dogs on the beach in the rain at night".split()
        texts = ["", *(" ".join((words * 8)[:count]) for count in (*range(1, 40), 60, 100, 200))]
        alone = np.concatenate([embedder.embed_texts([text]) for text in texts])
        for count in (2, 7, 16, len(texts)):
            order = np.random.default_rng(count).permutation(len(texts))
            for batch in np.array_split(order, -(-len(texts) // count)):
                rows = embedder.embed_texts([texts[number] for number in batch])
                np.testing.assert_allclose(rows, alone[batch], atol=1e-6)

    def test_it_says_which_words_it_knows(self, embedder: VisualEmbedder) -> None:
        rows = embedder.embed_texts(["a dog", "an espresso", "jurisprudence", "blorf zint"])
        known = embedder.familiarity(rows)
        assert known is not None
        assert (known[:2] > 0.65).all()
        assert (known[2:] < 0.5).all()

    def test_how_a_query_is_phrased_hardly_matters(self, embedder: VisualEmbedder) -> None:
        rows = embedder.embed_texts(["dog", "a dog", "A photo of a dog.", "footage of the dog"])
        np.testing.assert_allclose(rows[1:] @ rows[0], 1, atol=1e-4)

    def test_the_shape_of_a_picture_costs_nothing_at_its_edges(
        self, embedder: VisualEmbedder
    ) -> None:
        wide = np.zeros((100, 400, 3), np.uint8)
        wide[:, 350:] = 255
        ready = embedder.prepare(wide)
        assert ready[:, :, -10:].mean() > 0.9
        assert ready[:, :, :100].mean() < -0.9

    def test_a_prepared_picture_is_what_the_network_was_trained_on(
        self, embedder: VisualEmbedder
    ) -> None:
        rgb = np.asarray(Image.new("RGB", (224, 224), (255, 0, 128)))
        ready = embedder.prepare(rgb)
        np.testing.assert_allclose(ready[:, 0, 0], [1, -1, 128 / 127.5 - 1], atol=1e-6)
