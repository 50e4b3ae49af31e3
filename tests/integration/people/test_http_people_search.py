"""people_filter beside words, pictures and excluded concepts, with a query worker."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain import Scene
from tests.support.media.media import make_still
from tests.support.people.people_desk import ADA, BO, NAME, PeopleDesk, people_desk
from tests.support.private_redis import PrivateRedis
from tests.support.search.search_data import publish, random_units
from tests.support.stack import running_stack

MODEL, DIM = "conse-lite0", 384


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopleDesk]:
    folder = tmp_path_factory.mktemp("people")
    with tempfile.TemporaryDirectory(prefix="rp-") as short:
        server = PrivateRedis(Path(short))
        server.start()
        try:
            with (
                running_stack(folder, server.url, analysis=0) as stack,
                people_desk(stack.client(), folder / "cache", folder) as desk,
            ):
                for number, (name, seconds) in enumerate({"a.mp4": 12, "b.mp4": 6}.items()):
                    publish(
                        desk.cache,
                        desk.hash_of(name),
                        random_units(seconds, DIM, number),
                        model=MODEL,
                        scenes=tuple(Scene(at, at + 1) for at in range(seconds)),
                    )
                yield desk
        finally:
            server.stop()


def ranked(people: PeopleDesk, path: str, **more: Any) -> list[tuple[str, int]]:
    body = {"cache_dir": str(people.cache.root), **more}
    matches = people.client.ok(path, **body)["matches"]
    return [(Path(match["video_path"]).name[-5:], int(match["frame_idx"])) for match in matches]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/search/text", {"query": "a cat"}),
        ("/search/image", {"image": True}),
        ("/search/image", {"image": True, "query": "a cat"}),
    ],
)
@pytest.mark.parametrize("exclude", [[], ["a dog"], ["a dog", "snow"]])
def test_the_filter_leaves_the_ranking_of_what_is_left_as_it_was(
    people: PeopleDesk, path: str, query: dict[str, Any], exclude: list[str]
) -> None:
    if "image" in query:
        picture = people.cache.root.path.parent / "red.jpg"
        if not picture.exists():
            make_still(picture, colour=(200, 30, 30))
        query = {**query, "image": base64.b64encode(picture.read_bytes()).decode()}
    whole = ranked(people, path, **query, exclude=exclude)
    assert len(whole) == 18
    ada = {"cluster_job_name": NAME, "cluster_id": ADA}
    bo = {"cluster_job_name": NAME, "cluster_id": BO}
    of_ada = {("a.mp4", 10), ("b.mp4", 0), ("b.mp4", 1), ("b.mp4", 2)}
    shown = ranked(people, path, **query, exclude=exclude, people_filter=[ada])
    assert shown == [place for place in whole if place in of_ada]
    assert ranked(people, path, **query, exclude=exclude, people_filter=[ada, bo]) == [("b.mp4", 2)]


def test_metadata_names_the_collections_of_a_file(people: PeopleDesk) -> None:
    never_seen = people.cache.root.path.parent / "never-seen.jpg"
    make_still(never_seen, colour=(1, 2, 3))
    paths = [str(people.media["a.mp4"]), str(never_seen)]
    with_faces, without = people.client.ok(
        "/media/metadata", media_paths=paths, cache_dir=str(people.cache.root)
    )["media"]
    assert with_faces["analysis"] == {"visual": [MODEL], "transcribed": False, "face_jobs": [NAME]}
    assert without["analysis"]["face_jobs"] == []
