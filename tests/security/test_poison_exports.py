"""A clip costs no more than its source can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.exports.export_desk import ExportDesk, clip
from tests.support.media.poisons import POISONS


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[ExportDesk]:
    desk = ExportDesk(tmp_path, redis_url)
    yield desk
    desk.close()


def test_a_clip_of_thirty_years_is_refused_and_one_before_the_jump_is_cut(desk: ExportDesk) -> None:
    jump = POISONS["jump.mkv"](desk.media / "jump.mkv")
    desk.worker()
    answer = desk.export(clip(jump, 0, 0.5), clip(jump, 0, 946_080_001), mode="encode")
    assert [made["media_path"] for made in answer["exported"]] == [str(jump)]
    (failed,) = answer["failed"]
    assert failed["code"] == "unreadable"
    assert "Its time stamps lead to 946,080,00" in failed["error"]
