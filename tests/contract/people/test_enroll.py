"""POST /faces/people: what is refused before any worker is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.people.enrolment import Enrolment, Reference, References
from tests.support.people.people_desk import ADA, PeopleDesk


@pytest.fixture
def photo(media: Path) -> str:
    path = media / "ada.jpg"
    path.write_bytes(b"a photo")
    return str(path)


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        ({"name": "  "}, 400, "name must not be empty"),
        ({"name": "x" * 201}, 400, "at most 200 characters"),
        ({"name": "Ada\nBo"}, 400, "no line breaks"),
        ({"pictures": []}, 400, "pictures"),
        ({"pictures": ["{media}/gone.jpg"]}, 404, "pictures[0]: the file"),
        ({"pictures": ["{media}/ada.jpg", "{media}/people-a.mp4"]}, 400, "pictures[1]: "),
        ({"pictures": ["/etc/ada.jpg"]}, 403, "pictures[0]"),
        ({"cache_dir": "/etc"}, 403, "cache_dir"),
        ({"pictures": [], "images": []}, 400, "images (base64)"),
        ({"pictures": [], "images": ["A*=="]}, 400, "images[0] is not valid base64"),
        ({"images": ["AAAA"] * 20}, 400, "1 to 20 in all, not 21"),
    ],
)
def test_what_cannot_be_enrolled_is_refused(
    people: PeopleDesk, photo: str, media: Path, asked: dict[str, Any], status: int, why: str
) -> None:
    body = {"cache_dir": str(people.cache.root), "name": "Ada", "pictures": [photo], **asked}
    body["pictures"] = [path.format(media=media) for path in body["pictures"]]
    answer = people.client.post("/faces/people", **body)
    assert answer.status_code == status, answer.text
    assert why in answer.json()["message"]
    assert not (people.cache.root.path / "people").exists()


def test_who_is_enrolled_is_listed(people: PeopleDesk) -> None:
    people.name(_1001="ada")
    references = References(people.cache.root)
    one, other = (Reference(model, b"") for model in ("m", "n"))
    references.add(Enrolment("Ada", (one, one, other)))
    references.add(Enrolment("Bo", (other,)))
    answer = people.client.http.get("/faces/people", params={"cache_dir": people.body["cache_dir"]})
    ada, bo = answer.json()["people"]
    assert (ada["name"], ada["is_enrolled"], ada["references"]) == ("Ada", True, 2)
    assert [place["cluster_ids"] for place in ada["collections"]] == [[str(ADA)]]
    assert bo == {"name": "Bo", "is_enrolled": True, "references": 1, "collections": []}


def test_without_a_query_worker_it_is_to_be_asked_again(people: PeopleDesk, photo: str) -> None:
    answer = people.client.post(
        "/faces/people", cache_dir=str(people.cache.root), name="Ada", pictures=[photo]
    )
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
