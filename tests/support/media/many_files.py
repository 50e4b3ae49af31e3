"""Trees of many small files, copies of one, whether they were read, and empty artefacts."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from tests.support.media.by_path import hash_media

A_FOLDER, SIZE = 100, 1024


def write_small(path: Path, number: int) -> None:
    path.write_bytes(number.to_bytes(8, "big") * (SIZE // 8))


def make_tree(top: Path, files: int) -> list[str]:
    """Small files with names of media; none is a video."""
    paths = []
    for number in range(files):
        folder = top / f"day_{number // A_FOLDER:04}"
        if number % A_FOLDER == 0:
            folder.mkdir(parents=True)
        path = folder / f"clip_{number:06}.mp4"
        write_small(path, number)
        paths.append(str(path))
    return paths


def copy_of_its_own(clip: Path, path: Path, number: int) -> Path:
    """A copy of an MP4 file that is another file: a box at its end that players skip."""
    shutil.copyfile(clip, path)
    with path.open("ab") as file:
        file.write(struct.pack(">I4sQ", 16, b"free", number))
    return path


def copies_of_one(clip: Path, count: int) -> list[Path]:
    """An MP4 file so many times beside itself, each another file."""
    named = [clip.with_stem(f"{clip.stem}-{number:04}") for number in range(count)]
    return [copy_of_its_own(clip, path, number) for number, path in enumerate(named)]


def forget_reading(paths: list[str]) -> None:
    """Access times so old that the next read changes them."""
    for path in paths:
        os.utime(path, ns=(0, os.stat(path).st_mtime_ns))


def count_read(paths: list[str]) -> int:
    """Files read since `forget_reading`."""
    return sum(os.stat(path).st_atime_ns != 0 for path in paths)


def check_access_times(folder: Path) -> None:
    probe = folder / "probe"
    write_small(probe, 1)
    forget_reading([str(probe)])
    probe.read_bytes()
    assert count_read([str(probe)]) == 1, f"{folder} keeps no access times: say --below elsewhere"


def publish(cache: CacheDir, paths: list[str], model: str) -> None:
    """Artefacts that are complete, and hold nothing."""
    for path in paths:
        hash_str, found = hash_media(path), os.stat(path)
        cache.remember_path(hash_str, path, found.st_size, found.st_mtime_ns)
        for stage, key, suffix in ((Stage.FRAMES, "", "pack"), (Stage.VISUAL, model, "npy")):
            with cache.draft(hash_str, stage, key, suffix, "1") as draft:
                draft.file.write(b"-")
                draft.publish(rows=1)
