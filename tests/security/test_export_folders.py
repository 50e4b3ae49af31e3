"""Exports stay in their roots while folders and part files are swapped for links to elsewhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.exports.export_desk import ExportDesk, clip
from tests.support.stack import ADDRESS_SPACE

_FOR_S = 1.0  # of exports, against a thread that swaps as fast as it can
_SWAPS = 100  # at least


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[ExportDesk]:
    roots = {"RUSHES_EXPORT_ROOTS": str(tmp_path / "out")}
    desk = ExportDesk(tmp_path, redis_url, ADDRESS_SPACE, **roots)
    yield desk
    desk.close()


@pytest.fixture
def elsewhere(tmp_path: Path, desk: ExportDesk) -> list[Path]:
    """A folder outside all roots and one in STATE_DIR, with files that look worth a sweep."""
    folders = [tmp_path / "outside", tmp_path / "state" / "inner"]
    for folder in folders:
        folder.mkdir(parents=True)
        for name in ("canary", "clip.mov", ".old.mov.0123abcd.part"):
            (folder / name).write_bytes(b"canary" * 100)
            os.utime(folder / name, (0, 0))
    return folders


def held(folders: list[Path]) -> dict[Path, tuple[int, bytes]]:
    """What lies there; a folder's time tells also what was there for a moment."""
    found = {folder: (folder.stat().st_mtime_ns, b"") for folder in folders}
    for path in (path for folder in folders for path in folder.iterdir()):
        found[path] = (path.stat().st_ctime_ns, path.read_bytes())
    return found


@contextmanager
def again_and_again(act: Callable[[], None]) -> Iterator[list[int]]:
    """A thread that acts without a pause; how often it did."""
    count = [0]
    ends = threading.Event()

    def run() -> None:
        while not ends.is_set():
            act()
            count[0] += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield count
    finally:
        ends.set()
        thread.join()


def swapping(folder: Path, targets: list[Path]) -> Callable[[], None]:
    """Puts a link in place of a folder, and the folder back."""
    aside, link = folder.with_name("aside"), folder.with_name("link")
    folder.mkdir()
    turns = [0]

    def swap() -> None:
        turns[0] += 1
        with suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(targets[turns[0] % len(targets)])
        os.rename(folder, aside)
        os.rename(link, folder)
        os.rename(folder, link)
        os.rename(aside, folder)

    return swap


def until(deadline: float, swaps: list[int] | None = None) -> Iterator[int]:
    """Count until then; where `swaps` is given, a busy machine gets the time for enough of them."""
    n = 0
    while (
        time.monotonic() < deadline
        or n < 3
        or (swaps and swaps[0] <= _SWAPS and time.monotonic() < deadline + 20)
    ):
        yield n
        n += 1


def test_clips_never_leave_the_roots_while_their_folder_is_swapped_for_a_link(
    desk: ExportDesk, elsewhere: list[Path]
) -> None:
    film = desk.all_key_frames(seconds=0.4)
    desk.worker()
    day = desk.out / "day"
    before = held(elsewhere)
    made, refused = 0, set()
    with again_and_again(swapping(day, elsewhere)) as swaps:
        for n in until(time.monotonic() + 2 * _FOR_S, swaps):
            clips = [clip(film, 0, 0.1, name="clip") for _ in range(20)]
            answer = desk.post(*clips, output_dir=str(day), mode="encode" if n % 4 == 3 else "copy")
            if answer.status_code != 200:
                assert answer.status_code in (400, 403), answer.text
                continue
            made += len(answer.json()["exported"])
            refused |= {failed["code"] for failed in answer.json()["failed"]}
    assert held(elsewhere) == before
    assert refused <= {"not_allowed", "not_writable"}
    assert swaps[0] > _SWAPS
    assert made > 0
    assert len([name for name in os.listdir(day) if name.startswith("clip")]) == made


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/export/transcript", {"segments": [[0, "Hello.", 1]], "format": "txt"}),
        ("/export/premiere-xml", {"sequence_name": "clip"}),
    ],
)
def test_transcripts_and_timelines_never_leave_the_roots_while_their_folder_is_swapped(
    desk: ExportDesk, elsewhere: list[Path], path: str, body: dict[str, object]
) -> None:
    if path == "/export/premiere-xml":
        desk.stack.start_worker("query")
        desk.stack.wait_ready(0, 1)
        body["clips"] = [clip(desk.film(seconds=1), 0, 0.2)]
    day = desk.out / "day"
    before = held(elsewhere)
    made = 0
    with again_and_again(swapping(day, elsewhere)) as swaps:
        for _ in until(time.monotonic() + _FOR_S, swaps):
            answer = desk.client.post(path, **body, output_path=f"{day}/")
            assert answer.status_code in (200, 400, 403), answer.text
            made += answer.status_code == 200
    assert held(elsewhere) == before
    assert swaps[0] > _SWAPS
    assert len(os.listdir(day)) == made > 0


def test_a_part_file_that_is_swapped_for_a_link_is_never_written_through(
    desk: ExportDesk, elsewhere: list[Path]
) -> None:
    film = desk.film(seconds=4)
    desk.worker()
    before = held(elsewhere)
    swapped = [0]
    canaries = [folder / "canary" for folder in elsewhere]

    def swap() -> None:
        for name in os.listdir(desk.out):
            part = desk.out / name
            if name.endswith(".part") and not part.is_symlink():
                link = desk.out / "link"
                link.symlink_to(canaries[swapped[0] % len(canaries)])
                with suppress(FileNotFoundError):
                    os.rename(link, part)
                    swapped[0] += 1

    with again_and_again(swap):
        for n in until(time.monotonic() + 2 * _FOR_S):
            mode = "copy" if n % 2 else "encode"
            answer = desk.export(clip(film, 0, 3.3, name="clip"), mode=mode)
            for done in answer["exported"]:
                assert not os.path.islink(done["output_path"])
    assert swapped[0] > 0
    assert held(elsewhere) == before
    assert not [path for path in desk.out.glob("clip*") if path.is_symlink()]


def test_a_swept_folder_that_is_swapped_for_a_link_loses_no_file_outside(
    desk: ExportDesk, elsewhere: list[Path]
) -> None:
    """Old part files lie outside: the sweep of an export removes only those that it may."""
    film = desk.film(seconds=1)
    desk.worker()
    day = desk.out / "day"
    before = held(elsewhere)
    swap = swapping(day, elsewhere)
    (day / ".old.mov.0123abcd.part").write_bytes(b"old")
    os.utime(day / ".old.mov.0123abcd.part", (0, 0))
    with again_and_again(swap):
        for _ in until(time.monotonic() + 2 * _FOR_S):
            desk.post(clip(film, 0, 0.2, name="clip"), output_dir=str(day))
    assert held(elsewhere) == before
    assert not (day / ".old.mov.0123abcd.part").exists()


def test_what_there_is_behind_a_link_out_of_the_roots_cannot_be_told(desk: ExportDesk) -> None:
    for target in ("media", "media/film.mov", "media/nothing", "state", "state/nothing"):
        link = desk.out / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(desk.out.parent / target)
        segments = [[0, "Hello.", 1]]
        for path in (str(link), f"{link}/", f"{link}/a.txt"):
            body = {"segments": segments, "format": "txt", "output_path": path}
            answer = desk.client.post("/export/transcript", **body)
            assert answer.status_code == 403
        assert desk.post(clip("/media/a.mov"), output_dir=str(link)).status_code == 403
