"""What filters add to a search.

    python -m benchmarks.filters [HOURS]

First people_filter: 360,000 frames (100 h) in 200 files, 384 dimensions, 50 matches, a person with
20,000 faces; interleaved rounds with and without it, what it adds in the same round, and its own
work alone (which collection, which frames, which rows, their scores put aside).

Then filters of files: HOURS (1,000) in ten files an hour, each with facts of its own; what each
adds to the same search without, of pictures and of words; and pages, orders and groups, to be seen
beside the search of as many matches. A thousand hours take 7 GB of disk and some minutes to make.
"""

from __future__ import annotations

import datetime
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from api.cache.caches import Caches
from api.people.filtering import Person, frames_with
from api.people.people import People
from api.search.filtering.fields import Filters, MomentRange, NumberRange, PictureSize
from api.search.filtering.resolving import files_left
from api.search.frames.estimates import Places
from api.search.frames.index import SearchIndex
from api.search.frames.log import VectorLog
from api.search.paging.asked import AskedPage
from api.search.paging.pages import Cursor, Order, Picker, TheBest
from api.search.services import SearchScope, SearchServices
from api.search.transcripts.query import FileChoice, SpokenQuery
from api.search.types import FrameSearch, Hit, QueryVectors
from benchmarks import describe
from benchmarks.search import (
    HOUR,
    MATCHES,
    MODEL,
    interleaved,
    publish,
    seconds_of_coding,
    see,
    units,
)
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_keys
from shared.cache.transcripts import Segment
from shared.domain import Probe, Scene, Stage
from shared.media import MediaType
from shared.people.clustering import SAMPLES, Clustering
from shared.people.collection import Collection
from shared.settings import Settings
from tests.support.search import transcribed

FILES, SECONDS, DIM = 200, 1800, 384
NAME, PEOPLE, FACES_OF_PERSON, ROUNDS = "benchmark", 20, 20_000, 40


