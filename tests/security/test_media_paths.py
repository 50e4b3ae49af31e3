"""Media outside the roots: nothing of it is told, not even that it is there."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from tests.support.attacks.swapping import swapping
from tests.support.media.media import make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.stack import ADDRESS_SPACE, Client, Stack, running_stack
from tests.support.waiting import wait_for

INSIDE, OUTSIDE = (160, 96), (192, 108)
ROUNDS = 25


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("media-paths")
    for name in ("media", "cache", "out", "outside"):
        (folder / name).mkdir()
    make_clip(folder / "outside" / "film.mp4", 2, size=OUTSIDE)
    make_clip(folder / "media" / "films" / "film.mp4", 2, size=INSIDE)
    roots = {
        "RUSHES_MEDIA_ROOTS": str(folder / "media"),
        "RUSHES_CACHE_ROOTS": str(folder / "cache"),
        "RUSHES_EXPORT_ROOTS": str(folder / "out"),
    }
    redis = PrivateRedis(tmp_path_factory.mktemp("r"))
    redis.start()
    try:
        with running_stack(folder, redis.url, address_space=ADDRESS_SPACE, **roots) as running:
            running.start_worker("export")
            wait_for(lambda: _has_exporter(running.client()), 40, "an export worker")
            running.client().analyzed(folder / "cache", folder / "media" / "films" / "film.mp4")
            yield running
    finally:
        redis.stop()


def _has_exporter(client: Client) -> bool:
    return bool(client.get("/ready").json()["workers"].get("export"))


def metadata(stack: Stack, path: Path) -> Any:
    (said,) = stack.client().ok("/media/metadata", media_paths=[str(path)])["media"]
    return said


def thumbnail(stack: Stack, path: Path) -> Any:
    cache = str(stack.folder / "cache")
    request = {"media_path": str(path), "time_seconds": 0}
    (shown,) = stack.client().ok("/thumbnails", cache_dir=cache, requests=[request])["thumbnails"]
    return shown


def export(stack: Stack, path: Path) -> Any:
    clip = {"media_path": str(path), "start_time": 0, "end_time": 0.2}
    out = str(stack.folder / "out")
    return stack.client().ok("/export/clips", output_dir=out, clips=[clip], mode="encode")


def shape_of_facts(said: Any) -> float | None:
    return None if said["error"] else said["width"] / said["height"]


def shape_of_picture(shown: Any) -> float | None:
    if shown["thumbnail"] is None:
        return None
    picture = Image.open(io.BytesIO(base64.b64decode(shown["thumbnail"])))
    return picture.width / picture.height


def shape_of_clip(answer: Any) -> float | None:
    for made in answer["exported"]:
        with av.open(made["output_path"]) as clip:
            stream = clip.streams.video[0]
            return stream.width / stream.height
    return None


WAYS: dict[str, tuple[Callable[[Stack, Path], Any], Callable[[Any], float | None]]] = {
    "metadata": (metadata, shape_of_facts),
    "thumbnails": (thumbnail, shape_of_picture),
    "exports": (export, shape_of_clip),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_folder", [False, True], ids=["a link to a file", "a link to a folder"])
def test_a_link_that_is_swapped_meanwhile_never_shows_what_lies_outside(
    stack: Stack, way: str, is_folder: bool
) -> None:
    ask, shape = WAYS[way]
    folder = stack.folder
    link = folder / "media" / f"{way}-{is_folder}{'' if is_folder else '.mp4'}"
    targets = [folder / "media" / "films", folder / "outside"]
    path = link / "film.mp4" if is_folder else link
    if not is_folder:
        targets = [target / "film.mp4" for target in targets]
    with swapping(link, targets):
        shapes = [shape(ask(stack, path)) for _ in range(ROUNDS)]
        while len(set(shapes)) < 2 and len(shapes) < 10 * ROUNDS:  # on a busy machine
            shapes.append(shape(ask(stack, path)))
    assert shapes.count(INSIDE[0] / INSIDE[1]) > 0, "it was allowed at times"
    assert shapes.count(None) > 0, "it was refused at times"
    assert {found for found in shapes if found} == {INSIDE[0] / INSIDE[1]}


@pytest.mark.timeout(180)
def test_whether_something_is_outside_cannot_be_told(stack: Stack) -> None:
    """The same answer for a film and for nothing, by links to files and by links to folders."""
    media, outside = stack.folder / "media", stack.folder / "outside"
    (media / "there.mp4").symlink_to(outside / "film.mp4")
    (media / "none.mp4").symlink_to(outside / "none.mp4")
    (media / "folder").symlink_to(outside)
    pairs = [
        (media / "there.mp4", media / "none.mp4"),
        (media / "folder" / "film.mp4", media / "folder" / "none.mp4"),
        (media / "folder", media / "folder" / "none" / "none"),
    ]
    for there, none in pairs:
        for number, (said, said_of_none) in enumerate(
            zip(_answers(stack, there), _answers(stack, none), strict=True)
        ):
            assert said == said_of_none, (number, there)
            assert "leads outside" in said[1], (number, there, said)


def _answers(stack: Stack, path: Path) -> Iterator[tuple[int, str]]:
    """Status and body of each endpoint that reads media, without what names the path itself."""
    cache, out = str(stack.folder / "cache"), str(stack.folder / "out")
    clip = {"media_path": str(path), "start_time": 0, "end_time": 0.2}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/media/metadata", {"media_paths": [str(path)]}),
        ("/thumbnails", {"requests": [{"media_path": str(path), "time_seconds": 0}]}),
        ("/search/image", {"image_path": str(path)}),
        ("/search/frame", {"media_path": str(path), "time_seconds": 0}),
        ("/search/frame", {"media_path": str(path), "time_seconds": 0.5}),
        ("/cache-paths", {"media_paths": [str(path)]}),
        ("/transcriptions", {"media_paths": [str(path)]}),
        ("/export/clips", {"clips": [clip], "output_dir": out}),
        ("/export/premiere-xml", {"clips": [clip]}),
    ]
    for endpoint, body in bodies:
        whole = body if "export" in endpoint else {"cache_dir": cache, **body}
        answer = stack.client().post(endpoint, **whole)
        said = answer.json()
        for key in ("xml", "text"):  # an empty timeline, with an id made of its clips' paths
            said.pop(key, None)
        yield answer.status_code, json.dumps(said).replace(str(path), "PATH")
