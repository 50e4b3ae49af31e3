"""`""` for an optional text equals leaving it out, but where empty says something."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from api.app import ENDPOINTS
from api.http.body_reading import BodyDecoder
from api.http.endpoint import Endpoint
from api.people.bodies import ModifyBody
from api.search.bodies import SearchTextBody
from api.tasks.bodies import AnalyzeBody
from shared.errors import BadInput
from tests.support.openapi_agreement import example_body

# The first of several pages; no edit yet; before the first edit; a document without a title.
_SAYS_SOMETHING = {"cursor", "known_edit_id", "edit_id", "display_name"}
_HANDLED = {"after", "link"}  # by their handlers
WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.body]


def decoded(endpoint: Endpoint, body: dict[str, Any]) -> Any:
    assert endpoint.body
    decoder = BodyDecoder(endpoint.body, keeps_nulls=endpoint.keeps_nulls)
    return decoder.body(bytearray(msgspec.json.encode(body)))


def optional_texts(body: type) -> list[str]:
    """Keys that take text and may be left out."""
    (info,) = inspect.multi_type_info([body])
    assert isinstance(info, inspect.StructType)
    return [
        field.encode_name
        for field in info.fields
        if not field.required and field.name != "license_key" and takes_text(field.type)
    ]


def takes_text(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.UnionType):
        return any(map(takes_text, kind.types))
    if isinstance(kind, inspect.Metadata):
        return takes_text(kind.type)
    is_choice = isinstance(kind, inspect.LiteralType) and isinstance(kind.values[0], str)
    return is_choice or isinstance(kind, inspect.StrType)


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda endpoint: endpoint.operation_id)
def test_an_empty_optional_text_equals_leaving_it_out(endpoint: Endpoint) -> None:
    assert endpoint.body
    for name in optional_texts(endpoint.body):
        body = {key: value for key, value in example_body(endpoint).items() if key != name}
        value = getattr(decoded(endpoint, {**body, name: ""}), name, None)
        if name in _SAYS_SOMETHING:
            assert value == ""
        elif name not in _HANDLED:
            assert value == getattr(decoded(endpoint, body), name, None), name


def test_texts_within_lists_are_optional_as_well_and_entries_of_lists_are_not() -> None:
    search = BodyDecoder(SearchTextBody)
    body = b'{"cache_dir": "/c", "query": "a", "people_filter": [{"cluster_job_name": "S", %b}]}'
    [person] = search.body(bytearray(body % b'"person_name": "", "cluster_id": "7"')).people_filter
    assert (person.person_name, person.cluster_id) == (None, "7")
    with pytest.raises(BadInput, match=r"people_filter\[0\].cluster_job_name must not be empty"):
        search.body(bytearray(body.replace(b'"S"', b'""') % b'"cluster_id": "7"'))
    with pytest.raises(BadInput, match=r"exclude\[0\] must not be empty"):
        search.body(bytearray(b'{"cache_dir": "/c", "query": "a", "exclude": [""]}'))
    move = b'{"cache_dir": "/c", "cluster_job_name": "S", "moves": [{"face_ids": ["f"], %b}]}'
    [moved] = BodyDecoder(ModifyBody).body(bytearray(move % b'"target_cluster_id": ""')).moves
    assert moved.target_cluster_id is None


def test_a_hundred_thousand_jobs_are_still_decoded_quickly() -> None:
    job = b'{"path": "/footage/day1/A001.mov", "language": ""}'
    body = bytearray(
        b'{"cache_dir": "/c", "transcription_jobs": [%b]}' % b",".join([job] * 100_000)
    )
    decoder = BodyDecoder(AnalyzeBody)
    began = time.thread_time()
    jobs = decoder.body(body).transcription_jobs
    assert time.thread_time() - began < 1.0
    assert {job.language for job in jobs} == {None}
