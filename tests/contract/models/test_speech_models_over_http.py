"""Speech models over HTTP, and what is told of their transcripts; workers are played."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from redis import Redis

from shared.cache.cache_dir import CacheDir
from shared.domain import ModelKind
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, ModelState
from tests.support.private_redis import PrivateRedis
from tests.support.search.transcribed import publish_for, spoken
from tests.support.stack import Client


def test_metadata_says_whether_a_file_is_transcribed(
    client: Client, caches: Path, media: Path
) -> None:
    cache = CacheDir.open(caches / "described", create=True)
    heard, other = media / "heard.wav", media / "other.wav"
    for path in (heard, other):
        path.write_bytes(path.name.encode())
    publish_for(cache, heard, spoken(0, "Hello.", 1))
    body = {"cache_dir": str(cache.root), "media_paths": [str(heard), str(other)]}
    items = client.ok("/media/metadata", **body)["media"]
    assert [item["analysis"]["transcribed"] for item in items] == [True, False]


def test_cache_paths_name_the_transcript_of_the_model_that_is_meant(
    client: Client, caches: Path, media: Path
) -> None:
    cache = CacheDir.open(caches / "places", create=True)
    path = media / "placed.wav"
    path.write_bytes(b"placed")
    publish_for(cache, path, spoken(0, "Hello.", 1), model="whisper-large-v3-turbo")
    body = {"cache_dir": str(cache.root), "media_paths": [str(path)]}

    def place(**more: Any) -> dict[str, Any]:
        return dict(client.ok("/cache-paths", **body, **more)["cache_paths"][0]["transcription"])

    assert (place()["model_key"], place()["exists"]) == ("whisper-base", False)
    turbo = place(speech_model_key="turbo")
    assert (turbo["model_key"], turbo["exists"]) == ("whisper-large-v3-turbo", True)
    assert Path(turbo["path"]).is_file()
    wrong = client.post("/cache-paths", **body, speech_model_key="nonsense")
    assert wrong.status_code == 400
    assert wrong.json()["message"].startswith("speech_model_key: ")


def test_speech_models_are_listed_with_their_languages_and_licence(client: Client) -> None:
    speech = {m["model_key"]: m for m in client.get("/models/available").json()["speech"]}
    assert [key for key, model in speech.items() if model["is_active"]] == ["whisper-base"]
    assert speech["whisper-tiny.en"]["languages"] == ["english"]
    assert "cantonese" in speech["whisper-large-v3"]["languages"]
    assert speech["whisper-base"]["licence"] == "MIT"
    assert all(model["commercial_use"] for model in speech.values())


def test_loading_a_speech_model_asks_the_workers_and_tells_when_they_have_it(
    client: Client, api_redis: PrivateRedis
) -> None:
    redis = connect(api_redis.url)

    def load(key: str) -> tuple[int, bool]:
        answer = client.post("/models/load", model_key=key, model_type="speech")
        assert answer.json()["model_key"] == "whisper-base"
        return answer.status_code, answer.json()["is_loading"]

    def generation() -> int:
        return heartbeats.desired(redis, "default")[ModelKind.SPEECH].generation

    loading = {"model_key": "whisper-base", "is_loading": True}
    beat(redis, None)
    assert load("base") == (202, True)  # the active one by the settings, which nobody has loaded
    assert client.get("/models/loaded").json()["speech"] == loading
    assert heartbeats.desired(redis, "default")[ModelKind.SPEECH].key == "whisper-base"
    asked = generation()
    beat(redis, None, is_loading=True)
    assert load("whisper-base") == (202, True)
    assert generation() == asked
    assert client.get("/models/loaded").json()["speech"] == loading
    beat(redis, "whisper-base")
    assert load("whisper-base") == (200, False)
    assert generation() == asked
    loaded = client.get("/models/loaded").json()["speech"]
    assert loaded == {"model_key": "whisper-base", "is_loading": False}
    beat(redis, None)  # unloaded again, as nobody has used it
    assert load("whisper-base") == (202, True)
    assert generation() == asked + 1


def test_a_speech_model_whose_weights_nobody_has_is_not_made_the_active_one(
    client: Client,
) -> None:
    answer = client.post("/models/load", model_key="large-v2", model_type="speech")
    assert answer.status_code == 400
    assert "rushes models pull whisper-large-v2" in answer.json()["message"]
    answer = client.post("/models/load", model_key="conse-lite0", model_type="speech")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("model_key: There is no speech model")


def beat(redis: Redis, key: str | None, *, is_loading: bool = False) -> None:
    """An analysis worker says which speech model it has."""
    worker = Heartbeat(
        name="analysis-1",
        kind="analysis",
        host="another machine",
        pid=1,
        started_at=time.time(),
        models={ModelKind.SPEECH: ModelState(key, is_loading, generation=9)}
        if key or is_loading
        else {},
    )
    heartbeats.publish(redis, "default", worker)
