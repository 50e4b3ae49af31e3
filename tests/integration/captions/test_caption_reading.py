"""Captions of real containers: texts and times, two tracks, damage and bounds."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.packet import Packet
from av.stream import Stream

from shared.cache.captions import CaptionTrack
from shared.errors import MediaUnreadable
from tests.support.media.by_path import opened
from tests.support.media.captions import (
    EDM,
    by_picture,
    caption_film,
    command,
    pop_on,
    scc,
    subtitled,
    with_captions,
    with_sound,
)
from tests.support.media.media import H264, HEVC, MPEG2, Encoding, also, make_clip
from workers.media import containers
from workers.media.captions import reader, sources, words
from workers.media.captions.reader import FoundCaptions, read_captions

GERMAN = "Grüße aus Köln: schön süß!"


def found(path: Path) -> FoundCaptions:
    with opened(path) as file:
        return read_captions(file)


def texts(track: CaptionTrack) -> list[str]:
    return [segment.text for segment in track.segments]


def test_a_caption_track_of_a_mov_is_read_with_its_times(tmp_path: Path) -> None:
    shown, other = pop_on(GERMAN), pop_on("Hasta luego", channel=2)
    german = scc([("00:00:01:00", shown), ("00:00:04:00", command(EDM))])
    spanish = scc([("00:00:02:00", other), ("00:00:05:00", command(EDM, 2)), ("00:00:06:00", [])])
    path = caption_film(tmp_path / "film.mov", german, spanish)
    result = found(path)
    assert not result.warnings
    first, second = result.tracks
    assert (first.kind, first.service, texts(first)) == ("captions", "CC1", [GERMAN])
    assert first.segments[0].start == pytest.approx(1 + (len(shown) - 2) / 29.97, abs=0.07)
    assert first.segments[0].end == pytest.approx(4, abs=0.07)
    assert (second.service, texts(second)) == ("CC2", ["Hasta luego"])


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("film.mp4", H264),
        ("late.ts", also(H264, start_s=5)),
        ("film.mov", HEVC),
        ("film.mpg", MPEG2),
    ],
)
def test_captions_beside_pictures_are_read_in_the_order_in_which_they_are_shown(
    tmp_path: Path, name: str, encoding: Encoding
) -> None:
    film = make_clip(tmp_path / f"plain {name}", 6, encoding=encoding)
    shown, second = pop_on(GERMAN), pop_on("field two")
    at = by_picture([(25, shown), (100, command(EDM))], [(50, second), (125, command(EDM))])
    result = found(with_captions(film, tmp_path / name, at))
    assert not result.warnings
    one, three = result.tracks
    assert (one.service, texts(one)) == ("CC1", [GERMAN])
    assert one.segments[0].start == pytest.approx((25 + len(shown) - 2) / 25, abs=0.09)
    assert one.segments[0].end == pytest.approx(4, abs=0.09)
    assert (three.service, texts(three)) == ("CC3", ["field two"])
    assert three.segments[0].end == pytest.approx(5, abs=0.09)


@pytest.mark.parametrize(
    ("name", "codec"), [("film.mkv", "subrip"), ("film.mp4", "mov_text"), ("web.mkv", "webvtt")]
)
def test_subtitles_of_text_are_read_without_what_says_how_they_look(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = subtitled(
        tmp_path / name,
        [(1, "Grüße\naus Köln", 2.5), (3, "Zwei", 4)],
        codec,
        language="deu",
        forced="yes",
    )
    (track,) = found(path).tracks
    assert (track.kind, track.language, track.title) == ("subtitles", "deu", "(forced)")
    assert [(s.start, s.text, s.end) for s in track.segments] == [
        (1, "Grüße aus Köln", 2.5),
        (3, "Zwei", 4),
    ]


def test_tags_and_drawings_are_no_text(tmp_path: Path) -> None:
    path = subtitled(tmp_path / "film.mkv", [(1, "<i>leise</i> {\\an8}oben", 2)])
    assert [texts(track) for track in found(path).tracks] == [["leise oben"]]


WORDS = "{laughs} C:\\hat {and more"


@pytest.mark.parametrize(
    ("name", "codec"), [("film.mkv", "subrip"), ("film.mp4", "mov_text"), ("web.mkv", "webvtt")]
)
def test_words_in_braces_are_text_where_braces_have_no_meaning(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = subtitled(tmp_path / name, [(1, WORDS, 2), (3, "second\n{line}", 4)], codec)
    assert [texts(track) for track in found(path).tracks] == [[WORDS, "second {line}"]]


def test_styled_subtitles_lose_their_tags_and_drawings_and_nothing_else(tmp_path: Path) -> None:
    said = {
        "{\\p1}m 0 0 l 9 9{\\p0}real text": "real text",
        "{\\an8}{a remark}one\\Ntwo, three\\h{four": "one two, three {four",
        "{\\p2\\pos(1,2)}m 0 0 l 5 5": None,
        "\\{sighs\\} well": "{sighs} well",
    }
    events = [(n, f"{n},0,Default,,0,0,0,,{text}", n + 0.5) for n, text in enumerate(said, 1)]
    path = subtitled(tmp_path / "film.mkv", events, "ass", title="Sub\x07\u202etitles\u2066")
    (track,) = found(path).tracks
    assert texts(track) == [text for text in said.values() if text]
    assert track.title == "Sub titles"


def test_films_without_captions_are_left_after_some_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[int] = []
    feed = sources.PictureSource.feed
    monkeypatch.setattr(
        sources.PictureSource, "feed", lambda self, packet: (fed.append(1), feed(self, packet))
    )
    path = make_clip(tmp_path / "long.mp4", 12)
    assert found(path) == FoundCaptions((), ())
    assert len(fed) < 7 * 25


def test_hostile_subtitles_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "LONGEST_TEXT", 100)
    events = [(n / 10, f"{n} " + "x" * 300, n / 10 + 1) for n in range(50)]
    huge = [(6.0, "y" * (sources.LARGEST_EVENT + 1), 7.0), (9e7, "in years", 9.1e7)]
    path = subtitled(tmp_path / "film.mkv", [*events, *huge])
    result = found(path)
    (track,) = result.tracks
    assert len(track.segments) == 50
    assert {len(text) for text in texts(track)} == {100}
    assert result.warnings == ("Subtitles of track 0 that could not be read: 1.",)
    monkeypatch.setattr(words.CaptionRoom.__init__, "__defaults__", (7, 2_000_000, False))
    few = found(path)
    assert len(few.tracks[0].segments) == 7
    assert "more captions than any film" in few.warnings[-1]
    monkeypatch.setattr(words.CaptionRoom.__init__, "__defaults__", (50, 1000, False))
    grows = subtitled(tmp_path / "grows.mkv", [(n, f"{n} ﷺ" * 5, n + 1) for n in range(9)])
    assert len(found(grows).tracks[0].segments) == 5, "as search will fold it"


def test_a_disk_that_fails_or_takes_too_long_gives_no_captions_instead_of_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = subtitled(tmp_path / "film.mkv", [(n, f"number {n}", n + 1) for n in range(9)])
    read = reader.packets_of

    def failing(*opened: Any) -> Iterator[Packet[Stream]]:
        yield from itertools.islice(read(*opened), 4)
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(reader, "packets_of", failing)
        with pytest.raises(MediaUnreadable, match="Stale file handle") as raised:
            found(path)
    assert isinstance(raised.value.__cause__, OSError), "by which a disk that is away is known"
    monkeypatch.setattr(reader, "LIMIT_S", -1e9)
    with pytest.raises(MediaUnreadable, match="too long"):
        found(path)


def test_few_subtitles_in_a_long_film_are_sought_with_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = subtitled(tmp_path / "text.mkv", [(1, "first", 2), (119, "last", 120)])
    path = with_sound(text, tmp_path / "film.mkv", np.zeros(120 * 8000, np.float32), rate=8000)
    monkeypatch.setattr(containers, "CHECKPOINT_EVERY_S", 0.0)
    called: list[int] = []
    with opened(path) as file:
        result = read_captions(file, lambda: called.append(1))
    assert [texts(track) for track in result.tracks] == [["first", "last"]]
    assert len(called) > 100


def test_a_broken_track_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = subtitled(tmp_path / "film.mp4", [(1, "Heil", 2), (3, "Bruch12345678", 4)], "mov_text")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\0\x0dBruch12345678", b"\0\x05Bruch" + bytes(8)))
    result = found(path)
    assert [texts(track) for track in result.tracks] == [["Heil"]]
    assert result.warnings == ("Subtitles of track 0 that could not be read: 1.",)


def test_a_file_that_ends_in_the_middle_gives_what_it_has(tmp_path: Path) -> None:
    events = [(n, f"number {n}", n + 1) for n in range(40)]
    path = subtitled(tmp_path / "film.mkv", events)
    path.write_bytes(path.read_bytes()[:-900])
    (track,) = found(path).tracks
    assert 5 < len(track.segments) < 40
