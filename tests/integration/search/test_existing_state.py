"""What an earlier Rushes left in STATE_DIR opens unchanged, and what is written is the same."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from api.search.frames.log import ROW, VectorLog, VectorWriter, VisualData
from api.search.transcripts.log import TranscriptLog, TranscriptWriter
from api.search.transcripts.text import TranscriptLine, pack
from shared.cache.transcripts import SpokenSegment

ONE, TWO, THREE = ("0" * 15 + digit for digit in "123")

# Two files of two rows and one; the first analysed anew, with three; the second deleted.
GENERATION = "generation-3e67508b0e61afb8"
JOURNAL = (
    b'{"type":"file","hash_str":"0000000000000001","file":"visual.m.00000001.npy",'
    b'"frames":"frames.00000001.pack","start":0,"rows":2,"dim":4}\n'
    b'{"type":"file","hash_str":"0000000000000002","file":"visual.m.00000002.npy",'
    b'"frames":"frames.00000002.pack","start":2,"rows":1,"dim":4}\n'
    b'{"type":"file","hash_str":"0000000000000001","file":"visual.m.00000003.npy",'
    b'"frames":"frames.00000003.pack","start":3,"rows":3,"dim":4}\n'
    b'{"type":"gone","hash_str":"0000000000000002"}\n'
)
VECTORS = bytes.fromhex(
    "003c0040004200440045004600470048004000420044004500420044004500460047004880480049804900"
    "4a804a004b"
)
ROWS = bytes.fromhex(
    "00000000000000000200000000000000020000000100000001000000010000000000000002000000000000"
    "00000000000100000000000000010000000000000000000000030000000000000003000000010000000100"
    "00000200000000000000030000000200000002000000010000000000000003000000"
)
# One with a speaker; one deleted; one with two sound streams, by another model.
SPOKEN = bytes.fromhex(
    "52555348610000003a0000000cc34a1199a4746f6c64b030303030303030303030303030303031a16dba74"
    "72616e7363726970742e6d2e30303030303030312e6a736f6ecb4029000000000000c40d68656c6c6f2073"
    "747261737365c408000000000600000092a3616461a0ce2fc8bc4f9294cb0000000000000000cb40140000"
    "00000000a548656c6c6fa341646194cb4014000000000000cb4024000000000000a753747261c39f65c052"
    "5553484e00000019000000372203ea99a4746f6c64b030303030303030303030303030303032a16dba7472"
    "616e7363726970742e6d2e30303030303030322e6a736f6ecb402b000000000000c4036f6c64c404000000"
    "0090ce2a34f58d9194cb0000000000000000cb4014000000000000a36f6c64c05255534819000000000000"
    "003be3bc7d93a4676f6e65b030303030303030303030303030303032a16d52555348560000003100000095"
    "20fdc199a4746f6c64b030303030303030303030303030303033a16eba7472616e7363726970742e6e2e30"
    "303030303030332e6a736f6ecb402d000000000000c4076f6e650a74776fc408000000000400000090ce79"
    "b3a8fe9294cb0000000000000000cb4014000000000000a36f6e65c094cb4014000000000000cb40240000"
    "00000000a374776fc0"
)
# The same as written now: heads and lines have more entries, which earlier versions skip.
SPOKEN_NOW = bytes.fromhex(
    "52555348630000003c000000490917779ba4746f6c64b030303030303030303030303030303031a16dba74"
    "72616e7363726970742e6d2e30303030303030312e6a736f6ecb4029000000000000c40d68656c6c6f2073"
    "747261737365c408000000000600000092a3616461a0ce96aa8c9790c29295cb0000000000000000cb4014"
    "000000000000a548656c6c6fa3416461c095cb4014000000000000cb4024000000000000a753747261c39f"
    "65c0c052555348500000001a0000006f81f5109ba4746f6c64b030303030303030303030303030303032a1"
    "6dba7472616e7363726970742e6d2e30303030303030322e6a736f6ecb402b000000000000c4036f6c64c4"
    "040000000090ce7fce765b90c29195cb0000000000000000cb4014000000000000a36f6c64c0c052555348"
    "19000000000000003be3bc7d93a4676f6e65b030303030303030303030303030303032a16d525553485800"
    "00003300000066e7621b9ba4746f6c64b030303030303030303030303030303033a16eba7472616e736372"
    "6970742e6e2e30303030303030332e6a736f6ecb402d000000000000c4076f6e650a74776fc40800000000"
    "0400000090ce366653c590c29295cb0000000000000000cb4014000000000000a36f6e65c0c095cb401400"
    "0000000000cb4024000000000000a374776fc0c0"
)


class _EarlierLine(msgspec.Struct, frozen=True, array_like=True):
    start: float
    end: float
    text: str
    speaker: str | None


def visual(number: int, rows: int) -> VisualData:
    records = np.zeros(rows, ROW)
    records["second"] = records["back"] = np.arange(rows)
    records["ahead"] = rows - np.arange(rows)
    records["scene_end"] = rows
    vectors = (np.arange(rows * 4).reshape(rows, 4) + number).astype(np.float16)
    return VisualData(
        f"visual.m.0000000{number}.npy", f"frames.0000000{number}.pack", vectors, records
    )


def write_vectors(writer: VectorWriter) -> None:
    writer.add(ONE, visual(1, 2))
    writer.add(TWO, visual(2, 1))
    writer.add(ONE, visual(3, 3))
    writer.remove((TWO, "m"))


def write_transcripts(writer: TranscriptWriter) -> None:
    hello = (SpokenSegment(0.0, 5.0, "Hello", speaker="Ada"), SpokenSegment(5.0, 10.0, "Straße"))
    old = (SpokenSegment(0.0, 5.0, "old", stream=0),)
    two = (SpokenSegment(0.0, 5.0, "one", stream=0), SpokenSegment(5.0, 10.0, "two", stream=1))
    writer.add((ONE, "m"), "transcript.m.00000001.json", 12.5, pack(hello))
    writer.add((TWO, "m"), "transcript.m.00000002.json", 13.5, pack(old))
    writer.remove((TWO, "m"))
    writer.add((THREE, "n"), "transcript.n.00000003.json", 14.5, pack(two))


def test_merged_vectors_open(tmp_path: Path) -> None:
    folder = tmp_path / GENERATION
    folder.mkdir()
    (tmp_path / "current").write_bytes(GENERATION.encode())
    (folder / "journal.jsonl").write_bytes(JOURNAL)
    (folder / "vectors.f16").write_bytes(VECTORS)
    (folder / "rows.bin").write_bytes(ROWS)
    log = VectorLog(tmp_path)
    found = log.snapshot()
    assert list(found.files) == [ONE]
    assert found.ranges([ONE]) == found.everything == [(3, 6)]
    assert found.files[ONE].file == "visual.m.00000003.npy"
    assert found.vectors[3:].tolist() == visual(3, 3).vectors.tolist()
    assert found.rows[3:].tolist() == visual(3, 3).rows.tolist()
    with log.writing(1) as writer:
        writer.add(TWO, visual(4, 1))
    assert (tmp_path / "current").read_text() == GENERATION, "it goes on in the same files"
    assert (folder / "vectors.f16").read_bytes().startswith(VECTORS)
    assert log.snapshot().ranges([TWO]) == [(6, 7)]


def test_merged_vectors_are_written_as_ever(tmp_path: Path) -> None:
    with VectorLog(tmp_path).writing(1) as writer:
        write_vectors(writer)
    folder = tmp_path / (tmp_path / "current").read_text()
    names = ("journal.jsonl", "vectors.f16", "rows.bin")
    assert [(folder / name).read_bytes() for name in names] == [JOURNAL, VECTORS, ROWS]


def test_transcripts_open(tmp_path: Path) -> None:
    (tmp_path / "spoken.1.log").write_bytes(SPOKEN)
    log = TranscriptLog(tmp_path)
    found = log.snapshot().transcripts
    assert list(found) == [(ONE, "m"), (THREE, "n")]
    hello, two = found.values()
    assert (hello.folded, hello.made_at, hello.speakers) == (b"hello strasse", 12.5, ("ada", ""))
    assert [(line.text, line.speaker) for line in hello.lines()] == [
        ("Hello", "Ada"),
        ("Straße", None),
    ]
    assert (two.folded, two.has_streams, two.starts.tolist()) == (b"one\ntwo", True, [0, 4])
    with log.writing(1) as writer:
        writer.remove((ONE, "m"))
    assert (tmp_path / "spoken.1.log").read_bytes().startswith(SPOKEN)
    assert list(log.snapshot().transcripts) == [(THREE, "n")]


def test_transcripts_are_written_as_ever(tmp_path: Path) -> None:
    with TranscriptLog(tmp_path).writing(1) as writer:
        write_transcripts(writer)
    assert (tmp_path / "spoken.1.log").read_bytes() == SPOKEN_NOW


def test_earlier_versions_read_the_lines_that_are_written_now() -> None:
    line = msgspec.msgpack.encode(TranscriptLine(0.0, 5.0, "Hello", "Ada", (0.0, 9.0, "Hello you")))
    assert msgspec.msgpack.decode(line, type=_EarlierLine) == _EarlierLine(0.0, 5.0, "Hello", "Ada")
