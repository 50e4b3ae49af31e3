"""People through the public API only: find them, look at them, name, merge, move, undo, search."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.media.faces_film import PEOPLE, close_up, film_of, group_photo
from tests.support.media.media import make_still
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack
from tests.support.waiting import wait_for

NAME = "Season 1 / Ä"
SHOTS = {
    "one.mp4": [("red", 5), ("nobody", 2), ("hair", 5), ("all", 3)],
    "two.mp4": [("grey", 5), ("all", 3), ("red", 4)],
}
WHERE = {  # seconds at which each can be seen
    "red": {"one.mp4": [*range(5), *range(12, 15)], "two.mp4": [*range(5, 12)]},
    "hair": {"one.mp4": [*range(7, 15)], "two.mp4": [*range(5, 8)]},
    "grey": {"one.mp4": [*range(12, 15)], "two.mp4": [*range(8)]},
}


class People:
    """A client with one analysed collection."""

    def __init__(self, client: Client, cache_dir: Path, films: dict[str, Path]) -> None:
        self.client, self.cache_dir, self.films = client, cache_dir, films

    @property
    def body(self) -> dict[str, Any]:
        return {"cache_dir": str(self.cache_dir), "cluster_job_name": NAME}

    def clusters(self) -> list[dict[str, Any]]:
        answer = self.client.http.get("/faces/clusters", params=self.body)
        assert answer.status_code == 200, answer.text
        (job,) = answer.json()["cluster_jobs"]
        return list(job["clusters"])

    def faces(self, cluster_id: str) -> list[dict[str, Any]]:
        answer = self.client.ok("/faces/clusters/faces", **self.body, cluster_id=cluster_id)
        return list(answer["faces"])

    def where(self, cluster_id: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {name: [] for name in self.films}
        for face in self.faces(cluster_id):
            found[Path(face["media_path"]).name].append(int(face["frame_idx"]))
        return {name: sorted(seconds) for name, seconds in found.items()}

    def who(self, person: str) -> str:
        """The cluster of a person, by where it can be seen."""
        for cluster in self.clusters():
            if cluster["cluster_id"] != "-1" and self.where(cluster["cluster_id"]) == WHERE[person]:
                return str(cluster["cluster_id"])
        found = {c["cluster_id"]: self.where(c["cluster_id"]) for c in self.clusters()}
        raise AssertionError(f"nobody is seen where {person} is; found: {found}")

    def put_names(self, **names: str) -> dict[str, Any]:
        assignments = [{"cluster_id": self.who(key), "name": name} for key, name in names.items()]
        answer = self.client.http.put(
            "/faces/clusters/names", json={**self.body, "assignments": assignments}
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def found(self, *names: str, mode: str = "and", **more: Any) -> set[tuple[str, int]]:
        """(film, second) of a text search among the frames of these people."""
        people = [{"cluster_job_name": NAME, "person_name": name} for name in names]
        body = {
            "cache_dir": str(self.cache_dir),
            "query": "a person",
            "max_results": 500,
            "people_filter": people,
            "people_filter_mode": mode,
            **more,
        }
        matches = self.client.ok("/search/text", **body)["matches"]
        return {(Path(m["video_path"]).name, int(m["frame_idx"])) for m in matches}


@pytest.fixture(scope="module")
def analysed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[People, list[Any]]:
    client = stack.client()
    if "recluster-0" not in stack.processes:
        stack.start_worker("recluster")
    folder = tmp_path_factory.mktemp("day 1, Größe ")
    films = {name: film_of(folder / name, shots) for name, shots in SHOTS.items()}
    cache_dir = tmp_path_factory.mktemp("cache")
    paths = [str(path) for path in films.values()]
    task_id = client.analyze(
        cache_dir, *films.values(), face_media_paths=paths, cluster_job_name=NAME
    )
    with Watcher(client.url) as watcher:
        watcher.join(task_id)
        events = watcher.until_final(task_id, timeout_s=100)
    return People(client, cache_dir, films), events


@pytest.fixture
def people(analysed: tuple[People, list[Any]], tmp_path: Path) -> People:
    """A copy of the analysed folder for each test, whose edits are its own."""
    made = analysed[0]
    shutil.copytree(made.cache_dir, tmp_path / "cache")
    return People(made.client, tmp_path / "cache", made.films)


def test_the_task_reports_faces_beside_pictures_and_ends_at_a_hundred(
    analysed: tuple[People, list[Any]],
) -> None:
    events = analysed[1]
    assert events[-1]["status"] == "completed"
    assert {event["type"] for event in events} == {"video", "faces"}
    percents = [event["overall_progress"] for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_each_person_is_one_cluster_over_both_films(people: People) -> None:
    for person in WHERE:
        people.who(person)
    clusters = people.clusters()
    counts = [cluster["face_count"] for cluster in clusters if cluster["cluster_id"] != "-1"]
    assert counts == sorted(counts, reverse=True)


def test_a_face_tells_where_it_is_and_shows_itself(people: People) -> None:
    faces = people.faces(people.who("red"))
    first = min(faces, key=lambda face: (face["media_path"], int(face["frame_idx"])))
    assert first["timestamp"] == "00:00:00"
    left, top, width, height = first["bbox"]
    assert 0 <= left < left + width <= 1
    assert 0 <= top < top + height <= 1
    assert first["detection_score"] > 0.8
    picture = Image.open(io.BytesIO(base64.b64decode(first["image"])))
    assert picture.format == "JPEG"
    assert min(picture.size) >= 112


def test_samples_are_of_the_person_and_as_many_as_asked_for(people: People) -> None:
    red = people.who("red")
    answer = people.client.ok("/faces/clusters/samples", **people.body, samples_per_cluster=4)
    assert len(answer["samples"][red]) == 4
    assert {face["cluster_id"] for face in answer["samples"][red]} == {red}
    assert len({face["face_id"] for face in answer["samples"][red]}) == 4


def test_search_finds_named_people_together_or_either(people: People) -> None:
    assert len(people.put_names(red="Ada", hair="Bo")["changes"]) == 2
    together = people.found("ada", "Bo")
    assert together
    assert together <= {(film, s) for film, seconds in WHERE["red"].items()
                        for s in seconds if s in WHERE["hair"][film]}  # fmt: skip
    either = people.found("Ada", "Bo", mode="or")
    assert together < either
    only = people.found("Ada", media_paths=[str(people.films["two.mp4"])])
    assert {film for film, _ in only} == {"two.mp4"}
    assert people.found("Ada", exclude=["a person"])
    assert people.found("Nobody") == set()
    assert people.found("Ada", "Nobody") == set()
    by_id = people.client.ok(
        "/search/image",
        cache_dir=str(people.cache_dir),
        image=people.faces(people.who("red"))[0]["image"],
        people_filter=[{"cluster_job_name": NAME, "cluster_id": people.who("hair")}],
    )["matches"]
    seen = {(Path(m["video_path"]).name, int(m["frame_idx"])) for m in by_id}
    assert seen
    assert seen <= {(film, s) for film, seconds in WHERE["hair"].items() for s in seconds}


def test_manual_work_survives_a_recluster_and_can_be_undone(people: People) -> None:
    red, hair, grey = (people.who(person) for person in ("red", "hair", "grey"))
    people.put_names(red="Ada", grey="Cy")
    client = people.client
    moved = [face["face_id"] for face in people.faces(grey)][:2]
    before = {c["cluster_id"]: c["face_count"] for c in people.clusters()}
    client.ok(
        "/faces/clusters/modify",
        **people.body,
        merges=[{"cluster_ids": [hair], "target_cluster_id": red}],
        moves=[{"face_ids": moved, "target_cluster_id": None}],
    )
    task_id = client.ok("/faces/recluster", **people.body, eps=0.47)["task_id"]
    assert client.wait_final(task_id)["status"] == "completed"
    after = {c["cluster_id"]: (c["name"], c["face_count"]) for c in people.clusters()}
    assert after[red] == ("Ada", before[red] + before[hair])
    assert after[grey] == ("Cy", before[grey] - 2)
    assert hair not in after
    assert client.ok("/faces/edits/undo", **people.body)
    assert {c["cluster_id"]: c["face_count"] for c in people.clusters()} == before


def test_later_files_join_the_people_there_are(people: People, tmp_path: Path) -> None:
    people.put_names(red="Ada")
    red = people.who("red")
    later = film_of(tmp_path / "three.mp4", [("red", 4), ("right", 6)])
    frame = Image.new("RGB", (640, 360), (50, 60, 70))
    still = make_still(tmp_path / "nobody.jpg", frame)
    client = people.client
    task_id = client.ok("/analyze", **people.body, face_media_paths=[str(later), str(still)])[
        "task_id"
    ]
    assert client.wait_final(task_id)["status"] == "completed"
    people.films["three.mp4"] = later
    try:
        assert people.where(red)["three.mp4"] == [0, 1, 2, 3]
        assert {c["cluster_id"]: c["name"] for c in people.clusters()}[red] == "Ada"
        newcomers = [c["cluster_id"] for c in people.clusters() if c["cluster_id"] != "-1"
                     and people.where(c["cluster_id"])["three.mp4"] == [*range(4, 10)]]  # fmt: skip
        assert len(newcomers) == 1
        metadata = client.ok(
            "/media/metadata", media_paths=[str(later)], cache_dir=str(people.cache_dir)
        )["media"][0]
        assert metadata["analysis"]["face_jobs"] == [NAME]
    finally:
        del people.films["three.mp4"]


def picture_of(path: Path, person: str, width: float) -> Path:
    return make_still(path, Image.fromarray(close_up(group_photo(), PEOPLE[person], width)))


def test_a_person_enrolled_from_photos_is_found_said_in_details_and_forgotten(
    people: People, tmp_path: Path
) -> None:
    client, cache_dir = people.client, str(people.cache_dir)
    photos = [str(picture_of(tmp_path / f"red-{w}.jpg", "red", w)) for w in (210, 330)]
    red, hair = people.who("red"), people.who("hair")
    sent = base64.b64encode(Path(photos[1]).read_bytes()).decode()
    said = client.ok(
        "/faces/people", cache_dir=cache_dir, name="Ada", pictures=photos[:1], images=[sent]
    )
    (where,) = said["collections"]
    assert (where["cluster_job_name"], where["cluster_ids"]) == (NAME, [red])
    assert (said["references"], said["models"]) == (2, ["dlib-resnet"])
    assert {c["cluster_id"]: c["name"] for c in people.clusters() if c["name"]} == {red: "Ada"}
    assert {film for film, _ in people.found("ada")} == set(SHOTS)
    matches = client.ok(
        "/search/text", cache_dir=cache_dir, query="a person", max_results=50, details=True
    )["matches"]
    seen = {p["cluster_id"]: p["name"] for match in matches for p in match["people"]}
    assert seen[red] == "Ada"
    assert seen[hair] is None
    alone = next(m for m in matches if m["video_path"] == str(people.films["one.mp4"])
                 and int(m["frame_idx"]) < 5)  # fmt: skip
    assert [person["cluster_id"] for person in alone["people"]] == [red]

    later = film_of(tmp_path / "three.mp4", [("red", 1), ("nobody", 1)])
    task_id = client.ok("/analyze", **people.body | {"cluster_job_name": "Other"},
                        face_media_paths=[str(later)])["task_id"]  # fmt: skip
    assert client.wait_final(task_id)["status"] == "completed"
    jobs = client.http.get("/faces/clusters", params={"cache_dir": cache_dir}).json()[
        "cluster_jobs"
    ]
    (other,) = (job for job in jobs if job["cluster_job_name"] == "Other")
    assert [(c["name"], c["face_count"]) for c in other["clusters"]] == [("Ada", 1)]

    deleted = client.ok("/faces/people/delete", cache_dir=cache_dir, name="Ada", dry_run=False)
    assert "2 vectors of reference photos" in deleted["message"]
    assert {job["cluster_job_name"] for job in deleted["collections"]} == {NAME, "Other"}
    left = b"".join(p.read_bytes() for p in (people.cache_dir / "people").iterdir())
    assert b"Ada" not in left
    assert client.post(
        "/faces/people/delete", cache_dir=cache_dir, name="Ada"
    ).status_code == 404  # fmt: skip


def test_photos_that_do_not_show_one_clear_face_are_refused_with_the_cure(
    people: People, tmp_path: Path
) -> None:
    good = picture_of(tmp_path / "good.jpg", "red", 230)
    frame = Image.new("RGB", (640, 360), (50, 60, 70))
    tiny = Image.fromarray(close_up(group_photo(), PEOPLE["red"], 200)).resize((64, 36))
    frame.paste(tiny, (200, 100))
    (tmp_path / "text.jpg").write_text("no picture")
    bad = {
        make_still(tmp_path / "nobody.jpg", Image.new("RGB", (640, 360))): "no face is found",
        make_still(tmp_path / "all.jpg", group_photo()): "Cut it so that only",
        make_still(tmp_path / "tiny.jpg", frame): "at least 40 pixels",
        tmp_path / "text.jpg": "is no picture",
    }
    for path, cure in bad.items():
        answer = people.client.post(
            "/faces/people",
            cache_dir=str(people.cache_dir),
            name="Ada",
            pictures=[str(good), str(path)],
        )
        assert answer.status_code == 400, f"{path.name}: {answer.text}"
        assert answer.json()["message"].startswith("pictures[1]")
        assert cure in answer.json()["message"]
    for content, why in ((b"no picture", "is no picture"), (good.read_bytes(), "")):
        answer = people.client.post(
            "/faces/people",
            cache_dir=str(people.cache_dir),
            name="Ada",
            images=[base64.b64encode(one).decode() for one in (content, b"no picture")],
        )
        assert answer.status_code == 400, answer.text
        assert answer.json()["message"].startswith("images[0]" if why else "images[1]")
    assert not any(cluster["name"] for cluster in people.clusters()), "all photos or none"


def test_the_models_say_what_finds_faces_and_what_its_licence_allows(stack: Stack) -> None:
    client = stack.client()
    models = {m["model_key"]: m for m in client.get("/models/available").json()["faces"]}
    assert models["dlib-resnet"]["is_active"] is True
    assert models["dlib-resnet"]["commercial_use"] is True
    assert models["insightface-buffalo_l"]["commercial_use"] is False
    assert all(model["licence"] and model["source"] for model in models.values())
    loaded = wait_for(
        lambda: client.get("/models/loaded").json()["faces"]["model_key"], 20, "the face model"
    )
    assert loaded == "dlib-resnet"
