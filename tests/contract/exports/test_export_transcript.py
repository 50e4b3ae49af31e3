"""POST /export/transcript over HTTP: the files, where they are written, and all bad input."""

from __future__ import annotations

import csv
import html
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import docx
import httpx
import pypdfium2
import pytest
import webvtt

from api.exports.transcripts.formats import FORMATS
from tests.support.private_redis import PrivateRedis
from tests.support.stack import PROJECT, Client, Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.system.tiny_disk import tiny_disk
from tests.unit.exports.test_text import NASTY

PATH = "/export/transcript"
SEGMENTS: list[Any] = [[0.42, "We are rolling.", 1.9], [2, "Cut!", 2.5]]


def export(client: Client, format_name: str = "txt", **body: Any) -> httpx.Response:
    return client.post(PATH, **{"segments": SEGMENTS, "format": format_name, **body})


def refusal(client: Client, **body: Any) -> str:
    """The message of a 400."""
    answer = export(client, **{"format_name": "txt", **body})
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error", "message"}
    return str(answer.json()["message"])


def name_of(answer: httpx.Response) -> str:
    """The file name as a client that knows RFC 6266 reads it."""
    message = Message()
    message["Content-Disposition"] = answer.headers["content-disposition"]
    plain, whole = answer.headers["content-disposition"].split("; ")[1:]
    assert plain.isascii()
    assert message.get_content_disposition() == "attachment"
    return unquote(whole.removeprefix("filename*=UTF-8''"))


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_answers_its_file_under_its_type_and_name(
    client: Client, format_name: str
) -> None:
    answer = export(client, format_name.upper(), display_name="Day 1")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(FORMATS[format_name].media_type)
    assert name_of(answer) == f"Day 1.{format_name}"
    assert answer.content
    assert "x-rushes-warnings" not in answer.headers


def test_what_is_said_comes_back_from_every_format(client: Client) -> None:
    segments = [[n, text, n + 0.5] for n, text in enumerate(NASTY, 1)]
    cleaned = [text.replace("\x00", "") for text in NASTY]

    def found(format_name: str, **more: Any) -> httpx.Response:
        answer = export(client, format_name, segments=segments, **more)
        assert answer.status_code == 200, answer.text
        return answer

    rows = list(csv.reader(io.StringIO(found("csv", formula_guard=False).text[1:], newline="")))
    assert [row[2] for row in rows[1:]] == cleaned
    paragraphs = docx.Document(io.BytesIO(found("docx", timestamps=False).content)).paragraphs
    assert [p.text for p in paragraphs[1:]] == cleaned
    assert [s["text"] for s in found("json").json()["segments"]] == cleaned
    pages = pypdfium2.PdfDocument(found("pdf").content)
    shown = "".join(page.get_textpage().get_text_bounded() for page in pages)
    plain = [text for text in cleaned if text.isascii() and "\n" not in text]
    assert [text for text in plain if text not in shown] == []
    cues = webvtt.from_buffer(io.StringIO(found("vtt").text), format="vtt")
    assert [html.unescape(cue.text) for cue in cues] == [
        text.replace("\n\n\n", "\n") for text in cleaned
    ]


def test_an_item_of_transcriptions_goes_in_unchanged(client: Client) -> None:
    item = {
        "media_path": "/footage/a.mov",
        "hash_str": "9ae0daaf81f5b2c3",
        "language": "english",
        "language_probability": 0.98,
        "model_key": "whisper-base",
        "segments": [[0.42, "We are rolling.", 1.9]],
        "words": [[[0.42, 0.6, "We", 0.99], [0.6, 0.78, "are", 0.98], [0.78, 1.9, "rolling.", 1]]],
        "warnings": [],
        "error": None,
    }
    found = client.post(PATH, format="json", **item).json()
    assert [segment["text"] for segment in found["segments"]] == ["We are rolling."]
    assert found["segments"][0]["words"][2]["text"] == "rolling."
    again = client.post(PATH, format="json", **found)
    assert again.json() == {**found, "title": "Transcript"}


def test_captions_timecode_and_speakers_do_what_they_say(client: Client) -> None:
    long = "This is said by one person and it is far too long for a single line. " * 4
    said = {"segments": [{"start": 1, "end": 13, "text": long, "speaker": "Ada"}]}
    assert export(client, "srt", **said).text.count("-->") == 1
    cut = export(client, "srt", **said, captions={}).text
    assert cut.count("-->") > 2
    assert all(len(line) <= 42 for line in cut.split("\n"))
    assert (
        max(map(len, export(client, "vtt", **said, captions={"max_chars": 20}).text.split("\n")))
        < 31
    )
    timed = export(client, "csv", fps=29.97, start_timecode="00:59:59;29", **said).text
    assert timed.split("\r\n")[0] == "\ufeffstart,end,text,start_tc,end_tc,speaker"
    assert ",01:00:00;29,01:00:12;29,Ada" in timed


