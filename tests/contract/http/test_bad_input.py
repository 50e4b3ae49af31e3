"""Bad input and what it gets: one test per line of the issue, as far as no worker is needed."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, running_stack
from tests.support.system.stopwatch import Stopwatch

_AT_ONE = {"time_seconds": 1}


def refusal(client: Client, path: str, **body: Any) -> str:
    """The message of a 400."""
    answer = client.post(path, **body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error", "message"}
    return str(answer.json()["message"])


@pytest.fixture
def base(caches: Path, media: Path) -> dict[str, Any]:
    """A body that is right for every endpoint below, until a test makes it wrong."""
    (caches / "base").mkdir(exist_ok=True)
    return {
        "cache_dir": str(caches / "base"),
        "query": "a cat",
        "media_path": str(media / "a.mp4"),
        "time_seconds": 1,
        "image_path": str(media / "a.jpg"),
        "media_paths": [str(media / "a.mp4")],
        "visual_media_paths": [str(media / "a.mp4")],
        "requests": [{"media_path": str(media / "a.mp4"), "time_seconds": 1}],
        "start_time": 1,
        "end_time": 2,
    }


@pytest.mark.parametrize(
    ("path", "wrong", "field"),
    [
        ("/analyze", {"visual_media_paths": ["/a", 5]}, "visual_media_paths[1]"),
        ("/analyze", {"visual_media_paths": "/a"}, "visual_media_paths"),
        ("/analyze", {"cache_dir": 7}, "cache_dir"),
        ("/analyze", {"force": "yes"}, "force"),
        ("/analyze", {"on_busy": "wait"}, "on_busy"),
        (
            "/analyze",
            {"transcription_jobs": [{"path": "/a"}, {"path": "/b"}, {"path": 1}]},
            "transcription_jobs[2].path",
        ),
        ("/analyze", {"transcription_jobs": [{}]}, "transcription_jobs[0].path"),
        ("/analyze", {"transcription_jobs": ["/a"]}, "transcription_jobs[0]"),
        ("/search/text", {"query": ["a"]}, "query"),
        ("/search/text", {"text_weight": "1"}, "text_weight"),
        ("/search/text", {"exclude": ["a", None]}, "exclude[1]"),
        ("/search/text", {"people_filter": [{"person_name": "A"}]}, "cluster_job_name"),
        ("/search/text", {"people_filter_mode": "xor"}, "people_filter_mode"),
        ("/search/frame", {"time_seconds": [1]}, "time_seconds"),
        ("/thumbnails", {"requests": [{"media_path": "/a"}]}, "requests[0].time_seconds"),
        ("/models/load", {"model_key": "x", "model_type": "audio"}, "model_type"),
    ],
)
def test_a_wrong_type_names_field_and_index(
    client: Client, base: dict[str, Any], path: str, wrong: dict[str, Any], field: str
) -> None:
    message = refusal(client, path, **{**base, **wrong})
    assert message.startswith(field) or f".{field} " in message


@pytest.mark.parametrize(
    ("path", "wrong", "field"),
    [
        ("/analyze", {"cache_dir": ""}, "cache_dir"),
        ("/search/text", {"query": ""}, "query"),
        ("/search/text", {"query": "  "}, "query"),
        ("/search/text", {"exclude": [""]}, "exclude[0]"),
        ("/models/load", {"model_key": ""}, "model_key"),
    ],
)
def test_an_empty_required_string_is_400(
    client: Client, base: dict[str, Any], path: str, wrong: dict[str, Any], field: str
) -> None:
    assert refusal(client, path, **{**base, **wrong}) == f"{field} must not be empty."


@pytest.mark.parametrize(
    ("path", "wrong", "field"),
    [
        ("/analyze", {"cache_dir": "cache"}, "cache_dir"),
        ("/search/image", {"image_path": "a.jpg"}, "image_path"),
        ("/search/frame", {"media_path": "a.mp4"}, "media_path"),
        ("/thumbnails/scene", {"media_path": "a"}, "media_path"),
        ("/analysis-data/load", {"cache_dir": "a"}, "cache_dir"),
    ],
)
def test_a_relative_path_is_400(
    client: Client, base: dict[str, Any], media: Path, path: str, wrong: dict[str, Any], field: str
) -> None:
    if "visual_media_paths" in wrong:
        wrong = {"visual_media_paths": [str(media / "a.mp4"), "a.mp4"]}
    message = refusal(client, path, **{**base, **wrong})
    assert message.startswith(field)
    assert "absolute path" in message


def test_an_unknown_model_key_is_400(client: Client, base: dict[str, Any]) -> None:
    assert "visual_model_key" in refusal(client, "/analyze", **base, visual_model_key="nonsense")
    assert "model_key" in refusal(client, "/models/load", model_key="nonsense")
    assert "model_key" in refusal(client, "/models/load", model_key="x", model_type="speech")
    assert "visual_model_key" in refusal(client, "/cache-paths", **base, visual_model_key="no")


@pytest.mark.parametrize("path", ["/search/text", "/search/image", "/search/frame"])
def test_max_results_below_one_is_400(client: Client, base: dict[str, Any], path: str) -> None:
    assert refusal(client, path, **base, max_results=0).startswith("max_results")


@pytest.mark.parametrize(
    "wrong",
    [-1, -0.5, "-00:00:01", "1:2:3:4", "00:00:61", "soon", "", "00:00:05\n", "٠٠:00:05", True],
)
def test_a_negative_or_odd_time_is_400(client: Client, base: dict[str, Any], wrong: Any) -> None:
    body = {**base, "time_seconds": wrong}
    assert refusal(client, "/search/frame", **body).startswith("time_seconds")
    body = {**base, "end_time": wrong}
    assert refusal(client, "/thumbnails/scene", **body).startswith("end_time")


@pytest.mark.parametrize("wrong", [-0.01, None, "-00:00:01", "soon", ""])
def test_a_thumbnail_of_no_time_is_null_in_its_slot(
    client: Client, base: dict[str, Any], wrong: Any
) -> None:
    requests = [{**base["requests"][0], "time_seconds": wrong}, {"media_path": "", **_AT_ONE}]
    first, second = client.ok("/thumbnails", **{**base, "requests": requests})["thumbnails"]
    assert first["thumbnail"] is second["thumbnail"] is None
    assert first["error"].startswith("requests[0].time_seconds")
    assert second["error"].startswith("requests[1].media_path")


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_an_analysis_into_a_file_is_refused_and_stops_nobody(
    client: Client, base: dict[str, Any], caches: Path, path: str
) -> None:
    (caches / "file").touch()
    good = client.ok("/analyze", **base)["task_id"]
    said = refusal(client, "/analyze", **{**base, "cache_dir": str(caches / path)})
    assert said == f"The cache folder {caches / path} is not a folder; choose another cache_dir."
    assert client.task(good)["status"] == "queued"
    client.ok("/analyze", **{**base, "cache_dir": str(caches / "not there yet")})


def test_an_empty_optional_parameter_equals_leaving_it_out(
    client: Client, base: dict[str, Any]
) -> None:
    for path, name in (("/tasks", "state"), ("/tasks", "limit"), ("/faces/clusters", "details")):
        query = {"cache_dir": base["cache_dir"]} if "faces" in path else {}
        plain = client.http.get(path, params=query)
        assert client.http.get(path, params={**query, name: ""}).text == plain.text
        assert client.http.get(path, params={**query, name: "x"}).status_code == 400
    assert client.get("/faces/clusters?cache_dir=").json()["message"] == (
        "cache_dir must not be empty."
    )
    people = client.get("/faces/clusters?cluster_job_name=&cache_dir=" + base["cache_dir"])
    assert people.json() == {"cluster_jobs": []}


def test_a_scene_that_ends_before_it_starts_is_400(client: Client, base: dict[str, Any]) -> None:
    body = {**base, "start_time": "00:00:10", "end_time": 9}
    assert refusal(client, "/thumbnails/scene", **body).startswith("end_time")
    body = {**base, "start_time": 3.9, "end_time": 3.1}  # of one grid second
    assert refusal(client, "/thumbnails/scene", **body).startswith("end_time")


def test_a_refusal_names_types_and_choices_in_plain_words(
    client: Client, base: dict[str, Any]
) -> None:
    assert refusal(client, "/analyze", **{**base, "on_busy": "wait"}) == (
        'on_busy must be one of "replace", "replace-any", "queue", "refuse", not \'wait\'.'
    )
    assert refusal(client, "/analyze/cancel", task_id=5) == (
        "task_id: expected a string, not a whole number."
    )
    assert refusal(client, "/search/frame", **{**base, "time_seconds": True}) == (
        "time_seconds: expected a number or a string, not true or false."
    )
    assert refusal(client, "/search/text", **{**base, "exclude": [None]}) == (
        "exclude[0]: expected a string, not null."
    )


@pytest.mark.parametrize("weight", [1e7, -1e7, 1e308])
def test_a_text_weight_that_would_overflow_the_scores_is_400(
    client: Client, base: dict[str, Any], weight: float
) -> None:
    assert refusal(client, "/search/text", **base, text_weight=weight).startswith("text_weight")


@pytest.mark.parametrize(
    "path", ["/analysis-data/load", "/analysis-data/load-for-media", "/media/metadata"]
)
def test_a_cache_dir_whose_name_is_too_long_is_400(
    client: Client, base: dict[str, Any], caches: Path, path: str
) -> None:
    body = {**base, "cache_dir": str(caches / ("a" * 300))}
    assert "too long" in refusal(client, path, **body)


def test_places_in_a_cache_dir_whose_name_is_too_long_do_not_exist(
    client: Client, base: dict[str, Any], caches: Path, media: Path
) -> None:
    (media / "long.jpg").write_bytes(b"not empty")
    body: dict[str, Any] = {
        "cache_dir": str(caches / ("a" * 300)),
        "media_paths": [str(media / "long.jpg")],
    }
    answer = client.post("/cache-paths", **body)
    assert answer.status_code == 200
    assert answer.json()["cache_paths"][0]["visual"]["exists"] is False


def test_a_model_whose_weights_nobody_has_is_not_made_the_active_one(client: Client) -> None:
    key = "ViT-B-32--openai"
    assert f"rushes models pull {key}" in refusal(client, "/models/load", model_key=key)
    visual = client.get("/models/available").json()["visual"]
    assert [m["model_key"] for m in visual if m["is_active"]] == ["conse-lite0"]


def test_base64_that_is_none_is_400(client: Client, base: dict[str, Any]) -> None:
    body = {**base, "image_path": None}
    assert refusal(client, "/search/image", **body, image="%%%").startswith("image ")
    assert refusal(client, "/search/image", **body, image="====").startswith("image ")
    assert "image_path" in refusal(client, "/search/image", **body)


def test_nothing_to_do_is_400_and_faces_need_a_collection(
    client: Client, base: dict[str, Any], media: Path
) -> None:
    body = {"cache_dir": base["cache_dir"]}
    assert "nothing to do" in refusal(client, "/analyze", **body)
    assert "nothing to do" in refusal(client, "/analyze", **body, visual_media_paths=[])
    faces = refusal(client, "/analyze", **body, face_media_paths=[str(media / "a.mp4")])
    assert faces.startswith("cluster_job_name")


def test_outside_the_roots_is_403_and_in_a_batch_in_its_own_slot(
    client: Client, base: dict[str, Any], media: Path, tmp_path: Path
) -> None:
    outside = str(tmp_path / "a.mp4")
    for path, wrong, setting in [
        ("/analyze", {"visual_media_paths": [outside]}, "RUSHES_MEDIA_ROOTS"),
        ("/analyze", {"visual_media_paths": [f"{media}/../a.mp4"]}, "RUSHES_MEDIA_ROOTS"),
        ("/analyze", {"cache_dir": str(tmp_path)}, "RUSHES_CACHE_ROOTS"),
        ("/search/frame", {"media_path": outside}, "RUSHES_MEDIA_ROOTS"),
        ("/search/image", {"image_path": outside}, "RUSHES_MEDIA_ROOTS"),
        ("/search/text", {"cache_dir": str(tmp_path)}, "RUSHES_CACHE_ROOTS"),
        ("/thumbnails/scene", {"media_path": outside}, "RUSHES_MEDIA_ROOTS"),
        ("/thumbnails", {"cache_dir": str(tmp_path)}, "RUSHES_CACHE_ROOTS"),
        ("/cache-paths", {"cache_dir": str(tmp_path)}, "RUSHES_CACHE_ROOTS"),
    ]:
        answer = client.post(path, **{**base, **wrong})
        assert answer.status_code == 403, path
        assert answer.json()["error"] == "Path not allowed"
        assert setting in answer.json()["message"]
    both = {**base, "media_paths": [outside, str(media / "a.mp4")]}
    for path, name in [("/media/metadata", "media"), ("/cache-paths", "cache_paths")]:
        first, second = client.ok(path, **both)[name]
        assert outside in first["error"]
        assert "RUSHES_MEDIA_ROOTS" in first["error"]
        assert second["error"] == "The file does not exist."
    requests = [{"media_path": outside, "time_seconds": 0}]
    slot = client.ok("/thumbnails", **{**base, "requests": requests})["thumbnails"][0]
    assert slot["thumbnail"] is None
    assert "RUSHES_MEDIA_ROOTS" in slot["error"]


def test_a_link_that_leads_out_of_the_roots_is_not_followed(
    client: Client, media: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    link = media / "link.mp4"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "secret.mp4")
    item = client.ok("/media/metadata", media_paths=[str(link)])["media"][0]
    assert item["hash_str"] is None
    assert "RUSHES_MEDIA_ROOTS" in item["error"]


def test_a_missing_file_is_404_for_a_search_by_it(client: Client, base: dict[str, Any]) -> None:
    assert client.post("/search/image", **base).status_code == 404
    assert client.post("/search/frame", **base).status_code == 404


def test_no_query_worker_is_503_with_retry_after(
    client: Client, base: dict[str, Any], media: Path
) -> None:
    (media / "there.mp4").write_bytes(b"x")
    picture = base64.b64encode(b"x").decode()
    for path, more in [
        ("/search/text", {}),
        ("/search/image", {"image": picture, "image_path": None}),
        ("/search/frame", {"media_path": str(media / "there.mp4")}),
    ]:
        answer = client.post(path, **{**base, **more})
        assert answer.status_code == 503, path
        assert int(answer.headers["retry-after"]) > 0
        assert "rushes worker query" in answer.json()["message"]


def test_no_analysis_worker_is_202_queued_and_the_message_says_why(
    client: Client, base: dict[str, Any]
) -> None:
    accepted = client.post("/analyze", **base)
    assert accepted.status_code == 202
    assert "No analysis worker is running" in accepted.json()["message"]
    record = client.task(accepted.json()["task_id"])
    assert record["status"] == "queued"
    assert "No analysis worker is running" in record["message"]


def test_an_empty_list_of_paths_finds_nothing_and_loads_nothing(
    client: Client, base: dict[str, Any]
) -> None:
    assert client.ok("/search/text", **{**base, "media_paths": []}) == {"matches": []}
    loaded = client.ok("/analysis-data/load-for-media", **{**base, "media_paths": []})
    assert (loaded["visual_files"], loaded["missing"]) == (0, [])


def test_a_search_for_nobody_known_needs_no_worker_and_an_empty_filter_is_none(
    client: Client, base: dict[str, Any]
) -> None:
    person = {"cluster_job_name": "A", "person_name": "B"}
    assert client.ok("/search/text", **base, people_filter=[person]) == {"matches": []}
    assert client.post("/search/text", **base, people_filter=[]).status_code == 503
    half = [{"cluster_job_name": "A"}]
    assert "people_filter[0]" in refusal(client, "/search/text", **base, people_filter=half)


def test_redis_away_is_503_within_two_seconds_and_never_a_false_202(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    clip = tmp_path / "media" / "a.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"x")
    body = {"cache_dir": str(tmp_path / "cache"), "query": "a", "media_paths": [str(clip)]}
    with running_stack(tmp_path / "s", own_redis.url, analysis=0, query=0) as stack:
        client = stack.client()
        for make_away in (own_redis.freeze, own_redis.stop):
            make_away()
            for path in ("/analyze", "/search/text", "/media/metadata", "/analyze/cancel"):
                stopwatch = Stopwatch(stack)
                answer = client.post(path, **body, visual_media_paths=[str(clip)])
                assert answer.status_code == 503, path
                assert answer.json()["error"] == "Redis unavailable"
                assert int(answer.headers["retry-after"]) > 0
                assert stopwatch.seconds() < 2
            assert client.get("/health").status_code == 200
            assert client.get("/ready").status_code == 503
        own_redis.start()
        assert client.get("/tasks").json() == {"tasks": []}
        assert stack.processes["api-0"].end() == 0
        assert "Traceback" not in stack.processes["api-0"].text()
