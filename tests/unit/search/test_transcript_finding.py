"""Folding and finding, against a naive reference that knows every character's segment."""

from __future__ import annotations

import itertools
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from api.search.transcripts.finding import ALIKE, alike, exact, fuzzy
from api.search.transcripts.text import fold, glue, joined, pack
from shared.cache.transcripts import SpokenSegment
from tests.support.running.long_form import by_form

# Few letters, so that things meet; many forms, so that lengths change in folding.
ODD = st.text("aAßsSﬁfiIİıéE\u0301\u0307 \t\u00a0\u00ad\u200b,.-—’'天气。กำ가각", max_size=6)
SEGMENTS = st.lists(st.tuples(ODD, st.sampled_from([None, 0, 1])), max_size=8)

ACCENT = re.compile("[\u0300-\u036f]")


def packed(segments: list[tuple[str, int | None]]) -> object:
    return pack(
        SpokenSegment(start=float(n), end=n + 1.0, text=text, stream=stream)
        for n, (text, stream) in enumerate(segments)
    )


def naive(segments: list[tuple[str, int | None]], query: str) -> list[tuple[str, str]]:
    """First and last text of each match, the slow way: one segment number a character."""
    found: list[tuple[str, str]] = []
    for stream in (None, 0, 1):
        texts = [text for text, of in segments if of == stream and fold(text)]
        characters: list[tuple[str, int]] = []
        for n, text in enumerate(texts):
            if n and glue(fold(texts[n - 1]), fold(text)):
                characters.append((" ", n - 1))
            characters.extend((character, n) for character in fold(text))
        begun: set[int] = set()
        for at in range(len(characters) - len(query) + 1):
            window = characters[at : at + len(query)]
            first, last = window[0][1], window[-1][1]
            after = "".join(c for c, _ in characters[at + len(query) :][:1])
            if ACCENT.match(after):
                continue
            if first not in begun and "".join(c for c, _ in window) == query:
                begun.add(first)
                found.append((texts[first].strip(), texts[last].strip()))
    return found


@settings(max_examples=by_form(short=100, long=400), deadline=None)
@given(SEGMENTS, ODD)
@example([("Straß", None), ("e", None)], "SS E")
@example([("天", None), ("气", None)], "天气")
@example([("a", 0), ("b", 1)], "a b")
def test_exact_finds_what_a_naive_search_finds(segments, query) -> None:
    folded = fold(query)
    if not folded:
        return
    text = packed(segments)
    spans = list(exact(text.folded, text.starts, folded.encode()))
    found = [(text.lines[first].text, text.lines[last].text) for first, last in spans]
    assert found == naive(segments, folded)


@settings(max_examples=by_form(short=50, long=200), deadline=None)
@given(SEGMENTS, st.data())
def test_every_part_of_every_text_is_found_where_it_stands(segments, data) -> None:
    text = packed(segments)
    if not text.lines:
        return
    line = data.draw(st.integers(0, len(text.lines) - 1))
    whole = text.lines[line].text
    begin = data.draw(st.integers(0, len(whole)))
    query = fold(whole[begin : data.draw(st.integers(begin, len(whole)))])
    # What combines or is ignored at a cut may fold differently alone.
    if not query or not re.search(f"{re.escape(query)}(?!{ACCENT.pattern})", fold(whole)):
        return
    assert any(first == line for first, _ in exact(text.folded, text.starts, query.encode()))


@settings(max_examples=by_form(short=75, long=300), deadline=None)
@given(SEGMENTS, ODD)
@example([("A\u0e33", None), ("I", None), ("A", None)], "IA\u0e33")
def test_fuzzy_finds_all_that_exact_finds_and_nothing_unlike(segments, query) -> None:
    folded = fold(query)
    if not folded:
        return
    text = packed(segments)
    is_alike = alike([text.folded], folded) == [True]
    spans = list(fuzzy(text.folded, text.starts, folded)) if is_alike else []
    firsts = [first for first, _ in spans]
    assert firsts == sorted(set(firsts))
    assert {first for first, _ in exact(text.folded, text.starts, folded.encode())} <= set(firsts)
    for first, last in spans:
        said = fold(joined([line.text for line in text.lines[first : last + 1]]))
        ratio = fuzz.partial_ratio if len(said) >= len(folded) else fuzz.ratio
        assert ratio(folded, said) >= ALIKE


@pytest.mark.parametrize(
    ("said", "query", "is_found"),
    [
        ("q\u0307", "q", False),
        ("q\u0307", "q\u0307", True),
        ("q\u0307", "q\u0323", False),
        ("q\u0323\u0307", "q\u0323", False),
        ("q\u0307 q", "q", True),
        ("q\u0307q", "q", True),
        ("q\u0300", "q", False),
        ("q\u036f", "q", False),
        ("q\u0370", "q", True),  # a Greek letter
        ("а\u0301", "а", False),  # Cyrillic, with a stress mark
        ("कि", "क", True),
        ("क्ष", "क", True),
        ("שָׁ", "ש", True),
        ("بَ", "ب", True),
    ],
)
def test_an_accent_without_a_composed_letter_makes_another_letter(said, query, is_found) -> None:
    text = packed([("x", None), (said, None)])
    found = list(exact(text.folded, text.starts, fold(query).encode()))
    assert found == ([(1, 1)] if is_found else [])


# Texts that hold most of the query, with typos of several kinds, by themselves and in others.
LETTERS = "abcde éя天\u0307"
NEAR = st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["", *LETTERS])), max_size=6)


@settings(max_examples=by_form(short=125, long=500), deadline=None)
@given(
    st.text(LETTERS, min_size=1, max_size=90),
    st.lists(st.tuples(st.text(LETTERS, max_size=30), NEAR, st.booleans()), max_size=5),
)
@example("abc", [("ab", [], False), ("", [], False)])
def test_what_is_alike_is_what_rapidfuzz_alone_finds(query, changes) -> None:
    texts = []
    for around, typos, is_cut in changes:
        near = list(query)
        for at, letter in typos:
            near[at % len(near)] = letter
        said = "".join(near)[len(query) // 3 :] if is_cut else around.join(["", "".join(near), ""])
        texts.append(said)
    expected = []
    for said in texts:
        ratio = fuzz.partial_ratio if len(said) >= len(query) else fuzz.ratio
        expected.append(ratio(query, said, score_cutoff=ALIKE) > 0)
    assert alike([said.encode() for said in texts], query) == expected


@settings(max_examples=by_form(short=125, long=500))
@given(st.text())
def test_folding_twice_is_once_and_forms_of_a_text_fold_alike(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    folded = fold(text)
    assert fold(folded) == folded
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert fold(unicodedata.normalize(form, text)) == folded


def is_assigned(letter: str) -> bool:
    """Five of six numbers stand for no character, or for whatever somebody likes."""
    return unicodedata.category(letter) not in ("Cn", "Co", "Cs")


def test_case_and_form_of_no_character_matter() -> None:
    letters = (letter for letter in map(chr, range(sys.maxunicode + 1)) if is_assigned(letter))
    assert [
        letter
        for letter in letters
        if not fold(letter) == fold(letter.upper()) == fold(letter.lower()) == fold(fold(letter))
    ] == []


def test_segments_that_come_out_of_order_are_sorted_by_time() -> None:
    said = [SpokenSegment(start=float(n), end=n + 1.0, text=f"{n}") for n in (2, 0, 1)]
    assert pack(said).folded == b"0 1 2"
    assert [a.start < b.start for a, b in itertools.pairwise(pack(said).lines)] == [True, True]
