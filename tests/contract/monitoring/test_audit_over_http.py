"""GET /audit: the log of this machine's API, page by page."""

from __future__ import annotations

import pytest

from tests.support.stack import Client


def test_deeds_are_answered_newest_first_page_by_page(client: Client) -> None:
    made = [client.post("/keys", label=f"Audit {n}").json()["key"] for n in range(3)]
    for each in made[1:]:
        assert client.http.delete(f"/keys/{each['id']}").status_code == 200
    [newest] = client.get("/audit?limit=1").json()["lines"]
    assert (newest["action"], newest["details"]) == ("revoke_key", {"key_id": made[2]["id"]})
    assert newest["key_id"]
    first = client.get("/audit?action=create_key&limit=2").json()
    assert [line["details"]["label"] for line in first["lines"]] == ["Audit 2", "Audit 1"]
    client.post("/keys", label="Audit 3")
    after = f"&after={first['next']}"
    second = client.get(f"/audit?action=create_key&limit=1{after}").json()
    assert [line["details"]["label"] for line in second["lines"]] == ["Audit 0"]
    of_nobody = client.get("/audit?key_id=nobody").json()
    assert of_nobody == {"lines": [], "next": None}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit must be a whole number from 1 to 1000, not '0'."),
        ("limit=many", "limit must be a whole number"),
        ("after=x", "after must be the `next` of an answer of /audit."),
        (f"after={'0' * 16}-{'9' * 40}", "after must be the `next`"),
        (f"after={'0' * 300}", "after may have at most 200 characters"),
    ],
)
def test_what_is_no_page_is_a_sentence(client: Client, query: str, said: str) -> None:
    answer = client.get(f"/audit?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["message"]
