"""What search relies on in the kernels of NumKong, and two traps around them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import requires
from typing import Any

import numkong
import numpy as np
import pytest

from api.search.frames.estimates import score, score_rows
from api.search.types import QueryVectors
from tests.support.search.search_data import random_units


@pytest.mark.parametrize("dim", [7, 96, 384, 512, 1152])
def test_the_score_of_a_row_does_not_depend_on_the_rows_beside_it(dim: int) -> None:
    random = np.random.default_rng(1)
    vectors = random_units(5000, dim, 1).astype(np.float16)
    for away in (0, 1, 5):
        query = QueryVectors(
            query=random_units(1, dim, 2)[0],
            picture=random_units(1, dim, 3)[0] if away else None,
            exclude=random_units(away, dim, 4) if away else None,
            text_weight=0.3,
        )
        base, final = score(vectors, [(0, len(vectors))], query, None, 1)
        for count in (1, 2, 3, 15, 16, 17, 100, 2049):
            rows = random.choice(len(vectors), count, replace=False)
            again = score_rows(vectors, rows, query)
            assert again[0].tolist() == base[rows].tolist()
            assert again[1].tolist() == final[rows].tolist()


def test_queries_are_rounded_to_halves_as_numpy_rounds_them() -> None:
    halves = np.arange(0, 0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    between = (halves[1:] + halves[:-1]) / 2
    near = [np.nextafter(between, np.float32(end), dtype=np.float32) for end in (0, 1e9)]
    values = np.concatenate([halves, between, *near])
    values = np.concatenate([values, -values])
    rounded = np.asarray(numkong.astype(values, "float16"))
    assert rounded.view(np.uint16).tolist() == values.astype(np.float16).view(np.uint16).tolist()


def test_sums_of_bytes_are_exact() -> None:
    random = np.random.default_rng(1)
    for dim in (7, 384, 1024):
        codes = random.integers(-127, 128, (300, dim)).astype(np.int8)
        query = random.integers(-127, 128, (1, dim)).astype(np.int8)
        codes[:9], query[0, : dim // 2] = 127, 127
        found = np.empty((1, 300), np.float32)
        numkong.cdist(query, codes, "dot", out=found)
        expected = codes.astype(np.int64) @ query[0].astype(np.int64)
        assert found[0].tolist() == expected.tolist()
        products = np.asarray(numkong.dots_packed(codes, numkong.dots_pack(query)))
        assert products[:, 0].tolist() == expected.tolist()


def quickest(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(9):
        began = time.thread_time()
        call()
        times.append(time.thread_time() - began)
    return min(times)


def test_products_are_written_as_a_type_that_has_a_quick_kernel() -> None:
    """`cdist` of bytes into int32 takes 10 to 60 times as long as into float32."""
    codes = np.random.default_rng(1).integers(-127, 128, (8192, 512)).astype(np.int8)
    out = np.empty((1, 8192), np.float32)
    packed, raw = numkong.dots_pack(codes[:1]), numkong.empty((8192, 1), dtype="int32")
    ours = quickest(lambda: numkong.cdist(codes[:1], codes, "dot", out=out))
    assert ours < 6 * quickest(lambda: numkong.dots_packed(codes, packed, out=raw))
    halves = codes.astype(np.float16)
    columns, sums = numkong.dots_pack(halves[:2]), numkong.empty((8192, 2), dtype="float32")
    ours = quickest(lambda: numkong.dots_packed(halves, columns, out=sums))
    assert ours < 6 * quickest(lambda: halves.astype(np.float32) @ np.ones(512, np.float32))


def test_numkong_works_beside_usearch_and_all_of_the_api_and_nothing_brings_simsimd() -> None:
    """Imported between those two, simsimd makes NumKong take kernels of another CPU: SIGILL."""
    program = (
        "import importlib, pkgutil, sys, usearch.index, api\n"
        "for found in pkgutil.walk_packages(api.__path__, 'api.'):\n"
        "    importlib.import_module(found.name)\n"
        "import numkong, numpy as np\n"
        "a = np.ones((64, 64), np.float16)\n"
        "products = np.asarray(numkong.dots_packed(a, numkong.dots_pack(a)))\n"
        "codes, out = np.ones((64, 64), np.int8), np.empty((1, 64), np.float32)\n"
        "numkong.cdist(codes[:1], codes, 'dot', out=out)\n"
        "index = usearch.index.Index(ndim=64, metric='ip', dtype='i8')\n"
        "index.add(np.arange(64), a)\n"
        "print(products[3, 3], out[0, 3], len(index.search(a[0], 3)), 'simsimd' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["64.0", "64.0", "3", "False"]), done
    seen, waiting = set(), ["rushes", "usearch"]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            try:
                waiting += [re.split(r"[^\w.-]", line)[0].lower() for line in requires(name) or ()]
            except ModuleNotFoundError:
                continue  # of an extra that is not installed
    assert {"numkong", "usearch"} < seen
    assert "simsimd" not in seen
