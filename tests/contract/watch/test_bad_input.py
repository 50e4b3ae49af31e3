"""Bad input to watch folders: each gets a sentence that names the field and says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.client_paths import ClientPaths
from api.watch.fields import locate
from shared.errors import BadInput
from shared.settings import Settings
from shared.watch.options import FileGroup
from tests.contract.http.test_unknown_fields import warned
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Stack, running_stack
from tests.support.watch.desk import WatchDesk, watch_desk


@pytest.fixture(scope="module")
def shelf(
    api_redis: PrivateRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Path]]:
    """A stack in whose one root both media and cache folders may lie."""
    folder = tmp_path_factory.mktemp("shelf")
    root = folder / "root"
    root.mkdir()
    settings = {
        "RUSHES_MEDIA_ROOTS": str(root),
        "RUSHES_CACHE_ROOTS": str(root),
        "RUSHES_PATH_MAP": f"X:={root}",
    }
    with running_stack(folder, api_redis.url, analysis=0, query=0, **settings) as stack:
        yield stack, root


@pytest.fixture
def desk(shelf: tuple[Stack, Path], api_redis: PrivateRedis) -> Iterator[WatchDesk]:
    stack, root = shelf
    api_redis.flush()
    state_dir = stack.folder / "state"
    with watch_desk(stack.client(), api_redis.url, root, root / "caches", state_dir) as desk:
        yield desk


def refusal(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "message"}
    return str(answer.json()["message"])


@pytest.mark.parametrize(
    ("wrong", "start"),
    [
        ({"path": "in"}, "path must be an absolute path"),
        ({"cache_dir": "cache"}, "cache_dir must be an absolute path"),
        ({"path": "/a\x00b"}, "path holds a NUL byte"),
        ({"vocabulary": ["x"] * 201}, "vocabulary has 201 entries, at most 200 are taken"),
        ({"vocabulary": ["Ada", "x" * 61]}, "vocabulary[1] has 61 characters, at most 60"),
        ({"cluster_job_name": "x" * 201}, "cluster_job_name: The name of a collection has 1 to 2"),
    ],
)
def test_a_wrong_value_names_its_field(desk: WatchDesk, wrong: dict[str, Any], start: str) -> None:
    assert refusal(desk.post("in", **wrong)).startswith(start)
    assert desk.all() == []
    folder = desk.added("in")
    assert refusal(desk.put(folder["id"], **wrong)).startswith(start)
    assert desk.all() == [folder]


def test_an_empty_text_is_refused_where_it_is_required_and_changes_nothing(desk: WatchDesk) -> None:
    for name in ("path", "cache_dir"):
        assert refusal(desk.post("in", **{name: ""})) == f"{name} must not be empty."
    folder = desk.added("in", language="german", cluster_job_name="Season 1")
    empty = dict.fromkeys(("path", "cache_dir", "language", "cluster_job_name", "polling"), "")
    assert desk.put(folder["id"], **empty).json() == folder


def test_an_unknown_language_is_told_what_is_near(desk: WatchDesk) -> None:
    message = refusal(desk.post("in", language="germn"))
    assert message.startswith("language: 'germn'")
    assert "'german'" in message


@pytest.mark.parametrize("wrong", ["8:00", "24:00", "20:60", "20.00", "", "20:00\n", "٢٠:٠٠"])
def test_a_time_of_day_that_is_none_names_start_or_stop(desk: WatchDesk, wrong: str) -> None:
    message = refusal(desk.post("in", schedule={"start": wrong, "stop": "06:00"}))
    assert message.startswith('schedule.start must be a time of day such as "20:00"')
    message = refusal(desk.post("in", schedule={"start": "20:00", "stop": wrong}))
    assert message.startswith("schedule.stop")


def test_a_schedule_that_begins_when_it_ends_is_refused(desk: WatchDesk) -> None:
    message = refusal(desk.post("in", schedule={"start": "20:00", "stop": "20:00"}))
    assert "schedule.start and schedule.stop are the same time" in message


@pytest.mark.parametrize(
    ("glob", "why"),
    [
        ("", "must not be empty"),
        ("  ", "must not be empty"),
        ("a[bc", 'a "[" without its "]"'),
        ("[", 'a "[" without its "]"'),
        ("[]", 'a "[" without its "]"'),
        ("[!]", 'a "[" without its "]"'),
        ("[ab]x[", 'a "[" without its "]"'),
    ],
)
def test_a_bad_glob_is_named_with_the_way_out(desk: WatchDesk, glob: str, why: str) -> None:
    message = refusal(desk.post("in", excluded_filename_globs=["ok*", glob]))
    assert message.startswith("excluded_filename_globs[1]")
    assert why in message


@pytest.mark.parametrize(
    "glob", ["[]]", "[!]]", "[[]", "[a-z]*", "]", "a]b", "[!]a]", "*", "a b", "a/*"]
)
def test_a_glob_that_looks_odd_and_is_right_is_accepted(desk: WatchDesk, glob: str) -> None:
    answer = desk.post("in", excluded_filename_globs=[glob])
    assert answer.json()["excluded_filename_globs"] == [glob]
    warning = (
        f"excluded_filename_globs: {glob!r} matches nothing: patterns are compared with the name "
        'of a file, which holds no "/". Remove the folder from the pattern.'
    )
    assert warned(answer) == ([warning] if "/" in glob else [])


@pytest.mark.parametrize(
    ("extension", "why"),
    [("", "empty"), (".", "empty"), (" ", "empty"), ("a/b", '"/"'), ("*.mov", "excluded_filename")],
)
def test_a_bad_extension_is_named_with_the_way_out(
    desk: WatchDesk, extension: str, why: str
) -> None:
    message = refusal(desk.post("in", excluded_extensions=[".mov", extension]))
    assert message.startswith("excluded_extensions[1]")
    assert why in message


def test_nothing_to_do_and_faces_without_a_collection_are_refused(desk: WatchDesk) -> None:
    assert "nothing to do" in refusal(desk.post("in", analyze_visual=False))
    message = refusal(desk.post("in", analyze_faces=True))
    assert message.startswith("cluster_job_name is required with analyze_faces")
    assert "cluster_job_name" in refusal(desk.post("in", analyze_faces=True, cluster_job_name=""))


def test_a_change_is_refused_when_the_folder_as_a_whole_would_be_wrong(desk: WatchDesk) -> None:
    folder = desk.added("in", analyze_faces=True, cluster_job_name="A")
    other = desk.added("other")
    assert "cluster_job_name" in refusal(desk.put(folder["id"], cluster_job_name=None))
    assert "nothing to do" in refusal(desk.put(other["id"], analyze_visual=False))
    assert "cluster_job_name" in refusal(desk.put(other["id"], analyze_faces=True))
    assert refusal(desk.put(other["id"], path=folder["path"]), 409)
    assert refusal(desk.put(other["id"], cache_dir=other["path"]))
    assert desk.all() == [folder, other]
    both = {"cluster_job_name": None, "analyze_faces": False}
    assert desk.put(folder["id"], **both).status_code == 200


def test_a_path_that_is_no_folder_is_400_with_a_sentence(desk: WatchDesk) -> None:
    film = desk.folder("in") / "film.mov"
    film.write_bytes(b"x")
    os.mkfifo(desk.media / "pipe")
    for path, why in [
        (desk.media / "nowhere", f"path: there is no folder {desk.media}/nowhere"),
        (film, "is not a folder"),
        (film / "below", "is not a folder"),
        (desk.media / "pipe", "is not a folder"),
        (desk.media / ("a" * 300), "cannot be read"),
    ]:
        message = refusal(desk.post("in", path=str(path)))
        assert message.startswith("path: ")
        assert why in message
    assert "X:\\nowhere" in refusal(desk.post("in", path="X:\\nowhere"))
    assert "is a file" in refusal(desk.post("in", cache_dir=str(film)))


def test_a_folder_that_cannot_be_read_is_400(
    desk: WatchDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Some:
        settings = Settings.from_env({"RUSHES_STATE_DIR": str(desk.media / "state")})
        paths = ClientPaths(settings)

    def refuse(path: str) -> None:  # tests may run as root, who is refused nothing
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    fields = {"path": str(desk.folder("in")), "client_path": "X:\\in"}
    with pytest.raises(BadInput, match=r"path: the folder X:\\in cannot be read: Permission denie"):
        locate(Some(), fields)  # type: ignore[arg-type]


def test_outside_the_roots_is_403_also_by_a_link(desk: WatchDesk, tmp_path: Path) -> None:
    (desk.media / "out").symlink_to(tmp_path)
    outside = str(tmp_path)
    for wrong, setting in [
        ({"path": outside}, "RUSHES_MEDIA_ROOTS"),
        ({"path": f"{desk.media}/../x"}, "RUSHES_MEDIA_ROOTS"),
        ({"path": str(desk.media / "out")}, "RUSHES_MEDIA_ROOTS"),
        ({"path": str(desk.media / "out" / "not-there")}, "RUSHES_MEDIA_ROOTS"),
        ({"cache_dir": outside}, "RUSHES_CACHE_ROOTS"),
        ({"cache_dir": str(desk.media / "out" / "cache")}, "RUSHES_CACHE_ROOTS"),
    ]:
        answer = desk.post("in", **wrong)
        message = refusal(answer, 403)
        assert answer.json()["error"] == "Path not allowed"
        assert message.startswith(f"{next(iter(wrong))}: ")
        assert setting in message
    (desk.media / "out").unlink()


def test_the_cache_dir_may_lie_in_the_folder_and_need_not_be_there_yet(desk: WatchDesk) -> None:
    cache_dir = desk.folder("in") / "not" / "there"
    assert desk.added("in", cache_dir=str(cache_dir))["cache_dir"] == str(cache_dir)
    assert not cache_dir.parent.exists()


def test_the_cache_dir_is_neither_the_folder_nor_around_it(desk: WatchDesk) -> None:
    deep = desk.folder("in/deep")
    (desk.media / "link").symlink_to(desk.media / "in")
    for path, cache_dir, field in [
        (desk.media / "in", desk.media / "in", "cache_dir must not be the watched folder itself"),
        (desk.media / "in", f"{desk.media}/in/./", "cache_dir must not be the watched folder"),
        (desk.media / "in", desk.media / "link", "cache_dir must not be the watched folder itself"),
        (deep, desk.media / "in", "path lies inside the cache_dir"),
        (deep, desk.media / "link", "path lies inside the cache_dir"),
        (desk.media / "link", desk.media, "path lies inside the cache_dir"),
    ]:
        message = refusal(desk.post("in", path=str(path), cache_dir=str(cache_dir)))
        assert message.startswith(field)
    assert desk.post("in", cache_dir=f"{desk.media}/in-cache").status_code == 201


def test_the_same_folder_with_the_same_cache_dir_is_409(desk: WatchDesk) -> None:
    folder = desk.added("in")
    link = desk.media / "same"
    link.unlink(missing_ok=True)
    link.symlink_to(desk.media / "in")
    cache_link = desk.media / "cache-link"
    (desk.caches / "watch").mkdir(parents=True, exist_ok=True)
    cache_link.unlink(missing_ok=True)
    cache_link.symlink_to(desk.caches / "watch")
    for more in (
        {},
        {"recursive": False, "enabled": False},
        {"path": f"{desk.media}/in/"},
        {"path": f"{desk.media}/./x/../in"},
        {"path": str(link)},
        {"path": "x:/in"},
        {"cache_dir": str(cache_link)},
    ):
        answer = desk.post("in", **more)
        message = refusal(answer, 409)
        assert answer.json()["error"] == "Already watched"
        assert f"{folder['id']} ({folder['path']})" in message
    assert desk.post("in", cache_dir=str(desk.caches / "other")).status_code == 201


def test_inside_or_around_another_one_is_409_as_far_as_recursive_covers_it(
    desk: WatchDesk,
) -> None:
    middle = desk.added("a/b")
    inside = refusal(desk.post("a/b/c", recursive=False), 409)
    around = refusal(desk.post("a"), 409)
    for message in (inside, around):
        assert f"{middle['id']} ({middle['path']})" in message
    assert '"recursive": false' in around
    flat = desk.added("a", recursive=False)
    desk.added("a/b-beside")
    desk.added("a/b/c", cache_dir=str(desk.caches / "other"))
    assert refusal(desk.put(flat["id"], recursive=True), 409)
    assert desk.put(middle["id"], recursive=False).status_code == 200
    desk.added("a/b/c", recursive=False)
    assert middle["id"] not in refusal(desk.put(middle["id"], recursive=True), 409)


def test_a_path_to_try_again_must_be_among_the_failed_ones(desk: WatchDesk) -> None:
    folder_id = desk.added("in")["id"]
    desk.watcher_knows(folder_id, f"{desk.media}/in/done.mov", group=FileGroup.PROCESSED)
    desk.watcher_knows(folder_id, f"{desk.media}/in/bad.mov", group=FileGroup.FAILED)
    path = f"/watch-folders/{folder_id}/retry"
    for name in ("done.mov", "unknown.mov"):
        paths = [f"{desk.media}/in/bad.mov", f"X:\\in\\{name}"]
        message = refusal(desk.client.post(path, paths=paths), 404)
        assert message.startswith(f"X:\\in\\{name} is not among the failed files")
    for wrong, start in [
        (["bad.mov"], "paths[0] must be an absolute path"),
        (["/x", ""], "paths[1] must not be empty"),
    ]:
        assert refusal(desk.client.post(path, paths=wrong)).startswith(start)
    assert desk.asked() == []


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("state=done", "state must be one of pending, processed, failed, unsupported, skipped"),
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=1001", "limit must"),
        ("limit=ten", "limit must"),
        ("limit=-1", "limit must"),
        ("limit=1e2", "limit must"),
        ("limit=99999999999", "limit must"),
        ("after=%25%25", "after must be the `next` of an earlier answer"),
        ("after=_w", "after must be the `next`"),
        ("after=%C3%A4", "after must be the `next`"),
    ],
)
def test_a_bad_parameter_of_the_list_of_files_is_named(
    desk: WatchDesk, query: str, start: str
) -> None:
    folder_id = desk.added("in")["id"]
    answer = desk.client.get(f"/watch-folders/{folder_id}/files?{query}")
    assert refusal(answer).startswith(start)
