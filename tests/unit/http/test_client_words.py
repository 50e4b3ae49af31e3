"""Sentences that name folders of ours, as they are told to a client who calls them otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.http.client_paths import ClientPaths, in_clients_words
from shared.errors import NotAllowed
from shared.settings import Settings

NAMES = {"/mnt/f/in": "Z:\\f\\in", "/mnt/f/in/.rushes": "Z:\\f\\in\\.rushes", "/x": "/x"}


def test_folders_are_called_as_the_client_calls_them() -> None:
    assert in_clients_words("The folder /mnt/f/in is missing.", NAMES) == (
        "The folder Z:\\f\\in is missing."
    )
    assert in_clients_words("/mnt/f/in/.rushes is full", NAMES) == "Z:\\f\\in\\.rushes is full"
    assert in_clients_words("/mnt/f/in/a, '/mnt/f/in'", NAMES) == "Z:\\f\\in/a, 'Z:\\f\\in'"


def test_other_folders_and_names_that_only_begin_alike_stay() -> None:
    for text in ("/mnt/f/incoming is missing", "/mnt/f/in.old is missing", "/x is missing", ""):
        assert in_clients_words(text, NAMES) == text


def test_what_the_client_calls_a_folder_is_not_taken_for_another_one() -> None:
    names = {"/a/b": "/c", "/c": "/a/b"}
    assert in_clients_words("/a/b and /c", names) == "/c and /a/b"


WINDOWS, MAC = ("Z:\\footage", "/srv/footage"), ("/Volumes/footage", "/srv/footage")


@pytest.mark.parametrize(
    ("text", "like", "told"),
    [
        ("/srv/footage is away.", None, "Z:\\footage is away."),
        ("/srv/footage/a/b.mov is away.", "Z:\\c.mov", "Z:\\footage\\a\\b.mov is away."),
        ("No /srv/footage/a, b.", "/Volumes/footage/c.mov", "No /Volumes/footage/a, b."),
        ("'/srv/footage/a 1/b.mov'", "Z:\\footage\\a 1\\b.mov", "'Z:\\footage\\a 1\\b.mov'"),
        ("/srv/footage/a is full.", "/srv/footage/b.mov", "/srv/footage/a is full."),
        ("/srv/footages and /x/srv/footage", None, "/srv/footages and /x/srv/footage"),
        ("/srv/footage.old/a and /srv/footage-2", None, "/srv/footage.old/a and /srv/footage-2"),
        ("file:///srv/footage/a at 4/3", None, "file:///srv/footage/a at 4/3"),
        ("/srv/footage 2/a.mp4: no", "/srv/footage 2/a.mp4", "/srv/footage 2/a.mp4: no"),
        ("['/srv/footage', '/srv/footage/a']", None, "['Z:\\footage', 'Z:\\footage\\a']"),
        ("/srv/footage/a is full.", "Z:\\footage", "Z:\\footage\\a is full."),
        ("/srv/footage is away.", "a collection", "Z:\\footage is away."),
    ],
)
def test_sentences_about_paths_of_the_map_are_told_in_the_clients_form(
    text: str, like: str | None, told: str
) -> None:
    assert ClientPaths(Settings(path_map=(WINDOWS, MAC))).in_words(text, like) == told


def test_a_folder_that_the_client_calls_longer_is_called_so_once() -> None:
    paths = ClientPaths(Settings(path_map=(("/data/footage", "/data"),)))
    told = paths.in_words("The file /data/a.mp4 is gone.", "/data/footage/a.mp4")
    assert told == "The file /data/footage/a.mp4 is gone."


def test_without_a_map_or_with_the_whole_disk_in_it_sentences_stay() -> None:
    for pairs in ((), (("Z:", "/"),)):
        assert ClientPaths(Settings(path_map=pairs)).in_words("/a is away.") == "/a is away."


def test_a_path_outside_the_roots_is_refused_by_the_clients_name() -> None:
    paths = ClientPaths(Settings(path_map=(WINDOWS,), media_roots=(Path("/srv/footage/in"),)))
    with pytest.raises(NotAllowed, match=r"^a: Z:\\footage\\b.mov lies outside"):
        paths.media("Z:\\footage\\b.mov", "a")
