"""A decoder opens nothing but the file that it was given, whatever that file or its name says."""

from __future__ import annotations

import base64
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest

from shared.errors import MediaError
from shared.media import MediaType
from tests.support.attacks.ears import Canaries, Listener, ears
from tests.support.attacks.references import OWN, Referring, referring_files
from tests.support.media.by_path import open_sound, open_still, probe
from tests.support.media.media import Encoding, make_clip, make_still
from tests.support.stack import ADDRESS_SPACE, Client, Stack

WITH_SOUND = Encoding(tone_hz=440)


@dataclass
class Field:
    """A media root, a folder beside it, and who hears what is opened."""

    media: Path
    files: list[Referring]
    canaries: list[Path]
    watched: Canaries
    listener: Listener

    def check_silence(self) -> None:
        assert self.watched.opened() == []
        assert self.listener.connections == 0

    def check_ears(self) -> None:
        """Whether they would have heard: else silence says nothing."""
        for path in self.canaries:
            path.read_bytes()
        assert set(self.watched.opened()) == {path.name for path in self.canaries}
        host, port = self.listener.address.split(":")
        socket.create_connection((host, int(port))).close()
        with suppress(OSError), av.open(self.listener.url):
            pass
        assert self.listener.connections


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    media, outside = tmp_path / "media", tmp_path / "outside"
    media.mkdir()
    film = make_clip(outside / "film.mov", 1, size=(160, 96), encoding=WITH_SOUND)
    beside = make_clip(media / "beside.mov", 1, size=(160, 96), encoding=WITH_SOUND)
    canaries = [
        film,
        beside,
        make_clip(media / "001.mp4", 1, size=(160, 96)),
        make_still(media / "1.png", size=(160, 96)),
        make_still(media / "001.png", size=(160, 96)),
    ]
    with ears(canaries, film) as (watched, listener):
        files = referring_files(film, beside, listener.url)
        for file in files:
            file.write(media)
        watched.opened()  # by their makers
        yield Field(media, files, canaries, watched, listener)


def named_like_addresses(media: Path, listener: Listener) -> list[Path]:
    """Whole films and stills whose names mean something else to FFmpeg."""
    names = [
        "concat:beside.mov|beside.mov.mov",
        "subfile,,start,0,end,0,,:beside.mov",
        "file:beside.mov",
        "pipe:0.mov",
        f"http:/{listener.address}/film.mov",
        "%03d.mp4",
        "-i.mov",
        "%d.png",
        "%03d.png",
        "*.png",
    ]
    for name in names:
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("png"):
            make_still(media / name, size=OWN)
        else:
            whole = make_clip(media / "whole.mov", 1, size=OWN, encoding=WITH_SOUND)
            whole.rename(media / name)
    return [media / name for name in names]


def test_a_decoder_that_may_would_follow_them(field: Field) -> None:
    """The files are right: those for which FFmpeg has the means lead it to the canary."""
    followed = [file for file in field.files if file.follows is not None]
    assert len(followed) == 9
    for file in followed:
        before = field.listener.connections
        path = str(field.media / file.name)
        with av.open(path, format=file.format, options=file.follows or {}) as container:
            pictures = list(container.decode(video=0))
        assert (pictures[0].width, pictures[0].height) == (160, 96), file.name
        assert field.watched.opened() or field.listener.connections > before, file.name


def test_none_is_followed_by_the_decoder_in_this_process(field: Field) -> None:
    named = named_like_addresses(field.media, field.listener)
    field.watched.opened()
    for path in [*(field.media / file.name for file in field.files), *named]:
        with suppress(MediaError):
            probe(path, MediaType.VIDEO)
        with suppress(MediaError), open_sound(path) as reader:
            list(reader.blocks("mix"))
        with suppress(MediaError):
            open_still(path).thumbnail_jpeg()
    field.check_silence()
    field.check_ears()


@pytest.mark.timeout(600)
def test_none_is_followed_by_any_way_into_the_server(
    field: Field, bounded_stack: Stack, tmp_path: Path
) -> None:
    named = named_like_addresses(field.media, field.listener)
    field.watched.opened()
    bounded_stack.settings["RUSHES_MEDIA_ROOTS"] = str(field.media)
    bounded_stack.settings["RUSHES_CACHE_ROOTS"] = str(tmp_path / "cache")
    bounded_stack.settings["RUSHES_EXPORT_ROOTS"] = str(tmp_path / "out")
    for name in ("cache", "out"):
        (tmp_path / name).mkdir()
    for kind in ("query", "analysis", "export"):
        bounded_stack.start_worker(kind)
    client = bounded_stack.start_api()
    bounded_stack.wait_ready(1, 1)
    _check_bounds(bounded_stack)
    empty = [field.media / file.name for file in field.files if not file.has_pictures]
    whole = [field.media / file.name for file in field.files if file.has_pictures] + named
    _ask_everything(client, tmp_path, [*empty, *whole])
    field.check_silence()
    for slot, pictures in _seen(client, tmp_path, empty):
        assert pictures["thumbnail"] is None, slot["media_path"]
    for slot, pictures in _seen(client, tmp_path, whole):
        assert (slot["width"], slot["height"]) == OWN, slot
        assert pictures["thumbnail"], slot["media_path"]
    field.check_silence()
    field.check_ears()


def _check_bounds(stack: Stack) -> None:
    """The bound on address space holds for every kind of process: other tests rely on it."""
    for name, process in stack.processes.items():
        most, _ = resource.prlimit(process.popen.pid, resource.RLIMIT_AS)
        assert most == ADDRESS_SPACE[name.partition("-")[0]]


def _seen(
    client: Client, folder: Path, paths: list[Path]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What is said of each file, and its picture."""
    names = [str(path) for path in paths]
    said = client.ok("/media/metadata", media_paths=names)["media"]
    requests = [{"media_path": name, "time_seconds": 0} for name in names]
    shown = client.ok("/thumbnails", cache_dir=str(folder / "cache"), requests=requests)
    return zip(said, shown["thumbnails"], strict=True)


def _ask_everything(client: Client, folder: Path, paths: list[Path]) -> None:
    """Every way by which the content of a file reaches a decoder, but for those of `_seen`."""
    cache, names = str(folder / "cache"), [str(path) for path in paths]
    task = client.post(
        "/analyze",
        cache_dir=cache,
        visual_media_paths=names,
    )
    assert task.status_code == 202, task.text
    client.wait_final(task.json()["task_id"], 200)
    clips = [{"media_path": name, "start_time": 0, "end_time": 0.5} for name in names]
    exported = client.ok(
        "/export/clips", output_dir=str(folder / "out"), clips=clips, background=True
    )
    client.wait_final(exported["task_id"], 100)
    for name, path in zip(names, paths, strict=True):
        client.post("/search/frame", cache_dir=cache, media_path=name, time_seconds=0)
        client.post("/search/image", cache_dir=cache, image_path=name)
        client.post(
            "/search/image",
            cache_dir=cache,
            image=base64.b64encode(path.read_bytes()).decode(),
        )
        for form in ("xmeml", "fcpxml"):
            client.post(
                "/export/premiere-xml",
                clips=[{"media_path": name, "start_time": 0, "end_time": 0.5}],
                output_path=str(folder / "out" / "timeline.xml"),
                format=form,
            )
