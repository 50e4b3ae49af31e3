"""File names made of anything that people write."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.exports.output_path import with_extension
from shared.errors import BadInput
from shared.exports.names import LONGEST, file_name, numbered


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Interview with Ada", "Interview with Ada.srt"),
        ("../../etc/x", "_.._etc_x.srt"),
        ('a"b\r\nX: y', "a_b__X_ y.srt"),
        ("CON", "CON_.srt"),
        ("com1.backup", "com1_.backup.srt"),
        ("Conrad", "Conrad.srt"),
        ("an aux", "an aux.srt"),
        ("", "export.srt"),
        (" ... ", "export.srt"),
        ("take.SRT", "take.srt"),
        ("take.v2", "take.v2.srt"),
        ("Ende. ", "Ende.srt"),
        (".hidden", "hidden.srt"),
        ("e\u0301té", "été.srt"),
        ("a\u202egnp.exe", "a_gnp.exe.srt"),
        ("half \ud83d", "half _.srt"),
        ("漢字 😀", "漢字 😀.srt"),
    ],
)
def test_a_name_is_safe_on_every_system(text: str, name: str) -> None:
    assert file_name(text, "srt") == name


def test_a_long_name_is_cut_between_characters() -> None:
    assert file_name("x" * 300, "srt") == "x" * 196 + ".srt"
    assert file_name("漢" * 300, "srt") == "漢" * 65 + ".srt"
    accented = file_name("q\u0323" * 300, "srt").removesuffix(".srt")
    assert accented == "q\u0323" * 65


@given(st.text())
def test_whatever_the_text_the_name_is_one_component_that_can_be_written(text: str) -> None:
    name = file_name(text, "docx")
    assert name.endswith(".docx")
    assert not re.search(r'[/\\:*?"<>|\x00-\x1f]', name)
    assert not name.startswith((".", " "))
    assert len(name.encode()) <= LONGEST
    assert not name.removesuffix(".docx").endswith((".", " "))


def test_a_number_stands_before_the_extension() -> None:
    assert [numbered("a.b.srt", n) for n in (1, 2, 3)] == ["a.b.srt", "a.b (2).srt", "a.b (3).srt"]
    assert numbered("README", 2) == "README (2)"


def test_an_extension_is_added_where_it_is_missing_and_refused_where_it_is_another_formats() -> (
    None
):
    def named(name: str) -> str:
        return with_extension(name, "srt", {"txt", "pdf"}, "output_path")

    assert [named(n) for n in ("a", "a.srt", "a.SRT", "take.2")] == [
        "a.srt",
        "a.srt",
        "a.SRT",
        "take.2.srt",
    ]
    with pytest.raises(BadInput, match=r"output_path ends in \.pdf, but the format is srt"):
        named("a.PDF")
