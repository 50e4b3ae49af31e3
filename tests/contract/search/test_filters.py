"""Filters: the same ones for every kind of search, and what is wrong about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Probe
from shared.media import MediaType
from shared.media_facts import AudioStream
from tests.contract.http.test_bad_input import refusal
from tests.support.media.by_path import hash_media
from tests.support.people.people_data import Seen, make_collection
from tests.support.search import transcribed
from tests.support.search.search_data import publish, random_units
from tests.support.search.transcript_data import segments
from tests.support.stack import Client

_PCM = AudioStream(index=1, codec="pcm_s24le", channels=2)
PROBES = {
    "day1/a.mov": Probe(
        media_type=MediaType.VIDEO, duration_seconds=40.0, fps=23.976024, width=3840, height=2160,
        video_codec="prores", has_audio=True, audio_streams=(_PCM,),
        created_at="2026-11-25T23:30:00Z",
    ),
    "day1/sub/b.mp4": Probe(
        media_type=MediaType.VIDEO, duration_seconds=600.0, fps=25.0, width=1440, height=1080,
        display_width=1920, display_height=1080, video_codec="hevc", has_audio=True,
        audio_codec="aac", created_at="2026-11-26",
    ),
    "day2/c.mp4": Probe(
        media_type=MediaType.VIDEO, duration_seconds=5.0, fps=50.0, width=1080, height=1920,
        video_codec="h264", created_at="2026-12-01T08:00:00+02:00",
    ),
    "dày2/d.jpg": Probe(media_type=MediaType.IMAGE, width=4000, height=3000, video_codec="jpeg"),
    "day2/e.wav": None,
}  # fmt: skip
A, B, C, D, E = (Path(name).name for name in PROBES)
LANGUAGES = {A: "en", B: "de", E: "en"}
ADA, BO, CAST = 1001, 1002, "Cast"


@pytest.fixture(scope="module")
def places(caches: Path, media: Path) -> dict[str, Any]:
    """Five files of which all is different, as far as it is known."""
    cache = CacheDir.open(caches / "filtered", create=True)
    root = media / "filtered"
    hashes = {}
    for number, (name, probe) in enumerate(PROBES.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        hashes[path.name] = hash_str = hash_media(str(path))
        if probe is not None:
            publish(cache, hash_str, random_units(3, 32, number), model="conse-lite0", path=path,
                    probe=probe)  # fmt: skip
        if language := LANGUAGES.get(path.name):
            transcribed.publish(cache, hash_str, segments("thunder"), language=language)
            found = path.stat()
            cache.remember_path(hash_str, str(path), found.st_size, found.st_mtime_ns)
    faces = {hashes[A]: [Seen(1, 2, ADA)], hashes[B]: [Seen(0, 2, ADA), Seen(2, 4, BO)]}
    make_collection(cache, CAST, faces)
    return {"cache_dir": str(cache.root), "root": str(root)}


def left(client: Client, places: dict[str, Any], filters: dict[str, Any], **more: Any) -> set[str]:
    """Names of the files that have a match, of pictures and of words."""
    body = {"cache_dir": places["cache_dir"], "filters": filters, **more}
    example = {"media_path": f"{places['root']}/day1/a.mov", "time_seconds": 0}
    seen = client.ok("/search/frame", **body, **example)["matches"]
    said = client.ok("/search/transcript", **body, query="thunder")["matches"]
    names = {Path(match["video_path"]).name for match in seen}
    spoken = {Path(match["media_path"]).name for match in said}
    assert {name for name in names if name in LANGUAGES} == spoken - {E}, "alike for all searches"
    return names | spoken


def person(cluster: int) -> dict[str, Any]:
    return {"cluster_job_name": CAST, "cluster_id": cluster}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, {A, B, C, D, E}),
        ({"seconds": {"min": 5, "max": 40}}, {A, C}),
        ({"seconds": {"max": 39.9}}, {C}),
        ({"rate": {"min": 23.98, "max": 23.98}}, {A}),
        ({"rate": {"min": 24}}, {B, C}),
        ({"size": {"min_width": 1920}}, {A, B, D}),
        ({"size": {"max_width": 1920, "max_height": 1080}}, {B}),
        ({"codec": "ProRes"}, {A}),
        ({"codec": "H265"}, {B}),
        ({"codec": "pcm_s24le"}, {A}),
        ({"sound": True}, {A, B, E}),
        ({"sound": False}, {C, D}),
        ({"language": "english"}, {A, E}),
        ({"language": "de-AT"}, {B}),
        ({"recorded": {"from": "2026-11-26"}}, {B, C}),
        ({"recorded": {"to": "2026-11-25"}}, {A}),
        ({"recorded": {"from": "2026-12-01T06:00:00", "to": "2026-12-01T06:00:00Z"}}, {C}),
        ({"people": [person(ADA)]}, {A, B}),
        ({"people": [person(ADA), person(BO)]}, {B}),
        ({"people": [person(ADA), person(BO)], "people_mode": "or"}, {A, B}),
        ({"people": [person(77)]}, set()),
        ({"sound": True, "seconds": {"min": 10}, "language": "en"}, {A}),
        ({"sound": True, "recorded": {"from": "2026-12-01"}}, set()),
        ({"recorded": None, "seconds": {}}, {A, B, C}),
    ],
)
def test_only_files_of_which_all_holds_are_searched(
    client: Client, places: dict[str, Any], filters: dict[str, Any], names: set[str]
) -> None:
    assert left(client, places, filters) == names


@pytest.mark.parametrize(
    ("folder", "names"),
    [("day1", {A, B}), ("day1/sub/", {B}), ("day", set()), ("dày2", {D}), ("da\u0300y2", {D})],
)
def test_a_folder_is_what_lies_below_it(
    client: Client, places: dict[str, Any], folder: str, names: set[str]
) -> None:
    assert left(client, places, {"folder": f"{places['root']}/{folder}"}) == names


@pytest.mark.parametrize(("recursive", "names"), [(True, {A, B}), (False, {A})])
def test_a_watch_folder_is_what_it_watches(
    client: Client, places: dict[str, Any], recursive: bool, names: set[str]
) -> None:
    day1 = f"{places['root']}/day1"
    body = {"path": day1, "cache_dir": places["cache_dir"], "recursive": recursive}
    made = client.http.post("/watch-folders", json=body).json()
    assert left(client, places, {"watch_folder": made["id"]}) == names
    inside = {"watch_folder": made["id"], "folder": f"{day1}/sub"}
    outside = {"watch_folder": made["id"], "folder": f"{places['root']}/day2"}
    if recursive:
        assert left(client, places, inside) == {B}
    said = refused(client, places, outside)
    assert said.startswith("filters.folder: ")
    assert said.endswith("drop one of them.")
    client.http.delete(f"/watch-folders/{made['id']}")


def test_filters_go_with_paths_people_and_pages(client: Client, places: dict[str, Any]) -> None:
    paths = [f"{places['root']}/day1/a.mov", f"{places['root']}/day2/c.mp4"]
    assert left(client, places, {"sound": True}, media_paths=paths) == {A}
    example = {"media_path": paths[0], "time_seconds": 0, "cache_dir": places["cache_dir"]}
    ada = {"people_filter": [person(ADA)], "filters": {"codec": "hevc"}}
    (found,) = client.ok("/search/frame", **example, **ada)["matches"]
    assert (Path(found["video_path"]).name, found["frame_idx"]) == (B, "0")
    page = client.ok("/search/frame", **example, filters={"sound": True}, cursor="", max_results=1)
    rest = client.ok(
        "/search/frame", **example, filters={"sound": True}, cursor=page["next"], max_results=1
    )
    assert {Path(m["video_path"]).name for m in page["matches"] + rest["matches"]} <= {A, B}


def test_what_leaves_no_file_says_so(client: Client, places: dict[str, Any]) -> None:
    example = {"media_path": f"{places['root']}/day1/a.mov", "time_seconds": 0}
    body = {"cache_dir": places["cache_dir"], **example, "filters": {"codec": "dnxhd"}}
    answer = client.ok("/search/frame", **body, details=True)
    assert answer["matches"] == []
    assert answer["notes"] == ["No file passes all filters."]


def refused(client: Client, places: dict[str, Any], filters: dict[str, Any]) -> str:
    """What both kinds of search say, which is the same."""
    body = {"cache_dir": places["cache_dir"], "filters": filters}
    said = refusal(client, "/search/text", **body, query="a car")
    assert refusal(client, "/search/transcript", **body, query="thunder") == said
    return said


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"seconds": {"min": 10, "max": 5}}, "filters.seconds: nothing can be both"),
        ({"rate": {"min": 60, "max": 25}}, "filters.rate: nothing can be both"),
        ({"size": {"min_height": 10, "max_height": 5}}, "filters.size: nothing can be both"),
        (
            {"recorded": {"from": "2026-11-02", "to": "2026-11-01"}},
            "filters.recorded: nothing can be both; swap the bounds or drop one.",
        ),
        ({"recorded": {"from": "2026-13-01"}}, "filters.recorded.from: there is no such date"),
        ({"recorded": {"to": "yesterday"}}, "filters.recorded.to"),
        ({"sound": False, "language": "en"}, "drop it, or drop filters.sound."),
        ({"language": "klingon"}, "filters.language: 'klingon' is no language"),
        ({"language": "auto"}, "filters.language: name a language"),
        ({"people": [{"cluster_job_name": CAST}]}, "filters.people[0] needs person_name"),
        ({"watch_folder": "57cb"}, "filters.watch_folder: There is no watch folder 57cb. GET /wat"),
        ({"folder": "relative"}, "filters.folder"),
        ({"seconds": {"min": -1}}, "filters.seconds.min"),
        ({"sound": "yes"}, "filters.sound"),
    ],
)
def test_what_excludes_itself_or_is_wrong_is_refused_with_the_cure(
    client: Client, places: dict[str, Any], filters: dict[str, Any], field: str
) -> None:
    assert field in refused(client, places, filters)


def test_a_folder_outside_the_roots_is_not_allowed(client: Client, places: dict[str, Any]) -> None:
    answer = client.post("/search/text", cache_dir=places["cache_dir"], query="a car",
                         filters={"folder": "/etc"})  # fmt: skip
    assert answer.status_code == 403
    assert "filters.folder" in answer.json()["message"]


def test_what_letters_find_has_no_score_to_sort_by(client: Client, places: dict[str, Any]) -> None:
    body = {"cache_dir": places["cache_dir"], "query": "thunder", "sort": "score"}
    assert refusal(client, "/search/transcript", **body).startswith("sort: ")


def test_facts_follow_what_is_published_and_deleted(
    client: Client, caches: Path, media: Path
) -> None:
    cache = CacheDir.open(caches / "facts that change", create=True)
    path = media / "changing.mp4"
    path.write_bytes(b"changing")
    hash_str = hash_media(str(path))
    body = {"cache_dir": str(cache.root), "media_path": str(path), "time_seconds": 0}

    def found(codec: str) -> int:
        return len(client.ok("/search/frame", **body, filters={"codec": codec})["matches"])

    for codec in ("h264", "prores"):
        probe = Probe(media_type=MediaType.VIDEO, video_codec=codec)
        publish(cache, hash_str, random_units(1, 32, 1), model="conse-lite0", path=path,
                probe=probe)  # fmt: skip
        assert found(codec) == 1
    assert found("h264") == 0
    (cache.media_dir(hash_str).path / "manifest.frames.json").unlink()
    client.ok("/analysis-data/load", cache_dir=str(cache.root))
    assert found("prores") == 0
