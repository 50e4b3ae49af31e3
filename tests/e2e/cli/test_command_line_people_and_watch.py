"""People, watch folders, exports, models and keys on the command line."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.redis.clients import connect
from tests.support.cli.remote_command import Command
from tests.support.console.browser import Browser
from tests.support.exports.export_desk import shown
from tests.support.media.media import make_clip, picture_video
from tests.support.people import people_data
from tests.support.people.people_desk import ADA, BO, CY, NAME, PeopleDesk, people_desk
from tests.support.people.voices_desk import Talk, give_voices, voice
from tests.support.stack import KEY, Stack
from tests.support.waiting import wait_for

WORKERS = ("export", "recluster", "watcher")


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[Stack]:
    """The stack with a worker of each further kind."""
    started = [kind for kind in WORKERS if f"{kind}-0" not in stack.processes]
    for kind in started:
        stack.start_worker(kind)

    def are_live() -> bool:
        workers = stack.client().get("/ready").json()["workers"]
        return all(workers.get(kind) for kind in WORKERS)

    wait_for(are_live, 30, "the workers")
    yield stack
    for kind in started:
        assert stack.processes.pop(f"{kind}-0").end() == 0


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose pictures carry their numbers, and a folder for what is cut."""
    folder = tmp_path_factory.mktemp("footage")
    make_clip(folder / "A001.mov", 4)
    (folder / "out").mkdir()
    return folder


