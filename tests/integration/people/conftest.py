"""A Collection of its own for each test, on a real disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.opening import RootedPath
from shared.people.collection import Collection


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection.open(RootedPath.alone(tmp_path), "Cast", create=True)
