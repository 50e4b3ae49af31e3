"""Subtitles and captions of files are found among what was said, where that is wanted."""

from __future__ import annotations

from dataclasses import replace

from api.search.transcripts.query import FileChoice, SpeakerChoice, SpokenHit, SpokenQuery
from api.search.transcripts.text import fold
from shared.cache import limits
from tests.support.search.search_data import media_hash, view_of
from tests.support.search.transcribed import captioned, publish_captions
from tests.support.search.transcript_data import SPEECH, publish_transcript, segments, told


def found(index, cache, words, hashes=None, choice=None, **more) -> list[SpokenHit]:
    query = replace(SpokenQuery(fold(words), SPEECH, captions=True), **more)
    view = view_of(index, cache)
    return index.transcripts.search(view, query, choice or FileChoice(hashes))


def shown(hits) -> list[tuple[int, float, str | None, str]]:
    return [(int(hit.hash_str, 16), hit.start, hit.kind, hit.text) for hit in hits]


def fill(cache) -> None:
    """File 1 is heard and subtitled, 2 subtitled alone, 3 heard alone."""
    publish_transcript(cache, media_hash(1), segments("hello there", "bye", "hello again"))
    publish_captions(
        cache,
        media_hash(1),
        captioned((4, "Hallo! hello", 6), (20, "Ende", 21)),
        captioned((12, "[door] hello", 13), kind="captions", service="CC1"),
    )
    publish_captions(cache, media_hash(2), captioned((1, "hello from a silent film", 2)))
    publish_transcript(cache, media_hash(3), segments("hello"))
    publish_captions(cache, media_hash(3))


def test_captions_are_found_by_file_and_by_time_and_only_when_they_are_asked_for(
    cache, index
) -> None:
    fill(cache)
    assert [file for file, *_ in told(index, cache, "hello")] == [1, 1, 3]
    assert shown(found(index, cache, "hello")) == [
        (1, 0, None, "hello there"),
        (1, 4, "subtitles", "Hallo! hello"),
        (1, 10, None, "hello again"),
        (1, 12, "captions", "[door] hello"),
        (2, 1, "subtitles", "hello from a silent film"),
        (3, 0, None, "hello"),
    ]
    hits = found(index, cache, "hello")
    assert len({(hit.hash_str, hit.place) for hit in hits}) == len(hits)
    assert not [hit for hit in hits if hit.kind and (hit.speaker or hit.voices)]


def test_order_limits_and_choice_of_files_hold_for_both(cache, index) -> None:
    fill(cache)
    two_first = [media_hash(2), media_hash(1)]
    assert [file for file, *_ in shown(found(index, cache, "hello", two_first))] == [2, 1, 1, 1, 1]
    assert len(found(index, cache, "hello", max_results=2)) == 2
    one_each = found(index, cache, "hello", per_file=1)
    assert [file for file, *_ in shown(one_each)] == [1, 2, 3]
    backwards = FileChoice(key=lambda hash_str: (-int(hash_str, 16),), first=(-2,))
    assert [file for file, *_ in shown(found(index, cache, "hello", None, backwards))] == [
        2, 1, 1, 1, 1,
    ]  # fmt: skip
    only = FileChoice(only={media_hash(2)})
    assert len(found(index, cache, "hello", None, only)) == 1


def test_modes_and_speakers(cache, index) -> None:
    fill(cache)
    alike = found(index, cache, "hellp", mode="fuzzy")
    assert {hit.kind for hit in alike} == {None, "subtitles", "captions"}
    auto = found(index, cache, "from a silent", mode="auto")
    assert (auto[0].kind, auto[0].matched_by) == ("subtitles", "literal")
    assert not found(index, cache, "from a silent", mode="semantic")
    assert not found(index, cache, "hello", speaker=SpeakerChoice("subtitles"))


def test_captions_that_change_or_go_are_followed(cache, index, replica) -> None:
    fill(cache)
    assert len(found(index, cache, "silent")) == 1
    publish_captions(cache, media_hash(2), captioned((3, "quite another", 4)))
    for one in (index, replica):
        assert not found(one, cache, "silent")
        assert len(found(one, cache, "quite another")) == 1
    publish_captions(cache, media_hash(2))
    assert not found(index, cache, "another")
    next(cache.media_dir(media_hash(1)).path.glob("manifest.captions*")).unlink()
    assert {hit.kind for hit in found(index, cache, "hello")} == {None}


def test_damaged_captions_hide_nothing_else(cache, index) -> None:
    fill(cache)
    manifest = publish_captions(cache, media_hash(1), captioned((1, "hello", 2)))
    cache.data_path(media_hash(1), manifest).path.write_bytes(b"{")
    assert shown(found(index, cache, "hello")) == [
        (1, 0, None, "hello there"),
        (1, 10, None, "hello again"),
        (2, 1, "subtitles", "hello from a silent film"),
        (3, 0, None, "hello"),
    ]


def test_a_damaged_log_is_made_anew(cache, index, settings) -> None:
    fill(cache)
    assert len(found(index, cache, "silent")) == 1
    (log,) = settings.state_dir.glob("transcripts/*/captions/*.log")
    content = log.read_bytes()
    log.write_bytes(content.replace(b"silent film", b"SILENT FILM"))
    assert len(found(index, cache, "silent")) == 1


def test_many_are_taken_up_a_few_at_a_time_and_too_large_ones_never(
    cache, index, monkeypatch
) -> None:
    monkeypatch.setattr(limits, "CAPTIONS", 300)  # bytes, of a file and of all at a time
    for n in range(1, 10):
        publish_captions(cache, media_hash(n), captioned((n, f"hello {'x' * 10 * n}", n + 1)))
    publish_captions(cache, media_hash(10), captioned((1, f"hello {'y' * 400}", 2)))
    publish_captions(cache, media_hash(11), captioned((1, "\ufdfa" * 30, 2)))  # 18 letters each
    assert [int(hit.hash_str, 16) for hit in found(index, cache, "hello")] == [*range(1, 10)]
    assert index.transcripts.unread_captions(view_of(index, cache)).keys() == {
        media_hash(10),
        media_hash(11),
    }
    monkeypatch.undo()
    assert len(found(index, cache, "hello")) == 9, "nobody has asked to try again"
    index.transcripts.load(view_of(index, cache), look_for_more=False)
    assert len(found(index, cache, "hello")) == 10
