"""Data of earlier versions, on disk and in Redis, are read as those versions read them.

`python -m tests.support.golden.record` made the data. Answers are compared as JSON: a field
that was there must be there with the same value, others may have been added since.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.golden.archives import CACHE, CLIENT_ROOT, STATE, Golden, shorten, unpack
from tests.support.golden.record import DATA, MEDIA_ARCHIVE
from tests.support.private_redis import private_redis
from tests.support.stack import Client, Stack, running_stack

COMMITS = sorted(path.name.partition(".")[0] for path in DATA.glob("*.tar.xz"))
COMMITS.remove("media")
RESTORED = ("/keys", "/webhooks", "/watch-folders")
# `message` is for people and may be worded differently; the others count requests of these tests.
IGNORED = ("message", "requests", "last_seen_at")


@dataclass(frozen=True)
class Upgraded:
    """A server of this version on the data of an earlier one, without an analysis worker."""

    golden: Golden
    stack: Stack
    generations_before: set[str]
    deletions: list[dict[str, Any]]  # that were undone first

    @property
    def client(self) -> Client:
        return self.stack.client()

    @property
    def facts(self) -> dict[str, Any]:
        return self.golden.facts

    @property
    def people(self) -> dict[str, Any]:
        return {name: self.facts["analyze"][name] for name in ("cache_dir", "cluster_job_name")}

    def ask(self, request: dict[str, Any], client: Client | None = None) -> Any:
        """Send a recorded request again, by default to the first API process."""
        more = {name: request[name] for name in ("json", "params") if name in request}
        http = (client or self.client).http
        answer = http.request(request["method"], request["path"], **more)
        assert answer.status_code == 200, f"{request}: {answer.status_code} {answer.text}"
        return shorten(answer.json())

    def clusters(self) -> list[dict[str, Any]]:
        params = {**self.people, "voices": "true"}
        answer = self.client.http.get("/faces/clusters", params=params)
        (job,) = answer.json()["cluster_jobs"]
        return list(job["clusters"])

    def generations(self) -> set[str]:
        """Names of the indexes of vectors, which are new where one was built again."""
        state = self.golden.folder / STATE
        return {str(path.relative_to(state)) for path in state.glob("search/*/*/generation-*")}

    def transcripts(self) -> set[tuple[bytes, float]]:
        """What each transcript says, and when it was made."""
        found = set()
        for path in (self.golden.folder / CACHE).rglob("manifest.transcript.*.json"):
            manifest = json.loads(path.read_bytes())
            found.add(((path.parent / manifest["file"]).read_bytes(), manifest["made_at"]))
        return found

    def manifests(self) -> dict[str, bytes]:
        """Every manifest of the cache folder."""
        cache = self.golden.folder / CACHE
        found = cache.rglob("manifest.*.json")
        return {str(path.relative_to(cache)): path.read_bytes() for path in found}


@pytest.fixture(scope="module", params=COMMITS)
def upgraded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    folder = tmp_path_factory.mktemp("golden")
    golden = unpack(DATA / f"{request.param}.tar.xz", MEDIA_ARCHIVE, folder / "data")
    settings = {
        "RUSHES_STATE_DIR": str(golden.folder / STATE),
        "RUSHES_PATH_MAP": f"{CLIENT_ROOT}={golden.folder}",
        "RUSHES_WEBHOOK_HOSTS": "mam.example",
    }
    with private_redis() as server:
        with redis.Redis.from_url(server.url) as client:
            golden.load_redis(client)
        with running_stack(folder / "stack", server.url, analysis=0, **settings) as stack:
            state = Upgraded(golden, stack, set(), undo_deletions(stack.client(), golden))
            yield replace(state, generations_before=state.generations())


def undo_deletions(client: Client, golden: Golden) -> list[dict[str, Any]]:
    """Undo all deletions and return what was listed of them."""
    cache_dir = golden.facts["analyze"]["cache_dir"]
    answer = client.http.get("/analysis-data/deletions", params={"cache_dir": cache_dir})
    listed: list[dict[str, Any]] = answer.json()["deletions"]
    for deletion in listed:
        body = {"cache_dir": cache_dir, "deletion_id": deletion["deletion_id"]}
        client.ok("/analysis-data/deletions/undo", **body)
    return listed


def differences(then: Any, now: Any, where: str) -> Iterator[str]:
    """Yield what an answer lacks of an earlier one, or has with another value."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name, value in then.items():
            if name not in now:
                yield f"{where}/{name} is missing"
            elif name not in IGNORED:
                yield from differences(value, now[name], f"{where}/{name}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (before, after) in enumerate(zip(then, now, strict=True)):
            yield from differences(before, after, f"{where}/{number}")
    elif isinstance(then, float) or isinstance(now, float):
        if now != pytest.approx(then, abs=1e-3):
            yield f"{where}: {then} then, {now} now"
    elif then != now:
        yield f"{where}: {then!r} then, {now!r} now"


def without_the_end(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the thumbnails of a scene without that at its end."""
    return {**answer, "scene_thumbnails": answer["scene_thumbnails"][:-1]}


# Manifests that a second analysis publishes: captions, which 819eccd did not read, and the
# transcript with the same text and rows for searches by meaning. Speakers, which 819eccd did not
# know either, are not requested.
ADDED = {"819eccd": {"manifest.captions.json", "manifest.transcript.whisper-base.json"}}

# What changed on purpose: how an answer of a commit is to be read.
CHANGED = {
    # Since 906a44db scenes are half-open: the endpoint's description says so.
    ("819eccd", "/thumbnails/scene"): without_the_end,
}


def test_all_answers_are_as_they_were(upgraded: Upgraded) -> None:
    found = []
    for recorded in upgraded.golden.answers:
        then, now = recorded["answer"], upgraded.ask(recorded)
        if change := CHANGED.get((upgraded.facts["commit"], recorded["path"])):
            then = change(then)
        if recorded["path"] == "/audit":  # it goes on; the newest entries come first
            now["lines"] = now["lines"][-len(then["lines"]) :]
        found += differences(then, now, f"{recorded['method']} {recorded['path']}")
    assert not found, "\n".join(found)
    assert upgraded.generations() == upgraded.generations_before, "an index was built again"


def test_licence_keys_give_the_same_access(upgraded: Upgraded) -> None:
    body = {"cache_dir": upgraded.people["cache_dir"], "query": "a cat"}
    statuses = {"edit suite": 200, "limited": 200, "basic": 403, "revoked": 403}
    for label, status in statuses.items():
        if key := upgraded.facts.get(label):
            client = upgraded.stack.client(key=key)
            assert client.post("/search/text", **body).status_code == status, label
    if limited := upgraded.facts.get("limited"):
        assert upgraded.stack.client(key=limited).get("/watch-folders").status_code == 403


def test_files_of_the_state_dir_are_restored_into_an_empty_redis(upgraded: Upgraded) -> None:
    client = upgraded.stack.start_api(RUSHES_INSTANCE="restored")
    wanted = [r for r in upgraded.golden.answers if r["path"] in RESTORED]
    assert wanted
    for recorded in wanted:
        then, now = recorded["answer"], upgraded.ask(recorded, client)
        for key in then.get("keys", []):
            del key["footage_seconds"]  # was in Redis only
        assert not list(differences(then, now, recorded["path"]))


def test_the_last_edit_can_still_be_undone(upgraded: Upgraded) -> None:
    before = upgraded.clusters()
    upgraded.client.ok("/faces/edits/undo", **upgraded.people)
    assert upgraded.clusters() != before


def test_a_deletion_can_still_be_undone(upgraded: Upgraded) -> None:
    """The recorded answers are from before the deletion, so they show that results are back."""
    assert not list(differences(upgraded.facts["deletions"], upgraded.deletions, "deletions"))
    params = {"cache_dir": upgraded.people["cache_dir"]}
    answer = upgraded.client.http.get("/analysis-data/deletions", params=params)
    assert answer.json()["deletions"] == []


def test_accepted_work_goes_on_and_finished_work_is_not_repeated(upgraded: Upgraded) -> None:
    client, before, transcripts = upgraded.client, upgraded.manifests(), upgraded.transcripts()
    for kind in ("analysis", "recluster"):
        upgraded.stack.start_worker(kind)
    assert client.wait_final(upgraded.facts["undone_task_id"])["status"] == "completed"
    made = upgraded.manifests()
    assert made.keys() > before.keys()
    body = {**upgraded.facts["analyze"], "speakers": upgraded.facts["commit"] != "819eccd"}
    record = client.wait_final(client.ok("/analyze", **body)["task_id"])
    assert record["status"] == "completed", record
    after = upgraded.manifests()
    changed = {Path(name).name for name in after if after[name] != made.get(name)}
    assert changed == ADDED.get(upgraded.facts["commit"], set())
    assert upgraded.transcripts() == transcripts
