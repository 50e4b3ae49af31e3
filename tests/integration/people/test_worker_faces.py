"""The analysis worker and faces: what it finds, cuts out, marks and gathers. A fake model sees."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.cache.cache_dir import CacheDir
from shared.cache.faces import FaceMark, read_faces, seconds_of
from shared.cache.frame_packs import PackReader
from shared.domain import FileSpec, Manifest, ProgressType, Stage, TaskState
from shared.ledger.records import analyze_items
from shared.media import MediaType
from shared.opening import RootedPath
from shared.people.clustering import NO_CLUSTER, Clustering
from shared.people.collection import Collection
from tests.support.analysis.desk import FACE_MODEL, Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.fake_models import fake_face_row, paint_face
from tests.support.media.by_path import hash_media
from tests.support.media.media import Encoding, make_clip, make_still, write_video
from tests.support.waiting import wait_for

FACES, VIDEO = ProgressType.FACES, ProgressType.VIDEO
Shown = Sequence[tuple[int, tuple[int, int, int]]]  # (person, (left, top, side))
SIZE = (640, 360)
first = worker_of_file(Desk.worker_that_sees_squares)


def picture(shown: Shown, size: tuple[int, int] = SIZE, **how: Any) -> NDArray[np.uint8]:
    rgb = np.full((size[1], size[0], 3), (40, 90, 60), np.uint8)
    for person, place in shown:
        paint_face(rgb, person, place, **how)
    return rgb


def film(path: Path, *shots: tuple[Shown, int], size: tuple[int, int] = SIZE, **how: Any) -> Path:
    """Each shot shows its faces for so many seconds; 5 pictures a second."""
    pictures = (picture(shown, size, **how) for shown, seconds in shots for _ in range(seconds * 5))
    return write_video(path, pictures, fps=5)


def faces_of(desk: Desk, path: Path) -> tuple[dict[str, NDArray[Any]], Manifest]:
    cache = CacheDir.open(desk.cache, create=False)
    hash_str = hash_media(str(path))
    manifest = cache.manifest(hash_str, Stage.FACES, FACE_MODEL)
    assert manifest is not None, desk.logs()
    return read_faces(cache.data_path(hash_str, manifest)), manifest


def crops_of(desk: Desk, path: Path, manifest: Manifest) -> list[Image.Image]:
    assert manifest.pack
    folder = CacheDir.open(desk.cache, create=False).media_dir(hash_media(str(path)))
    with PackReader(folder / manifest.pack) as pack:
        return [Image.open(io.BytesIO(pack.read(row) or b"")) for row in range(manifest.rows)]


def grouping(desk: Desk, name: str = "Season 1") -> Clustering:
    found = Collection.open(RootedPath.alone(desk.cache), name, create=False).clustering()
    assert found is not None, desk.logs()
    return found


def people_of(desk: Desk, path: Path, name: str = "Season 1") -> list[tuple[int, int]]:
    """(second, cluster) of each face of a file."""
    found = grouping(desk, name)
    media = found.media.index(hash_media(str(path)))
    mine = found.media_of == media
    seconds = seconds_of(found.keys[mine]).tolist()
    return list(zip(seconds, found.labels[mine].tolist(), strict=True))


def test_faces_are_found_on_the_grid_and_kept_with_place_and_vector(shared: Desk) -> None:
    ada, bo = (7, (64, 36, 120)), (9, (400, 180, 96))
    clip = film(shared.folder / "clip.mp4", ([ada], 2), ([ada, bo], 1), ([], 2), ([bo], 1))
    record = shared.wait_final(shared.submit([clip], wants=(FACES,), face_min_samples=2))
    assert (record.status, record.type, record.progress) == (TaskState.COMPLETED, FACES, 100.0)
    faces, manifest = faces_of(shared, clip)
    assert faces["seconds"].tolist() == [0, 1, 2, 2, 5]
    assert (manifest.rows, manifest.dim) == (5, 32)
    left, top, width, height = faces["boxes"][0]
    assert (left, top) == pytest.approx((64 / 640, 36 / 360), abs=0.02)
    assert (width, height) == pytest.approx((120 / 640, 120 / 360), abs=0.03)
    assert faces["landmarks"][0, 0] == pytest.approx((100 / 640, 72 / 360), abs=0.02)
    assert faces["embeddings"].dtype == np.float16
    for row, person in enumerate([7, 7, 7, 9, 9]):
        vector = faces["embeddings"][row].astype(np.float32)
        assert float(vector @ fake_face_row(person)) > 0.99
    assert not faces["marks"].any()
    assert not [name for name in shared.artefacts() if name.startswith(("frames.", "visual."))]
    seen = people_of(shared, clip)
    clusters = [cluster for _, cluster in seen]
    assert clusters[0] == clusters[1] == clusters[2] != clusters[3] == clusters[4]
    assert NO_CLUSTER not in clusters


def decodings(desk: Desk) -> int:
    return sum(heart.stats.get("decodings", 0) for heart in desk.hearts())


def test_pictures_and_faces_come_out_of_one_decoding(desk: Desk) -> None:
    clip = film(desk.folder / "clip.mp4", ([(7, (64, 36, 120))], 4))
    desk.worker_that_sees_squares()
    assert desk.wait_final(desk.submit([clip], wants=(VIDEO, FACES))).status is TaskState.COMPLETED
    cache = CacheDir.open(desk.cache, create=False)
    stages = {manifest.stage for manifest in cache.manifests(hash_media(str(clip)))}
    assert stages == {Stage.FRAMES, Stage.VISUAL, Stage.FACES}
    wait_for(lambda: decodings(desk) == 1, 10, "one decoding in the heartbeat")


def test_what_is_published_is_not_found_again_but_joins_another_collection(desk: Desk) -> None:
    clip = film(desk.folder / "clip.mp4", ([(7, (64, 36, 120))], 6))
    desk.worker_that_sees_squares()
    desk.wait_final(desk.submit([clip], wants=(VIDEO, FACES)))
    before = faces_of(desk, clip)[1]
    desk.wait_final(desk.submit([clip], wants=(FACES,), collection="Season 2"))
    desk.wait_final(desk.submit([clip], wants=(FACES,)))
    assert faces_of(desk, clip)[1] == before
    assert people_of(desk, clip) == people_of(desk, clip, "Season 2")
    assert (
        len(
            list(
                Collection.open(RootedPath.alone(desk.cache), "Season 1", create=False)
                .members()
                .hashes
            )
        )
        == 1
    )
    desk.wait_final(desk.submit([clip], wants=(FACES,), force=True))
    again = faces_of(desk, clip)[1]
    assert again.file != before.file
    assert grouping(desk).media_files == (again.file,)
    wait_for(lambda: decodings(desk) == 2, 10, "two decodings in the heartbeat")


def test_faces_are_cut_from_the_full_size_picture(shared: Desk) -> None:
    """At 1280 pixels this face is 60 high; the source has 180."""
    shown = [(7, (1800, 600, 180)), (9, (300, 300, 900))]
    still = make_still(shared.folder / "wide.png", picture(shown, (3840, 2160)))
    shared.wait_final(shared.submit([still], wants=(FACES,)))
    faces, manifest = faces_of(shared, still)
    small = int(np.argmin(faces["sizes"]))
    assert faces["sizes"][small] == pytest.approx(180, abs=12)
    crops = crops_of(shared, still, manifest)
    assert min(crops[small].size) >= 112
    assert max(crops[1 - small].size) <= 256
    middle = np.asarray(crops[small])[crops[small].height // 2 - 6 :][:12]
    assert middle.std() > 40, "the code of the face, not its surroundings"


def test_small_blurred_and_turned_faces_are_marked_and_make_nobody(shared: Desk) -> None:
    folder = shared.folder
    stills = [make_still(folder / f"small{n}.png", picture([(7, (64, 36 + n, 30))]))
              for n in range(6)]  # fmt: skip
    stills += [make_still(folder / f"turned{n}.png", picture([(9, (64, 36 + n, 90))], turned=True))
               for n in range(6)]  # fmt: skip
    shared.wait_final(shared.submit(stills, wants=(FACES,)))
    assert [faces_of(shared, path)[0]["marks"][0] for path in stills] == (
        [FaceMark.SMALL] * 6 + [FaceMark.TURNED] * 6
    )
    assert set(grouping(shared).labels.tolist()) == {NO_CLUSTER}


def test_a_file_without_faces_is_a_member_without_faces(shared: Desk) -> None:
    clip = make_clip(shared.folder / "empty.mp4", 3)
    assert shared.wait_final(shared.submit([clip], wants=(FACES,))).status is TaskState.COMPLETED
    faces, manifest = faces_of(shared, clip)
    assert (manifest.rows, faces["embeddings"].shape) == (0, (0, 32))
    assert grouping(shared).media == (hash_media(str(clip)),)


def test_a_bad_file_fails_alone_in_both_parts_and_the_others_join(shared: Desk) -> None:
    good = make_still(shared.folder / "good.png", picture([(7, (64, 36, 120))]))
    bad = shared.folder / "bad.png"
    bad.write_bytes(good.read_bytes()[:500])
    record = shared.wait_final(shared.submit([good, bad], wants=(VIDEO, FACES)))
    assert record.status is TaskState.COMPLETED
    assert {failed.media_path for failed in record.failed_files} == {f"client:{bad}"}
    assert Collection.open(
        RootedPath.alone(shared.cache), "Season 1", create=False
    ).members().hashes == (hash_media(str(good)),)


def test_sound_has_no_faces(shared: Desk) -> None:
    sound = shared.folder / "sound.wav"
    sound.write_bytes(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0"
                      b"\x40\x1f\0\0\1\0\x08\0data\0\0\0\0")  # fmt: skip
    record = shared.wait_final(shared.submit([sound], wants=(FACES,)))
    assert record.status is TaskState.FAILED
    assert record.failed_files[0].error


def test_items_of_several_workers_are_all_grouped_when_the_task_ends(desk: Desk) -> None:
    clips = [
        film(desk.folder / f"{n}.mp4", ([(n % 3, (64, 36, 120))], 2), look=n) for n in range(9)
    ]
    for number in range(2):
        desk.worker_that_sees_squares(number)
    desk.wait_final(desk.submit(*([clip] for clip in clips), wants=(FACES,)))
    found = grouping(desk)
    assert set(found.media) == {hash_media(str(clip)) for clip in clips}
    clusters = [people_of(desk, clip)[0][1] for clip in clips]
    assert clusters[:3] * 3 == clusters
    assert len(set(clusters)) == 3


@pytest.mark.parametrize("wants", [(FACES,), (VIDEO,), (ProgressType.AUDIO,)])
def test_what_others_found_is_grouped_when_the_last_file_fails(
    shared: Desk, wants: tuple[ProgressType, ...]
) -> None:
    """Less than 30 s after the grouping before, which only the last Item of a Task does."""
    clips = [film(shared.folder / f"{n}.mp4", ([(7, (64, 36, 120))], 5), look=n) for n in (0, 1)]
    shared.wait_final(shared.submit([clips[0]], wants=(FACES,)))
    works = [
        FileSpec(str(clips[1]), str(clips[1]), MediaType.VIDEO, (FACES,)),
        FileSpec(missing := str(shared.folder / "missing.mp4"), missing, MediaType.VIDEO, wants),
    ]
    record = shared.wait_final(
        shared.submit_items(analyze_items(works, shared.spec(speech_model="unknown")))
    )
    assert [failed.media_path for failed in record.failed_files] == [missing]
    assert set(grouping(shared).media) == {hash_media(str(clip)) for clip in clips}


def test_files_that_all_fail_make_no_collection(shared: Desk) -> None:
    shared.wait_final(shared.submit([shared.folder / "missing.mp4"], wants=(FACES,)))
    assert Collection.all_names(RootedPath.alone(shared.cache)) == []


def test_a_killed_worker_leaves_nothing_half_and_its_file_is_done_by_the_next(desk: Desk) -> None:
    clips = [film(desk.folder / f"{n}.mp4", ([(7, (64, 36, 120))], 5), look=n) for n in (0, 1)]
    desk.stack.settings["RUSHES_DECODE_THREADS"] = "1"
    worker = desk.worker_that_sees_squares(0, hold_at=8)
    task_id = desk.submit(*([clip] for clip in clips), wants=(FACES,))
    desk.wait_marker()
    worker.kill()
    assert sum(name.startswith("manifest.faces") for name in desk.artefacts()) == 1
    desk.release()
    desk.worker_that_sees_squares(1)
    assert desk.wait_final(task_id).status is TaskState.COMPLETED
    assert len(grouping(desk).media) == 2
    for clip in clips:
        assert faces_of(desk, clip)[1].rows == 5


def test_what_others_found_is_grouped_before_a_file_that_kills_workers_is_tried_again(
    desk: Desk,
) -> None:
    """It may do so until it fails for good, and be the last of its Task."""
    clips = [film(desk.folder / f"{n}.mp4", ([(7, (64, 36, 120))], 5), look=n) for n in range(3)]
    hashes = [hash_media(str(clip)) for clip in clips]
    desk.stack.settings["RUSHES_DECODE_THREADS"] = "1"
    worker = desk.worker_that_sees_squares(0, hold_at=11)
    desk.wait_final(desk.submit([clips[0]], wants=(FACES,)))
    task_id = desk.submit(*([clip] for clip in clips[1:]), wants=(FACES,))
    desk.wait_marker()
    assert grouping(desk).media == (hashes[0],)
    (desk.folder / "marker").unlink()
    worker.kill()
    desk.worker_that_sees_squares(1, hold_at=1)
    desk.wait_marker()
    assert set(grouping(desk).media) == set(hashes[:2])
    desk.release()
    assert desk.wait_final(task_id).status is TaskState.COMPLETED


def test_a_stop_keeps_what_is_finished(desk: Desk) -> None:
    shots = [([(7, (64, 36, 120))], 3), ([(7, (64, 36, 120))], 20)]
    clips = [film(desk.folder / f"{n}.mp4", shot) for n, shot in enumerate(shots)]
    desk.stack.settings["RUSHES_DECODE_THREADS"] = "1"
    desk.worker_that_sees_squares(0, hold_at=5, seconds=0.2)
    task_id = desk.submit(*([clip] for clip in clips), wants=(FACES,))
    desk.wait_marker()
    desk.ledger.stop(task_id)
    desk.release()
    assert desk.wait_final(task_id).status is TaskState.CANCELLED
    members = Collection.open(RootedPath.alone(desk.cache), "Season 1", create=False).members()
    assert len(members.hashes) == 1
    assert not [name for name in desk.artefacts() if name.endswith(".tmp")]
    desk.wait_final(desk.submit(*([clip] for clip in clips), wants=(FACES,)))
    assert len(grouping(desk).media) == 2


def test_boxes_are_those_of_the_upright_picture(shared: Desk) -> None:
    """Stored on its side: the face at the top left is stored at the bottom left."""
    upright = picture([(7, (40, 80, 120))], (360, 640))
    stored = np.ascontiguousarray(np.rot90(upright, -1))
    turned = write_video(
        shared.folder / "phone.mp4", [upright] * 10, fps=5, encoding=Encoding(rotation=90)
    )
    still = make_still(
        shared.folder / "phone.jpg", Image.fromarray(stored), orientation=8, quality=95
    )
    shared.wait_final(shared.submit([turned], [still], wants=(FACES,)))
    for path in (turned, still):
        faces, _ = faces_of(shared, path)
        wanted = (40 / 360, 80 / 640, 120 / 360, 120 / 640)
        assert faces["boxes"][0] == pytest.approx(wanted, abs=0.03), path
        vector = faces["embeddings"][0].astype(np.float32)
        assert float(vector @ fake_face_row(7)) > 0.99, "and the face is upright, too"


def stages_of(desk: Desk, path: Path) -> set[Stage]:
    manifests = CacheDir.open(desk.cache, create=False).manifests(hash_media(str(path)))
    return {manifest.stage for manifest in manifests}


def test_without_its_model_the_face_part_fails_and_pictures_are_made_all_the_same(
    desk: Desk,
) -> None:
    clip = film(desk.folder / "clip.mp4", ([(7, (64, 36, 120))], 3))
    desk.worker_that_sees_squares(is_broken=True)
    record = desk.wait_final(desk.submit([clip], wants=(VIDEO, FACES)))
    assert (record.status, record.error) == (TaskState.FAILED, "The squares are broken.")
    assert [failed.error for failed in record.failed_files] == ["The squares are broken."]
    assert stages_of(desk, clip) == {Stage.FRAMES, Stage.VISUAL}
    assert Collection.all_names(RootedPath.alone(desk.cache)) == []


def test_without_the_visual_model_faces_are_found_and_grouped_all_the_same(shared: Desk) -> None:
    clip = film(shared.folder / "clip.mp4", ([(7, (64, 36, 120))], 3))
    task_id = shared.submit([clip], wants=(VIDEO, FACES), visual_model="nothing")
    assert shared.wait_final(task_id).status is TaskState.FAILED
    assert stages_of(shared, clip) == {Stage.FACES}, "and no thumbnails of half a part"
    assert grouping(shared).media == (hash_media(str(clip)),)


def test_progress_of_faces_counts_the_files_that_want_faces_alone(desk: Desk) -> None:
    stills = [make_still(desk.folder / f"{n}.png", picture([(n, (64, 36, 120))])) for n in range(5)]
    desk.worker_that_sees_squares(hold_at=2, seconds=0.4)
    wants = [VIDEO, VIDEO, VIDEO, FACES, FACES]
    works = [FileSpec(str(path), str(path), MediaType.IMAGE, (part,))
             for path, part in zip(stills, wants, strict=True)]  # fmt: skip
    task_id = desk.submit_items(analyze_items(works, desk.spec()))
    desk.wait_marker()

    def reported() -> float:
        record = desk.record(task_id)
        return record.progress if record.type is FACES else 0

    assert wait_for(reported, 10, "a report of faces") == pytest.approx(49, abs=1)
    desk.release()
    assert desk.wait_final(task_id).overall_progress == 100
