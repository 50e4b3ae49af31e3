"""A file that claims or costs far more than it is ends within seconds, alone, with one sentence."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from shared.domain import ProgressType, TaskState
from shared.errors import MediaError, MediaUnreadable
from shared.media import MediaType, media_type_of
from shared.query.messages import MakePreview
from tests.support.analysis.desk import Desk
from tests.support.media.by_path import (
    ANYWHERE,
    open_media,
    open_sound,
    open_still,
    opened,
    probe,
)
from tests.support.media.header_poisons import HIDDEN_EDITS, rebuilt
from tests.support.media.media import H264, also, make_clip, make_still
from tests.support.media.poisons import (
    POISONS,
    avif_of_many_frames,
    jpeg_of_many_scans,
    jpeg_of_many_segments,
    sound_with_gaps,
    still_screen,
    two_sounds,
    wav,
)
from tests.support.stack import ADDRESS_SPACE
from workers.children import Children
from workers.export.source import open_source
from workers.media import budget, stills
from workers.media.budget import (
    PACKET_BYTES,
    check_read,
    check_silence,
    check_written,
    work_limit_s,
)
from workers.preview.segment import make_segment

# What a file may take: of a processor, and by the clock of a busy machine, which is still less than
# a worker's stall timer.
LIMIT_CPU_S = 20.0
LIMIT_S = 60.0
assert budget.STILL_BASE_S <= 10, "that of the product, in place of which tests set a smaller one"
_STILL_BASE_S = 0.5  # of a processor, for stills of any size: ten times what good ones here take
OF_THE_CHILD = ("took longer", "crashed", "more memory than allowed")

# What is said of those that must be refused, by what is asked of them.
REFUSED = {
    "1hz.wav": "declares 400,000 s of sound in 0.4 MB",
    "2hz.wav": "declares 2,000,000 s of sound in 4.0 MB",
    "500hz.wav": "500 samples a second",
    "tag.wav": "audio codec is not known",
    "bits.wav": "audio codec is not known",
    "wide.png": "256 megapixels",
    "thin.png": "the limit is 100,000 for each side",
    "gaps.mka": "hours of silence around",
    "gaps_in_turn.mka": "hours of silence around",
    "repeats.mp4": "claims 5,000,000 pictures or samples in a file of 1.2 MB",
    **{f"{name}.mp4": "8,000,000 pictures or samples and 2,000 edits" for name in HIDDEN_EDITS},
    "scans.mov": "scans; the limit is 50",
    "again.mov": "plays the same data again and again",
    "fragment.mp4": "needs more than 768 MiB at once",
    "packed.mov": "header claims 1,073.7 MB when it is unpacked in a file of",
    "packed_twice.mov": "holds another compressed header",
    "programs.ts": "No picture in it could be decoded",
    **{name: "were ever written" for name in POISONS if name.startswith(("sparse.", "holes."))},
}


def use_timed(path: str) -> tuple[list[str], float]:
    """The same as `use`, and the CPU seconds that it took."""
    began = time.process_time()
    return use(path), time.process_time() - began


def use(path: str) -> list[str]:
    """Everything that workers do with a file; what was said of it."""
    media_type = media_type_of(path) or MediaType.VIDEO
    said = []
    for step in (probe, _see, _hear, _preview):
        try:
            step(path, media_type)
        except MediaError as error:
            said.append(error.message)
    return said


def _see(path: str, media_type: MediaType) -> None:
    with open_media(path, media_type) as reader:
        for shot in reader.grid():
            shot.picture.thumbnail_jpeg()
        assert len(str(reader.warnings)) < 500


def _hear(path: str, _media_type: MediaType) -> None:
    with open_sound(path) as reader:
        for _block in reader.blocks("mix"):
            pass


def _preview(path: str, media_type: MediaType) -> None:
    if media_type is not MediaType.IMAGE:
        asked = MakePreview(path=path, begins=0, ends=2.0, has_picture=True, has_sound=True)
        make_segment(ANYWHERE, asked)


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    children = Children(1, use_nothing)
    yield children
    children.close()


def use_nothing() -> None:
    """The child has what it needs with this module."""


@pytest.mark.parametrize("name", POISONS)
def test_a_poison_file_ends_within_seconds_with_a_sentence(
    name: str, children: Children, tmp_path: Path
) -> None:
    path = POISONS[name](tmp_path / name)
    said, took_s = children.run(LIMIT_S, use_timed, str(path))
    assert took_s < LIMIT_CPU_S
    for sentence in said:
        assert not any(words in sentence for words in OF_THE_CHILD), sentence
        assert len(sentence) < 250
        assert "Error" not in sentence
    if name in REFUSED:
        assert any(REFUSED[name] in sentence for sentence in said), said


@pytest.mark.timeout(400)
@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_worker_outlives_them_all_and_they_cost_the_good_ones_between_them_nothing(
    threads: str, tmp_path: Path, redis_url: str
) -> None:
    """With one thread only those with pictures: of sounds and stills it decodes no ranges."""
    desk = Desk(tmp_path, redis_url)
    desk.stack.settings["RUSHES_DECODE_THREADS"] = threads
    desk.stack.address_space = dict(ADDRESS_SPACE)
    is_all = threads == "4"
    names = [name for name in REFUSED if not name.endswith(".png")]
    if not is_all:
        names = [name for name in names if not name.endswith((".wav", ".mka"))]
    bad = [POISONS[name](tmp_path / name) for name in names]
    tone = also(H264, tone_hz=440)
    good = [make_clip(tmp_path / f"good{n}.mp4", 1, encoding=tone) for n in range(5)]
    bad_stills, stills = _stills(tmp_path) if is_all else ([], [])
    try:
        worker = desk.worker_that_hears_tones(sees=True, still_base_s=_STILL_BASE_S)
        mixed = dict.fromkeys(path for n, one in enumerate(bad) for path in (one, good[n % 5]))
        both = ProgressType.VIDEO, ProgressType.AUDIO
        items = [desk.item([path], both, speech_model="tones") for path in mixed]
        if is_all:
            items.append(desk.item([*bad_stills, *stills], (ProgressType.VIDEO,)))
        record = desk.wait_final(desk.submit_items(items), 300)
        failed = {Path(file.media_path).name for file in record.failed_files}
        assert failed == {path.name for path in (*bad, *bad_stills)}
        assert record.status is TaskState.COMPLETED
        assert worker.popen.poll() is None
        assert "Traceback" not in worker.text()
    finally:
        desk.close()


def _stills(folder: Path) -> tuple[list[Path], list[Path]]:
    """Bad ones and good ones."""
    names = ("a.jpg", "b.png", "c.webp", "d.avif", "e.tif")
    bad = [
        jpeg_of_many_scans(folder / "scans.jpg"),
        avif_of_many_frames(folder / "frames.avif"),
    ]
    return bad, [make_still(folder / name) for name in names]


@pytest.mark.parametrize("make", [jpeg_of_many_scans, jpeg_of_many_segments])
def test_a_still_takes_only_as_much_computing_as_its_size_deserves(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "STILL_BASE_S", 0.3)
    monkeypatch.setattr(stills, "STILL_BASE_S", 0.3)
    path = make(tmp_path / "still.jpg")
    with pytest.raises(MediaUnreadable, match="s of processor time"):
        open_still(path).rgb(64, 64)


def test_a_still_that_one_call_decodes_ends_by_its_processor_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "STILL_BASE_S", 0.1)
    apart = stills._Apart(1)
    monkeypatch.setattr(stills, "_apart", apart)
    path = avif_of_many_frames(tmp_path / "frames.avif")
    try:
        with pytest.raises(MediaUnreadable, match="too much processor time"):
            open_still(path).rgb(64, 64)
    finally:
        apart._children.close()


def test_a_still_of_many_scans_by_an_encoder_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.new("RGB", (9000, 8000), (9, 90, 200)).save(path, progressive=True)
    assert open_still(path).rgb(90, 80).shape == (80, 90, 3)


def test_what_is_real_is_not_refused(tmp_path: Path) -> None:
    """Silence at a low rate, and holes of less than a gigabyte or beside much that was written."""
    logger = wav(tmp_path / "logger.wav", rate=1000, data=40_000)
    assert set(use(str(logger))) == {"It holds no video, only sound."}
    half = tmp_path / "half.bin"
    with half.open("wb") as file:
        file.truncate(2 << 30)
        for at in range(0, 2 << 30, 64 << 20):
            file.seek(at)
            file.write(bytes(1 << 20))
    with half.open("rb") as file:
        assert os.fstat(file.fileno()).st_blocks * 512 < 1 << 30
        check_written(file.fileno())


def test_a_hole_is_refused_in_however_many_pieces_it_comes(tmp_path: Path) -> None:
    pieces = tmp_path / "pieces.ts"
    with pieces.open("wb") as file:
        for number in range(1200):
            file.seek(number * 4_000_000)
            file.write(b"\x47")
    with pieces.open("rb") as file, pytest.raises(MediaUnreadable, match="were ever written"):
        check_written(file.fileno())


def test_a_file_that_is_a_hole_and_tells_no_length_is_worked_on_for_days_at_most(
    tmp_path: Path,
) -> None:
    hole = tmp_path / "hole.ts"
    with hole.open("wb") as file:
        file.write(bytes(1 << 20))
        file.truncate(64 << 30)
    assert 1 < work_limit_s(hole.stat(), None) / 86_400 < 4


def test_a_recording_whose_time_stamps_jump_far_is_used_up_to_there(tmp_path: Path) -> None:
    jump = POISONS["jump.mkv"](tmp_path / "jump.mkv")
    with open_media(str(jump), MediaType.VIDEO) as reader:
        assert [shot.second for shot in reader.grid()] == [0]
    assert any("lead to 946,080,001 s" in warning for warning in reader.warnings)
    gap = POISONS["gap.mka"](tmp_path / "gap.mka")
    with open_sound(str(gap)) as sound:
        heard = [block for block in sound.blocks("mix") if block.pcm.any()]
    assert [block.start for block in heard] == [0]
    assert any("Its time stamps lead to" in warning for warning in sound.warnings)


def test_a_screen_that_stood_still_for_hours_is_seen(tmp_path: Path) -> None:
    """A picture a minute: less than two bytes a second."""
    path = still_screen(tmp_path / "screen.mkv", minutes=200)
    assert path.stat().st_size < 200 * 60 * 3
    with open_media(str(path), MediaType.VIDEO) as reader:
        assert [shot.second for shot in reader.grid()] == [60 * n for n in range(200)]
    assert reader.warnings == []


def test_an_odd_sound_track_beside_a_good_one_is_left_out(tmp_path: Path) -> None:
    path = two_sounds(tmp_path / "two.mkv", odd_rate=100)
    with open_sound(str(path)) as sound:
        streams = {block.stream for block in sound.blocks("each") if block.pcm.any()}
    assert streams == {1}
    assert "100 samples a second" in sound.warnings[0]
    with opened(path) as file, open_source(file, "all") as source:
        assert [stream.index for stream in source.sounds] == [1]
        assert source.unknown_sounds == 1


def test_silence_in_small_packets_and_rare_noises_are_real() -> None:
    """AMR of a byte each 20 ms, Vorbis of two; a recorder that starts at a noise an hour."""
    for packets in (10_000, 100_000_000):
        check_read(packets * (1 + PACKET_BYTES), packets)
        check_read(packets * (1 + PACKET_BYTES), 2 * packets)
    check_silence(24 * 3600, 24 * 0.05)


def test_edits_gaps_and_silence_of_real_recordings_are_not_refused(tmp_path: Path) -> None:
    """Dozens of edits, a gap of hours, and a microphone that sends a packet now and then (DTX)."""
    some = struct.pack(">II", 0, 60) + struct.pack(">III", 100, 0, 0x10000) * 60
    path = rebuilt(tmp_path / "cut.mp4", lambda name, old: some if name == b"elst" else old)
    with open_media(str(path), MediaType.VIDEO) as reader:
        assert len(list(reader.grid())) >= 6
    pauses = sound_with_gaps(tmp_path / "pauses.mka", 2000, 1.0)  # 19 times as much silence
    with open_sound(str(pauses)) as sound:
        assert sum(len(block.pcm) for block in sound.blocks("mix")) > 1900 * 16_000
