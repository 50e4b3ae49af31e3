"""The real analysis worker on real media: what it publishes, skips, fails and reports."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.cache import catalogue
from shared.cache.cache_dir import CacheDir
from shared.cache.frame_packs import PackReader
from shared.domain import ModelKind, Stage, TaskState
from shared.redis import heartbeats
from tests.support.analysis.desk import MODEL, Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.media.by_path import hash_media
from tests.support.media.media import H264, make_clip, make_still, truncate
from tests.support.waiting import wait_for

SHOTS = (((200, 40, 40), 3.0), ((40, 200, 40), 3.0))
first = worker_of_file(Desk.worker)


def manifests(desk: Desk, path: Path) -> tuple[CacheDir, str]:
    return CacheDir.open(desk.cache, create=False), hash_media(str(path))


def test_a_video_becomes_frames_and_unit_rows_of_the_same_seconds(shared: Desk) -> None:
    clip = make_clip(shared.folder / "clip.mp4", shots=SHOTS)
    record = shared.wait_final(shared.submit([clip]))
    assert (record.status, record.progress, record.current, record.total) == (
        TaskState.COMPLETED,
        100.0,
        1,
        1,
    )
    cache, hash_str = manifests(shared, clip)
    frames = cache.manifest(hash_str, Stage.FRAMES)
    visual = cache.manifest(hash_str, Stage.VISUAL, MODEL)
    assert frames is not None
    assert visual is not None
    assert frames.rows == visual.rows == 6
    assert frames.scenes[0].start == 0
    assert frames.probe is not None
    assert frames.probe.width == 320
    rows = np.load(cache.data_path(hash_str, visual).path)
    assert rows.dtype == np.float16
    assert rows.shape == (6, visual.dim)
    assert np.allclose(np.linalg.norm(rows.astype(np.float32), axis=1), 1, atol=2e-3)
    with PackReader(cache.data_path(hash_str, frames)) as pack:
        assert list(pack.seconds) == list(range(6))
        assert (pack.read(3) or b"").startswith(b"\xff\xd8")
    assert [seen.path for seen in catalogue.read_paths(cache.media_dir(hash_str))] == [str(clip)]


def test_seconds_without_a_picture_have_no_row_and_are_listed(shared: Desk) -> None:
    gap = make_clip(
        shared.folder / "gap.mkv",
        4,
        encoding=H264,
        times=lambda n: n / 25 if n < 50 else n / 25 + 3,
    )
    shared.wait_final(shared.submit([gap]))
    cache, hash_str = manifests(shared, gap)
    visual = cache.manifest(hash_str, Stage.VISUAL, MODEL)
    assert visual is not None
    assert visual.seconds == (0, 1, 5, 6)
    assert np.load(cache.data_path(hash_str, visual).path).shape[0] == 4


def test_bad_files_fail_alone_and_each_with_its_reason(shared: Desk) -> None:
    good = make_clip(shared.folder / "good.mp4", 2)
    cut = truncate(make_clip(shared.folder / "cut.mp4", 2), 0.3)
    empty = shared.folder / "empty.mp4"
    empty.touch()
    noise = shared.folder / "noise.mov"
    noise.write_bytes(os.urandom(50_000))
    missing = shared.folder / "missing.mp4"
    folder = shared.folder / "folder.mp4"
    folder.mkdir()
    bad = [cut, empty, noise, missing, folder]
    record = shared.wait_final(shared.submit(*([path] for path in [*bad, good])))
    assert record.status is TaskState.COMPLETED
    failed = {file.media_path: file.error for file in record.failed_files}
    assert set(failed) == {f"client:{path}" for path in bad}
    assert "empty" in failed[f"client:{empty}"]
    assert "does not exist" in failed[f"client:{missing}"]
    cache, hash_str = manifests(shared, good)
    assert cache.manifest(hash_str, Stage.VISUAL, MODEL)
    assert not [name for name in shared.artefacts() if "tmp" in name]


def test_stills_of_one_item_share_batches_and_a_bad_one_fails_alone(shared: Desk) -> None:
    stills = [
        make_still(shared.folder / f"{n}.jpg", colour=(n * 10, 90, 200 - n * 10)) for n in range(20)
    ]
    bad = shared.folder / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff not a picture")
    record = shared.wait_final(shared.submit([*stills[:7], bad, *stills[7:]]))
    assert record.status is TaskState.COMPLETED
    assert record.total == 21
    assert [file.media_path for file in record.failed_files] == [f"client:{bad}"]
    cache, hash_str = manifests(shared, stills[12])
    visual = cache.manifest(hash_str, Stage.VISUAL, MODEL)
    assert visual is not None
    assert visual.rows == 1


def test_what_is_published_is_skipped_and_a_second_task_loads_no_model_again(
    shared: Desk,
) -> None:
    clip = make_clip(shared.folder / "clip.mp4", 3)
    shared.wait_final(shared.submit([clip]))
    before = shared.artefacts()
    shared.wait_final(shared.submit([clip]))
    assert shared.artefacts() == before
    shared.wait_final(shared.submit([clip], force=True))
    assert len(shared.artefacts()) == len(before) + 2  # the replaced data is collected later
    assert shared.stack.processes["analysis-0"].text().count("loaded conse-lite0") == 1


def test_only_what_is_missing_of_a_file_is_made(shared: Desk) -> None:
    clip = make_clip(shared.folder / "clip.mp4", 3)
    shared.wait_final(shared.submit([clip]))
    cache, hash_str = manifests(shared, clip)
    frames = cache.manifest(hash_str, Stage.FRAMES)
    for path in shared.cache.glob("media/*/*/manifest.visual.*"):
        path.unlink()
    shared.wait_final(shared.submit([clip]))
    assert cache.manifest(hash_str, Stage.FRAMES) == frames
    assert cache.manifest(hash_str, Stage.VISUAL, MODEL)


def test_an_unknown_model_fails_the_task_with_a_sentence(shared: Desk) -> None:
    clip = make_clip(shared.folder / "clip.mp4", 1)
    record = shared.wait_final(shared.submit([clip], visual_model="no-such-model"))
    assert record.status is TaskState.FAILED
    assert "no-such-model" in (record.error or "")


def test_a_model_that_is_not_here_lets_the_task_wait_and_the_heartbeat_say_why(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 1)
    desk.worker(RUSHES_MODELS_DIR=str(desk.folder / "no-models"))
    task_id = desk.submit([clip])

    def waits() -> bool:
        return any(
            heart.state == "waiting" and "rushes models pull" in heart.message
            for heart in desk.hearts()
        )

    wait_for(waits, 20, "a heartbeat that says why")
    assert not desk.record(task_id).status.is_final


def test_an_absent_root_lets_the_task_wait_for_a_machine_that_sees_it(desk: Desk) -> None:
    root = desk.folder / "mount"
    clip = make_clip(desk.folder / "real" / "clip.mp4", 1)
    roots = {"RUSHES_MEDIA_ROOTS": str(root), "RUSHES_CACHE_ROOTS": str(desk.folder)}
    desk.worker_with_fake_embedder(0, **roots)
    task_id = desk.submit([root / "clip.mp4"])

    def waits() -> bool:
        return any("not visible on this machine" in heart.message for heart in desk.hearts())

    wait_for(waits, 20, "a heartbeat that says why")
    (desk.folder / "real").rename(root)
    desk.worker_with_fake_embedder(1, **roots)
    assert desk.wait_final(task_id).status is TaskState.COMPLETED
    assert clip.name == "clip.mp4"


def test_a_path_that_leads_out_of_the_roots_fails_alone(desk: Desk) -> None:
    root = desk.folder / "media"
    inside = make_clip(root / "inside.mp4", 1)
    secret = make_clip(desk.folder / "secret.mp4", 1)
    link = root / "link.mp4"
    link.symlink_to(secret)
    desk.worker_with_fake_embedder(
        RUSHES_MEDIA_ROOTS=str(root), RUSHES_CACHE_ROOTS=str(desk.folder)
    )
    record = desk.wait_final(desk.submit([inside], [link]))
    assert [file.media_path for file in record.failed_files] == [f"client:{link}"]
    assert "outside" in record.failed_files[0].error


def test_two_workers_share_a_task_and_the_same_content_twice_does_no_harm(desk: Desk) -> None:
    clips = [make_clip(desk.folder / f"{n}.mp4", 6) for n in range(6)]
    copy = desk.folder / "copy.mp4"
    copy.write_bytes(clips[0].read_bytes())
    desk.worker_with_fake_embedder(0)
    desk.worker_with_fake_embedder(1)
    wait_for(lambda: len(desk.hearts()) == 2, 20, "both workers")
    task_id = desk.submit([copy], *([clip] for clip in clips), force=True)
    record = desk.wait_final(task_id)
    assert record.status is TaskState.COMPLETED
    assert not record.failed_files
    assert len({file.worker for file in desk.ledger.files(task_id)}) == 2
    cache, hash_str = manifests(desk, copy)
    visual = cache.manifest(hash_str, Stage.VISUAL, MODEL)
    assert visual is not None
    assert np.load(cache.data_path(hash_str, visual).path).shape[0] == 6


def test_a_wanted_model_that_cannot_be_loaded_is_said_in_the_heartbeat(desk: Desk) -> None:
    desk.worker_with_fake_embedder()
    wait_for(lambda: _model_key(desk) == MODEL, 20, "the default model")
    heartbeats.desire(desk.client, "default", ModelKind.VISUAL, "ViT-B-32--openai")
    wait_for(lambda: _model_key(desk) is None and _model_error(desk), 20, "the error")
    heartbeats.desire(desk.client, "default", ModelKind.VISUAL, MODEL)
    wait_for(lambda: _model_key(desk) == MODEL, 20, "the default model again")


def _model_key(desk: Desk) -> str | None:
    return next((model.model_key for h in desk.hearts() for model in h.models.values()), None)


def _model_error(desk: Desk) -> str | None:
    return next((model.error for h in desk.hearts() for model in h.models.values()), None)


def test_an_edit_between_the_samples_is_analysed_again_and_a_mere_touch_is_not(
    shared: Desk,
) -> None:
    """The hash samples files over 4 MiB; a changed mtime has all bytes compared."""
    still = make_still(shared.folder / "noise.tif", noise((1500, 1200)))

    def made_anew() -> bool:
        before = made_at()
        assert shared.wait_final(shared.submit([still])).status is TaskState.COMPLETED
        return made_at() != before

    def made_at() -> float | None:
        if not shared.cache.exists():
            return None
        cache, hash_str = manifests(shared, still)
        manifest = cache.manifest(hash_str, Stage.VISUAL, MODEL)
        return manifest.made_at if manifest else None

    assert made_anew()
    touch(still, 5)
    assert not made_anew(), "the same bytes under another mtime"
    hash_before = hash_media(str(still))
    with still.open("r+b") as file:
        file.seek(still.stat().st_size - (1 << 20) - 4096)  # before the last MiB, behind the blocks
        file.write(bytes(64))
    touch(still, 10)
    assert hash_media(str(still)) == hash_before, "the edit lies between the samples"
    assert made_anew()
    assert not made_anew()


def noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def touch(path: Path, seconds: int) -> None:
    """Move the modification time on, as any program that writes the file does."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + seconds * 1_000_000_000))
