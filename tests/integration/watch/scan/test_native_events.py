"""Native events name the directories in which something has changed, and no others."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, Mask

from shared.watch.folders import WatchFolder
from tests.support.media.by_path import hash_media
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for
from tests.support.watch.watched import clip, names, nothing, scanner_of, watched
from workers.watcher.scan.events import Events, NoEvents
from workers.watcher.scan.scanner import native_events

WAIT_S = 10


class Listening:
    """Events whose directories are gathered, relative to the root."""

    def __init__(self, root: Path, events: Events) -> None:
        self.root = root
        self.events = events
        self.seen: set[str] = set()

    def told(self) -> set[str]:
        self.seen |= {os.path.relpath(path, self.root) for path in self.events.take()}
        return self.seen

    def wait_for(self, *directories: str) -> None:
        wait_for(lambda: self.told() >= set(directories), WAIT_S, f"events in {directories}")

    def is_quiet_but_for(self, marker: str) -> bool:
        """Whether nothing was told before what is done in the directory `marker` now."""
        clip(self.root / marker / "marker.mov")
        self.wait_for(marker)
        return self.seen == {marker}


@contextmanager
def listening(folder: WatchFolder, *ignored: str) -> Iterator[Listening]:
    events = native_events(folder, ignored)
    events.start()
    try:
        yield Listening(Path(folder.path), events)
    finally:
        events.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "marker").mkdir(parents=True)
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("change", "directories"),
    [
        (lambda root: clip(root / "a" / "new.mov"), {"a"}),
        (lambda root: clip(root / "a" / "1.mov", 9), {"a"}),
        (lambda root: (root / "a" / "1.mov").unlink(), {"a"}),
        (lambda root: (root / "a" / "1.mov").rename(root / "2.mov"), {"a", "."}),
        (lambda root: (root / ".x").rename(root / "a" / "2.mov"), {"a"}),
        (lambda root: os.utime(root / "a" / "1.mov", (1, 1)), {"a"}),
        (lambda root: clip(root / "b" / "c" / "1.mov"), {".", "b", "b/c"}),
        (lambda root: (root / "a").rename(root / "z"), {".", "z"}),
        (lambda root: shutil.rmtree(root / "a"), {".", "a"}),
        (lambda root: (root / "link").symlink_to(root / "a"), {"."}),
    ],
)
def test_each_change_names_its_directories(
    root: Path, change: Callable[[Path], object], directories: set[str]
) -> None:
    clip(root / "a" / "1.mov")
    clip(root / ".x")
    with listening(watched(root)) as heard:
        change(root)
        heard.wait_for(*directories)


def test_a_moved_directory_is_watched_under_its_new_name(root: Path, tmp_path: Path) -> None:
    clip(root / "a" / "b" / "1.mov")
    clip(tmp_path / "other" / "c" / "1.mov")
    with listening(watched(root)) as heard:
        (root / "a").rename(root / "z")
        (tmp_path / "other").rename(root / "came")
        heard.wait_for("z", "z/b", "came", "came/c")
        heard.seen.clear()
        clip(root / "z" / "b" / "2.mov")
        clip(root / "came" / "c" / "2.mov")
        heard.wait_for("z/b", "came/c")
        assert heard.seen == {"z/b", "came/c"}


def test_reading_is_no_event(root: Path) -> None:
    path = clip(root / "a" / "1.mov", 5000)
    with listening(watched(root)) as heard:
        hash_media(str(path))
        scanner_of(watched(root)).scan(nothing)
        assert heard.is_quiet_but_for("marker")


def test_hidden_and_ignored_directories_are_not_told(root: Path) -> None:
    clip(root / "cache" / "media" / "1.jpg")
    clip(root / ".trash" / "1.mov")
    with listening(watched(root), str(root / "cache")) as heard:
        clip(root / "cache" / "media" / "2.jpg")
        clip(root / "cache" / "new" / "3.jpg")
        clip(root / ".trash" / "2.mov")
        clip(root / ".a.mov")
        assert heard.is_quiet_but_for("marker")


def test_cache_folders_of_others_are_not_watched(root: Path) -> None:
    clip(root / "of another" / "rushes.json")
    clip(root / "of another" / "media" / "1.jpg")
    with listening(watched(root)) as heard:
        clip(root / "of another" / "media" / "2.jpg")
        assert heard.is_quiet_but_for("marker")


def test_directories_below_are_not_told_when_the_folder_is_not_recursive(root: Path) -> None:
    with listening(watched(root, recursive=False)) as heard:
        clip(root / "marker" / "1.mov")
        clip(root / "1.mov")
        heard.wait_for(".")
        assert heard.seen == {"."}


def test_directories_behind_links_are_told_once_a_scan_has_found_them(
    root: Path, tmp_path: Path
) -> None:
    clip(tmp_path / "elsewhere" / "sub" / "1.mov")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    scan = scanner_of(watched(root)).scan(nothing)
    with listening(watched(root)) as heard:
        heard.events.watch_listed(scan.folders)
        assert heard.told() == {"link", "link/sub"}
        heard.events.watch_listed(scan.folders)
        clip(tmp_path / "elsewhere" / "sub" / "2.mov")
        clip(tmp_path / "elsewhere" / "new" / "3.mov")
        heard.seen.clear()
        heard.wait_for("link/sub", "link", "link/new")


def test_5000_files_in_new_directories_are_all_found(root: Path) -> None:
    folder = watched(root)
    scanner = scanner_of(folder)
    found: set[str] = set()
    with listening(folder) as heard:
        scanner.scan(nothing)

        def write() -> None:
            for number in range(5000):
                clip(root / f"{number % 50:02}" / f"{number % 7}" / f"{number}.mov")

        writer = threading.Thread(target=write)
        writer.start()

        def all_found() -> bool:
            found.update(names(scanner.look(heard.events.take(), nothing), root))
            return len(found) == 5000

        wait_for(all_found, 60, "5,000 files")
        writer.join()


def test_wake_is_called_when_there_is_something_to_take(root: Path) -> None:
    woken = threading.Event()
    events = native_events(watched(root), (), woken.set)
    events.start()
    try:
        clip(root / "a.mov")
        assert woken.wait(WAIT_S)
        assert events.take() == {str(root)}
    finally:
        events.stop()


def test_a_root_that_is_moved_away_or_unmounted_ends_the_events(root: Path) -> None:
    woken = threading.Event()
    events = native_events(watched(root), (), woken.set)
    events.start()
    assert events.is_alive()
    root.rename(root.parent / "away")
    wait_for(lambda: not events.is_alive(), WAIT_S, "the end of the events")
    assert woken.is_set()
    events.stop()
    events = native_events(watched(root), (), woken.set)
    with tiny_disk(root):
        events.start()
    wait_for(lambda: not events.is_alive(), WAIT_S, "the end of the events")
    events.stop()
    assert not events.is_alive()


def test_a_dead_reader_shows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with listening(watched(root)) as heard:
        monkeypatch.setattr(InotifyFD, "read_events", lambda self: 1 / 0)
        clip(root / "a.mov")
        clip(root / "b.mov")
        wait_for(lambda: not heard.events.is_alive(), WAIT_S, "the end of the events")


def test_a_root_that_is_missing_tells_so(tmp_path: Path) -> None:
    with pytest.raises(NoEvents, match="is missing"):
        native_events(watched(tmp_path / "missing"), ()).start()


def test_a_lack_of_watches_names_the_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lack_watches(monkeypatch, "marker")
    with pytest.raises(NoEvents, match=r"raise fs\.inotify\.max_user_watches"):
        native_events(watched(root), ()).start()


def test_a_lack_of_inotify_instances_names_the_limit(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(InotifyFD, "_create_inotify_fd", refuse)
    with pytest.raises(NoEvents, match=r"raise fs\.inotify\.max_user_instances"):
        native_events(watched(root), ()).start()


def test_a_lack_of_watches_for_a_new_directory_ends_the_events(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(watched(root)) as heard:
        lack_watches(monkeypatch, "late")
        (root / "late").mkdir()
        wait_for(lambda: not heard.events.is_alive(), WAIT_S, "the end of the events")
        heard.wait_for(".")
    assert "fs.inotify.max_user_watches" in caplog.text


def lack_watches(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    add = InotifyFD.add_callback

    def refuse(self: InotifyFD, path: bytes, *rest: object) -> object:
        if path.endswith(b"/" + name.encode()):
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return add(self, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(InotifyFD, "add_callback", refuse)


def test_lost_events_make_every_directory_be_looked_at(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(root / "a" / "1.mov")
    lost = InotifyEvent(-1, Mask(InotifyConstants.IN_Q_OVERFLOW), 0, b"")
    with listening(watched(root)) as heard:
        handle = InotifyFD.handle_event
        monkeypatch.setattr(InotifyFD, "handle_event", lambda self, _: handle(self, lost))
        clip(root / "marker" / "1.mov")
        heard.wait_for(".", "a", "marker")
        monkeypatch.undo()

        def is_told_as_before() -> bool:
            clip(root / "a" / "2.mov")
            return heard.events.take() == {str(root / "a")}

        wait_for(is_told_as_before, WAIT_S, "an event")
        assert heard.events.is_alive()


def test_the_kernels_queue_may_overflow(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Really: the reader is held up until more has happened than the kernel keeps."""
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for name in ("a", "b"):
        clip(root / name / "1.mov")
    held, may_read = threading.Event(), threading.Event()
    read = InotifyFD.read_events

    def wait_and_read(self: InotifyFD) -> object:
        held.set()
        may_read.wait(60)
        return read(self)

    with listening(watched(root)) as heard:
        monkeypatch.setattr(InotifyFD, "read_events", wait_and_read)
        clip(root / "a" / "2.mov")
        assert held.wait(WAIT_S)
        for number in range(kept + 10):
            os.utime(root / "a" / f"{1 + number % 2}.mov")
        (root / "b" / "late").mkdir()
        may_read.set()
        heard.wait_for(".", "a", "b", "b/late", "marker")
        heard.seen.clear()
        clip(root / "b" / "late" / "2.mov")
        heard.wait_for("b/late")


@pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")  # watchdog's own
def test_elsewhere_an_observer_does_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    path = clip(root / "a" / "1.mov")
    with listening(watched(root), str(root / "cache")) as heard:
        assert heard.events.is_alive()
        hash_media(str(path))
        clip(root / "cache" / "1.mov")
        clip(root / "a" / "2.mov")
        clip(root / "b" / "c" / "3.mov")
        (root / "a" / "1.mov").rename(root / "marker" / "1.mov")
        heard.wait_for("a", "b", "b/c", "marker")
        assert "cache" not in heard.seen
    assert not heard.events.is_alive()
    with pytest.raises(NoEvents, match="is missing"):
        native_events(watched(root / "missing"), ()).start()
