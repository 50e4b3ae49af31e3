"""All files of a kind have a limit together, and what nobody understands is left where it is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from shared.cache import catalogue, limits, publishing
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import SeenPath
from shared.cache.catalogue import Artefact, Catalogue, FollowState
from shared.domain import Stage
from shared.opening import RootedPath
from shared.people.addition_log import AdditionLog

HASH = "00000000000000aa"
LONG_AGO = (1_000_000, 1_000_000)


def artefact(number: int) -> Artefact:
    return Artefact(f"{number:016x}", Stage.VISUAL, "m", "visual.m.00000000.npy", 3, 100)


def lines(*numbers: int) -> bytes:
    return b"".join(msgspec.json.encode(artefact(number)) + b"\n" for number in numbers)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "catalog").mkdir()
    return tmp_path / "catalog"


def test_many_large_catalogues_are_read_up_to_a_limit(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "CATALOGUE", len(lines(*range(100))) * 2)
    (folder / "large.jsonl").write_bytes(lines(*range(100)))
    for number in range(20):
        os.link(folder / "large.jsonl", folder / f"again-{number}.jsonl")
    known = Catalogue(RootedPath.alone(tmp_path))
    known.append([artefact(7)])
    state = FollowState()
    with caplog.at_level(logging.WARNING):
        assert len(known.follow(state).entries) == 1 + 100
    assert "alone or with what was read before" in caplog.text
    known.append([artefact(8)])
    assert known.follow(state, thorough=True).entries == [artefact(8)]
    for path in folder.iterdir():
        os.utime(path, LONG_AGO)
    assert known.compact() == 2
    assert len(list(folder.iterdir())) == 21


@pytest.mark.parametrize("content", [b"diary\n" * 2000, b"diary\n", b"diary"])
def test_what_is_no_catalogue_is_not_merged_away(
    tmp_path: Path, folder: Path, content: bytes
) -> None:
    for name, held in (("a", lines(1)), ("b", lines(2) + b'{"torn'), ("mine", content)):
        (folder / f"{name}.jsonl").write_bytes(held)
        os.utime(folder / f"{name}.jsonl", LONG_AGO)
    assert Catalogue(RootedPath.alone(tmp_path)).compact() == 2
    assert (folder / "mine.jsonl").read_bytes() == content
    assert not (folder / "a.jsonl").exists()


def test_many_large_additions_are_read_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = RootedPath.alone(tmp_path)
    log: AdditionLog[str] = AdditionLog(root / "log", str, root)
    for _ in range(4):
        log.append("x" * 1000)
    monkeypatch.setattr(limits, "ADDITIONS", 2500)
    reader: AdditionLog[str] = AdditionLog(root / "log", str, root)
    assert len(reader.read()) == 2
    reader.fold()
    monkeypatch.undo()
    assert len(log.read()) == 4, "what was not read is kept"


def test_of_too_many_seen_paths_the_newest_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEEN_PATHS", 3)
    media = tmp_path / "media" / "00" / HASH
    (media / "paths").mkdir(parents=True)
    for number in range(20):
        seen = SeenPath(f"/{number}", 1, 2, 1000.0 + number)
        path = media / "paths" / catalogue.path_file(seen.path)
        path.write_bytes(msgspec.json.encode(seen))
        os.utime(path, (1000 + number, 1000 + number))
    found = catalogue.read_paths(RootedPath.alone(media))
    assert [seen.path for seen in found] == ["/19", "/18", "/17"]


def test_many_large_manifests_swell_nobody(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path, create=True)
    with cache.draft(HASH, Stage.FRAMES, "", "pack", "1") as draft:
        draft.publish(rows=1)
    media = cache.media_dir(HASH).path
    (media / "visual.m.00000000.npy").touch()
    os.utime(media / "visual.m.00000000.npy", LONG_AGO)
    large = media / "manifest.visual.m0.json"
    head = b'{"stage":"visual","model":"m0","file":"visual.m.0123abcd.npy","bytes":1,"rows":1,'
    large.write_bytes(head + b'"scenes":[' + b"[0,1]," * 2_500_000 + b"[0,1]]}")
    for number in range(1, 12):
        os.link(large, media / f"manifest.visual.m{number}.json")
    program = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from shared.cache import publishing
        from shared.cache.cache_dir import CacheDir
        cache = CacheDir.open(Path(sys.argv[1]), create=False)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert [m.model for m in cache.manifests(sys.argv[2])] == [""]
        publishing.collect(cache.root, lambda writer: False)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    command = [sys.executable, "-c", program, str(tmp_path), HASH]
    swelled = int(subprocess.run(command, check=True, capture_output=True).stdout)
    assert swelled < 400, f"{swelled} MB"
    assert (media / "visual.m.00000000.npy").exists(), "unread manifests may name it"
    assert publishing.collect(cache.root, lambda writer: False) == 0
