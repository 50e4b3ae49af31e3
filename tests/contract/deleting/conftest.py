"""A small Collection in which somebody has a name that is nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.people.deleted_person import UNSEEN
from tests.support.people.people_desk import (
    PeopleDesk,
    people_desk,
)
from tests.support.stack import Client


@pytest.fixture
def people(
    client: Client, caches: Path, media: Path, request: pytest.FixtureRequest
) -> Iterator[PeopleDesk]:
    with people_desk(client, caches / request.node.name[:60], media) as desk:
        desk.name(_1001=UNSEEN, _2002="Bo")
        yield desk
