"""POST /export/premiere-xml over HTTP: the answer, the file, what is left out, bad input."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast
from unicodedata import normalize

import httpx
import msgspec
import opentimelineio as otio
import pycmx
import pytest

from api.app import provide
from api.exports.exact_bounds import ExportServices
from api.exports.timelines.answers import ExportedTimeline
from api.exports.timelines.bodies import TimelineBody
from api.exports.timelines.routes import export_timeline
from api.http.endpoint import Call
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import MediaMissing, NothingUsable, NoWorker, RushesError
from shared.media import MediaType
from shared.query.messages import Lane, Probed, ProbeFile
from shared.settings import Settings
from tests.support.exports.timeline_checker import check_fcpxml, check_xmeml, number
from tests.support.media.by_path import hash_media, probe
from tests.support.media.media import Encoding, make_clip, make_still, write_sound
from tests.support.private_redis import PrivateRedis
from tests.support.stack import PROJECT, Client, running_stack

PATH = "/export/premiere-xml"
NTSC_30 = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """A client of a server with a query worker, and the folder of its media."""
    folder = tmp_path_factory.mktemp("timelines")
    root = folder / "media"
    root.mkdir()
    small = (160, 96)
    make_clip(root / "a.mov", 4, size=small, encoding=Encoding(timecode="10:00:00:00", tone_hz=440))
    drop = Encoding(fps=NTSC_30, timecode="00:59:58;00", tone_hz=440, channels=2)
    make_clip(root / "é 1#.mov", 4, size=small, encoding=drop)
    make_still(root / "s.jpg")
    write_sound(root / "w.wav", 3)
    (root / "broken.mov").write_bytes(b"no media")
    with tempfile.TemporaryDirectory(prefix="rt-") as short:
        server = PrivateRedis(Path(short))
        server.start()
        try:
            roots = {"RUSHES_MEDIA_ROOTS": str(root)}
            with running_stack(folder, server.url, analysis=0, **roots) as stack:
                yield stack.client(), root
        finally:
            server.stop()


def clip(root: Path, name: str = "a.mov", start: Any = 1, end: Any = 2, **more: Any) -> Any:
    return {"media_path": str(root / name), "start_time": start, "end_time": end, **more}


def export(desk: tuple[Client, Path], *clips: Any, **body: Any) -> Any:
    return desk[0].ok(PATH, clips=list(clips), **body)


def test_the_answer_is_the_documents_and_the_xml_follows_all_rules(
    desk: tuple[Client, Path],
) -> None:
    root = desk[1]
    found = export(
        desk, clip(root), clip(root, "é 1#.mov"), clip(root, "s.jpg", 0, 5), clip(root, "w.wav")
    )
    assert list(found) == ["xml", "text", "output_path", "sequence", "warnings"]
    assert (found["text"], found["output_path"]) == (None, None)
    assert found["sequence"] == {"fps": "25/1", "duration_frames": 25 * 8}
    assert [(w["index"], w["code"]) for w in found["warnings"]] == [(1, "rate_conformed")]
    document = check_xmeml(found["xml"])
    assert document.findtext("sequence/name") == "Rushes Export"
    timecodes = [t.findtext("string") for t in document.iter("timecode")]
    assert {"10:00:00:00", "00;59;58;00"} <= set(timecodes)
    urls = [url.text.rpartition("/")[2] for url in document.iter("pathurl")]
    assert urls == ["a.mov", "%C3%A9%201%23.mov", "s.jpg", "w.wav"]
    assert export(desk, clip(root), layout="both") == export(desk, clip(root), layout="both")


def test_every_time_form_means_the_same(desk: tuple[Client, Path]) -> None:
    root = desk[1]
    times = [(1, 2), ("00:00:01", "00:00:02.000"), ("10:00:01:00", "10:00:02:00"), (1.0, "0:0:2")]
    texts = {export(desk, clip(root, "a.mov", *pair))["xml"] for pair in times}
    assert len(texts) == 1


def test_non_xml_formats_answer_in_text(desk: tuple[Client, Path]) -> None:
    root = desk[1]
    fcpxml = export(desk, clip(root), format="fcpxml")
    assert fcpxml["text"] is None
    check_fcpxml(fcpxml["xml"])
    edl = export(desk, clip(root), format="edl", start_timecode="01:00:00:00")
    assert edl["xml"] is None
    (event,) = pycmx.parse_cmx3600(io.StringIO(edl["text"])).events
    assert event.edits[0].record_in == "01:00:00:00"
    assert event.edits[0].source_in == "10:00:01:00"
    text = export(desk, clip(root), format="otio")["text"]
    assert otio.adapters.read_from_string(text).tracks[0].duration().value == 25


def test_size_rate_name_and_start_are_as_asked_for(desk: tuple[Client, Path]) -> None:
    found = export(
        desk,
        clip(desk[1]),
        fps=29.97,
        width=3840,
        height=2160,
        sequence_name="Day 1",
        start_timecode="01:00:00;00",
    )
    assert found["sequence"] == {"fps": "30000/1001", "duration_frames": 30}
    document = check_xmeml(found["xml"])
    shape = document.find("sequence/media/video/format/samplecharacteristics")
    assert (number(shape, "width"), number(shape, "height")) == (3840, 2160)
    assert document.findtext("sequence/timecode/string") == "01;00;00;00"
    assert document.findtext("sequence/name") == "Day 1"


def test_what_cannot_be_used_is_left_out_with_a_warning_or_refused_if_strict(
    desk: tuple[Client, Path],
) -> None:
    client, root = desk
    clips = [
        clip(root, "none.mov"),
        clip(root),
        clip(root, "broken.mov"),
        {**clip(root), "media_path": "/elsewhere/a.mov"},
    ]
    found = export(desk, *clips)
    assert [(w["index"], w["code"]) for w in found["warnings"]] == [
        (0, "missing_media"),
        (2, "unreadable_media"),
        (3, "not_allowed"),
    ]
    assert found["sequence"]["duration_frames"] == 25
    refused = client.post(PATH, clips=clips, strict=True)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith(f"clips[0].media_path: {root}/none.mov: ")
    outside = client.post(PATH, clips=clips[3:], strict=True)
    assert outside.status_code == 403
    assert "RUSHES_MEDIA_ROOTS" in outside.json()["message"]
    nothing = client.post(PATH, clips=[clips[0], clips[2]])
    assert (nothing.status_code, nothing.json()["error"]) == (422, "Nothing to export")
    for path in ("none.mov: The file does not exist.", f"clips[1].media_path: {root}/broken.mov: "):
        assert path in nothing.json()["message"]


@pytest.mark.parametrize("form", ["xmeml", "fcpxml", "otio", "edl"])
def test_matches_that_are_stills_are_held_and_bad_ranges_left_out_alone(
    desk: tuple[Client, Path], form: str
) -> None:
    client, root = desk
    still = clip(root, "s.jpg", "00:00:00", "00:00:00")
    bad = [clip(root, start=2, end=1), clip(root, "s.jpg", 2, 1), clip(root, start=4, end=5)]
    found = export(desk, clip(root), still, *bad, clip(root), format=form)
    assert found["sequence"]["duration_frames"] == 25 * 7
    assert [(w["index"], w["code"]) for w in found["warnings"]] == [
        (n, "bad_range") for n in (2, 3, 4)
    ]
    refused = client.post(PATH, clips=[still, *bad], format=form, strict=True)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith("clips[1].end_time must be after start_time")
    nothing = client.post(PATH, clips=[clip(root, "none.mov"), *bad], format=form)
    assert nothing.status_code == 422
    for words in ("none.mov was left out", "clips[3].start_time is 4.000 s"):
        assert words in nothing.json()["message"]


def test_media_that_is_away_is_laid_out_as_it_was_or_refused_if_strict(
    desk: tuple[Client, Path],
) -> None:
    client, root = desk
    away = root / "away é.mov"
    shutil.copy(root / "a.mov", away)
    cache, hash_str = CacheDir.open(root / "analyzed", create=True), hash_media(str(away))
    with cache.draft(hash_str, Stage.FRAMES, "", "pack", "test") as draft:
        draft.publish(rows=4, probe=probe(away, MediaType.VIDEO))
    cache.remember_path(hash_str, str(away), away.stat().st_size, 1)
    there = export(desk, clip(root, away.name), clip(root))
    away.unlink()
    asked = {"clips": [clip(root, away.name), clip(root)], "cache_dir": str(cache.root)}
    found = client.ok(PATH, **asked)
    assert [(w["index"], w["code"]) for w in found["warnings"]] == [(0, "offline_media")]
    assert {**found, "warnings": []} == there
    decomposed = clip(root, normalize("NFD", away.name))
    assert client.ok(PATH, **{**asked, "clips": [decomposed]})["sequence"]["duration_frames"] == 25
    refused = client.post(PATH, **asked, strict=True)
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        f"clips[0].media_path: {away}: The file does not exist.",
    )
    without = export(desk, *asked["clips"])
    assert [w["code"] for w in without["warnings"]] == ["missing_media"]
    never = client.ok(PATH, **{**asked, "clips": [clip(root, "none.mov"), clip(root)]})
    assert [w["code"] for w in never["warnings"]] == ["missing_media"]


def test_output_path_writes_the_file_never_over_another(desk: tuple[Client, Path]) -> None:
    client, root = desk
    folder = root / "exports"
    folder.mkdir()

    def written(path: str, **body: Any) -> str:
        found = export(desk, clip(root), output_path=path, sequence_name="Day 1", **body)
        content = Path(found["output_path"]).read_text(encoding="utf-8")
        assert content == (found["xml"] or found["text"])
        return str(found["output_path"])

    target = str(folder / "cut")
    assert written(target) == f"{target}.xml"
    assert written(f"{target}.xml") == f"{target} (2).xml"
    assert written(target, format="edl") == f"{target}.edl"
    assert written(str(folder), format="otio") == str(folder / "Day 1.otio")
    assert written(f"{folder}/", format="fcpxml") == str(folder / "Day 1.fcpxml")
    assert len(list(folder.iterdir())) == 5

    def refused(path: str, **body: Any) -> httpx.Response:
        return client.post(PATH, clips=[clip(root)], output_path=path, **body)

    assert "ends in .edl" in refused(f"{target}.edl").json()["message"]
    assert refused(str(root / "no" / "a.xml")).status_code == 400
    assert refused("/elsewhere/a.xml").status_code == 403
    assert refused(f"{target}.edl", format="edl", fps=24).status_code == 400
    assert len(list(folder.iterdir())) == 5


def test_ranges_that_the_media_does_not_have_are_left_out(desk: tuple[Client, Path]) -> None:
    client, root = desk

    def message(**more: Any) -> str:
        [warning] = client.ok(PATH, clips=[clip(root), clip(root, **more)])["warnings"]
        assert (warning["index"], warning["code"]) == (1, "bad_range")
        return str(warning["message"])

    assert message(start=4, end=5) == "clips[1].start_time is 4.000 s, but a.mov ends at 4.000 s."
    assert "does not exist at 25" in message(start="10:00:01:25", end="10:00:02:00")
    assert "must be after start_time" in message(start="10:00:02:00", end="10:00:01:00")
    found = export(desk, clip(root, end=9))
    assert [(w["index"], w["code"]) for w in found["warnings"]] == [(0, "clamped_out")]


GOOD = {"media_path": "/media/a.mov", "start_time": 1, "end_time": 2}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"clips": [{**GOOD, "start_time": "x"}]}, "clips[0].start_time must be seconds"),
        ({"clips": [{**GOOD, "start_time": -1}]}, "clips[0].start_time must be a number of sec"),
        ({"clips": [{**GOOD, "end_time": 1e12}]}, "clips[0].end_time must be a number of seconds"),
        (
            {"clips": [{**GOOD, "markers": [{"time": "?", "name": "m"}]}]},
            "clips[0].markers[0].time must be seconds",
        ),
        ({"fps": 0}, "fps must be a frame rate"),
        ({"fps": "fast"}, "fps must be a frame rate"),
        ({"fps": 1000}, "fps must be a frame rate"),
        ({"fps": 25, "start_timecode": "1:2"}, "start_timecode must be HH:MM:SS:FF"),
        ({"fps": 25, "start_timecode": "01:00:00;00"}, "start_timecode: drop-frame"),
        ({"layout": "both", "format": "edl"}, 'layout "both" exists for the format xmeml only'),
        ({"path_map": [{"from": "a", "to": "/a"}]}, "path_map[0].from must be an absolute folder"),
        ({"path_map": [{"from": "/a", "to": "b"}]}, "path_map[0].to must be an absolute folder"),
        ({"output_path": "a.xml"}, "output_path must be an absolute path"),
    ],
)
def test_bad_input_is_named_with_its_place(
    client: Client, wrong: dict[str, Any], message: str
) -> None:
    answer = client.post(PATH, **{"clips": [GOOD], **wrong})
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].startswith(message)


def test_without_a_query_worker_it_is_503(client: Client, media: Path) -> None:
    answer = client.post(PATH, clips=[clip(media)])
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def _others_have_gone_on() -> None:
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn


class _QueryClient:
    """Answers probes without any worker, and counts them."""

    def __init__(self, error: RushesError | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self._error = error

    async def ask(self, lane: Lane, question: ProbeFile) -> Probed:
        assert lane is Lane.PROBE
        self.asked[question.path] += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        for _ in range(3):
            await _others_have_gone_on()
        self.at_once -= 1
        if self._error:
            raise self._error
        return Probed(
            media_type=MediaType.VIDEO,
            duration_seconds=60.0,
            fps_rational="25/1",
            width=1920,
            height=1080,
        )


def answer_of(queries: _QueryClient, body: dict[str, Any], **env: str) -> ExportedTimeline:
    settings = Settings.from_env({"RUSHES_REDIS_URL": "unix:///nowhere", **env})
    services = replace(provide(settings).get(ExportServices), query_client=cast(Any, queries))
    call = Call(services.paths, msgspec.convert(body, TimelineBody), {}, {})
    return asyncio.run(export_timeline(call, services))


def test_checklist_10_each_file_is_probed_once_and_several_at_a_time() -> None:
    queries = _QueryClient()
    clips = [{**GOOD, "media_path": f"/media/{n % 10}.mov"} for n in range(500)]
    found = answer_of(queries, {"clips": clips})
    assert queries.asked == Counter({f"/media/{n}.mov": 1 for n in range(10)})
    assert queries.most_at_once > 1
    assert found.sequence.duration_frames == 500 * 25


def test_paths_are_the_clients_until_path_map_changes_them() -> None:
    queries = _QueryClient()
    clips = [{**GOOD, "media_path": "X:\\day 1\\a.mov"}]
    found = answer_of(queries, {"clips": clips}, RUSHES_PATH_MAP="X:\\=/srv/media")
    assert list(queries.asked) == ["/srv/media/day 1/a.mov"]
    assert "<pathurl>file://localhost/X%3a/day%201/a.mov</pathurl>" in (found.xml or "")
    mapped = answer_of(
        queries,
        {"clips": clips, "path_map": [{"from": "X:\\", "to": "/Volumes/x"}]},
        RUSHES_PATH_MAP="X:\\=/srv/media",
    )
    check_xmeml(mapped.xml or "")
    assert "<pathurl>file://localhost/Volumes/x/day%201/a.mov</pathurl>" in (mapped.xml or "")


def test_a_worker_that_is_away_is_no_missing_media() -> None:
    with pytest.raises(NoWorker):
        answer_of(_QueryClient(NoWorker()), {"clips": [GOOD]})
    with pytest.raises(NothingUsable, match="does not exist"):
        answer_of(_QueryClient(MediaMissing()), {"clips": [GOOD]})


def test_the_libraries_of_timelines_are_loaded_when_they_are_used() -> None:
    program = (
        "import sys, api.app;print([n for n in ('lxml', 'opentimelineio') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
