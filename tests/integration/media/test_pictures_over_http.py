"""What the API answers about single files and pictures when a query worker is there to look."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.media.media import make_clip, make_still
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack, running_stack

NAME = "a clip #1 100% 'ü' \"q\".mp4"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("query")
    with tempfile.TemporaryDirectory(prefix="rq-") as short:
        server = PrivateRedis(Path(short))
        server.start()
        try:
            with running_stack(folder, server.url, analysis=0) as running:
                (folder / "cache").mkdir()
                make_clip(folder / NAME, seconds=4, size=(640, 360))
                make_still(folder / "red.jpg", colour=(200, 30, 30))
                (folder / "broken.jpg").write_bytes(b"no picture")
                yield running
        finally:
            server.stop()


@pytest.fixture
def client(stack: Stack) -> Client:
    return stack.client()


def status_and_message(client: Client, path: str, **body: object) -> tuple[int, str]:
    answer = client.post(path, **body)
    return answer.status_code, answer.json().get("message", "")


def test_a_picture_that_is_none_is_400_naming_the_field(client: Client, stack: Stack) -> None:
    body = {"cache_dir": str(stack.folder / "cache")}
    text = base64.b64encode(b"no picture").decode()
    status, message = status_and_message(client, "/search/image", **body, image=text)
    assert (status, message.split()[0]) == (400, "image")
    broken = str(stack.folder / "broken.jpg")
    status, message = status_and_message(client, "/search/image", **body, image_path=broken)
    assert (status, message.split()[0]) == (400, "image_path")
    for good in (
        {"image_path": str(stack.folder / "red.jpg")},
        {"image": base64.b64encode((stack.folder / "red.jpg").read_bytes()).decode()},
    ):
        assert client.ok("/search/image", **body, **good) == {"matches": []}


def test_a_frame_search_needs_no_analysis_but_a_time_within_the_file(
    client: Client, stack: Stack
) -> None:
    body = {"cache_dir": str(stack.folder / "cache"), "media_path": str(stack.folder / NAME)}
    for time in (2, 1.5, "00:00:01.250"):
        assert client.ok("/search/frame", **body, time_seconds=time) == {"matches": []}
    status, message = status_and_message(client, "/search/frame", **body, time_seconds=60)
    assert (status, message.split(":")[0]) == (400, "time_seconds")
    folder = {**body, "media_path": str(stack.folder)}
    status, message = status_and_message(client, "/search/frame", **folder, time_seconds=0)
    assert (status, message.split(":")[0]) == (400, "media_path")


def test_thumbnails_of_a_file_that_is_not_analysed_come_from_the_file(
    client: Client, stack: Stack
) -> None:
    path = str(stack.folder / NAME)
    requests = [{"media_path": path, "time_seconds": time} for time in (1, 90, "00:00:02")]
    body = {"cache_dir": str(stack.folder / "no cache yet"), "requests": requests}
    first, outside, last = client.ok("/thumbnails", **body)["thumbnails"]
    assert outside["thumbnail"] is None
    for slot in (first, last):
        picture = Image.open(io.BytesIO(base64.b64decode(slot["thumbnail"])))
        assert max(picture.size) == 320
    scene = {"cache_dir": body["cache_dir"], "media_path": path, "start_time": 1, "end_time": 3}
    pairs = client.ok("/thumbnails/scene", **scene)["scene_thumbnails"]
    assert [stamp for _, stamp in pairs] == ["00:00:01", "00:00:02", "00:00:03"]
    missing = {**scene, "media_path": path + ".mp4"}
    assert client.ok("/thumbnails/scene", **missing) == {"scene_thumbnails": None}


def test_metadata_is_complete_and_a_bad_file_has_its_own_error(
    client: Client, stack: Stack
) -> None:
    paths = [str(stack.folder / name) for name in (NAME, "broken.jpg", "none.mp4", "red.jpg")]
    clip, broken, missing, still = client.ok("/media/metadata", media_paths=paths)["media"]
    assert [item["media_path"] for item in (clip, broken, missing, still)] == paths
    assert (clip["media_type"], clip["width"], clip["height"]) == ("video", 640, 360)
    assert clip["duration_seconds"] == pytest.approx(4, abs=0.1)
    assert (clip["exists"], clip["error"], clip["analysis"]) == (True, None, None)
    assert len(clip["hash_str"]) == 16
    assert broken["exists"]
    assert broken["hash_str"]
    assert broken["error"]
    assert (missing["exists"], missing["hash_str"]) == (False, None)
    assert (still["media_type"], still["error"]) == ("image", None)
    with_cache = client.ok(
        "/media/metadata", media_paths=paths[:1], cache_dir=str(stack.folder / "cache")
    )["media"][0]
    assert with_cache["analysis"] == {"visual": [], "transcribed": False, "face_jobs": []}


def test_loading_the_model_that_is_loaded_is_200(client: Client) -> None:
    loaded = client.get("/models/loaded").json()
    assert loaded["visual"] == {"model_key": "conse-lite0", "is_loading": False}
    answer = client.post("/models/load", model_key="conse-lite0")
    assert (answer.status_code, answer.json()["is_loading"]) == (200, False)
