"""A clip whose source is on a disk that goes away is cut when the disk is back."""

from __future__ import annotations

from pathlib import Path

from tests.support.exports.export_desk import ExportDesk, clip
from tests.support.media.media import make_clip
from tests.support.system.removable_disk import removable_disk
from tests.support.waiting import wait_for


def test_clips_wait_for_their_source_and_none_fails(tmp_path: Path, redis_url: str) -> None:
    with removable_disk(tmp_path / "kept", tmp_path / "media" / "card") as disk:
        desk = ExportDesk(tmp_path, redis_url)
        try:
            film = make_clip(disk.point / "film.mov", 4)
            desk.waiting_worker(share=0.3)
            waiting = desk.exporting(*(clip(film, n, n + 1) for n in range(4)), mode="encode")
            desk.wait_held()
            disk.go()
            desk.release.touch()

            def is_said() -> bool:
                hearts = desk.desk.hearts("export")
                return any(f"{disk.point} is not mounted" in heart.message for heart in hearts)

            wait_for(is_said, 20, f"a heartbeat that says why; {desk.desk.logs()}")
            disk.come()
            answer = waiting.result(60)
            assert answer["failed"] == []
            assert len(answer["exported"]) == 4
        finally:
            desk.close()
