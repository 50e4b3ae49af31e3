"""`hash_str` follows the content and nothing else; types follow the name."""

import os
import random
import zlib
from pathlib import Path

import pytest

from shared.errors import MediaMissing, MediaUnreadable
from shared.media import HashCache, MediaType, media_type_of
from tests.support.media.by_path import hash_media, hash_of

MIB = 1 << 20


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_a_small_file_hashes_all_its_bytes_forwards_and_backwards(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40
    first = zlib.crc32(len(data).to_bytes(8, "little") + data)
    second = zlib.crc32(data[::-1])
    assert hash_media(write(tmp_path / "a.bin", data)) == f"{first:08x}{second:08x}"


def test_a_large_file_hashes_its_ends_and_sixteen_blocks(tmp_path: Path) -> None:
    size = 18 * MIB + 5
    data = random.Random(1).randbytes(size)
    stride = MIB  # the largest power of two not above size / 18
    first = zlib.crc32(size.to_bytes(8, "little") + data[:MIB] + data[-MIB:])
    blocks = b"".join(data[k * stride : k * stride + 65536] for k in range(1, 17))
    expected = f"{first:08x}{zlib.crc32(blocks):08x}"
    assert hash_media(write(tmp_path / "a.bin", data)) == expected


def test_a_copy_under_another_name_has_the_same_hash(tmp_path: Path) -> None:
    one = write(tmp_path / "a b#%'\".mp4", b"same" * 1000)
    two = write(tmp_path / "Übung.mp4", b"same" * 1000)
    assert hash_media(one) == hash_media(two)


def test_two_files_that_differ_in_one_sampled_byte_differ(tmp_path: Path) -> None:
    data = bytearray(5 * MIB)
    one = hash_media(write(tmp_path / "a", bytes(data)))
    data[-1] = 1
    assert hash_media(write(tmp_path / "b", bytes(data))) != one


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda path: None, MediaMissing, "does not exist"),
        (lambda path: path.write_bytes(b""), MediaUnreadable, "empty"),
        (lambda path: path.mkdir(), MediaUnreadable, "folder"),
        (os.mkfifo, MediaUnreadable, "not a regular file"),
    ],
)
def test_what_cannot_be_hashed_says_why(tmp_path: Path, make, error, words) -> None:
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(error, match=words):
        hash_media(str(path))


def test_a_path_below_a_file_is_missing_not_a_crash(tmp_path: Path) -> None:
    write(tmp_path / "file", b"x")
    with pytest.raises(MediaMissing):
        hash_media(tmp_path / "file" / "clip.mp4")


def test_the_cache_reads_an_unchanged_file_once_and_a_changed_one_again(tmp_path: Path) -> None:
    cache = HashCache()
    path = tmp_path / "clip.mp4"
    before = hash_of(cache, write(path, b"one"))
    stat = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert hash_of(cache, path) == before, "same size, mtime and inode: not read again"
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert hash_of(cache, path) != before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/a/b.MP4", MediaType.VIDEO),
        ("/a/b.mxf", MediaType.VIDEO),
        ("/a/b.jpeg", MediaType.IMAGE),
        ("/a/b.HEIC", MediaType.IMAGE),
        ("/a/b.wav", MediaType.AUDIO),
        ("/a/b.txt", None),
        ("/a/mp4", None),
    ],
)
def test_the_type_follows_the_extension_in_any_case(name: str, expected: MediaType | None) -> None:
    assert media_type_of(name) == expected
