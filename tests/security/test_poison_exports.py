"""A clip costs no more than its source can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.exports.export_desk import ExportDesk, clip
from tests.support.media.media import make_clip
from tests.support.media.poisons import POISONS, jpeg_of_many_scans


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


def test_clips_of_poison_files_fail_alone_and_the_worker_goes_on(desk: ExportDesk) -> None:
    names = ("repeats.mp4", "packed.mov", "fragment.mp4", "programs.ts", "gaps.mka")
    bad = [POISONS[name](desk.media / name) for name in names]
    bad.append(jpeg_of_many_scans(desk.media / "scans.jpg"))
    good = make_clip(desk.media / "good.mp4", 2, size=(160, 96))
    worker = desk.worker()
    clips = [clip(path, 0, 60_000 if path.suffix == ".mka" else 1) for path in bad]
    answer = desk.export(*clips, clip(good, 0, 1), mode="encode")
    assert [made["media_path"] for made in answer["exported"]] == [str(good)]
    assert {failed["code"] for failed in answer["failed"]} == {"unreadable"}
    assert len(answer["failed"]) == len(bad)
    assert worker.popen.poll() is None