def test_an_empty_list_is_a_valid_transcript(client: Client) -> None:
    for format_name in FORMATS:
        assert export(client, format_name, segments=[]).status_code == 200
    assert export(client, "csv", segments=[]).text == "\ufeffstart,end,text\r\n"


@pytest.mark.parametrize(
    ("display_name", "name"),
    [
        ("../../etc/x", "_.._etc_x.txt"),
        ('a"b\r\nX: y', "a_b__X_ y.txt"),
        ("CON", "CON_.txt"),
        ("x" * 300, "x" * 196 + ".txt"),
        ("", "export.txt"),
        ("Gespräch 漢字 😀", "Gespräch 漢字 😀.txt"),
        (None, "Transcript.txt"),
    ],
)
def test_a_display_name_makes_a_safe_header(
    client: Client, display_name: str | None, name: str
) -> None:
    answer = export(client, display_name=display_name)
    assert name_of(answer) == name
    assert "x" not in {key.lower() for key in answer.headers}


def test_half_a_character_is_left_out_as_clients_that_cut_text_send_it(client: Client) -> None:
    body = '{"format": "txt", "timestamps": false, "segments": [[0, "%s", 1]]}'

    def text(escaped: str) -> str:
        answer = client.http.post(PATH, content=body % escaped)
        assert answer.status_code == 200, answer.text
        return answer.text

    assert text(r"a\ud83d") == "a\n"
    assert text(r"\ude00a\ud83d\ude00\ud83d") == "a😀\n"
    assert text(r"\\ud83d \ud83d!") == "\\ud83d !\n"
    assert client.http.post("/analyze/cancel", content=r'{"task_id": "\ud83d"}').status_code == 400


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"format": "exe"}, "format must be one of txt, csv, docx,"),
        ({"format": ""}, "format must be one of"),
        ({"segments": [*SEGMENTS, [True, "a", 1]]}, "segments[2].start: expected a number"),
        ({"segments": [[0, "a", "1.0"]]}, "segments[0].end: expected a number, not a string."),
        ({"segments": [[-1, "a", 1]]}, "segments[0].start: expected a number >= 0.0."),
        ({"segments": [[2, "a", 1]]}, "segments[0] ends at 1 s, before it starts at 2 s."),
        ({"segments": [[0, None, 1]]}, "segments[0].text is required."),
        ({"segments": [[0, "a"]]}, "segments[0] must be [start, text, end]"),
        ({"segments": ["a"]}, "segments[0] must be [start, text, end]"),
        ({"segments": [{"text": "a", "end": 1}]}, "segments[0].start is required."),
        ({"segments": [{"start": 0, "end": 1, "text": None}]}, "segments[0].text is required."),
        ({"words": [[]]}, "words must have one entry for each of the 2 segments, not 1."),
        ({"fps": 0}, "fps must be a frame rate"),
        ({"fps": 12.5}, "fps: there is no timecode for 12.5 frames a second."),
        ({"fps": "fast"}, "fps must be a frame rate"),
        ({"fps": 25, "start_timecode": "1:2"}, "start_timecode must be HH:MM:SS:FF"),
        ({"fps": 25, "start_timecode": "00:00:00;00"}, "start_timecode: drop-frame"),
        ({"start_timecode": "00:00:00:00"}, "start_timecode needs fps"),
        ({"language": "klingon"}, "language: 'klingon' is no language"),
        ({"captions": {"max_duration": 0.5}}, "captions.max_duration must not be shorter than"),
        ({"output_path": "a.txt"}, "output_path must be an absolute path"),
        ({"output_path": "/a\x00b"}, "output_path holds a NUL byte"),
    ],
)
def test_bad_input_is_named_with_its_place(
    client: Client, wrong: dict[str, Any], message: str
) -> None:
    assert refusal(client, **wrong).startswith(message)


