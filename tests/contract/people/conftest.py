"""People of a folder of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.people.people_desk import PeopleDesk, people_desk
from tests.support.stack import Client


@pytest.fixture
def people(
    client: Client, caches: Path, media: Path, request: pytest.FixtureRequest
) -> Iterator[PeopleDesk]:
    with people_desk(client, caches / request.node.name[:60], media) as desk:
        yield desk
