"""What the API answers about single files and pictures when a query worker is there to look."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from tests.support.media.media import H264, make_clip, make_still, read_bar_code
from tests.support.private_redis import PrivateRedis
from tests.support.search.search_data import media_hash, publish, unit
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for

NAME = "a clip #1 100% 'ü' \"q\".mp4"
SHOTS = ((200, 40, 40), (40, 40, 200))  # red, then blue


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


def test_the_end_of_the_last_scene_is_a_time_of_the_file(client: Client, tmp_path: Path) -> None:
    """It is a whole second, which may lie after the end of the file."""
    clip = make_clip(tmp_path / "short.mp4", shots=[(SHOTS[0], 1.4), (SHOTS[1], 1.08)])
    cache = CacheDir.open(tmp_path / "cache", create=True)
    publish(cache, media_hash(3), np.ones((3, 2)), path=clip)
    body = {"cache_dir": str(tmp_path / "cache"), "media_path": str(clip)}
    client.ok("/search/frame", **body, time_seconds="00:00:03")
    assert client.post("/search/frame", **body, time_seconds=3.2).status_code == 400
    for cache_dir in (body["cache_dir"], str(tmp_path / "none yet")):
        requests = [{"media_path": str(clip), "time_seconds": time} for time in (3, 3.2)]
        slots = client.ok("/thumbnails", cache_dir=cache_dir, requests=requests)["thumbnails"]
        assert seen(slots[0]["thumbnail"]) == "blue"
        assert slots[1]["thumbnail"] is None


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
    assert [stamp for _, stamp in pairs] == ["00:00:01", "00:00:02"]
    missing = {**scene, "media_path": path + ".mp4"}
    assert client.ok("/thumbnails/scene", **missing) == {"scene_thumbnails": None}


def pixels(jpeg: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(jpeg))).convert("RGB"))


def seen(jpeg: str | None) -> str:
    """What a picture shows: a shot, or the text that `publish` stores as one."""
    if jpeg is None:
        return "nothing"
    if base64.b64decode(jpeg).isascii():
        return base64.b64decode(jpeg).decode()
    red, _, blue = pixels(jpeg)[-40:].mean(axis=(0, 1))
    return "red" if red > blue else "blue"


def scene(client: Client, path: Path, start: float, end: float, **more: str) -> list[list[str]]:
    body = {"cache_dir": str(path.parent / "cache"), **more}
    times = {"media_path": str(path), "start_time": start, "end_time": end}
    return list(client.ok("/thumbnails/scene", **body, **times)["scene_thumbnails"] or ())


def shown(pairs: list[list[str]]) -> list[tuple[str, str]]:
    return [(seen(jpeg), stamp[-2:]) for jpeg, stamp in pairs]


@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001)])
def test_a_scene_shows_nothing_of_the_shots_around_it(
    rate: Fraction | int, client: Client, tmp_path: Path
) -> None:
    """At 29.97 pictures a second that of 2 s is on screen 2 ms later: the one before still is."""
    encoding = dataclasses.replace(H264, fps=rate)
    second = float(round(rate) / rate)
    shots = [(SHOTS[0], 2 * second), (SHOTS[1], 2 * second), (SHOTS[0], second)]
    clip = make_clip(tmp_path / "shots.mp4", shots=shots, encoding=encoding)
    assert shown(scene(client, clip, 0, 2)) == [("red", "00"), ("red", "01")]
    assert shown(scene(client, clip, 2, 4)) == [("blue", "02"), ("blue", "03")]
    assert shown(scene(client, clip, 1.1, 2)) == [("red", "01")], "its own picture: no second is"
    assert shown(scene(client, clip, 2.5, 3.5)) == [("blue", "03")]
    assert shown(scene(client, clip, 3, 3)) == [("blue", "03")]
    assert shown(scene(client, clip, 4, 90)) == [("red", "04")]
    assert scene(client, clip, 60, 90) == []


def test_a_long_stretch_of_a_file_that_is_not_analysed_comes_whole_and_in_order(
    client: Client, tmp_path: Path
) -> None:
    slow = dataclasses.replace(H264, fps=5, gop=23)
    clip = make_clip(tmp_path / "long.mp4", 50, encoding=slow)
    pairs = scene(client, clip, 3, 300)
    assert [stamp for _, stamp in pairs] == [f"00:00:{second:02d}" for second in range(3, 50)]
    numbers = [read_bar_code(pixels(jpeg)) for jpeg, _ in pairs]
    assert numbers == [5 * second for second in range(3, 50)]


def test_a_picture_that_is_held_is_shown_where_no_other_begins(
    client: Client, tmp_path: Path
) -> None:
    clip = make_clip(
        tmp_path / "held.mp4",
        shots=[(SHOTS[0], 1), (SHOTS[1], 1)],
        times=lambda n: n * 0.04 + n // 25 * 8,
    )
    assert shown(scene(client, clip, 3, 7)) == [("red", "03")]
    assert shown(scene(client, clip, 3, 12)) == [("blue", "09")]


def test_a_stretch_may_be_long_where_it_is_stored_and_shorter_where_it_is_not(
    client: Client, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1)
    body = {"cache_dir": str(tmp_path / "cache"), "media_path": str(clip), "start_time": 5}
    status, message = status_and_message(client, "/thumbnails/scene", **body, end_time=306)
    assert (status, message.split()[2]) == (400, "end_time")
    assert "300 s" in message
    assert "analyze it" in message
    assert scene(client, clip, 5, 305) == []
    cache = CacheDir.open(tmp_path / "cache", create=True)
    publish(cache, media_hash(1), np.ones((4000, 2)), path=clip)
    pairs = scene(client, clip, 5, 3605)
    assert shown(pairs[:1] + pairs[-1:]) == [
        (f"{media_hash(1)} 5", "05"),
        (f"{media_hash(1)} 3604", "04"),
    ]
    assert len(pairs) == 3600
    status, message = status_and_message(client, "/thumbnails/scene", **body, end_time=3605.5)
    assert (status, message.split()[2]) == (400, "end_time")


def test_no_picture_of_an_analysed_file_is_of_another_shot(client: Client, tmp_path: Path) -> None:
    """The cut is at 2.6 s, which the grid of whole seconds does not tell."""
    clip = make_clip(tmp_path / "cut.mp4", shots=[(SHOTS[0], 2.6), (SHOTS[1], 2.4)])
    cache = CacheDir.open(tmp_path / "cache", create=True)
    scenes = (Scene(0, 3), Scene(3, 5))
    publish(cache, media_hash(2), np.ones((5, 2)), scenes=scenes, path=clip)

    def thumbnails(*times: float) -> list[str]:
        requests = [{"media_path": str(clip), "time_seconds": time} for time in times]
        slots = client.ok("/thumbnails", cache_dir=str(tmp_path / "cache"), requests=requests)
        return [
            seen(slot["thumbnail"]).removeprefix(f"{media_hash(2)} ")
            for slot in slots["thumbnails"]
        ]

    assert thumbnails(1.4, 1.6, 2, 3, 3.4, 3.6, 4.9) == ["1", "2", "2", "3", "3", "4", "4"]
    assert thumbnails(2.3, 2.52, 2.61, 2.8) == ["red", "red", "blue", "blue"]
    assert shown(scene(client, clip, 2.61, 2.9)) == [("blue", "02")]
    stored = [(f"{media_hash(2)} {second}", f"0{second}") for second in range(5)]
    assert shown(scene(client, clip, 0, 3)) == stored[:3]
    assert shown(scene(client, clip, 2.2, 3.5)) == stored[3:4]
    assert shown(scene(client, clip, 4, 4)) == stored[4:]
    clip.unlink()
    assert thumbnails(2.52, 2.8, 3.4) == ["2", "2", "3"], "what is known of the shot it counts to"


def test_exact_cuts_are_found_once_and_serve_when_the_file_is_away(
    client: Client, tmp_path: Path
) -> None:
    clip = make_clip(
        tmp_path / "away.mp4", shots=[(SHOTS[0], 1.4), (SHOTS[1], 1.24), (SHOTS[0], 2)]
    )
    cache = CacheDir.open(tmp_path / "cache", create=True)
    scenes = (Scene(0, 2), Scene(2, 3), Scene(3, 5))

    def analyze(rows: int) -> None:
        units = unit(np.eye(rows, 8))
        publish(cache, media_hash(3), units, scenes=scenes, model="conse-lite0", path=clip)

    def bounds() -> list[tuple[float | None, float | None]]:
        body = {"cache_dir": str(cache.root), "media_path": str(clip), "time_seconds": 0}
        matches = client.ok("/search/frame", **body, details=True)["matches"]
        matches.sort(key=lambda match: int(match["frame_idx"]))
        return [(m.get("cut_start_seconds"), m.get("cut_end_seconds")) for m in matches]

    def at_once() -> bool:
        return bounds() == [(0, 1.4), (1.4, 2.64), (2.64, None)]

    analyze(5)
    wait_for(at_once, 10, "the places of both cuts")
    kept = Path(str(cache.media_dir(media_hash(3)))) / "exact-cuts.json"
    assert json.loads(kept.read_bytes())["cuts"] == {"2": 1.4, "3": 2.64}

    analyze(5)
    wait_for(at_once, 10, "the same of scenes that are new")
    clip.rename(tmp_path / "elsewhere")
    requests = [{"media_path": str(clip), "time_seconds": time} for time in (1.3, 1.5, 2.6, 2.7)]
    slots = client.ok("/thumbnails", cache_dir=str(cache.root), requests=requests)["thumbnails"]
    assert [seen(slot["thumbnail"])[-1] for slot in slots] == ["1", "2", "2", "3"]
    kept.write_bytes(b"{ damaged")
    slots = client.ok("/thumbnails", cache_dir=str(cache.root), requests=requests)["thumbnails"]
    assert [seen(slot["thumbnail"])[-1] for slot in slots] == ["1", "1", "2", "2"]


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
