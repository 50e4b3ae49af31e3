"""GET /faces/clusters and the faces of clusters, as a client sees them."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.people.collection import Collection
from tests.support.people.people_data import FACE_MODEL, Seen, make_collection, publish_faces
from tests.support.people.people_desk import (
    ADA,
    BO,
    CY,
    FACES,
    NAME,
    NOBODY,
    PeopleDesk,
)
from tests.support.stack import Client


def test_clusters_come_largest_first_and_the_faces_in_none_of_them_last(
    people: PeopleDesk,
) -> None:
    job = people.job()
    assert job.pop("clusters") == [
        {"cluster_id": str(ADA), "name": None, "face_count": 4},
        {"cluster_id": str(BO), "name": None, "face_count": 2},
        {"cluster_id": str(CY), "name": None, "face_count": 1},
        {"cluster_id": "-1", "name": None, "face_count": 1},
    ]
    assert job == {"cluster_job_name": NAME, "total_faces": 8, "eps": 0.48, "min_samples": 5}


def test_without_a_name_all_collections_are_listed_also_those_not_grouped_yet(
    people: PeopleDesk,
) -> None:
    other = make_collection(people.cache, "Rehearsals", {people.hash_of("a.mp4"): [Seen(0, 1, 7)]})
    Collection.open(people.cache.root, "an empty one", create=True)
    for params in ({}, {"cluster_job_name": ""}):
        answer = people.client.http.get(
            "/faces/clusters", params={"cache_dir": str(people.cache.root), **params}
        )
        jobs = answer.json()["cluster_jobs"]
        assert [job["cluster_job_name"] for job in jobs] == ["an empty one", other.name, NAME]
        assert (jobs[0]["total_faces"], jobs[0]["clusters"]) == (0, [])
        assert (jobs[0]["eps"], jobs[0]["min_samples"]) == (0.48, 5)
        assert jobs[1]["total_faces"] == 1


def test_a_folder_without_collections_has_none(client: Client, caches: Path) -> None:
    root = CacheDir.open(caches / "nobody", create=True).root
    answer = client.http.get("/faces/clusters", params={"cache_dir": str(root)})
    assert answer.json() == {"cluster_jobs": []}


def test_names_of_collections_differ_by_case_and_not_by_how_an_accent_is_written(
    people: PeopleDesk,
) -> None:
    for count, name in enumerate(("Caf\u00e9", "CAF\u00c9"), start=1):
        faces = [Seen(second, 1, 7) for second in range(count)]
        make_collection(people.cache, name, {people.hash_of("a.mp4"): faces})
    assert people.job(cluster_job_name="Cafe\u0301")["total_faces"] == 1
    assert people.job(cluster_job_name="CAFE\u0301")["cluster_job_name"] == "CAF\u00c9"
    assert people.job(cluster_job_name="CAF\u00c9")["total_faces"] == 2


def test_a_face_has_exactly_the_fields_of_the_contract(people: PeopleDesk) -> None:
    hash_str = people.hash_of("a.mp4")
    (face,) = people.faces(cluster_id=str(CY))
    face_id = face.pop("face_id")
    assert face_id.startswith(f"{hash_str}-10-")
    assert face == {
        "cluster_id": str(CY),
        "name": None,
        "image": base64.b64encode(f"{hash_str} 1".encode()).decode(),
        "media_path": str(people.media["a.mp4"]),
        "hash_str": hash_str,
        "frame_idx": "10",
        "timestamp": "00:00:10",
        "bbox": [0.6, 0.25, 0.0625, 0.125],
        "detection_score": 0.75,
    }


def test_faces_are_ordered_by_path_then_time_then_from_left_to_right(people: PeopleDesk) -> None:
    def places(**more: object) -> list[tuple[str, int, int]]:
        return [
            (
                Path(face["media_path"]).name[-5:],
                int(face["frame_idx"]),
                round(10 * face["bbox"][0]),
            )
            for face in people.faces(**more)
        ]

    everything = [(name, face.second, face.tenth) for name, seen in FACES.items() for face in seen]
    assert places() == everything
    of_bo_and_cy = [("a.mp4", 10, 6), ("b.mp4", 2, 5), ("b.mp4", 3, 5)]
    assert places(cluster_ids=[str(BO), CY], cluster_id=str(ADA)) == of_bo_and_cy
    assert places(cluster_id=NOBODY) == [("a.mp4", 11, 4)]
    assert places(cluster_ids=[]) == []
    assert places(cluster_id=None, cluster_ids=None) == everything


def test_pages_put_together_are_the_whole_list(people: PeopleDesk) -> None:
    whole = people.faces()
    pages, offset = [], 0
    while True:
        page = people.client.ok("/faces/clusters/faces", **people.body, limit=3, offset=offset)
        assert (page["total"], page["limit"], page["offset"]) == (8, 3, offset)
        pages += page["faces"]
        offset += len(page["faces"])
        assert page["has_more"] == (offset < 8)
        if not page["has_more"]:
            break
    assert pages == whole
    assert people.faces(offset=8) == []
    path = "/faces/clusters/faces"
    beyond = people.client.ok(path, **people.body, offset=9)
    assert (beyond["faces"], beyond["total"], beyond["has_more"]) == ([], 8, False)
    assert people.client.ok(path, **people.body, cluster_ids=[], offset=1)["faces"] == []


def test_samples_are_the_clearest_faces_and_not_the_first(people: PeopleDesk) -> None:
    path = "/faces/clusters/samples"
    samples = people.client.ok(path, **people.body)["samples"]
    assert set(samples) == {str(ADA), str(BO), str(CY)}
    ada = [(face["hash_str"], face["frame_idx"]) for face in samples[str(ADA)]]
    assert sorted(ada, key=lambda face: int(face[1])) != [
        (people.hash_of("b.mp4"), "0"),
        (people.hash_of("b.mp4"), "1"),
    ]
    assert len(samples[str(ADA)]) == len(samples[str(BO)]) == 2
    assert len(samples[str(CY)]) == 1
    assert all(face["image"] for some in samples.values() for face in some)
    asked = people.client.ok(path, **people.body, cluster_ids=[CY, "-1"], samples_per_cluster=16)[
        "samples"
    ]
    assert {key: len(some) for key, some in asked.items()} == {str(CY): 1, "-1": 1}
    assert people.client.ok(path, **people.body, cluster_ids=[]) == {"samples": {}}


def test_a_face_whose_files_are_gone_is_listed_without_them(people: PeopleDesk) -> None:
    whole = people.faces()
    folder = people.cache.media_dir(people.hash_of("b.mp4")).path
    (pack,) = folder.glob("faces.*.pack")
    pack.write_bytes(pack.read_bytes()[:20])
    without_crops = people.faces()
    assert [face["image"] is None for face in without_crops] == [False] * 3 + [True] * 5
    assert [face["bbox"] for face in without_crops] == [face["bbox"] for face in whole]
    shutil.rmtree(folder)
    nothing = {"image": None, "bbox": None, "detection_score": None}
    for was, face in zip(whole[3:], people.faces()[-5:], strict=True):
        assert face["face_id"] == was["face_id"]
        assert {key: face[key] for key in nothing} == nothing
    people.media["a.mp4"].unlink()
    assert people.faces()[0]["media_path"] == str(people.media["a.mp4"]), "known by where it was"


def test_faces_found_again_show_the_new_pictures_before_they_are_grouped(
    people: PeopleDesk,
) -> None:
    hash_str = people.hash_of("a.mp4")
    for old in people.cache.media_dir(hash_str).path.glob("faces.*"):
        old.unlink()
    publish_faces(people.cache, hash_str, [Seen(1, 1), *FACES["a.mp4"]])
    assert people.cache.manifest(hash_str, Stage.FACES, FACE_MODEL) is not None
    (cy,) = people.faces(cluster_id=str(CY))
    assert base64.b64decode(cy["image"]).decode() == f"{hash_str} 2"


def test_a_damaged_artefact_is_not_followed_out_of_its_folder(people: PeopleDesk) -> None:
    for file in people.cache.media_dir(people.hash_of("a.mp4")).path.glob("faces.*.npz"):
        file.write_bytes(b"PK\x03\x04 no archive")
    assert [face["bbox"] is None for face in people.faces()] == [True] * 3 + [False] * 5


def test_a_collection_that_cannot_be_read_is_left_out_of_what_is_told_of_all(
    people: PeopleDesk,
) -> None:
    people.name(_1001="Ada")
    other = make_collection(people.cache, "Damaged", {people.hash_of("a.mp4"): [Seen(1, ADA)]})
    (other.folder / "edits").path.symlink_to("/etc")
    where = {"cache_dir": str(people.cache.root)}
    words = 'The collection "Damaged" cannot be read, so it is left out.'
    listed = people.client.http.get("/faces/clusters", params=where)
    assert [job["cluster_job_name"] for job in listed.json()["cluster_jobs"]] == [NAME]
    assert json.loads(listed.headers["x-rushes-warnings"]) == [words]
    named = people.client.http.get("/faces/people", params=where)
    assert [person["name"] for person in named.json()["people"]] == ["Ada"]
    assert json.loads(named.headers["x-rushes-warnings"]) == [words]
    asked = people.client.http.get(
        "/faces/clusters", params={**where, "cluster_job_name": "Damaged"}
    )
    assert asked.status_code == 400, "who asks for it alone is told"