def clustering(files: int, faces: int, clusters: int, seconds: int) -> Clustering:
    """Faces spread evenly over the files, at any second; each cluster has as many of them."""
    media_of = np.sort(np.arange(faces, dtype=np.int32) % files)
    random = np.random.default_rng(5)
    boxes = np.column_stack([random.random((faces, 2)) * 0.9, np.full((faces, 2), 0.05)])
    keys = face_keys(random.integers(0, seconds, faces).astype(np.uint32), boxes.astype(np.float32))
    keys = keys[np.lexsort((keys, media_of))]
    labels = (np.arange(faces) % clusters + 1).astype(np.int32)
    samples = np.arange(clusters)[:, None] + np.arange(SAMPLES) * clusters
    rows = np.arange(faces, dtype=np.int32)
    none = np.empty(0, dtype=np.int32)
    return Clustering(
        number=1,
        model="benchmark",
        eps=0.48,
        min_samples=5,
        made_at=0.0,
        grouped_faces=faces,
        media=tuple(f"{n:016x}" for n in range(files)),
        media_files=tuple("faces.benchmark.00000000.npz" for _ in range(files)),
        media_of=media_of,
        keys=keys,
        rows=rows,
        labels=labels,
        cluster_ids=np.arange(1, clusters + 1, dtype=np.int32),
        means=units(clusters, 128, 6),
        sizes=np.full(clusters, faces // clusters, dtype=np.int32),
        samples=np.where(samples < faces, samples, -1).astype(np.int32),
        retired=none,
        loose=none,
        loose_embeddings=np.empty((0, 128), dtype=np.float16),
    )


def measure(folder: Path) -> None:
    whole = units(FILES * SECONDS, DIM, 1)
    cache = CacheDir.open(folder / "cache", create=True)
    for number in range(FILES):
        publish(cache, number, whole[number * SECONDS : (number + 1) * SECONDS])
    collection = Collection.open(cache.root, NAME, create=True)
    collection.publish(clustering(FILES, PEOPLE * FACES_OF_PERSON, PEOPLE, SECONDS))
    caches, people = Caches(Settings(state_dir=folder / "state")), People()
    index = SearchIndex(folder / "state", caches)
    view = caches.open(str(cache.root), thorough=True)
    index.load(view)
    query = QueryVectors(query=units(1, DIM, 2)[0])
    one, two = [Person(NAME, cluster_id="1")], [Person(NAME, cluster_id=n) for n in "12"]

    def search(persons: list[Person] | None, is_anew: bool = False) -> object:
        if is_anew:
            people.open(cache, NAME)._filters.clear()
        only = frames_with(people, cache, persons, "and") if persons else None
        view = caches.open(str(cache.root))
        return index.search(view, MODEL, query, None, MATCHES, only)

    array = folder / "state" / "search" / view.key / MODEL
    snapshot = VectorLog(array).snapshot()
    scores = np.zeros(len(whole), dtype=np.float32)

    def filter_alone() -> None:
        only = frames_with(people, cache, two, "and")
        places = Places(snapshot.ranges(only.files()[0]), snapshot)
        mask = places.allowed(only)
        scores[: len(mask)][~mask] = -np.inf

    times = interleaved(
        {
            "no filter": lambda: search(None),
            "one person": lambda: search(one),
            "one person, first time": lambda: search(one, is_anew=True),
            "two in the same frame": lambda: search(two),
            "the filter of two, alone": filter_alone,
        },
        ROUNDS,
    )
    report(times)
    index.close()
    caches.close()


def publish_file(cache: CacheDir, number: int, vectors: NDArray[np.float32]) -> None:
    """A file with facts that differ from those of the next ones, and a transcript."""
    hash_str = f"{number:016x}"
    day = datetime.date(2024, 1, 1) + datetime.timedelta(days=number % 1000)
    probe = Probe(
        media_type=MediaType.VIDEO,
        duration_seconds=float(len(vectors)),
        fps=(25.0, 23.976, 50.0)[number % 3],
        width=(1920, 3840)[number % 2],
        height=(1080, 2160)[number % 2],
        video_codec=("h264", "prores")[number % 2],
        has_audio=number % 4 > 0,
        created_at=f"{day}T12:00:00Z",
    )
    scenes = tuple(Scene(at, min(at + 12, len(vectors))) for at in range(0, len(vectors), 12))
    with cache.draft(hash_str, Stage.FRAMES, "", "pack", "bench") as draft:
        draft.publish(rows=len(vectors), scenes=scenes, probe=probe)
    with cache.draft(hash_str, Stage.VISUAL, MODEL, "npy", "bench") as draft:
        np.save(draft.file, vectors.astype(np.float16))
        draft.publish(rows=len(vectors), dim=vectors.shape[1])
    said = tuple(
        Segment(start=6.0 * n, end=6.0 * n + 6, text=f"line {n} of thunder over the hills")
        for n in range(len(vectors) // 6)
    )
    transcribed.publish(cache, hash_str, said, language=("en", "de")[number % 2])
    see(cache, hash_str)


_BOTH = {
    "codec (half of the files)": Filters(codec="prores"),
    "recorded (a tenth)": Filters(recorded=MomentRange(from_="2024-01-01", to="2024-04-09")),
    "folder (all)": Filters(folder="/"),
    "seven at once (a twelfth)": Filters(
        folder="/",
        codec="prores",
        sound=True,
        language="de",
        rate=NumberRange(min=25, max=25),
        seconds=NumberRange(min=10),
        size=PictureSize(min_width=3840),
    ),
}


def measure_files(folder: Path, hours: int) -> None:
    files, seconds = 10 * hours, HOUR // 10
    cache = CacheDir.open(folder / "cache", create=True)
    pool = units(10 * seconds, DIM, 1)
    for number in range(files):
        mixed = pool[number % 10 * seconds :][:seconds] + units(1, DIM, number + 9)
        publish_file(cache, number, mixed / np.linalg.norm(mixed, axis=1, keepdims=True))
    caches = Caches(Settings(state_dir=folder / "state"))
    index = SearchIndex(folder / "state", caches)
    index.load(caches.open(str(cache.root), thorough=True))
    seconds_of_coding(folder / "state", files * seconds)
    paths = SimpleNamespace(media=lambda path, _: path)
    services = cast(SearchServices, SimpleNamespace(index=index, caches=caches, paths=paths))
    query = QueryVectors(query=units(1, DIM, 2)[0])

    def scope() -> SearchScope:
        return SearchScope(services, str(cache.root), None, "/")

    def seen(filters: Filters | None = None, **asked: Any) -> object:
        one = scope()
        left = files_left(one, filters) if filters else None
        picker: Picker[Hit] = TheBest(asked.pop("most", MATCHES))
        if asked:
            page = AskedPage(**{"sort": "score", "per_file": None, "cursor": None, **asked},
                             size=MATCHES, search="", signer=None)  # fmt: skip
            picker = page.picker(one, None, lambda _: True, True)
        return index.page(one.view(), FrameSearch(MODEL, query, left), picker)

    def said(words: str, filters: Filters | None = None) -> object:
        one = scope()
        left = files_left(one, filters) if filters else None
        spoken = SpokenQuery(words, "whisper-base", max_results=MATCHES)
        return index.transcripts.search(one.view(), spoken, FileChoice(only=left))

    began = time.perf_counter()
    known = index.facts.snapshot(scope().view()).files
    print(
        f"\n{hours} h in {files} files x {DIM}; facts of {len(known)} files put together in", end=""
    )
    print(f" {(time.perf_counter() - began) * 1000:.0f} ms, once")
    report_added("pictures", lambda filters: seen(filters))
    report_added("words said everywhere", lambda filters: said("thunder", filters))
    report_added("words said nowhere", lambda filters: said("lightning", filters))
    (*_, last) = index.page(scope().view(), FrameSearch(MODEL, query), TheBest(5000 - MATCHES)).hits
    deep = Cursor("", "", MODEL, Order().rank(last), 1, 5000 - MATCHES)
    report(
        interleaved(
            {
                "50 best": lambda: seen(),
                "5,000 best": lambda: seen(most=5000),
                "10,000 best": lambda: seen(most=10_000),
                "the page at 5,000": lambda: seen(cursor=deep),
                "by time, first page": lambda: seen(sort="time"),
                "by date, first page": lambda: seen(sort="date"),
                "by file, first page": lambda: seen(per_file=3),
            },
            5,
        )
    )
    index.close()
    caches.close()


def report_added(what: str, search: Callable[[Filters | None], object]) -> None:
    print(f" {what}")
    cases: dict[str, Callable[[], object]] = {"no filter": lambda: search(None)}
    for name, filters in _BOTH.items():
        cases[name] = lambda filters=filters: search(filters)
    report(interleaved(cases))


def report(times: dict[str, list[float]]) -> None:
    base = next(iter(times.values()))
    for name, values in times.items():
        added = statistics.median(mine - its for mine, its in zip(values, base, strict=True))
        ratio = statistics.median(values) / statistics.median(base)
        print(
            f"  {name:24} min {min(values):6.1f}  median {statistics.median(values):6.1f} ms  "
            f"{ratio:5.2f} x  min {min(values) - min(base):+5.1f}  median {added:+5.1f} ms"
        )


def main() -> None:
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n{FILES * SECONDS} frames x {DIM}, {FACES_OF_PERSON} faces of a person")
        measure(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        measure_files(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 1000)


if __name__ == "__main__":
    main()