@pytest.mark.parametrize("time", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_numbers_that_are_none_are_400(client: Client, time: str) -> None:
    body = f'{{"format": "txt", "segments": [[0, "a", {time}]]}}'
    answer = client.http.post(PATH, content=body)
    assert answer.status_code == 400
    is_named = "JSON knows no NaN and no Infinity" in answer.json()["message"]
    assert is_named == time.strip("-").isalpha()


def test_twenty_thousand_segments_are_fast(client: Client, api_stack: Stack) -> None:
    segments = [[n, "Some words that are said here.", n + 1] for n in range(20_000)]
    for format_name in ("txt", "csv", "srt", "vtt"):
        stopwatch = Stopwatch(api_stack)
        answer = export(client, format_name, segments=segments)
        assert answer.text.count("Some words that are said here.") == 20_000
        assert stopwatch.seconds() < 5


def test_documents_take_turns_and_nothing_else_waits_for_them(client: Client) -> None:
    body = {"format": "docx", "segments": [[n, "Some words.", n + 1] for n in range(4_000)]}
    began = time.monotonic()

    def done_after(_: int) -> float:
        assert client.post(PATH, **body).status_code == 200
        return time.monotonic() - began

    with ThreadPoolExecutor(6) as pool:
        documents = pool.map(done_after, range(6))
        text = export(client, "txt")
        text_after = time.monotonic() - began
        first, *_, last = sorted(documents)
    assert text.status_code == 200
    assert text_after < last / 2
    assert first < last * 0.7


def test_output_path_writes_the_file_and_answers_where(client: Client, media: Path) -> None:
    folder = media / "exports"
    folder.mkdir(exist_ok=True)
    target = str(folder / "interview")

    def written(path: str, format_name: str = "srt") -> str:
        answer = export(client, format_name, output_path=path, display_name="Day 1")
        assert answer.status_code == 200, answer.text
        assert answer.json()["warnings"] == []
        return str(answer.json()["output_path"])

    assert [written(target), written(f"{target}.srt"), written(f"{target}.SRT")] == [
        f"{target}.srt",
        f"{target} (2).srt",
        f"{target}.SRT",
    ]
    assert written(str(folder)) == str(folder / "Day 1.srt")
    assert written(f"{folder}/", "csv") == str(folder / "Day 1.csv")
    assert Path(f"{target}.srt").read_text().startswith("1\n00:00:00,420 --> 00:00:01,900\n")
    assert len(list(folder.iterdir())) == 5


def test_output_path_outside_the_roots_is_403_naming_the_setting(
    client: Client, media: Path, tmp_path: Path
) -> None:
    (media / "way-out").symlink_to(tmp_path)
    for path in (tmp_path / "a.txt", media / ".." / "a.txt", media / "way-out" / "a.txt"):
        answer = export(client, output_path=str(path))
        assert answer.status_code == 403
        assert answer.json()["error"] == "Path not allowed"
        assert "RUSHES_EXPORT_ROOTS" in answer.json()["message"]
    assert answer.json()["message"].startswith(f"output_path: {media}/way-out/a.txt leads outside")
    assert list(tmp_path.iterdir()) == []


def test_output_path_that_cannot_be_written_is_400(client: Client, media: Path) -> None:
    (media / "link.txt").symlink_to(media / "aim.txt")
    assert "symbolic link" in refusal(client, output_path=str(media / "link.txt"))
    assert "does not exist" in refusal(client, output_path=str(media / "none" / "a.txt"))
    assert "does not exist" in refusal(client, output_path=f"{media}/none/")
    assert "ends in .docx, but the format is txt" in refusal(
        client, output_path=str(media / "a.docx")
    )
    assert not (media / "aim.txt").exists()


def test_a_full_disk_is_400_and_leaves_nothing(client: Client, media: Path) -> None:
    segments = [[n, "x" * 100, n + 1] for n in range(5_000)]
    with tiny_disk(media / "small", kib=256) as folder:
        answer = export(client, segments=segments, output_path=str(folder / "a.txt"))
        assert answer.status_code == 400
        assert answer.json()["error"] == "Export folder unusable"
        assert "is full" in answer.json()["message"]
        assert list(folder.iterdir()) == []


@pytest.fixture(scope="module")
def mapped(api_redis: PrivateRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client on Windows, whose drive E: is the server's folder `exports`."""
    folder = tmp_path_factory.mktemp("mapped")
    (folder / "exports").mkdir()
    settings = {
        "RUSHES_EXPORT_ROOTS": str(folder / "exports"),
        "RUSHES_PATH_MAP": f"E:\\={folder / 'exports'}",
    }
    with running_stack(folder, api_redis.url, analysis=0, query=0, **settings) as stack:
        yield stack.client()


def test_a_mapped_path_is_answered_in_the_clients_form(mapped: Client) -> None:
    def written(path: str) -> str:
        answer = export(mapped, output_path=path)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["output_path"])

    assert [written("E:\\a.txt"), written("E:\\a.txt"), written("E:\\")] == [
        "E:\\a.txt",
        "E:\\a (2).txt",
        "E:\\Transcript.txt",
    ]


def test_what_cannot_be_shown_is_said_in_a_header_of_ascii(client: Client) -> None:
    fine = export(client, "pdf", segments=[[0, "Grüße, 漢字, שלום", 1]])
    assert (fine.status_code, fine.headers.get("x-rushes-warnings")) == (200, None)
    answer = export(client, "pdf", segments=[[0, "no font has \U0001fbff\U000e0001", 1]])
    assert answer.content.startswith(b"%PDF-")
    warnings = json.loads(answer.headers["x-rushes-warnings"])
    assert len(warnings) > 0
    assert answer.headers["x-rushes-warnings"].isascii()


def test_the_api_starts_without_the_libraries_that_write_documents() -> None:
    program = (
        "import sys, api.app;"
        "print([n for n in ('docx', 'lxml', 'reportlab', 'uharfbuzz') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_web_views_may_read_the_name_and_the_warnings(client: Client) -> None:
    answer = client.http.post(
        PATH, content=json.dumps({"segments": [], "format": "txt"}), headers={"Origin": "null"}
    )
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Content-Disposition", "X-Rushes-Warnings"} <= set(exposed)
