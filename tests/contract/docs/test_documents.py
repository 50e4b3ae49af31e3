"""The OpenAPI document and everything that is made from it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import httpx
import msgspec
import pytest
import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator

from api.app import ENDPOINTS
from api.http.endpoint import Endpoint
from api.http.errors import ErrorBody
from tests.support.openapi_agreement import example_body, inlined, resolved, served, validator_of
from tests.support.stack import PROJECT, Client

COMMITTED = PROJECT / "docs" / "api" / "openapi.json"
CONTRACT = """
GET /health · GET /ready · GET /models/loaded · GET /models/available · POST /models/load
POST /models/calibrate
POST /media/metadata · POST /media/playback · POST /media/folder · POST /media/files
POST /analyze/estimate
POST /analyze · POST /analyze/cancel · GET /tasks · GET /tasks/{task_id}
POST /tasks/{task_id}/first · POST /tasks/{task_id}/retry
GET /analysis-data/folders · POST /analysis-data/load · POST /analysis-data/load-for-media
POST /analysis-data/load-transcriptions · POST /search/text · POST /search/image
POST /search/frame · POST /search/transcript · POST /transcriptions · POST /thumbnails
POST /thumbnails/scene · GET /faces/clusters · POST /faces/clusters/samples
POST /faces/clusters/faces · PUT /faces/clusters/names · POST /faces/collections/vocabulary
GET /faces/people · POST /faces/people · POST /faces/recluster
POST /faces/clusters/modify · GET /faces/edits · POST /faces/edits/undo
POST /faces/clusters/voices · POST /faces/voices/of · GET /faces/proposals
GET /watch-folders · POST /watch-folders
PUT /watch-folders/{watch_folder_id} · DELETE /watch-folders/{watch_folder_id}
POST /watch-folders/service/start · POST /watch-folders/service/stop
GET /watch-folders/service/status · POST /watch-folders/{watch_folder_id}/retry
GET /watch-folders/{watch_folder_id}/files · POST /cache-paths · POST /export/clips
GET /tasks/{task_id}/exports
POST /export/premiere-xml · POST /export/transcript
POST /analysis-data/delete · GET /analysis-data/deletions · POST /analysis-data/deletions/undo
POST /analysis-data/left-out · GET /analysis-data/left-out
POST /faces/people/delete
GET /keys · POST /keys · DELETE /keys/{key_id}
POST /console/sessions · GET /console/session · DELETE /console/session · POST /console/links
GET /webhooks · POST /webhooks · DELETE /webhooks/{webhook_id} · POST /webhooks/{webhook_id}/test
POST /webhooks/{webhook_id}/dead/resend · POST /webhooks/{webhook_id}/dead/drop
GET /machines · GET /doctor · GET /audit · POST /models/fetch · GET /models/fetches
"""


def test_the_document_is_valid_openapi_3_0_and_holds_every_endpoint_of_the_contract() -> None:
    made = served()
    OpenAPIV30SpecValidator(made).validate()
    assert made["openapi"] == "3.0.3"
    found = {f"{m.upper()} {path}" for path, methods in made["paths"].items() for m in methods}
    assert found == {words.strip() for words in re.split(r"·|\n", CONTRACT) if words.strip()}


def test_every_field_is_described_and_shown_by_an_example() -> None:
    schemas = served()["components"]["schemas"]
    bare = [
        f"{name}.{field}: {word}"
        for name, schema in schemas.items()
        for field, found in schema.get("properties", {}).items()
        for word in ("description", "example")
        if found.keys() != {"$ref"} and found.get(word) is None
    ]
    assert bare == []
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []


def _operations() -> dict[str, dict[str, Any]]:
    paths = served()["paths"]
    return {f"{m} {path}": found for path, methods in paths.items() for m, found in methods.items()}


def test_every_path_of_a_request_has_the_pattern_of_absolute_ones() -> None:
    """Those of POSIX, of a Windows drive and of a Windows share; an optional one may be empty."""
    made = served()["components"]["schemas"]
    bodies = [made[endpoint.body.__name__] for endpoint in ENDPOINTS if endpoint.body]
    found = {
        name: field.get("items", field)["pattern"].removeprefix("^$|" * is_optional)
        for body in [*bodies, made["ClipBody"], made["ThumbnailRequest"], made["TranscriptionJob"]]
        for name, field in body["properties"].items()
        for is_optional in [name not in body.get("required", ()) and "items" not in field]
        if re.fullmatch(r"paths?|.*media_paths?|image_path|cache_dir|output_\w+", name)
    }
    assert len(found) > 8
    [pattern] = set(found.values())
    for path in ("/footage/a.mov", "/", "Z:\\footage", "z:/footage", "\\\\nas\\footage"):
        assert re.search(pattern, path), path
    for path in ("a.mov", "", "~/a.mov", "Z:", "Z:footage", "\\footage", "./a"):
        assert not re.search(pattern, path), path


def test_every_operation_has_a_name_of_its_own_that_is_one_in_every_language() -> None:
    names = [operation["operationId"] for operation in _operations().values()]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []


def test_every_parameter_and_header_is_described_and_shown_by_an_example() -> None:
    bare = []
    for name, operation in _operations().items():
        headers = {
            f"{status} {header}": resolved(found)
            for status, answer in operation["responses"].items()
            for header, found in answer.get("headers", {}).items()
        }
        described = {found["name"]: found for found in operation.get("parameters", ())} | headers
        for what, found in described.items():
            if not found.get("description") or found.get("example") is None:
                bare.append(f"{name}: {what}")
            schema = inlined(found["schema"])
            assert validator_of(schema).is_valid(found["example"]), f"{name}: {what}"
    assert bare == []


def test_every_error_is_shown_by_what_the_endpoint_would_answer() -> None:
    responses = served()["components"]["responses"]
    for name, operation in _operations().items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                found = responses[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
                examples = found["content"]["application/json"]["examples"]
                for example in examples.values():
                    body = msgspec.convert(example["value"], ErrorBody, strict=True)
                    assert body.message.endswith((".", "header", "license")), name
                is_busy = status == "503" or "Busy" in examples
                assert ("Retry-After" in found.get("headers", {})) == is_busy, name


def test_every_answer_in_json_is_shown_by_an_example() -> None:
    bare = [
        f"{name} {status}"
        for name, operation in _operations().items()
        for status, answer in operation["responses"].items()
        if "$ref" not in answer
        and not answer["content"]["application/json"].keys() & {"example", "examples"}
    ]
    assert bare == []


def test_null_is_allowed_for_every_optional_key_of_a_request_and_for_no_required_one() -> None:
    schemas = served()["components"]["schemas"]
    components = {"components": {"schemas": schemas}}
    for endpoint in ENDPOINTS:
        if endpoint.body:
            schema = schemas[endpoint.body.__name__]
            for name, field in schema["properties"].items():
                allows_null = validator_of({**field, **components}).is_valid(None)
                assert allows_null == (name not in schema.get("required", ())), name


def test_what_leaving_a_key_out_means_is_said_in_words_and_as_a_value() -> None:
    """Not as `default`: of such fields openapi-typescript says that they are always sent."""
    schemas = served()["components"]["schemas"]
    assert [
        f"{name}.{key}"
        for name, schema in schemas.items()
        for key, field in schema.get("properties", {}).items()
        if "default" in field
    ] == []
    for endpoint in ENDPOINTS:
        for field in msgspec.structs.fields(endpoint.body) if endpoint.body else ():
            told = schemas[endpoint.body.__name__]["properties"][field.encode_name]
            default = field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            if default in (msgspec.NODEFAULT, msgspec.UNSET, None):
                assert "x-rushes-default" not in told
            else:
                assert told["x-rushes-default"] == default
                words = default if default and isinstance(default, str) else json.dumps(default)
                assert told["description"].endswith(f" Default: `{words}`.")


def test_every_list_of_choices_has_a_name_of_its_own() -> None:
    """Of one without, a generator makes as many types as there are places, and three for null."""
    schemas = served()["components"]["schemas"]
    assert [
        f"{name}.{key}"
        for name, schema in schemas.items()
        for key, field in schema.get("properties", {}).items()
        if len([value for value in field.get("enum", ()) if value is not None]) > 1
    ] == []
    lists = [tuple(schema["enum"]) for schema in schemas.values() if "enum" in schema]
    assert len(set(lists)) == len(lists) > 30


def test_the_committed_copy_equals_the_generated_one() -> None:
    made = served()
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == made, (
        "run `python -m api.docs.write_openapi docs/api/openapi.json`"
    )


def test_it_is_served_under_all_its_names(client: Client) -> None:
    made = served()
    with httpx.Client(base_url=client.url) as http:
        for path in ("/api/v1/openapi.json", "/api-reference/openapi.json"):
            assert http.get(path).json() == made
        text = http.get("/api/v1/openapi.yaml").text
        assert yaml.load(text, yaml.CSafeLoader) == made
        assert http.get("/api-reference/openapi-v1.yaml").text == text
        guide = http.get("/api-reference/public-api-v1.md").text
        everything = http.get("/llms-full.txt").text
        index = http.get("/llms.txt").text
        page = http.get("/api/v1/docs").text
    for endpoint in ENDPOINTS:
        for text in (guide, everything, index):
            assert f"{endpoint.method} /api/v1{endpoint.path}" in text
        assert f"/api/v1{endpoint.path}" in page
        if endpoint.body:
            for field in msgspec.structs.fields(endpoint.body):
                assert f"`{field.name}`" in guide


def test_the_reference_page_needs_no_network(client: Client) -> None:
    page = client.get("/docs").text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "<script" not in page
    assert "@import" not in page


def test_every_link_of_the_reference_page_leads_to_a_place_on_it(client: Client) -> None:
    page = client.get("/docs").text
    targets = re.findall(r'href="#([^"]+)"', page)
    places = re.findall(r'id="([^"]+)"', page)
    assert len(set(places)) == len(places)
    assert set(targets) - set(places) == set()
    for endpoint in ENDPOINTS:
        assert endpoint.operation_id in targets
    for event in ("TaskProgress", "WatchProgress", "TasksChanged", "Joined"):
        assert f'<code><a href="#type-{event}">' in page, "named in the introduction"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.route)
def test_the_examples_are_what_the_types_allow(endpoint: Endpoint) -> None:
    if endpoint.body:
        msgspec.json.decode(msgspec.json.encode(example_body(endpoint)), type=endpoint.body)
    operation = _operations()[f"{endpoint.method.lower()} {endpoint.path}"]
    content = operation["responses"][str(endpoint.status)]["content"]["application/json"]
    answer = msgspec.convert(content["example"], endpoint.answer)
    assert json.loads(msgspec.json.encode(answer)) == content["example"]
    assert validator_of(inlined(content["schema"])).is_valid(content["example"])


@pytest.mark.studio
@pytest.mark.short
def test_the_api_process_imports_no_model_library_and_no_decoder() -> None:
    heavy = (
        *("av", "onnxruntime", "ctranslate2", "faster_whisper", "huggingface_hub", "hdbscan"),
        *("torch", "open_clip", "PIL", "pydantic", "insightface", "cv2", "sklearn", "scipy"),
    )
    program = (
        "import sys; from api.app import create_app; from shared.settings import Settings;"
        "create_app(Settings.from_env({'RUSHES_REDIS_URL': 'unix:///nowhere'}));"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.strip() == "[]"
