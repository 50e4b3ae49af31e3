"""Only the network that we know is read out of dlib's file, and only a whole one."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ModelError
from workers.models.weights.face_graphs import _packed, face_network


@pytest.mark.parametrize("content", [b"", b"\x01\x02" * 1000])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.dat"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="holds another network"):
        face_network(path)


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    first = 32 * 3 * 7 * 7 + 32
    header = b"".join(_packed(number) for number in (2, first, 1, 1, 1))
    path = tmp_path / "network.dat"
    path.write_bytes(header + bytes(4 * first - 1))
    with pytest.raises(ModelError, match="holds another network"):
        face_network(path)


WRITTEN = {0: "0100", 1: "0101", 255: "01ff", 256: "020001", 4736: "028012"}


@pytest.mark.parametrize("number", WRITTEN)
def test_numbers_are_looked_for_as_dlib_writes_them(number: int) -> None:
    assert _packed(number).hex() == WRITTEN[number]