@pytest.fixture(scope="module")
def command(server: Stack, footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    cache = {"RUSHES_CACHE_DIR": str(footage / "cache")}
    return Command(server.client().url, KEY, tmp_path_factory.mktemp("home"), cache)


@pytest.fixture
def people(server: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PeopleDesk]:
    """A Collection that the default model seems to have found."""
    monkeypatch.setattr(people_data, "FACE_MODEL", "dlib-resnet")
    with people_desk(server.client(), tmp_path / "cache", tmp_path) as desk:
        yield desk


@pytest.fixture
def who(command: Command, people: PeopleDesk) -> Command:
    """The command in the cache folder of the Collection."""
    cache = {"RUSHES_CACHE_DIR": str(people.cache.root)}
    return Command(command.server, command.key, command.folder, cache)


def test_voices_are_shown_moved_and_told_with_faces(who: Command, people: PeopleDesk) -> None:
    assert "voices" not in who.run("people", "list").stdout
    turns = [(20.0 * n, 20.0 * n + 9, "We are rolling") for n in range(3)]
    give_voices(people, {"a.mp4": [Talk(7, 70_001, turns)]})
    assert "voices" in who.run("people", "list").stdout
    who.run("people", "name", "70001", "Tom")
    shown = who.run("people", "voices", "tom").stdout
    assert voice(people, "a.mp4", 7) in shown
    assert "We are rolling" in shown
    assert "Tom" in who.run("people", "known").stdout
    moved = who.run("people", "move", voice(people, "a.mp4", 7), "--to", str(ADA)).stdout
    assert moved == f"1 moved to {ADA}, 4 faces and 1 voice\n"
    assert f"1 voice to {ADA}" in who.run("people", "edits").stdout
    assert who.json("people", "proposals") == {"proposals": []}
    assert "No face is clearly seen" in who.run("people", "proposals").stderr


def test_voices_come_in_pages_and_a_proposal_is_refused(who: Command, people: PeopleDesk) -> None:
    turns = [(20.0 * n, 20.0 * n + 9, "We are rolling") for n in range(3)]
    give_voices(people, {"a.mp4": [Talk(7, 70_001, turns)], "b.mp4": [Talk(8, 70_001, turns[:1])]})
    longest, other = voice(people, "a.mp4", 7), voice(people, "b.mp4", 8)
    page = who.run("people", "voices", "70001", "--limit", "1")
    assert longest in page.stdout
    assert page.stderr == f"70001 has more voices; go on with --after {longest}\n"
    assert who.json("people", "voices", "70001", "--limit", "1")["next"] == {"70001": longest}
    rest = who.run("people", "voices", "70001", "--after", longest)
    assert (other in rest.stdout, longest in rest.stdout, rest.stderr) == (True, False, "")
    assert who.run("people", "apart", "70001", str(ADA)).stdout == f"70001 and {ADA} are two.\n"
    assert f"70001 and {ADA} are two" in who.run("people", "edits").stdout
    refused = who.run("people", "apart", str(ADA), str(ADA), status=1)
    assert "are one person" in refused.stderr


def test_a_person_is_enrolled_from_photos_and_what_is_wrong_with_one_is_said(
    who: Command, photos: dict[str, Path]
) -> None:
    said = who.run("people", "enroll", "Eileen", str(photos["astronaut"])).stdout
    assert said == "Eileen is known by 1 photo, and found in 0 faces so far.\n"
    refused = who.run("people", "enroll", "Tom", str(photos["cat"]), status=1)
    assert "pictures[0]: no face is found in it" in refused.stderr


def test_a_collection_has_words_of_its_own(who: Command) -> None:
    of_collection = ("people", "vocabulary", NAME)
    assert who.run(*of_collection).stdout == f"{NAME} has 0 words of its own.\n"
    told = who.run(*of_collection, "Kestrelhaven", "Siobhan Gallagher").stdout
    assert told == f"{NAME} has 2 words of its own.\n  Kestrelhaven\n  Siobhan Gallagher\n"
    assert who.run(*of_collection).stdout == told
    assert who.run(*of_collection, "--clear").stdout == f"{NAME} has 0 words of its own.\n"


def test_people_are_listed_named_and_shown_by_id_or_name(who: Command, people: PeopleDesk) -> None:
    listed = who.run("people", "list").stdout
    assert listed.startswith(f"{NAME}: 8 faces, grouped with eps 0.48")
    assert f"│ {ADA} " in listed
    assert "none │ in no cluster" in " ".join(listed.split())
    assert who.run("people", "name", str(ADA), "Ada").stdout == f"{ADA} is Ada\n"
    page = who.json("people", "show", "ada", "--limit", "2")
    asked = {**people.body, "cluster_ids": [str(ADA)], "limit": 2}
    assert page == people.client.ok("/faces/clusters/faces", **asked)
    table = who.run("people", "show", "Ada", "--limit", "2", "--offset", "1")
    assert people.face_ids(ADA)[1] in table.stdout
    assert "go on with --offset 3" in table.stderr
    assert "Ada" in who.run("people", "list", "--pictures", "on").stdout


def test_everybody_who_has_a_name_is_listed(who: Command, people: PeopleDesk) -> None:
    who.run("people", "name", str(ADA), "Ada")
    assert NAME in who.run("people", "known").stdout
    (ada,) = who.json("people", "known")["people"]
    assert (ada["name"], ada["collections"][0]["cluster_ids"]) == ("Ada", [str(ADA)])
    everywhere = who.json("people", "known", "--all")["people"]  # other libraries have one, too
    (found,) = [person for person in everywhere if person["name"] == "Ada"]
    assert ada["collections"][0] in found["collections"]


def test_corrections_are_made_told_and_taken_back(who: Command, people: PeopleDesk) -> None:
    before = people.clusters()
    merged = who.run("people", "merge", str(BO), str(CY), "--into", str(ADA)).stdout
    assert merged == f"2 merged into {ADA}, 7 faces\n"
    loose = "\n".join(people.face_ids(-1)).encode()
    moved = who.run("people", "move", "-", "--to", "new", stdin=loose).stdout
    assert moved.startswith("1 moved to ")
    edits = who.run("people", "edits").stdout
    assert f"{BO}, {CY} into {ADA}" in edits
    assert "1 face to new" in edits
    edit_id = people.edits()[0]["edit_id"]
    assert edit_id in who.run("people", "undo", "--to", edit_id).stdout
    assert who.json("people", "undo", "--all")["edit_id"]
    assert people.clusters() == before


def test_a_person_and_results_are_deleted_once_somebody_says_so(
    who: Command, people: PeopleDesk
) -> None:
    who.run("people", "name", str(ADA), "Ada")
    planned = who.run("people", "delete", "ada")
    assert planned.stdout == f"{NAME}: Ada ({ADA}), 4 faces\n"
    assert "--yes" in planned.stderr
    assert who.json("people", "delete", "Ada")["dry_run"] is True
    assert "Deleted: 4 faces" in who.run("people", "delete", "Ada", "--yes").stdout
    assert "Leave --collection out" in who.refused(
        "people", "delete", "Ada", "--collection", NAME, status=2
    )
    assert ADA not in [id_ for id_, *_ in people.clusters()]

    film = str(people.media["a.mp4"])
    planned = who.run("data", "delete", film)
    assert f"{film}: faces" in planned.stdout
    with who.on_terminal("data", "delete", film) as terminal:
        terminal.shows("Delete this?")
        terminal.type("y\n")
        terminal.shows("rushes data undo ")
    (deletion,) = who.json("data", "deletions")["deletions"]
    assert deletion["deletion_id"] in who.run("data", "deletions").stdout
    assert who.run("data", "undo", deletion["deletion_id"]).stdout == "Back: 1 result.\n"
    assert "media files, or --model" in who.refused("data", "delete", status=2)
    assert who.run("data", "leave-out", film).stdout == "1 file left out.\n"
    assert who.run("data", "leave-out", film, "--take-back").stdout == "1 file taken again.\n"
    assert "There is no task" in who.refused("tasks", "retry", "0" * 32, film)
    unknown = who.refused("people", "move", "zz", "--to", "new")
    assert unknown == "'zz' is no id of a face; `rushes people show` lists them."


def test_a_recluster_is_followed_to_its_end(who: Command, people: PeopleDesk) -> None:
    assert "ompleted" in who.run("people", "recluster", "--min-samples", "1").stdout
    assert people.job()["min_samples"] == 1
    task_id = who.json("people", "recluster", "--auto", "--detach")["task_id"]
    assert people.client.wait_final(task_id)["kind"] == "recluster"


def test_whom_nobody_knows_is_told_with_what_is_known(
    who: Command, people: PeopleDesk, tmp_path: Path
) -> None:
    people.name(_1001="Ada", _2002="Ada")
    unknown = who.refused("people", "show", "Zoe")
    assert unknown == f"Nobody in {NAME} is called Zoe; names given so far: Ada."
    several = who.refused("people", "merge", str(CY), "--into", "Ada", status=2)
    assert str(ADA) in several
    assert str(BO) in several


def test_a_folder_is_watched_until_all_in_it_is_done(command: Command) -> None:
    incoming = command.folder / "incoming"
    incoming.mkdir()
    make_clip(incoming / "B001.mov", 1)
    (incoming / "proxy_B001.mov").write_bytes(b"no film")
    what = ["--exclude", "proxy_*", "--settle", "0.2", "--schedule", "00:00-23:59"]
    added = command.run("watch", "add", incoming, *what)
    folder_id = added.stdout.split()[0]
    assert added.stdout.endswith(": pictures, 00:00 to 23:59\n")
    assert "rushes watch start" in added.stderr
    assert "start it" in command.run("watch", "follow", "--until-done", status=2).stderr
    changed = command.json("watch", "change", incoming, "--schedule", "")
    assert (changed["id"], changed["schedule"], changed["analyze_visual"]) == (
        folder_id,
        None,
        True,
    )
    command.run("watch", "start")
    try:
        lines = command.run("watch", "follow", "--until-done", "--json").stdout.splitlines()
        last = json.loads(lines[-1])
        assert (last["state"], last["files_pending"]) == ("waiting", 0)
        assert last["folder_stats"][folder_id]["files_processed"] == 1
        done = command.run("watch", "files", "incoming", "--state", "processed").stdout
        assert done.startswith("1 processed\n")
        with command.on_terminal("watch", "follow", TERM="xterm") as terminal:
            terminal.shows("what holds it up")
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.end() == 130
    finally:
        command.run("watch", "stop")
        command.run("watch", "remove", incoming)
    assert command.run("watch", "list").stderr.startswith("No folder is watched")
    assert "is not watched" in command.refused("watch", "retry", incoming)


@pytest.fixture(scope="module")
def found(command: Command, server: Stack, footage: Path, photos: dict[str, Path]) -> bytes:
    """What a search prints with --json: a match of each of two scenes, the rocket first."""
    film = picture_video(footage / "B002.mov", [(photos["cat"], 2), (photos["rocket"], 2)])
    server.client().analyzed(footage / "cache", film)
    printed = command.run(
        "search", "a rocket", "--in", film, "--min-strength", "any", "--json"
    ).stdout
    scenes = [match["scene_start_timestamp"] for match in json.loads(printed)["matches"]]
    assert scenes == ["00:00:02", "00:00:00"]
    return printed.encode()


def test_what_a_search_found_is_cut_into_clips(
    command: Command, server: Stack, footage: Path, found: bytes
) -> None:
    out = footage / "out"
    result = command.run("export", "clips", "--from", "-", "--to", out, stdin=found)
    files = sorted(out.iterdir())
    assert [len(shown(file)) for file in files] == [50, 50]
    assert all(str(file) in result.stdout for file in files)
    task_id = server.client().get("/tasks").json()["tasks"][0]["task_id"]
    clips = command.json("export", "result", task_id)["exported"]
    assert [clip["start_seconds"] for clip in clips] == [2, 0]


def test_clips_are_planned_cut_in_the_background_and_fail_alone(
    command: Command, server: Stack, footage: Path, tmp_path: Path
) -> None:
    film, none = footage / "A001.mov", footage / "none.mov"
    export = ["export", "clips", film, "1", "00:00:02", none, "0", "1", "--to", tmp_path]
    planned = command.json(*export, "--dry-run", status=1)
    assert planned["exported"][0]["frames"] is None
    assert not list(tmp_path.iterdir())
    how = ["--handles", "0.4", "--mode", "encode", "--naming", "{stem} x"]
    cut = command.run(*export, *how, status=1)
    assert f"failed: {none}: The file does not exist." in cut.stdout
    assert shown(tmp_path / "A001 x.mov") == list(range(15, 60))
    task_id = command.run(*export, "--detach").stdout.strip()
    server.client().wait_final(task_id)
    assert len(command.json("export", "result", task_id, status=1)["exported"]) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_a_timeline_is_written_here_and_never_over_a_file(
    command: Command, found: bytes, tmp_path: Path
) -> None:
    export = ["export", "timeline", "--from", "-"]
    printed = command.run(*export, "--format", "otio", stdin=found).stdout
    assert json.loads(printed)["OTIO_SCHEMA"].startswith("Timeline")
    file = tmp_path / "cut.edl"
    there = [*export, "--pick", "2", "--format", "edl", "--to", file]
    assert "50 frames at 25 a second" in command.run(*there, stdin=found).stdout
    written = file.read_text()
    assert written.startswith("TITLE: Rushes Export")
    assert "--force" in command.run(*there, "--name", "Mine", status=2, stdin=found).stderr
    assert file.read_text() == written
    command.run(*there, "--name", "Mine", "--force", stdin=found)
    assert file.read_text().startswith("TITLE: Mine")


def test_a_model_is_found_by_its_key_and_waited_for(command: Command, server: Stack) -> None:
    assert command.run("models", "load", "dlib-resnet").stdout.endswith(" is loaded.\n")
    loaded = server.client().get("/models/loaded").json()["faces"]
    assert loaded == {"model_key": "dlib-resnet", "is_loading": False}
    ready = command.run("models", "list", "--type", "speech", "--ready").stdout
    assert "whisper-base" in ready
    assert "whisper-large" not in ready
    assert "no visual model" in command.refused("models", "load", "nosuch")


def test_a_link_to_the_console_signs_in_with_the_key_of_the_command(
    command: Command, server: Stack
) -> None:
    shown = command.run("console").stdout.strip()
    for link in (shown, command.json("console")["url"]):
        address, token = link.split("/#link=")
        assert address == server.client().url
        with Browser(address) as browser:
            assert browser.sign_in(link=token).json()["label"] == "key 1"


def test_keys_are_made_listed_and_revoked_where_redis_is(
    command: Command, server: Stack, tmp_path: Path
) -> None:
    home = {"RUSHES_REDIS_URL": server.redis_url, "RUSHES_STATE_DIR": str(tmp_path / "state")}
    show = str(tmp_path / "show")
    rights = ("--scope", "export", "--scope", "search", "--root", show, "--expires", "90d")
    made = command.json("keys", "create", "--label", "a [new] panel", *rights, **home)
    assert made["license_key"] == made["key"]
    editor = server.client(key=made["key"])
    assert editor.get("/tasks").status_code == 200
    (record,) = command.json("keys", "list", **home)["keys"]
    assert record["label"] == "a [new] panel"
    assert made["key"] not in json.dumps(record)
    assert (sorted(record["scopes"]), record["roots"]) == (["export", "search"], [show])
    assert record["expires_at"] == pytest.approx(time.time() + 90 * 86_400, abs=60)
    assert editor.post("/models/load", model_key="conse-lite0").status_code == 403
    for wrong, said in (
        (("--scope", "sleep"), "Choose from search, analyze"),
        (("--expires", "soon"), "Say 90d, 12h or 2027-06-30"),
        (("--expires", "2001-01-01"), "in the past"),
        (("--expires", "99999d"), "more than 20 years ahead"),
        (("--root", "footage"), "must be an absolute path"),
        (("--label", "two\nlines"), "control characters"),
    ):
        refused = command.run("keys", "create", *wrong, status=2, **home)
        assert said in refused.stderr
    far = {"id": "0" * 12, "tier": "basic", "label": "", "created_at": 1.0, "expires_at": 1e19}
    with connect(server.redis_url) as redis:
        redis.hset("rushes:default:keys", "0" * 64, json.dumps(far))
    assert "1e+19" in command.run("keys", "list", **home).stdout
    command.run("keys", "revoke", "0" * 12, **home)
    assert "a [new] panel" in command.run("keys", "revoke", record["id"], **home).stdout
    assert editor.get("/tasks").status_code == 403
