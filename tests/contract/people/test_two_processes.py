"""People behind two API processes that share a cache folder."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.people.people_desk import ADA, BO, CY, NAME, PeopleDesk, people_desk
from tests.support.private_redis import private_redis
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both processes; clients may call the folder by names of their own."""
    folder = tmp_path_factory.mktemp("pair")
    path_map = f"Z:\\footage={folder};/Volumes/footage={folder}"
    with (
        private_redis() as server,
        running_stack(
            folder / "s", server.url, apis=2, analysis=0, query=0, RUSHES_PATH_MAP=path_map
        ) as stack,
    ):
        yield stack


@pytest.fixture
def desks(pair: Stack, request: pytest.FixtureRequest) -> Iterator[list[PeopleDesk]]:
    """The same collection behind each of the processes."""
    folder = pair.folder.parent
    with people_desk(pair.client(0), folder / request.node.name[:40], folder) as one:
        yield [one, PeopleDesk(pair.client(1), one.cache, one.media)]


def test_both_show_the_same_people_in_each_clients_own_paths(
    pair: Stack, desks: list[PeopleDesk]
) -> None:
    for number, sent in enumerate(["Ada", "Bo", "Cy"]):
        desks[number % 2].name(_1001=sent)
        assert desks[(number + 1) % 2].clusters()[0] == (ADA, sent, 4)
    folder = desks[0].cache.root.path.name
    for prefix in ("Z:\\footage\\", "/Volumes/footage/"):
        body = {"cache_dir": f"{prefix}{folder}", "cluster_job_name": NAME, "cluster_id": CY}
        (face,) = pair.client().ok("/faces/clusters/faces", **body)["faces"]
        assert face["media_path"] == f"{prefix}people-a.mp4"


def test_of_two_who_name_one_person_at_once_exactly_one_wins(desks: list[PeopleDesk]) -> None:
    with ThreadPoolExecutor(2) as pool:
        for turn in range(6):
            known = last(desks[0])
            names = [f"Ada {turn}", f"Bea {turn}"]
            answers = list(pool.map(named, desks, (ADA, ADA), names, (known, known)))
            statuses = [answer.status_code for answer in answers]
            assert sorted(statuses) == [200, 409]
            won = names[statuses.index(200)]
            told = answers[statuses.index(409)].json()["message"]
            assert told == f"Meanwhile this person was named {won}. Look again, then decide."
            assert [desk.clusters()[0] for desk in desks] == [(ADA, won, 4)] * 2
        assert len(desks[1].edits()) == 6
        known = last(desks[1])
        answers = list(pool.map(named, desks, (BO, CY), ("Di", "Di"), (known, known)))
    assert [answer.status_code for answer in answers] == [200, 200], "two different people"
    assert {name for _, name, _ in desks[0].clusters()} == {won, "Di", None}
    assert not [*desks[0].cache.root.path.rglob("*.claim")]


def last(desk: PeopleDesk) -> str:
    return str(desk.job(details="true")["last_edit_id"])


def named(desk: PeopleDesk, cluster: int, name: str, known: str) -> httpx.Response:
    given = [{"cluster_id": str(cluster), "name": name}]
    body = {**desk.body, "assignments": given, "known_edit_id": known}
    return desk.client.http.put("/faces/clusters/names", json=body)
