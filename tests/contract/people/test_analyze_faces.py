"""The face part of POST /analyze over HTTP; the worker is played by the test."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shared.domain import AnalyzeSpec, ProgressType
from shared.ledger.ledger import Ledger
from shared.redis.clients import connect
from tests.support.played_worker import claim_all
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client

VIDEO, AUDIO, FACES = ProgressType.VIDEO, ProgressType.AUDIO, ProgressType.FACES


@pytest.fixture
def ledger(api_redis: PrivateRedis, client: Client) -> Ledger:
    """The ledger that the API writes to; `client` has emptied it."""
    return Ledger(connect(api_redis.url), "default")


def specs(ledger: Ledger, task_id: str) -> list[AnalyzeSpec]:
    leases = claim_all(ledger, task_id)
    return [msgspec.json.decode(lease.spec, type=AnalyzeSpec) for lease in leases]


def test_a_file_in_all_lists_is_one_item_that_wants_all_three(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    clip = str(media / "a.mp4")
    answer = client.ok(
        "/analyze",
        cache_dir=str(caches / "faces"),
        visual_media_paths=[clip],
        transcription_jobs=[{"path": clip}],
        face_media_paths=[clip, str(media / "b.mp4")],
        cluster_job_name="Se\u0301rie 1",
        face_eps=0.4,
        face_min_samples=3,
    )
    assert "2 files" in answer["message"]
    both, one = specs(ledger, answer["task_id"])
    assert both.files[0].wants == (VIDEO, AUDIO, FACES)
    assert one.files[0].wants == (FACES,)
    for spec in (both, one):
        assert spec.collection == "S\u00e9rie 1", "the composed form names the same collection"
        assert (spec.face_model, spec.face_eps, spec.face_min_samples) == ("dlib-resnet", 0.4, 3)
    assert one.visual_model == one.speech_model == ""
    record = client.task(answer["task_id"])
    assert record["kind"] == "analyze"


def test_without_parameters_the_collection_keeps_its_own(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    answer = client.ok(
        "/analyze",
        cache_dir=str(caches / "faces"),
        face_media_paths=[str(media / "a.jpg")],
        cluster_job_name="A",
        face_eps=None,
    )
    (spec,) = specs(ledger, answer["task_id"])
    assert (spec.face_eps, spec.face_min_samples) == (None, None)


@pytest.mark.parametrize("key", ["insightface-buffalo_l", "insightface-antelopev2"])
def test_a_model_for_research_only_is_refused_until_the_operator_accepts_it(
    client: Client, media: Path, caches: Path, key: str
) -> None:
    answer = client.post(
        "/analyze",
        cache_dir=str(caches / "faces"),
        face_media_paths=[str(media / "a.jpg")],
        cluster_job_name="A",
        face_model_key=key,
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"face_model_key: {key} may not be used")
    assert "RUSHES_ALLOW_NONCOMMERCIAL" in answer.json()["message"]


def test_faces_without_a_collection_are_refused_by_the_name_of_the_field(
    client: Client, media: Path, caches: Path
) -> None:
    body = {"cache_dir": str(caches / "faces"), "face_media_paths": [str(media / "a.jpg")]}
    for more in ({}, {"cluster_job_name": ""}, {"cluster_job_name": None}):
        answer = client.post("/analyze", **body, **more)
        assert answer.status_code == 400
        assert "cluster_job_name" in answer.json()["message"]
