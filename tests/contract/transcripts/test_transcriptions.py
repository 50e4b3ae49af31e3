"""POST /transcriptions, from transcripts that lie in a CacheDir; no worker is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.exports.transcripts.formats import FORMATS
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.cache.transcripts import Doubt, Segment, TranscriptWarning, Word
from shared.domain import ModelKind
from shared.redis import heartbeats
from shared.redis.clients import connect
from tests.contract.http.test_unknown_fields import warned
from tests.support.private_redis import PrivateRedis
from tests.support.search.talking import talk
from tests.support.search.transcribed import publish_for, publish_speakers, spoken
from tests.support.stack import Client

ROLLING = (spoken(0.42, "We are rolling.", 1.9), spoken(2.5, "Тишина, 静かに!", 4.25))


@pytest.fixture
def cache(caches: Path, tmp_path: Path) -> CacheDir:
    """A cache folder of this test alone."""
    return CacheDir.open(caches / tmp_path.name, create=True)


@pytest.fixture
def folder(media: Path, tmp_path: Path) -> Path:
    """A media folder of this test alone."""
    found = media / tmp_path.name
    found.mkdir()
    return found


def clip(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(f"the content of {path}".encode())
    return path


def asked(client: Client, cache: CacheDir, *paths: object, **more: Any) -> list[dict[str, Any]]:
    body = {"cache_dir": str(cache.root), "media_paths": [str(path) for path in paths], **more}
    answer = client.ok("/transcriptions", **body)
    assert set(answer) == {"transcriptions"}
    return list(answer["transcriptions"])


def test_segments_are_triples_and_the_language_has_its_name(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    path = clip(folder, "a b#%'\"ü.mov")
    hash_str = publish_for(cache, path, *ROLLING)
    assert asked(client, cache, path) == [
        {
            "media_path": str(path),
            "hash_str": hash_str,
            "language": "english",
            "segments": [[0.42, "We are rolling.", 1.9], [2.5, "Тишина, 静かに!", 4.25]],
            "language_probability": 0.97,
            "model_key": "whisper-base",
            "error": None,
        }
    ]


def test_order_and_duplicates_are_kept_and_paths_come_back_as_asked(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    first, second = clip(folder, "a.mp4"), clip(folder, "b.mp4")
    publish_for(cache, first, spoken(0, "first", 1))
    publish_for(cache, second, spoken(0, "second", 1))
    paths = [second, first, f"{folder}/sub/../b.mp4", second]
    found = asked(client, cache, *paths)
    assert [slot["media_path"] for slot in found] == [str(path) for path in paths]
    texts = [slot["segments"][0][1] for slot in found]
    assert texts == ["second", "first", "second", "second"]


def test_silence_is_an_empty_list_and_what_is_not_transcribed_is_null(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    silent, new = clip(folder, "silent.wav"), clip(folder, "new.wav")
    publish_for(cache, silent, language="", language_probability=0.0)
    heard, unheard = asked(client, cache, silent, new)
    assert (heard["segments"], heard["language"], heard["error"]) == ([], None, None)
    assert heard["model_key"] == "whisper-base"
    assert (unheard["segments"], unheard["language"], unheard["error"]) == (None, None, None)
    assert len(unheard["hash_str"]) == 16


def test_words_and_warnings_come_when_they_are_asked_for(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    path, silent, new = (clip(folder, name) for name in ("a.mp4", "silent.mp4", "new.mp4"))
    doubts = (
        TranscriptWarning(
            start=5, end=9, doubt=Doubt.REPEATS, action="dropped", text="Thank you. Thank you."
        ),
        TranscriptWarning(start=2.5, end=4.25, doubt=Doubt.UNSURE, action="decoded_again"),
    )
    publish_for(cache, path, *ROLLING, warnings=doubts)
    publish_for(cache, silent)
    both, quiet, none = asked(client, cache, path, silent, new, words=True, warnings=True)
    assert both["words"] == [
        [[w.start, w.end, w.text, w.probability] for w in segment.words] for segment in ROLLING
    ]
    assert len(both["words"]) == len(both["segments"])
    assert both["warnings"] == [
        {
            "start": 5,
            "end": 9,
            "doubt": "repeats",
            "action": "dropped",
            "text": "Thank you. Thank you.",
        },
        {"start": 2.5, "end": 4.25, "doubt": "unsure", "action": "decoded_again"},
    ]
    assert (quiet["words"], quiet["warnings"]) == ([], [])
    assert "words" not in none
    assert "warnings" not in none
    only_words = asked(client, cache, path, words=True, warnings=False)[0]
    assert "words" in only_words
    assert "warnings" not in only_words
    only_warnings = asked(client, cache, path, words=None, warnings=True)[0]
    assert "words" not in only_warnings
    assert len(only_warnings["warnings"]) == 2


def test_doubtful_words_are_marked_for_who_asks(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    path = clip(folder, "a.mp4")
    first, second = ROLLING
    publish_for(cache, path, msgspec.structs.replace(first, doubtful=(1, 2)), second)
    [marked] = asked(client, cache, path, doubtful=True)
    assert [[word[4] for word in words] for words in marked["words"]] == [
        [False, True, True],
        [False, False],
    ]
    [plain] = asked(client, cache, path, words=True)
    assert plain["words"] == [[word[:4] for word in words] for words in marked["words"]]
    content = client.post(
        "/export/transcript", segments=marked["segments"], words=marked["words"], format="json"
    ).json()
    exported = [word for segment in content["segments"] for word in segment["words"]]
    assert [word["text"] for word in exported if word.get("doubtful")] == ["are", "rolling."]
    again = client.post("/export/transcript", segments=content["segments"], format="json").json()
    assert again["segments"] == content["segments"]


def test_each_segment_names_its_stream_where_each_stream_counts(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    path = clip(folder, "interview.mxf")
    segments = [spoken(0, "A question?", 1, stream=0), spoken(1, "An answer.", 2, stream=3)]
    publish_for(cache, path, *segments, audio_streams="each")
    for more in ({}, {"words": True}):
        assert asked(client, cache, path, **more)[0]["streams"] == [0, 3]


def test_the_active_models_transcript_answers_else_the_newest(
    client: Client, cache: CacheDir, folder: Path, api_redis: PrivateRedis
) -> None:
    path = clip(folder, "a.mp4")
    publish_for(cache, path, spoken(0, "small", 1), model="whisper-small")
    publish_for(cache, path, spoken(0, "large", 1), model="whisper-large-v3")

    def text() -> str:
        return str(asked(client, cache, path)[0]["segments"][0][1])

    assert text() == "large"
    publish_for(cache, path, spoken(0, "base", 1))
    publish_for(cache, path, spoken(0, "small again", 1), model="whisper-small")
    assert text() == "base"
    heartbeats.desire(connect(api_redis.url), "default", ModelKind.SPEECH, "whisper-small")
    assert text() == "small again"


def test_a_damaged_transcript_fails_in_its_own_slot(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    good, torn, odd, gone = (clip(folder, f"{n}.mp4") for n in range(4))
    for path in (good, torn, odd, gone):
        publish_for(cache, path, *ROLLING)
    for path, damage in ((torn, b'{"model": "whis'), (odd, b'{"segments": 5}'), (gone, None)):
        [data] = cache.media_dir(asked(client, cache, path)[0]["hash_str"]).path.glob("transcript*")
        if damage is None:
            data.unlink()
        else:
            data.write_bytes(damage)
    for more in ({}, {"words": True}):
        slots = asked(client, cache, torn, good, odd, gone, **more)
        assert [slot["error"] is None for slot in slots] == [False, True, False, False]
        assert [slot["segments"] is None for slot in slots] == [True, False, True, True]
        assert [slot["language"] for slot in slots] == [None, "english", None, None]
        for slot in (slots[0], slots[2]):
            assert "is damaged" in slot["error"]
            assert slot["error"].endswith("Transcribe the file again with force.")
        assert "is missing" in slots[3]["error"]


def test_a_file_that_has_gone_is_known_by_its_path_and_others_say_what_is_wrong(
    client: Client, cache: CacheDir, folder: Path, tmp_path: Path
) -> None:
    gone, empty = clip(folder, "gone.mp4"), folder / "empty.mp4"
    publish_for(cache, gone, *ROLLING)
    gone.unlink()
    empty.touch()
    outside = tmp_path / "a.mp4"
    link = folder / "link.mp4"
    link.symlink_to(clip(tmp_path, "secret.mp4"))
    paths = (gone, folder / "never.mp4", empty, outside, link, folder)
    known, never, nothing, forbidden, leads_out, is_folder = asked(client, cache, *paths)
    assert known["segments"][0] == [0.42, "We are rolling.", 1.9]
    assert never["error"] == "The file does not exist."
    assert nothing["error"] == "The file is empty (0 bytes)."
    assert is_folder["error"] == "It is a folder, not a file."
    for slot in (forbidden, leads_out):
        assert "RUSHES_MEDIA_ROOTS" in slot["error"]
    for slot in (never, nothing, forbidden, leads_out, is_folder):
        assert (slot["hash_str"], slot["segments"]) == (None, None)


def test_no_files_no_answers_and_without_a_cache_folder_nothing_is_transcribed(
    client: Client, cache: CacheDir, caches: Path, folder: Path
) -> None:
    assert asked(client, cache) == []
    body: dict[str, Any] = {"media_paths": [str(clip(folder, "a.mp4"))]}
    found = client.ok("/transcriptions", cache_dir=str(caches / "nowhere"), **body)
    [slot] = found["transcriptions"]
    assert (slot["segments"], bool(slot["hash_str"]), slot["error"]) == (None, True, None)
    outside = client.post("/transcriptions", cache_dir="/elsewhere", **body)
    assert (outside.status_code, outside.json()["error"]) == (403, "Path not allowed")


def test_a_relative_cache_dir_is_400(client: Client) -> None:
    answer = client.post("/transcriptions", cache_dir="relative", media_paths=[])
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("cache_dir must be an absolute path")


def test_control_characters_in_a_name_are_part_of_it(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    path = clip(folder, "two\nlines\t\x1b[31m.mp4")
    publish_for(cache, path, *ROLLING)
    [slot] = asked(client, cache, path)
    assert (slot["media_path"], slot["error"]) == (str(path), None)
    assert slot["segments"]


def test_a_long_transcript_comes_whole(client: Client, cache: CacheDir, folder: Path) -> None:
    path = clip(folder, "a day.mp4")
    segments = [spoken(n, f"Sentence number {n} of a long day.", n + 0.9) for n in range(20_000)]
    publish_for(cache, path, *segments)
    [slot] = asked(client, cache, path, words=True)
    assert len(slot["segments"]) == len(slot["words"]) == 20_000
    assert slot["segments"][-1] == [19_999, "Sentence number 19999 of a long day.", 19_999.9]
    last = segments[-1].words[-1]
    assert slot["words"][-1][-1] == [last.start, 19_999.9, "day.", 0.9]


@pytest.mark.parametrize("name", FORMATS)
def test_what_comes_out_goes_into_an_export_as_it_is(
    client: Client, cache: CacheDir, folder: Path, name: str
) -> None:
    path, silent = clip(folder, "a.mp4"), clip(folder, "silent.mp4")
    publish_for(cache, path, *ROLLING, language="ru")
    publish_for(cache, silent, language="", language_probability=0.0)
    for item in asked(client, cache, path, silent, words=True, warnings=True):
        whole = client.post("/export/transcript", **item, format=name)
        triples = client.post("/export/transcript", segments=item["segments"], format=name)
        for answer in (whole, triples):
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-disposition"].startswith("attachment; ")
            if item["segments"] and name not in ("docx", "pdf"):
                assert "We are rolling." in answer.text
                assert "静かに!" in answer.text


def test_who_speaks_comes_when_asked_for_and_breaks_segments(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    path = clip(folder, "two-voices.wav")
    words = [
        Word(float(n), n + 0.9, text, 0.9) for n, text in enumerate("Ready? Yes, we are".split())
    ]
    hash_str = publish_for(
        cache, path, Segment(start=0, end=4, text="Ready? Yes, we are", words=tuple(words))
    )
    before = asked(client, cache, path, words=True)
    (plain,) = asked(client, cache, path, speakers=True)
    assert plain == {key: value for key, value in before[0].items() if key != "words"}
    body = {"cache_dir": str(cache.root), "media_paths": [str(path)]}
    assert warned(client.post("/transcriptions", **body)) == []
    assert warned(client.post("/transcriptions", **body, speakers=True)) == [
        "speakers: this answer has no speaker labels for 1 transcript. Analyze the speech of "
        "these files again, with `speakers`."
    ]
    told = SpeakerTurns(
        model="resemblyzer",
        speakers=(Speaker(0.9, ()), Speaker(2.9, ())),
        turns=(SpeakerTurn(0, 0.9, 0, True), SpeakerTurn(1, 3.9, 1)),
        warnings=("It is too noisy.",),
    )
    publish_speakers(cache, hash_str, told)
    assert asked(client, cache, path, words=True) == before, "who does not ask sees no change"
    assert warned(client.post("/transcriptions", **body, speakers=True)) == []
    (found,) = asked(client, cache, path, speakers=True, words=True)
    assert found["segments"] == [[0, "Ready?", 0.9], [1, "Yes, we are", 4]]
    assert found["speakers"] == ["S1", "S2"]
    assert found["doubtful_speakers"] == [True, False]
    assert found["speaker_names"] == [None, None]
    nobody = {"name": None, "cluster_id": None, "cluster_job_name": None}
    assert found["voices"] == [
        {"speaker": "S1", **nobody, "seconds": 0.9},
        {"speaker": "S2", **nobody, "seconds": 2.9},
    ]
    assert found["speaker_warnings"] == ["It is too noisy."]
    assert [[word[2] for word in one] for one in found["words"]] == [
        ["Ready?"], ["Yes,", "we", "are"],
    ]  # fmt: skip


def test_who_has_a_name_is_told_by_it_and_an_export_shows_it(
    client: Client, cache: CacheDir, folder: Path
) -> None:
    path = clip(folder, "two-voices.wav")
    hash_str = publish_for(cache, path)
    talk(cache, "Season 1", {
        hash_str: (((0, 0, "Ready?", 1), (1, 1, "Yes, we are.", 4)), (5001, 5002))
    })  # fmt: skip
    names = {"cache_dir": str(cache.root), "cluster_job_name": "Season 1"}
    given = [{"cluster_id": "5001", "name": "Ada <1>"}]
    named = client.http.put("/faces/clusters/names", json={**names, "assignments": given})
    assert named.status_code == 200, named.text
    (found,) = asked(client, cache, path, speakers=True, words=True)
    assert found["speakers"] == ["S1", "S2"]
    assert found["speaker_names"] == ["Ada <1>", None]
    assert found["voices"] == [
        {
            "speaker": "S1", "name": "Ada <1>", "cluster_id": "5001",
            "cluster_job_name": "Season 1", "seconds": 1,
        },
        {
            "speaker": "S2", "name": None, "cluster_id": "5002", "cluster_job_name": "Season 1",
            "seconds": 3,
        },
    ]  # fmt: skip

    def exported(name: str, **more: Any) -> str:
        answer = client.post("/export/transcript", **{**found, **more}, format=name)
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    assert "<v Ada &lt;1&gt;>Ready?" in exported("vtt")
    assert "<v S2>Yes, we are." in exported("vtt", with_speakers=False)
    assert exported("txt", timestamps=False) == "Ada <1>: Ready?\nS2: Yes, we are.\n"
    assert exported("txt", timestamps=False, with_speakers=False) == "Ready?\nYes, we are.\n"
    assert "\nS2: Yes, we are.\n" in exported("srt")
    assert "\nYes, we are.\n" in exported("srt", with_speakers=False)
    assert "\nYes, we are.\n" in exported("srt", with_speakers=False, captions={})
    assert exported("csv", with_speakers=False).split("\r\n")[1] == "0.000,1.000,Ready?,Ada <1>"
    assert '"speaker": "Ada <1>"' in exported("json")
    wrong = client.post("/export/transcript", **{**found, "speaker_names": ["Ada"]}, format="txt")
    assert wrong.json()["message"] == (
        "speaker_names must have one entry for each of the 2 segments, not 1."
    )
