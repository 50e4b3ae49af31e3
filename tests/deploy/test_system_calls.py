"""Under the units' filter of system calls everything works: measured, not believed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.deploy.test_systemd_units import FOLDER, line
from tests.support.media.media import H264, make_clip, make_still
from tests.support.media.speech import recorded_speech
from tests.support.rushes_up import end, start
from tests.support.stack import KEY, PROJECT, Client

FILTERED = "tests.support.system.system_calls"


def test_analysis_search_and_exports_work_with_no_more_than_the_filter_allows(
    tmp_path: Path,
) -> None:
    allowed = line(FOLDER / "rushes.service", "SystemCallFilter").split()
    under = [sys.executable, "-m", FILTERED, *allowed, "--"]
    up = start(tmp_path, under=under, RUSHES_LICENSE_KEYS=KEY, PYTHONPATH=str(PROJECT))
    try:
        up.wait_for_line("ready on http")
        client = Client(up.port)
        clip = make_clip(tmp_path / "clip.mp4", 3, encoding=H264)
        speech = recorded_speech()[0].save(tmp_path / "reading.wav")
        cache = tmp_path / "cache"
        record = client.analyzed(
            cache,
            clip,
            make_still(tmp_path / "a.jpg"),
            face_media_paths=[str(clip)],
            cluster_job_name="Season 1",
            transcription_jobs=[{"path": str(speech)}],
        )
        assert not record["failed_files"]
        found = client.ok("/search/text", cache_dir=str(cache), query="red")["matches"]
        assert {Path(match["video_path"]).name for match in found} == {"clip.mp4", "a.jpg"}
        (tmp_path / "out").mkdir()
        wanted = {"media_path": str(clip), "start_time": 0, "end_time": 2}
        made = client.ok("/export/clips", clips=[wanted], output_dir=str(tmp_path / "out"))
        assert made["exported"]
        client.http.close()
    finally:
        end(up)


def test_a_call_that_the_filter_does_not_name_is_refused() -> None:
    """Else the test above could not fail."""
    program = (
        "import ctypes; library = ctypes.CDLL(None, use_errno=True);"
        "print(library.swapoff(b'/'), ctypes.get_errno())"
    )
    command = [
        sys.executable,
        "-m",
        FILTERED,
        "@system-service",
        "--",
        sys.executable,
        "-c",
        program,
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-1", "1"]
