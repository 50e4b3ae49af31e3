"""POST /export/clips: bad input and what it gets. Nothing of it is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.exports.clips_desk import PATH, ClipsDesk, clips_desk
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client


@pytest.fixture
def desk(client: Client, api_redis: PrivateRedis, media: Path) -> Iterator[ClipsDesk]:
    with clips_desk(client, api_redis.url, media) as desk:
        desk.live()
        yield desk
        assert desk.tasks() == []


def refusal(desk: ClipsDesk, *clips: Any, **more: Any) -> str:
    answer = desk.export(*clips, **more)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error", "message"}
    return str(answer.json()["message"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"clips": []}, "clips must hold at least one clip."),
        ({"output_dir": "out"}, "output_dir must be an absolute path, not 'out'."),
        ({"output_dir": "/a\x00b"}, "output_dir holds a NUL byte"),
        ({"naming": "{stem}_{take}"}, "naming: there is no {take}; use {stem}, {in_tc}, {out_tc}"),
        ({"naming": "{stem}_{"}, "naming holds a single brace"),
        ({"naming": "{stem!r}"}, "naming: there is no {stem!r}"),
    ],
)
def test_bad_input_is_named(desk: ClipsDesk, wrong: dict[str, Any], message: str) -> None:
    answer = desk.client.post(PATH, **{**desk.body(), **wrong})
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].startswith(message)


@pytest.mark.parametrize(
    "wrong",
    [
        *(-1, -0.5, "", "soon", "1:2:3:4:5", "-00:00:01", "00:00:61", "00:61:00", "1s"),
        *("00:00:05\n", "٠٠:00:05", "00:00:05:1", "00:00:05;", "00:00:60:00", "24:00:00:00"),
        *("00:00:05.", "00:00:05:1234", "0:00:05:00", "00:00:05,5", "NaN", "1e3"),
    ],
)
def test_a_time_of_a_wrong_shape_is_400(desk: ClipsDesk, wrong: float | str) -> None:
    for field in ("start_time", "end_time"):
        message = refusal(desk, desk.clip(), {**desk.clip(), field: wrong})
        assert message.startswith(f"clips[1].{field}")


def test_a_folder_that_is_missing_or_none_is_400(desk: ClipsDesk) -> None:
    (desk.out / "file").write_bytes(b"x")
    missing = refusal(desk, output_dir=str(desk.out / "missing"))
    assert missing == (
        f"output_dir: the folder {desk.out}/missing does not exist; make it, or send "
        "create_dir: true."
    )
    assert "is no folder" in refusal(desk, output_dir=str(desk.out / "file"))
    assert "is no folder" in refusal(desk, output_dir=str(desk.out / "file" / "x"))
    (desk.out / "file").unlink()


def test_outside_the_roots_is_403_naming_the_setting(desk: ClipsDesk, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    way_out = desk.media / "clips-way-out"
    way_out.symlink_to(tmp_path / "out")
    for folder in (tmp_path / "out", desk.media / ".." / "out", way_out):
        answer = desk.export(output_dir=str(folder))
        assert (answer.status_code, answer.json()["error"]) == (403, "Path not allowed")
        assert answer.json()["message"].startswith("output_dir: ")
        assert "RUSHES_EXPORT_ROOTS" in answer.json()["message"]
    for path in (tmp_path / "a.mov", desk.media / ".." / "a.mov"):
        answer = desk.export(desk.clip(), {**desk.clip(), "media_path": str(path)})
        assert (answer.status_code, answer.json()["error"]) == (403, "Path not allowed")
        assert answer.json()["message"].startswith("clips[1].media_path: ")
        assert "RUSHES_MEDIA_ROOTS" in answer.json()["message"]
    assert list((tmp_path / "out").iterdir()) == []
    way_out.unlink()


def test_without_a_worker_it_is_503_and_nothing_is_accepted(desk: ClipsDesk) -> None:
    desk.redis.flushall()
    for background in (False, True):
        answer = desk.export(background=background)
        assert (answer.status_code, answer.json()["error"]) == (503, "No worker available")
        assert "`rushes worker export`" in answer.json()["message"]
        assert int(answer.headers["retry-after"]) > 0
    assert desk.client.get("/tasks").json() == {"tasks": []}


def test_what_is_wrong_is_said_before_that_nobody_is_there(desk: ClipsDesk) -> None:
    desk.redis.flushall()
    assert refusal(desk, desk.clip(end="soon")).startswith("clips[0].end_time")


def test_exports_of_an_unknown_task_or_of_another_kind_are_404(
    client: Client, media: Path, caches: Path
) -> None:
    analysis = client.analyze(caches / "x", media / "a.mp4")
    for task_id in ("0" * 32, "x", analysis):
        answer = client.get(f"/tasks/{task_id}/exports")
        assert answer.status_code == 404
        assert answer.json()["message"] == f"There is no export task {task_id}."
