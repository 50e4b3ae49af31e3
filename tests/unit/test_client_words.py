"""Sentences that name folders of ours, as they are told to a client who calls them otherwise."""

from __future__ import annotations

from api.client_paths import in_clients_words

NAMES = {"/mnt/f/in": "Z:\\f\\in", "/mnt/f/in/.rushes": "Z:\\f\\in\\.rushes", "/x": "/x"}


def test_folders_are_called_as_the_client_calls_them() -> None:
    assert in_clients_words("The folder /mnt/f/in is missing.", NAMES) == (
        "The folder Z:\\f\\in is missing."
    )
    assert in_clients_words("/mnt/f/in/.rushes is full", NAMES) == "Z:\\f\\in\\.rushes is full"
    assert in_clients_words("/mnt/f/in/a, '/mnt/f/in'", NAMES) == "Z:\\f\\in/a, 'Z:\\f\\in'"


def test_other_folders_and_names_that_only_begin_alike_stay() -> None:
    for text in ("/mnt/f/incoming is missing", "/x is missing", "nothing is missing", ""):
        assert in_clients_words(text, NAMES) == text


def test_what_the_client_calls_a_folder_is_not_taken_for_another_one() -> None:
    names = {"/a/b": "/c", "/c": "/a/b"}
    assert in_clients_words("/a/b and /c", names) == "/c and /a/b"
