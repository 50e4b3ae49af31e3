"""A cache folder with something of every kind, and every route that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from shared.people.edits import ClearNames
from shared.people.enrolment import Enrolment, Reference, References
from tests.support.people.people_data import Seen, make_collection
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.search.transcript_data import publish_transcript, segments
from tests.support.stack import Client, Stack

CANARY = "canary-that-nobody-may-see"
HASH = media_hash(1)
NAME = "Cast"
MODEL = "conse-lite0"
_ADA = 1001


def fill(folder: Path, media: Path, said: str = "hello there") -> CacheDir:
    """Frames, embeddings, a transcript, faces, a Collection with an edit, and where it was seen."""
    cache = CacheDir.open(folder, create=True)
    media.touch()
    publish(cache, HASH, random_units(5, 384, 1), scenes=(Scene(0, 5),), model=MODEL, path=media)
    publish_transcript(cache, HASH, segments(said), path=media)
    collection = make_collection(cache, NAME, {HASH: [Seen(1, 2, _ADA), Seen(2, 4, _ADA)]})
    collection.append(ClearNames())
    References(cache.root).add(Enrolment("Ada", (Reference("test-faces", b"\0<" * 4),)))
    return cache


def ask_everything(client: Client, cache_dir: Path, media: Path) -> Iterator[httpx.Response]:
    """Every route that reads a cache folder."""
    folder = str(cache_dir)
    here = {"cache_dir": folder, "media_paths": [str(media)]}
    people = {"cache_dir": folder, "cluster_job_name": NAME}
    yield client.post("/analysis-data/load", cache_dir=folder)
    yield client.post("/analysis-data/load-for-media", **here)
    yield client.post("/analysis-data/load-transcriptions", **here)
    yield client.post("/search/transcript", cache_dir=folder, query="hello")
    yield client.post("/transcriptions", **here, words=True)
    yield client.post("/cache-paths", **here)
    yield client.post("/media/metadata", **here)
    request = {"media_path": str(media), "time_seconds": 1}
    yield client.post("/thumbnails", cache_dir=folder, requests=[request])
    yield client.http.get("/faces/clusters", params={"cache_dir": folder})
    yield client.post("/faces/clusters/samples", **people)
    yield client.post("/faces/clusters/faces", **people)
    yield client.post("/faces/edits/undo", **people)
    names = [{"cluster_id": str(_ADA), "name": "Ada"}]
    yield client.http.put("/faces/clusters/names", json={**people, "assignments": names})


def memory(stack: Stack) -> int:
    """The most bytes that the API had in memory since `forget_memory`."""
    status = Path(f"/proc/{_pid(stack)}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if "VmHWM" in line)


def forget_memory(stack: Stack) -> None:
    Path(f"/proc/{_pid(stack)}/clear_refs").write_text("5")


def _pid(stack: Stack) -> int:
    return stack.processes["api-0"].popen.pid
