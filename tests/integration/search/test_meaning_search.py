"""The transcript index by meaning: what is found, in which order, how marked, and what is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from api.search.frames.index import SearchIndex
from api.search.transcripts import log as transcript_log
from api.search.transcripts.loader import TranscriptLoader
from api.search.transcripts.log import TranscriptLog
from api.search.transcripts.meanings import Unsearchable
from api.search.transcripts.query import FileChoice, SpeakerChoice, SpokenQuery
from api.search.transcripts.text import fold
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import Segment
from shared.domain import Manifest, Stage
from shared.models.sentence_model import DIM, LEAST
from shared.settings import Settings
from tests.support.search.search_data import media_hash, random_units, search_index, unit, view_of
from tests.support.search.transcript_data import SPEECH, publish_transcript, segments

ASKED, *OTHERS = random_units(64, DIM, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir.open(tmp_path / "cache", create=True)


@pytest.fixture
def index(settings: Settings) -> Iterator[SearchIndex]:
    with search_index(settings) as index:
        yield index


def like(*cosines: float) -> NDArray[np.float16]:
    """Rows with these cosines to ASKED."""
    away = [unit(row - (row @ ASKED) * ASKED) for row in OTHERS[: len(cosines)]]
    rows = [c * ASKED + np.sqrt(1 - c * c) * a for c, a in zip(cosines, away, strict=True)]
    return np.array(rows, np.float32).astype(np.float16)


def meant(
    index: SearchIndex, cache: CacheDir, text: str = "what is meant", **more: Any
) -> list[tuple[int, float, str]]:
    """Matches as (number of the file, start, how it was found)."""
    hashes = more.pop("hashes", None)
    fields = {"mode": "semantic", "vector": ASKED, **more}
    query = SpokenQuery(fold(text), SPEECH, **fields)
    hits = index.transcripts.search(view_of(index, cache), query, FileChoice(hashes))
    return [(int(hit.hash_str, 16), hit.start, hit.matched_by) for hit in hits]


def starts(found: list[tuple[int, float, str]]) -> list[tuple[int, float]]:
    return [(number, start) for number, start, _ in found]


def publish(cache: CacheDir, number: int, said: tuple[Segment, ...], *cosines: float) -> Path:
    return publish_transcript(cache, media_hash(number), said, rows=like(*cosines))


def test_the_likest_comes_first_and_what_is_hardly_like_it_not_at_all(cache, index) -> None:
    publish(cache, 1, segments("one", "two", "three"), 0.5, LEAST - 0.05, 0.9)
    publish(cache, 2, segments("four", "five"), 0.7, 0.0)
    assert starts(meant(index, cache)) == [(1, 10.0), (2, 0.0), (1, 0.0)]
    assert starts(meant(index, cache, max_results=2)) == [(1, 10.0), (2, 0.0)]
    assert starts(meant(index, cache, hashes=[media_hash(2)])) == [(2, 0.0)]
    assert meant(index, cache, hashes=[media_hash(3)]) == []


def test_cosines_are_those_of_the_rows_but_for_a_hundredth(cache, index) -> None:
    wanted = np.linspace(0.4, 0.95, 40)
    publish(cache, 1, segments(*["word"] * 40), *wanted)
    query = SpokenQuery("x", SPEECH, "semantic", vector=ASKED)
    hits = index.transcripts.search(view_of(index, cache), query)
    found = {hit.start: hit.cosine for hit in hits}
    assert [found[5.0 * n] for n in range(40)] == pytest.approx(wanted, abs=0.03)


def test_auto_gives_the_words_then_nearly_the_words_then_the_meaning_and_none_twice(
    cache, index
) -> None:
    said = segments("the storm broke", "a strom brake", "we ran for the boats", "the storm broke")
    publish(cache, 1, said, 0.99, 0.98, 0.6, 0.5)
    found = meant(index, cache, "the storm broke", mode="auto")
    assert found == [
        (1, 0.0, "literal"),
        (1, 15.0, "literal"),
        (1, 5.0, "semantic"),
        (1, 10.0, "semantic"),
    ]
    typo = meant(index, cache, "the strom broke", mode="auto")
    assert [how for *_, how in typo] == ["fuzzy", "fuzzy", "semantic", "semantic"]
    assert meant(index, cache, "the storm broke", mode="auto", max_results=3) == found[:3]
    assert meant(index, cache, "the storm broke", mode="auto", vector=None) == found[:2]


def test_auto_gives_no_more_than_is_asked_for_where_much_is_nearly_the_words(cache, index) -> None:
    publish(cache, 1, segments(*["rolling thunda again"] * 4), 0.9, 0.9, 0.9, 0.9)
    publish(cache, 2, segments("rolling thunder here"), 0.9)
    found = meant(index, cache, "rolling thunder", mode="auto", max_results=4)
    assert [how for *_, how in found] == ["literal", "fuzzy", "fuzzy", "fuzzy"]


def test_only_the_speaker_that_is_asked_for_is_found(cache, index) -> None:
    said = (*segments("one", speaker="Ada"), Segment(start=5.0, end=9.0, text="two", speaker="Bo"))
    publish(cache, 1, said, 0.9, 0.8)
    assert starts(meant(index, cache, speaker=SpeakerChoice("bo"))) == [(1, 5.0)]
    publish(cache, 2, segments("nobody knows who"), 0.99)
    assert starts(meant(index, cache, speaker=SpeakerChoice("ada"))) == [(1, 0.0)]


def test_rows_stay_with_their_segments_whatever_their_order_and_stream(cache, index) -> None:
    said = (
        Segment(start=20.0, end=21.0, text="late", stream=1),
        Segment(start=3.0, end=4.0, text=" ", stream=0),
        Segment(start=1.0, end=2.0, text="early", stream=0),
    )
    publish(cache, 1, said, 0.9, 0.95, 0.4)
    assert starts(meant(index, cache)) == [(1, 20.0), (1, 1.0)]


def test_what_is_published_later_replaced_or_deleted_is_searched_as_it_stands(cache, index) -> None:
    publish(cache, 1, segments("one"), 0.9)
    assert starts(meant(index, cache)) == [(1, 0.0)]
    for number in range(2, 6):
        publish(cache, number, segments("more"), 0.9 - number / 20)
    assert starts(meant(index, cache)) == [(n, 0.0) for n in range(1, 6)]
    publish(cache, 1, segments("else", "and this"), 0.0, 0.77)
    assert starts(meant(index, cache)) == [(2, 0.0), (1, 5.0), *((n, 0.0) for n in (3, 4, 5))]
    for number in (1, 2):
        hash_str = media_hash(number)
        cache_files.manifest_path(cache.root, hash_str, Stage.TRANSCRIPT, SPEECH).path.unlink()
    assert starts(meant(index, cache)) == [(n, 0.0) for n in (3, 4, 5)]


def test_what_is_transcribed_anew_while_it_is_searched_is_found_as_it_was(
    cache, index, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(cache, 1, segments("one", "two", "three"), 0.5, 0.6, 0.9)
    bring_up, anew = TranscriptLoader.bring_up, [segments("all")]

    def then_another_search_comes(loader: TranscriptLoader, *args: Any, **more: Any) -> Any:
        snapshot = bring_up(loader, *args, **more)
        if anew:
            publish(cache, 1, anew.pop(), 0.5)
            assert starts(meant(index, cache)) == [(1, 0.0)]
        return snapshot

    monkeypatch.setattr(TranscriptLoader, "bring_up", then_another_search_comes)
    assert starts(meant(index, cache)) == [(1, 10.0), (1, 5.0), (1, 0.0)]
    assert starts(meant(index, cache)) == [(1, 0.0)]


def test_a_restart_reads_no_transcript_again(cache, settings) -> None:
    with search_index(settings) as first:
        data = publish(cache, 1, segments("one", "two"), 0.6, 0.9)
        assert len(meant(first, cache)) == 2
    data.with_suffix(".pack").unlink()
    with search_index(settings) as second:
        assert starts(meant(second, cache)) == [(1, 5.0), (1, 0.0)]


def test_what_an_earlier_version_has_indexed_is_read_once_more(
    cache, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(cache, 1, segments("one"), 0.9)
    with monkeypatch.context() as before, search_index(settings) as index:
        before.setattr(transcript_log.TranscriptWriter, "add_meaning", lambda *_args: None)
        assert meant(index, cache) == []
    with search_index(settings) as index:
        assert starts(meant(index, cache)) == [(1, 0.0)]


def test_compacting_keeps_what_segments_mean(
    cache, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_log, "_DEAD_BYTES_WORTH_COMPACTING", 1000)
    with search_index(settings) as index:
        sizes = []
        log = TranscriptLog(settings.state_dir / "transcripts" / view_of(index, cache).key)
        for _ in range(12):
            publish(cache, 1, segments("one", "two"), 0.5, 0.9)
            assert starts(meant(index, cache)) == [(1, 5.0), (1, 0.0)]
            sizes.append(log._path().stat().st_size)
        assert sizes != sorted(sizes), "it was compacted"


def test_a_damaged_log_is_made_anew(cache, settings) -> None:
    publish(cache, 1, segments("one"), 0.9)
    with search_index(settings) as index:
        assert len(meant(index, cache)) == 1
        path = TranscriptLog(settings.state_dir / "transcripts" / view_of(index, cache).key)._path()
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 255  # of the last factor
    path.write_bytes(raw)
    with search_index(settings) as index:
        assert starts(meant(index, cache)) == [(1, 0.0)]


def test_transcripts_without_rows_and_in_other_languages_are_counted(cache, index) -> None:
    publish(cache, 1, segments("one"), 0.9)
    publish_transcript(cache, media_hash(2), segments("two"))
    publish_transcript(cache, media_hash(3), segments("drei"), language="de")
    publish_transcript(cache, media_hash(4), ())
    view = view_of(index, cache)
    index.transcripts.load(view, look_for_more=False)
    assert Unsearchable.among(index.transcripts.at_hand(view, SPEECH)) == Unsearchable(1, 1, 0)
    hashes = [media_hash(1), media_hash(2)]
    asked = index.transcripts.at_hand(view, SPEECH, FileChoice(hashes))
    assert Unsearchable.among(asked) == Unsearchable(1, 0, 0)


@pytest.mark.parametrize(
    "damage", ["gone", "cut off", "no array", "of another shape", "not a number"]
)
def test_a_transcript_whose_rows_are_damaged_is_found_by_its_words(cache, index, damage) -> None:
    pack = publish(cache, 1, segments("one", "two"), 0.9, 0.8).with_suffix(".pack")
    raw = pack.read_bytes()
    if damage == "gone":
        pack.unlink()
    elif damage == "not a number":
        pack.write_bytes(raw[:-2] + np.float16("nan").tobytes())
    else:
        pack.write_bytes(
            {"cut off": raw[:-7], "no array": b"x" * len(raw), "of another shape": raw.replace(
                b"(2, 384)", b"(3, 384)")}[damage]
        )  # fmt: skip
    assert meant(index, cache) == []
    assert starts(meant(index, cache, "two", mode="auto")) == [(1, 5.0)]


@pytest.mark.parametrize("by", ["loading", "loading some", "a restart"])
def test_rows_that_could_not_be_read_are_tried_again(cache, settings, by: str) -> None:
    pack = publish(cache, 1, segments("one", "two"), 0.9, 0.8).with_suffix(".pack")
    raw = pack.read_bytes()
    pack.write_bytes(raw[:-7])
    with search_index(settings) as index:
        view = view_of(index, cache)
        assert meant(index, cache) == []
        assert Unsearchable.among(index.transcripts.at_hand(view, SPEECH)) == Unsearchable(0, 0, 1)
        pack.write_bytes(raw)
        if by == "loading":
            report = index.transcripts.load(view, look_for_more=False)
        elif by == "loading some":
            report = index.transcripts.load_for_media(view, [media_hash(1)])
        if by != "a restart":
            assert (report.transcription_files, report.skipped) == (1, [])
            assert starts(meant(index, cache)) == [(1, 0.0), (1, 5.0)]
    with search_index(settings) as index:
        assert starts(meant(index, cache)) == [(1, 0.0), (1, 5.0)]
        assert len(meant(index, cache, "two", mode="auto", vector=None)) == 1


def test_rows_that_stay_damaged_cost_a_search_nothing_and_loading_says_why(
    cache, index, settings
) -> None:
    pack = publish(cache, 1, segments("one"), 0.9).with_suffix(".pack")
    pack.write_bytes(b"x" * pack.stat().st_size)
    assert meant(index, cache) == []
    os.utime(pack, ns=(0, pack.stat().st_mtime_ns))
    publish(cache, 2, segments("two"), 0.9)
    assert starts(meant(index, cache)) == [(2, 0.0)]
    assert pack.stat().st_atime_ns == 0, "it was not read again"
    (log,) = settings.state_dir.glob("transcripts/*/*.log")
    size = log.stat().st_size
    report = index.transcripts.load(view_of(index, cache), look_for_more=False)
    assert pack.stat().st_atime_ns > 0
    assert report.transcription_files == 2
    (skipped,) = report.skipped
    assert skipped.reason.startswith(f"It is found by its words alone: {pack.name} is damaged")
    assert log.stat().st_size == size, "its text was there already"


def test_rows_that_were_made_in_another_way_do_not_count(cache, index) -> None:
    publish(cache, 1, segments("one"), 0.9)
    path = cache_files.manifest_path(cache.root, media_hash(1), Stage.TRANSCRIPT, SPEECH).path
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    old = msgspec.structs.replace(manifest, sentence_model="something before")
    path.write_bytes(msgspec.json.encode(old))
    assert meant(index, cache) == []
    asked = index.transcripts.at_hand(view_of(index, cache), SPEECH)
    assert Unsearchable.among(asked).without == 1
