"""Who can write to a cache share makes the API neither read, write, hang nor swell elsewhere."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest

from shared.cache.cache_dir import CacheDir
from tests.support.cache_material import (
    CANARY,
    HASH,
    ask_everything,
    fill,
    forget_memory,
    memory,
)
from tests.support.stack import Stack
from tests.support.system.stopwatch import Stopwatch

_SWELLS_LESS = 200 << 20  # the 64 MiB that a bomb really has, in up to three readers at once
_SPARSE = 2 << 30


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    """One API, and folders: media and caches are allowed, outside is not."""
    folder = shared_stack.folder
    for name in ("media", "caches", "outside"):
        (folder / name).mkdir()
    shared_stack.settings |= {
        "RUSHES_MEDIA_ROOTS": str(folder / "media"),
        "RUSHES_CACHE_ROOTS": str(folder / "caches"),
    }
    shared_stack.start_api()
    return shared_stack


@pytest.fixture
def media(stack: Stack) -> Path:
    return stack.folder / "media" / "film.mp4"


@pytest.fixture
def caches(stack: Stack, tmp_path: Path) -> Path:
    """A folder for the cache folders of this test."""
    folder = stack.folder / "caches" / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture
def cache(caches: Path, media: Path) -> CacheDir:
    return fill(caches / "mine", media)


@pytest.fixture
def outside(stack: Stack, media: Path, tmp_path: Path) -> Path:
    """A whole cache folder where none may be."""
    folder = stack.folder / "outside" / tmp_path.name
    fill(folder, media, said=f"hello {CANARY}")
    return folder


def snapshot(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def answered(
    stack: Stack, cache_dir: Path, media: Path, within_s: float = 60
) -> list[httpx.Response]:
    """The answers of every route: at once, none an error of ours, nothing of the canary."""
    stopwatch = Stopwatch(stack)
    answers = list(ask_everything(stack.client(), cache_dir, media))
    assert stopwatch.seconds() < within_s
    for answer in answers:
        assert answer.status_code < 500, f"{answer.request.url}: {answer.text}"
        assert CANARY not in answer.text
    assert stack.client().get("/health").status_code == 200
    return answers


def test_a_cache_dir_that_leads_out_of_the_roots_is_refused_by_every_route(
    stack: Stack, media: Path, caches: Path, outside: Path
) -> None:
    into_state = stack.folder / "state" / "cache"
    shutil.copytree(outside, into_state)
    before = snapshot(outside), snapshot(into_state)
    for name, target in (("out", outside), ("state", into_state)):
        link = caches / name
        link.symlink_to(target)
        for answer in answered(stack, link, media):
            assert answer.status_code == 403, f"{answer.request.url}: {answer.text}"
            assert "cache_dir: " in answer.json()["message"]
            assert str(target) not in answer.text
    assert (snapshot(outside), snapshot(into_state)) == before


@pytest.mark.parametrize(
    "part", ["media", "catalog", "collections", "people", f"media/00/{HASH}", "files"]
)
def test_a_part_that_leads_out_is_unusable_and_never_written_through(
    stack: Stack, cache: CacheDir, media: Path, outside: Path, part: str
) -> None:
    before = snapshot(outside)
    paths = [path for path in cache.root.path.rglob("*") if path.is_file()]
    if part != "files":
        paths = [cache.root.path / part]
    others = {path.relative_to(outside): path for path in outside.rglob("*")}
    for path in paths:
        if path.name == "rushes.json":
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        name = path.relative_to(cache.root.path)
        # Data files have random names: the canary's is of the same kind.
        target = others.get(name) or next(
            other for other in others.values() if other.suffix == path.suffix
        )
        path.symlink_to(target)
    answered(stack, cache.root.path, media)
    assert snapshot(outside) == before


def test_links_inside_the_roots_go_on_working(
    stack: Stack, caches: Path, cache: CacheDir, media: Path
) -> None:
    client, root = stack.client(), cache.root.path
    (root / "media").rename(caches / "large-disk")
    (root / "media").symlink_to(caches / "large-disk")
    (caches / "alias").symlink_to(root)
    for folder in (root, caches / "alias"):
        found = client.ok("/search/transcript", cache_dir=str(folder), query="hello")
        assert len(found["matches"]) == 1, found
        for answer in answered(stack, folder, media):
            assert answer.status_code == 200, f"{answer.request.url}: {answer.text}"


def sparse(path: Path) -> None:
    """2 GiB of nothing behind what was there, which then ends late."""
    os.truncate(path, _SPARSE)


def zeros(path: Path) -> None:
    path.unlink()
    with path.open("wb") as file:
        file.truncate(_SPARSE)


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def nested(path: Path) -> None:
    path.write_bytes(b"[" * 3_000_000)


def bomb(path: Path) -> None:
    """As a npz with 4 GB in each array, as a pack with a table as long, as an endless line."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as whole:
            names = whole.namelist()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in names:
                with archive.open(name, "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(
                        member, {"descr": "<f4", "fortran_order": False, "shape": (1 << 28,)}
                    )
                    for _ in range(64):
                        member.write(bytes(1 << 20))
    elif path.suffix == ".npy":
        path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\x7f")
        os.truncate(path, _SPARSE)
    elif path.suffix == ".pack":
        count = 0x07FFFFFF
        os.truncate(path, 0)
        os.truncate(path, 16 * count)
        with path.open("ab") as file:
            file.write((0).to_bytes(8, "little") + count.to_bytes(4, "little") + bytes(4))
            file.write(b"RUSHPAK1")
    else:
        path.write_bytes(b'{"seconds":[' + b"1," * 8_000_000)


@pytest.mark.parametrize("spoil", [sparse, zeros, endless, nested, bomb])
def test_files_of_any_size_swell_nothing_and_are_said_to_be_unusable(
    stack: Stack, caches: Path, cache: CacheDir, media: Path, spoil: object
) -> None:
    assert callable(spoil)
    said_before = len(stack.processes["api-0"].text())
    fill(caches / "other", media)
    answered(stack, caches / "other", media)
    forget_memory(stack)
    before = memory(stack)
    for path in sorted(cache.root.path.rglob("*")):
        if path.is_file() and path.name != "rushes.json":
            spoil(path)
    with (cache.root.path / "catalog" / "more.jsonl").open("wb") as file:
        file.truncate(_SPARSE)
    answers = answered(stack, cache.root.path, media)
    loaded = answers[0].json()
    assert HASH in {skipped["hash_str"] for skipped in loaded["skipped"]}, loaded
    assert all(skipped["reason"] for skipped in loaded["skipped"])
    assert HASH in stack.processes["api-0"].text()[said_before:]
    spoil(cache.root.path / "rushes.json")
    for answer in answered(stack, cache.root.path, media):
        assert "rushes.json" in answer.text or answer.status_code == 200
    assert memory(stack) - before < _SWELLS_LESS


def test_named_pipes_in_place_of_files_hang_nobody(
    stack: Stack, cache: CacheDir, media: Path
) -> None:
    files = [path for path in cache.root.path.rglob("*") if path.is_file()]
    for path in files:
        if path.name != "rushes.json":
            path.unlink()
            os.mkfifo(path)
    answered(stack, cache.root.path, media)
    (cache.root.path / "rushes.json").unlink()
    os.mkfifo(cache.root.path / "rushes.json")
    for _ in range(12):  # 128 threads, if each took one
        for answer in answered(stack, cache.root.path, media):
            assert "rushes.json" in answer.text or answer.status_code == 200
    assert stack.processes["api-0"].end() == 0  # and so it is the last test
