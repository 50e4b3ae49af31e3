"""Watch folders over HTTP: what a client gets, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, Client, Stack
from tests.support.watch.desk import WatchDesk, watch_desk


@pytest.fixture
def state_dir(api_stack: Stack) -> Path:
    return api_stack.folder / "state"


@pytest.fixture
def desk(
    client: Client, api_redis: PrivateRedis, media: Path, caches: Path, state_dir: Path
) -> Iterator[WatchDesk]:
    with watch_desk(client, api_redis.url, media, caches, state_dir) as desk:
        yield desk


def test_a_new_folder_has_the_defaults_of_the_contract(desk: WatchDesk) -> None:
    folder = desk.added("in")
    assert desk.all() == [folder]
    assert (len(folder.pop("id")), folder.pop("created_at") > 1.7e9) == (16, True)
    assert folder == {
        **desk.body("in"),
        "enabled": True,
        "recursive": True,
        "analyze_visual": True,
        "analyze_speech": False,
        "language": None,
        "analyze_faces": False,
        "cluster_job_name": None,
        "excluded_extensions": [],
        "excluded_filename_globs": [],
        "polling": "auto",
        "settle_seconds": 5.0,
        "schedule": None,
        "image_sequences": "skip",
    }


def test_every_field_is_kept_as_it_was_given(desk: WatchDesk) -> None:
    given = {
        "enabled": False,
        "recursive": False,
        "analyze_visual": False,
        "analyze_speech": True,
        "language": "german",
        "analyze_faces": True,
        "cluster_job_name": "Season 1",
        "excluded_extensions": ["MXF", ".wav", ".tar.gz"],
        "excluded_filename_globs": ["proxy_*", "[!a]?.mov", "[]]x", "Käse*"],
        "polling": "always",
        "settle_seconds": 0,
        "schedule": {"start": "20:00", "stop": "06:30"},
        "image_sequences": "stills",
        "vocabulary": ["Siobhan Gallagher", "Kestrelhaven"],
    }
    folder = desk.added("in", **given, a_key_of_tomorrow={"x": None})
    assert {name: folder[name] for name in given} == given
    assert "a_key_of_tomorrow" not in folder


@pytest.mark.parametrize(
    ("language", "shown"),
    [("de", "german"), ("GERMAN", "german"), ("auto", None), (None, None), ("en-US", "english")],
)
def test_a_language_is_shown_by_its_english_name(
    desk: WatchDesk, language: str | None, shown: str | None
) -> None:
    assert desk.added("in", language=language)["language"] == shown


def test_folders_are_listed_from_the_oldest_on(desk: WatchDesk) -> None:
    added = [desk.added(name) for name in ("b", "a", "c")]
    assert desk.all() == added


def test_null_equals_leaving_out_when_a_folder_is_added(desk: WatchDesk) -> None:
    folder = desk.added("in", enabled=None, schedule=None, polling=None, settle_seconds=None)
    assert (folder["enabled"], folder["polling"], folder["settle_seconds"]) == (True, "auto", 5.0)


def test_only_given_fields_change(desk: WatchDesk, state_dir: Path) -> None:
    folder = desk.added("in", language="german", excluded_extensions=["wav"])
    answer = desk.put(folder["id"], enabled=False, excluded_filename_globs=["a*"])
    assert answer.status_code == 200
    assert answer.json() == {**folder, "enabled": False, "excluded_filename_globs": ["a*"]}
    assert desk.all() == [answer.json()]
    assert desk.kept(state_dir).get(folder["id"]).revision == 2


def test_a_vocabulary_is_left_out_where_none_was_given_and_empty_where_all_is_off(
    desk: WatchDesk, state_dir: Path
) -> None:
    folder = desk.added("in")
    assert "vocabulary" not in folder
    for words, is_on in ((["Ada"], True), ([], False), (["Ada"], True)):
        answer = desk.put(folder["id"], vocabulary=words).json()
        assert answer == {**folder, "vocabulary": words}
        assert desk.put(folder["id"], enabled=True).json() == answer
        assert desk.kept(state_dir).get(folder["id"]).uses_vocabulary is is_on
    assert desk.added("other", vocabulary=[])["vocabulary"] == []


def test_speakers_are_left_out_where_the_setting_decides(desk: WatchDesk) -> None:
    folder = desk.added("in")
    assert "speakers" not in folder
    for choice in (True, False):
        changed = desk.put(folder["id"], speakers=choice).json()
        assert changed == {**folder, "speakers": choice}
    assert desk.put(folder["id"], enabled=True).json()["speakers"] is False
    assert desk.put(folder["id"], speakers=None).json() == folder
    refused = desk.put(folder["id"], speakers="yes")
    assert (refused.status_code, "speakers" in refused.json()["message"]) == (400, True)


def test_null_resets_what_may_be_null_and_nothing_else(desk: WatchDesk) -> None:
    schedule = {"start": "20:00", "stop": "06:00"}
    folder = desk.added(
        "in", language="german", cluster_job_name="A", schedule=schedule, polling="always"
    )
    changed = desk.put(folder["id"], language=None).json()
    assert changed == {**folder, "language": None}
    changed = desk.put(
        folder["id"],
        cluster_job_name=None,
        schedule=None,
        polling=None,
        enabled=None,
        path=None,
        cache_dir=None,
        excluded_extensions=None,
        license_key=None,
    ).json()
    assert changed == {**folder, "language": None, "cluster_job_name": None, "schedule": None}


def test_a_change_that_changes_nothing_is_fine(desk: WatchDesk, state_dir: Path) -> None:
    folder = desk.added("in", schedule={"start": "20:00", "stop": "06:00"})
    for body in ({}, folder):
        answer = desk.put(folder["id"], **body)
        assert (answer.status_code, answer.json()) == (200, folder)
    assert desk.kept(state_dir).get(folder["id"]).revision == 1


def test_path_and_cache_dir_can_be_changed(desk: WatchDesk, state_dir: Path) -> None:
    folder = desk.added("in")
    changed = desk.put(folder["id"], path=str(desk.folder("other")) + "/", cache_dir=None).json()
    assert changed == {**folder, "path": str(desk.media / "other") + "/"}
    kept = desk.kept(state_dir).get(folder["id"])
    assert kept.path == kept.real_path == str(desk.media / "other")
    moved = desk.put(folder["id"], cache_dir=str(desk.caches / "elsewhere")).json()
    assert moved["cache_dir"] == str(desk.caches / "elsewhere")


def test_a_folder_whose_disk_is_away_can_be_changed_but_not_added(desk: WatchDesk) -> None:
    folder = desk.added("away")
    (desk.media / "away").rmdir()
    answer = desk.put(folder["id"], enabled=False, path=folder["path"])
    assert (answer.status_code, answer.json()["enabled"]) == (200, False)
    assert desk.put(folder["id"], path=str(desk.media / "gone")).status_code == 400
    assert desk.delete(folder["id"]).status_code == 200


def test_a_deleted_folder_is_gone_and_its_data_stays(desk: WatchDesk) -> None:
    folder, other = desk.added("in"), desk.added("other")
    data = desk.caches / "watch" / "rushes.json"
    data.parent.mkdir(exist_ok=True)
    data.write_text("{}")
    answer = desk.delete(folder["id"])
    assert answer.status_code == 200
    assert set(answer.json()) == {"message"}
    assert desk.all() == [other]
    assert data.read_text() == "{}"
    assert desk.added("in")["id"] != folder["id"]


def test_an_unknown_folder_is_404_everywhere(desk: WatchDesk) -> None:
    http = desk.client.http
    for answer in (
        desk.put("7", enabled=False),
        desk.put("service", enabled=False),
        desk.delete("7"),
        http.post("/watch-folders/7/retry"),
        http.get("/watch-folders/7/files"),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"] == "Not found"
        assert "There is no watch folder" in answer.json()["message"]


def test_a_key_in_the_body_is_enough_to_start_and_stop(desk: WatchDesk) -> None:
    anonymous = {"X-License-Key": ""}
    for what in ("start", "stop"):
        path = f"/watch-folders/service/{what}"
        assert desk.client.http.post(path, headers=anonymous).status_code == 401
        answer = desk.client.http.post(path, headers=anonymous, json={"license_key": KEY})
        assert answer.status_code == 200


def test_of_two_equal_requests_at_once_exactly_one_is_accepted(desk: WatchDesk) -> None:
    for n in range(5):
        name = f"race-{n}"
        desk.folder(name)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _, name=name: desk.post(name), range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(desk.all()) == 5


def test_folders_outlive_redis(desk: WatchDesk, api_redis: PrivateRedis) -> None:
    folder = desk.added("in")
    desk.service("start")
    api_redis.flush()
    assert desk.all() == [folder]
    assert desk.status()["state"] == "waiting"
