"""Which files of a watched folder count, by their names."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from shared.media import MediaType, unsupported_format
from tests.support.watch.watched import rules_of, watched
from workers.watcher.scan.listing import NameKind

ROOT = Path("/footage")


@pytest.mark.parametrize("name", ["a.mov", "A.MOV", "b.Jpg", "c.wav", "take.1.mxf", "é.mp4"])
def test_media_extensions_count_in_any_case(name: str) -> None:
    assert rules_of(watched(ROOT)).kind(name) is NameKind.MEDIA


@pytest.mark.parametrize(
    "name", ["a.xml", "a.mov.xmp", "a.thm", "notes.txt", "mov", ".mov", "a.", "a", "a.mov.md5", ""]
)
def test_sidecars_and_names_without_a_media_extension_do_not_count(name: str) -> None:
    assert rules_of(watched(ROOT)).kind(name) is NameKind.IGNORED


@pytest.mark.parametrize(
    "name",
    [
        ".a.mov",
        "._a.mov",
        ".a.mov.Xy12Zq",
        "~a.mov",
        "~$a.mov",
        "a.mov~",
        "a.mov.part",
        "a.mov.crdownload",
        "a.mov.TMP",
    ],
)
def test_hidden_and_temporary_names_do_not_count(name: str) -> None:
    rules = rules_of(watched(ROOT), (".part", True), (".crdownload", True), (".tmp", True))
    assert rules.kind(name) is NameKind.IGNORED


@pytest.mark.parametrize(
    ("name", "kind_of_raw"),
    [
        ("a.braw", "Blackmagic RAW"),
        ("A001_C001.R3D", "R3D"),
        ("a.ari", "ARRIRAW"),
        ("a.ARX", "ARRIRAW"),
        ("a.nev", "N-RAW"),
    ],
)
def test_raw_formats_are_unsupported_rather_than_ignored(name: str, kind_of_raw: str) -> None:
    assert unsupported_format(name) == kind_of_raw
    assert rules_of(watched(ROOT)).kind(name) is NameKind.UNSUPPORTED
    assert rules_of(watched(ROOT)).kind("." + name) is NameKind.IGNORED
    assert unsupported_format("a.mov") is None


def test_a_setting_adds_and_removes_extensions() -> None:
    rules = rules_of(watched(ROOT), (".mod", True), (".gif", False), (".r3d", False))
    assert rules.kind("a.MOD") is NameKind.MEDIA
    assert rules.media_type("a.MOD") is MediaType.VIDEO
    assert rules.kind("a.gif") is NameKind.IGNORED
    assert rules.kind("a.r3d") is NameKind.IGNORED
    assert rules.kind("a.braw") is NameKind.UNSUPPORTED
    assert rules.media_type("a.wav") is MediaType.AUDIO


@pytest.mark.parametrize("excluded", ["mov", ".mov", "MOV", ".MoV", " .mov "])
def test_excluded_extensions_may_have_a_dot_and_any_case(excluded: str) -> None:
    rules = rules_of(watched(ROOT, excluded_extensions=(excluded, "")))
    assert rules.kind("a.Mov") is NameKind.IGNORED
    assert rules.kind("amov.mp4") is NameKind.MEDIA


def test_raw_formats_can_be_excluded_too() -> None:
    assert rules_of(watched(ROOT, excluded_extensions=("R3D",))).kind("a.r3d") is NameKind.IGNORED


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("*proxy*", "A_PROXY_1.mov", "a.mov"),
        ("A???.mov", "a001.MOV", "a0001.mov"),
        ("[ab]*.mp4", "Bild.mp4", "c.mp4"),
        ("clip.mov", "CLIP.mov", "clip.mov.mp4"),
        ("*straße*", "STRASSE 1.mov", "stras.mov"),
    ],
)
def test_excluded_globs_match_the_whole_name_in_any_case(
    glob: str, matching: str, other: str
) -> None:
    rules = rules_of(watched(ROOT, excluded_filename_globs=("nothing*", glob)))
    assert rules.kind(matching) is NameKind.IGNORED
    assert rules.kind(other) is NameKind.MEDIA


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("of_glob", ["NFC", "NFD"])
def test_globs_and_names_may_be_composed_or_not(form: str, of_glob: str) -> None:
    glob = unicodedata.normalize(of_glob, "*café*")
    rules = rules_of(watched(ROOT, excluded_filename_globs=(glob,)))
    assert rules.kind(unicodedata.normalize(form, "im CAFÉ.mov")) is NameKind.IGNORED


def test_globs_never_see_the_path() -> None:
    rules = rules_of(watched(ROOT, excluded_filename_globs=("/footage/*", "footage/*")))
    assert rules.kind("a.mov") is NameKind.MEDIA


def test_a_name_that_is_no_utf_8_has_a_kind() -> None:
    rules = rules_of(watched(ROOT, excluded_filename_globs=("*proxy*",)))
    assert rules.kind("caf\udce9.mov") is NameKind.MEDIA
    assert rules.kind("caf\udce9 proxy.mov") is NameKind.IGNORED
