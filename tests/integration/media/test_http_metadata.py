"""POST /media/metadata with a real query worker: every kind of bad file, crashes, odd contents."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.support.media.media import make_clip, make_still, truncate, write_sound
from tests.support.media.media_kinds import encoding
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack, running_stack

SIZE = (160, 96)
MIB = 1 << 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("metadata")
    with tempfile.TemporaryDirectory(prefix="rm-") as short:
        server = PrivateRedis(Path(short))
        server.start()
        try:
            with running_stack(folder, server.url, analysis=0, query=0) as running:
                running.start(
                    "query-0", "-m", "tests.support.programs.query_with_a_fragile_decoder"
                )
                running.wait_ready(analysis=0, query=1)
                yield running
        finally:
            server.stop()


@pytest.fixture
def client(stack: Stack) -> Client:
    return stack.client()


def described(client: Client, *paths: Path | str) -> list[dict[str, Any]]:
    answer = client.ok("/media/metadata", media_paths=[str(path) for path in paths])
    return list(answer["media"])


def test_every_field_of_a_clip_is_told(client: Client, tmp_path: Path) -> None:
    kind = encoding(
        fps=Fraction(30000, 1001),
        timecode="00:59:58;00",
        tone_hz=440,
        channels=2,
        rotation=90,
    )
    (item,) = described(client, make_clip(tmp_path / "a.mov", 2, size=SIZE, encoding=kind))
    assert (item["fps_rational"], item["rate"]) == ("30000/1001", {"num": 30000, "den": 1001})
    assert item["start_timecode"] == item["timecode"]["value"] == "00:59:58;00"
    assert item["timecode"]["drop_frame"]
    assert (item["frame_count"], item["duration_frames_estimated"]) == (60, False)
    assert (item["rotation"], item["display_width"], item["display_height"]) == (270, *SIZE)
    assert (item["is_vfr"], item["scan"], item["container"]) == (False, "progressive", "mov")
    assert [s["layout"] for s in item["audio_streams"]] == ["stereo"]
    assert [s["codec_tag"] for s in item["video_streams"]] == ["avc1"]
    assert item["color"]["primaries"] is None
    assert (item["warnings"], item["error"]) == ([], None)


def test_unreadable_files_have_an_error_each_and_the_call_stays_200(
    client: Client, tmp_path: Path
) -> None:
    good = make_clip(tmp_path / "good.mp4", 1, size=SIZE)
    cut = truncate(make_clip(tmp_path / "no moov.mp4", 1, size=SIZE), 0.5)
    empty = tmp_path / "empty.mov"
    empty.touch()
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    text = tmp_path / "text.mp4"
    text.write_text("Dear editor")
    fifo = tmp_path / "fifo.mp4"
    os.mkfifo(fifo)
    document = tmp_path / "notes.txt"
    document.write_text("no media")
    bad = {
        str(cut): "incomplete",
        str(empty): "empty",
        str(folder): "folder",
        str(text): "not a media file",
        str(fifo): "regular file|outside",
        str(document): "does not say that it is media",
        str(tmp_path / "absent.mp4"): "does not exist",
        str(tmp_path / "nul\0.mp4"): "NUL",
        str(good / "below a file.mp4"): "does not exist",
        str(tmp_path / ("long" * 100 + ".mp4")): "cannot be read",
    }
    items = described(client, good, *bad, good)
    assert [item["media_path"] for item in items] == [str(good), *bad, str(good)]
    assert items[0] == items[-1]
    assert items[0]["error"] is None
    for item, words in zip(items[1:-1], bad.values(), strict=True):
        assert any(word in (item["error"] or "") for word in words.split("|")), item
        assert (item["fps"], item["video_streams"], item["timecode"]) == (None, [], None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_has_an_error(client: Client, tmp_path: Path) -> None:
    secret = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    secret.chmod(0)
    assert "permission" in described(client, secret)[0]["error"]


def test_a_file_that_crashes_or_hangs_the_decoder_costs_no_other_its_answer(
    client: Client, tmp_path: Path
) -> None:
    names = ["1", "aborts", "2", "killed", "3", "hangs", "4", "5", "6"]
    paths = [make_clip(tmp_path / f"{name}.mp4", 1, size=SIZE) for name in names]
    items = dict(zip(names, described(client, *paths), strict=True))
    assert "crashed" in items["aborts"]["error"]
    assert "crashed" in items["killed"]["error"]
    assert "longer than" in items["hangs"]["error"]
    for number in "123456":
        assert items[number]["error"] is None
        assert items[number]["frame_count"] == 25
    for name in ("aborts", "killed", "hangs"):
        assert len(items[name]["hash_str"]) == 16


def test_item_25_every_kind_of_file_is_described_with_exact_rates(
    client: Client, tmp_path: Path
) -> None:
    rates = ["24000/1001", "24/1", "25/1", "30000/1001", "30/1", "50/1", "60000/1001", "60/1"]
    clips = [
        make_clip(tmp_path / f"{number}.mov", 1, size=SIZE, encoding=encoding(fps=Fraction(rate)))
        for number, rate in enumerate(rates)
    ]
    sound = write_sound(tmp_path / "a.wav", 1, channels=2)
    still = make_still(tmp_path / "a.jpg", size=(300, 200), orientation=6)
    *films, heard, seen = described(client, *clips, sound, still)
    assert [item["fps_rational"] for item in films] == rates
    assert (heard["media_type"], heard["video_streams"], heard["rate"]) == ("audio", [], None)
    assert (seen["media_type"], seen["display_width"], seen["display_height"]) == (
        "image",
        200,
        300,
    )
    assert [item["error"] for item in (*films, heard, seen)] == [None] * 10


def test_item_26_the_hash_follows_the_content_alone(client: Client, tmp_path: Path) -> None:
    first = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    copy = tmp_path / "renamed copy.mp4"
    copy.write_bytes(first.read_bytes())
    longer = tmp_path / "longer.mp4"
    longer.write_bytes(first.read_bytes() + b"\0")
    one, same, other = (item["hash_str"] for item in described(client, first, copy, longer))
    assert one == same != other
    sizes = [1, 10, 11, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, (4 << 30) + 12_345]
    zeros = []
    for size in sizes:
        zeros.append(tmp_path / f"{size}.wav")
        with zeros[-1].open("wb") as file:
            file.truncate(size)  # a hole: 4 GiB take no place
    items = described(client, *zeros)
    assert len({item["hash_str"] for item in items}) == len(sizes)
    assert [item["file_size"] for item in items] == sizes
    nothing = tmp_path / "zero bytes.wav"
    nothing.touch()
    assert described(client, nothing)[0]["hash_str"] is None


def test_item_27_a_file_that_grows_has_an_error_and_no_hash(client: Client, tmp_path: Path) -> None:
    growing = write_sound(tmp_path / "a.wav", 60)

    def read_while_it_grew() -> dict[str, Any] | None:
        (item,) = described(client, growing)
        return item if item["error"] else None

    with _appending(growing):  # on a busy machine perhaps not within each reading
        readings = (read_while_it_grew() for _ in range(3))
        item = next(filter(None, readings), None)
    assert item is not None
    assert item["hash_str"] is None
    assert "changed while it was read" in item["error"]
    assert item["exists"]
    (settled,) = described(client, growing)
    assert settled["error"] is None
    assert len(settled["hash_str"]) == 16


@contextlib.contextmanager
def _appending(path: Path) -> Iterator[None]:
    """Another writer that never stops, until the block ends."""
    done = threading.Event()
    began = threading.Event()

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            while not done.wait(0.001):
                file.write(b"\0" * 100)
                began.set()

    writer = threading.Thread(target=append)
    writer.start()
    began.wait(5)
    try:
        yield
    finally:
        done.set()
        writer.join()
