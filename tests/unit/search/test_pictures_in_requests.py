"""Base64 of a request: as clients write it, of any size, without holding up the process."""

from __future__ import annotations

import base64
import random
import time

import pytest

from api.base64_pictures import picture_bytes
from shared.errors import BadInput

PICTURE = random.Random(1).randbytes(3_000_001)
TEXT = base64.b64encode(PICTURE).decode()


@pytest.mark.parametrize(
    "text",
    [TEXT, f"data:image/png;base64,{TEXT}", base64.encodebytes(PICTURE).decode(), f" {TEXT}\r\n"],
    ids=["plain", "with a prefix", "in lines", "with space around"],
)
def test_a_picture_is_read_however_it_is_written(text: str) -> None:
    assert picture_bytes(text) == PICTURE


@pytest.mark.parametrize("text", ["AB", "A*==", "AAA=AAAA", TEXT + TEXT, "AAé="])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="image is not valid base64"):
        picture_bytes(text)


def test_much_space_between_takes_little_time() -> None:
    began = time.process_time()
    assert len(picture_bytes("AB AB " * 1_000_000)) == 3_000_000
    assert time.process_time() - began < 0.3
