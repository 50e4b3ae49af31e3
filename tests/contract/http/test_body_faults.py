"""Every kind of fault of a body is refused with its place and a cure, at every endpoint.

The tables of single endpoints hold only the rules that are their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.app import ENDPOINTS
from api.http.body_reading import BodyDecoder
from api.http.endpoint import Endpoint
from shared.errors import BadInput
from tests.support.openapi_agreement import example_body, inlined
from tests.support.schema_values import Json, wrong_values
from tests.support.stack import Client

WITH_BODY = {endpoint.operation_id: endpoint for endpoint in ENDPOINTS if endpoint.body}
A_NUMBER, A_TEXT = "a whole number", "a string"


def refusal(client: Client, endpoint: Endpoint, body: Any) -> str:
    """The message of a 400."""
    path = endpoint.path
    for name in ("task_id", "watch_folder_id", "webhook_id"):
        path = path.replace(f"{{{name}}}", "none")
    own = {"Origin": client.url, "X-Rushes-Console": "1"} if endpoint.tag == "Console" else {}
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = client.http.request(endpoint.method, path, headers=own, **sent)
    assert answer.status_code == 400, f"{body!r:.200}: {answer.status_code} {answer.text}"
    assert answer.json()["error"] == "Invalid request"
    return str(answer.json()["message"])


def schema_of(endpoint: Endpoint) -> Json:
    """The schema of a body, whose licence key counts only where no header has one."""
    assert endpoint.body
    schema = inlined({"$ref": f"#/components/schemas/{endpoint.body.__name__}"})
    schema["properties"].pop("license_key")
    return dict(schema)


@pytest.mark.parametrize(
    ("operation", "wrong", "place", "words"),
    [
        # another type
        ("analyze", {"cache_dir": 7}, "cache_dir", [A_TEXT, A_NUMBER]),
        ("analyze", {"cache_dir": None}, "cache_dir", ["required"]),
        ("analyze", {"cache_dir": ""}, "cache_dir", ["empty"]),
        ("analyze", {"force": "yes"}, "force", ["true or false", A_TEXT]),
        ("analyze", {"force": 1}, "force", ["true or false", A_NUMBER]),
        ("analyze", {"visual_media_paths": "/a"}, "visual_media_paths", ["an array", A_TEXT]),
        ("analyze", {"visual_media_paths": {}}, "visual_media_paths", ["an array", "an object"]),
        ("search_by_text", {"query": ["a"]}, "query", [A_TEXT, "an array"]),
        ("search_by_text", {"text_weight": "1"}, "text_weight", ["a number", A_TEXT]),
        ("search_by_text", {"max_results": "5"}, "max_results", [A_NUMBER, A_TEXT]),
        ("search_by_text", {"max_results": 2.5}, "max_results", [A_NUMBER]),
        ("search_by_text", {"filters": 5}, "filters", ["an object", A_NUMBER]),
        (
            "search_by_frame",
            {"time_seconds": True},
            "time_seconds",
            ["a number or a string", "true or false"],
        ),
        ("export_clips", {"quality": "good"}, "quality", [A_NUMBER, A_TEXT]),
        # within a list, within what a list holds, within an object
        ("analyze", {"visual_media_paths": ["/a", 5]}, "visual_media_paths[1]", [A_TEXT]),
        ("search_by_text", {"exclude": ["a", None]}, "exclude[1]", [A_TEXT, "null"]),
        ("search_by_text", {"exclude": ["a", ""]}, "exclude[1]", ["empty"]),
        ("analyze", {"transcription_jobs": ["/a"]}, "transcription_jobs[0]", ["an object"]),
        (
            "analyze",
            {"transcription_jobs": [{"path": "/a"}, {}]},
            "transcription_jobs[1].path",
            ["required"],
        ),
        (
            "analyze",
            {"transcription_jobs": [{"path": "/a"}, {"path": None}]},
            "transcription_jobs[1].path",
            ["required"],
        ),
        (
            "analyze",
            {"transcription_jobs": [{"path": "/a"}, {"path": "/a", "language": 5}]},
            "transcription_jobs[1].language",
            [A_TEXT],
        ),
        (
            "search_by_text",
            {"filters": {"seconds": {"min": "1"}}},
            "filters.seconds.min",
            ["a number"],
        ),
        (
            "change_watch_folder",
            {"schedule": {"start": "20:00", "stop": None}},
            "schedule.stop",
            ["required"],
        ),
        # bounds
        ("search_by_text", {"max_results": 0}, "max_results", ["1"]),
        ("list_faces", {"limit": 2001}, "limit", ["2000"]),
        ("list_faces", {"offset": 10**30}, "offset", []),
        ("recluster_faces", {"eps": 0}, "eps", ["> 0"]),
        ("export_clips", {"handle_seconds": -1}, "handle_seconds", ["0"]),
        ("search_transcripts", {"query": "x" * 10_001}, "query", ["at most 10,000 characters"]),
        ("export_clips", {"clips": "ten thousand and one"}, "clips", ["at most 10,000 entries"]),
        ("name_face_clusters", {"assignments": []}, "assignments", ["empty"]),
        # choices
        ("analyze", {"on_busy": "wait"}, "on_busy", ['"queue"', '"refuse"', "'wait'"]),
        ("create_key", {"scopes": ["search", "x"]}, "scopes[1]", ['"search"', '"export"', "'x'"]),
        # patterns
        ("search_by_frame", {"time_seconds": "soon"}, "time_seconds", ["HH:MM:SS"]),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_is_expected(
    client: Client, operation: str, wrong: Json, place: str, words: list[str]
) -> None:
    endpoint = WITH_BODY[operation]
    body = example_body(endpoint)
    if isinstance(wrong.get("clips"), str):
        wrong = {"clips": [body["clips"][0]] * 10_001}
    said = refusal(client, endpoint, body | wrong)
    assert said.startswith(place)
    assert not said.startswith((f"{place}[", f"{place}."))
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", ["not valid JSON"]),
        (b"{}x", ["not valid JSON"]),
        (b"{'a': 1}", ["not valid JSON"]),
        (b"\xff\xfe", ["not valid JSON"]),
        (b'{"task_id": "\xff"}', ["not valid JSON"]),
        (rb'{"task_id": "\ud83d"}', ["not valid JSON"]),
        (b'{"task_id": NaN}', ["not valid JSON", "no NaN and no Infinity", "leave the value out"]),
        (b'{"task_id": -Infinity}', ["not valid JSON"]),
        (b'{"task_id": 1e999}', ["task_id"]),
        (b"[" * 20_000, ["must be a JSON object"]),
        (b'{"a": ' * 20_000, ["not valid JSON"]),
        (b"[1]", ["must be a JSON object", "an array"]),
        (b'"text"', ["must be a JSON object", "a string"]),
        (b"5", ["must be a JSON object", "a number"]),
        (b"true", ["must be a JSON object", "true or false"]),
        (b"null", ["must be a JSON object", "null"]),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, bytes) else "",
)
def test_what_is_no_json_object_is_refused_with_the_reason(
    client: Client, content: bytes, words: list[str]
) -> None:
    said = refusal(client, WITH_BODY["cancel_task"], content)
    for word in words:
        assert word in said


def test_a_number_beyond_all_bounds_is_refused(client: Client) -> None:
    endpoint = WITH_BODY["recluster_faces"]
    body = msgspec.json.encode({**example_body(endpoint), "eps": 0.4321})
    assert refusal(client, endpoint, body.replace(b"0.4321", b"1e999")).startswith("eps")


def test_only_the_export_of_a_transcript_mends_text_with_half_characters() -> None:
    mending = [name for name, endpoint in WITH_BODY.items() if endpoint.drops_half_characters]
    assert mending == ["export_transcript"]


def test_of_a_field_that_is_given_twice_the_last_value_counts(client: Client) -> None:
    """As most readers of JSON have it."""
    answer = client.http.post("/analyze/cancel", content='{"task_id": "one", "task_id": "two"}')
    assert answer.status_code == 404
    assert "two" in answer.json()["message"]


@pytest.mark.parametrize("endpoint", WITH_BODY.values(), ids=lambda each: each.operation_id)
def test_every_endpoint_names_a_field_of_another_type(client: Client, endpoint: Endpoint) -> None:
    schema = schema_of(endpoint)
    for name, field in schema["properties"].items():
        place, wrong = next(wrong_values(field, None, name))
        assert refusal(client, endpoint, {**example_body(endpoint), name: wrong}).startswith(place)


@pytest.mark.parametrize("endpoint", WITH_BODY.values(), ids=lambda each: each.operation_id)
def test_every_bound_of_the_document_holds_and_is_named(endpoint: Endpoint) -> None:
    assert endpoint.body
    decoder = BodyDecoder(endpoint.body, keeps_nulls=endpoint.keeps_nulls)
    for place, body in faults(endpoint):
        with pytest.raises(BadInput) as refused:
            decoder.body(bytearray(msgspec.json.encode(body)))
        assert refused.value.message.startswith(place), refused.value.message


def faults(endpoint: Endpoint) -> Iterator[tuple[str, Json]]:
    """Bodies with one fault each, and its place; of entries that an endpoint reads itself, none."""
    for place, body in wrong_values(schema_of(endpoint), example_body(endpoint)):
        if place and not (endpoint.operation_id == "export_transcript" and "[" in place):
            yield place, body
