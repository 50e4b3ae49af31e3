"""Measures how fast one server is, from outside through the public API.

Each measurement has a first run, which pays for whatever is not warm yet, and further runs, of
which medians are told. Analyses are timed by the server's own clock, answers by ours.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.api_client import ApiClient, ServerAway
from shared.errors import RushesError

RESULTS = 10  # of each search
BATCH = 16  # thumbnails in one request
_BATCHES = 10
_PROBES = 5
_SUBJECTS = (
    "a car", "a dog", "two people", "a child", "a bicycle", "a house", "a boat", "a crowd",
    "a woman", "an old man", "a train", "a bird", "a flower", "a table", "a street", "a horse",
)  # fmt: skip
_PLACES = (
    "at night", "in the rain", "on a beach", "in a city", "in the snow", "by a window",
    "in a forest", "on a stage", "from above", "in the distance", "close up", "in a kitchen",
)  # fmt: skip

Say = Callable[[str], object]


@dataclass(slots=True)
class Measurement:
    """One measured thing. `first` is the first run; `values` are of later ones, in `unit`."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    first: float | None = None
    is_rate: bool = False  # more is better
    note: str = ""  # why there is nothing, or not all of it

    def add(self, value: float) -> None:
        if self.first is None:
            self.first = value
        else:
            self.values.append(value)

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def worst(self) -> float | None:
        """The value which 95 of 100 runs do not fall short of."""
        if not self.values:
            return None
        ranked = sorted(self.values, reverse=self.is_rate)
        return ranked[min(len(ranked) - 1, round(0.95 * (len(ranked) - 1)))]

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "first": self.first,
            "median": self.median,
            "worst": self.worst,
            "values": self.values,
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True)
class Footage:
    """Media files as the server tells them: items of /media/metadata that have no error."""

    items: tuple[dict[str, Any], ...]

    @property
    def pictures(self) -> list[dict[str, Any]]:
        return [item for item in self.items if item["media_type"] in ("video", "image")]

    @property
    def sounds(self) -> list[dict[str, Any]]:
        return [item for item in self.items if item["has_audio"]]


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """What is to be measured. `archive`: the cache folder that is searched."""

    scratch: str
    archive: str
    rounds: int
    searches: int
    at_most_s: float


class RunFailed(RushesError):
    """The analysis did not do all that it was asked for."""


class Benchmark:
    """Measures one thing after the other; what the server refuses is a note, no end."""

    def __init__(self, api: ApiClient, plan: BenchmarkPlan, footage: Footage, say: Say) -> None:
        self._api, self._plan, self._footage, self._say = api, plan, footage, say
        self._deadline = time.monotonic() + plan.at_most_s
        self.task_id: str | None = None  # of the analysis that runs

    def run(self, visual: bool, speech: bool) -> Iterator[Measurement]:
        yield self._guarded(Measurement("probe a file", "ms"), self._probe)
        if visual and self._footage.pictures:
            is_still = not _seconds(self._footage.pictures)
            unit = "stills a second" if is_still else "× real time"
            rate = Measurement("analyze pictures", unit, is_rate=True)
            yield self._guarded(rate, self._analyze_pictures)
        if speech and self._footage.sounds:
            rate = Measurement("transcribe speech", "× real time", is_rate=True)
            yield self._guarded(rate, self._transcribe)
        yield from self._searches()
        if self._footage.pictures:
            rate = Measurement("thumbnails", "a second", is_rate=True)
            yield self._guarded(rate, self._thumbnails)

    def _guarded(self, into: Measurement, measure: Callable[[Measurement], None]) -> Measurement:
        self._say(into.name)
        try:
            measure(into)
        except ServerAway:
            raise
        except RushesError as error:
            into.note = error.message
        return into

    def _is_time(self, into: Measurement) -> bool:
        if time.monotonic() < self._deadline:
            return True
        into.note = "stopped: the time that --at-most allows is over"
        return False

    def _probe(self, into: Measurement) -> None:
        paths = [item["media_path"] for item in self._footage.items]
        for _ in range(_PROBES + 1):
            seconds = self._timed("/media/metadata", {"media_paths": paths})
            into.add(seconds * 1000 / len(paths))

    def _analyze_pictures(self, into: Measurement) -> None:
        items = self._footage.pictures
        amount = _seconds(items) or len(items)
        self._rounds(into, amount, {"visual_media_paths": [i["media_path"] for i in items]})

    def _transcribe(self, into: Measurement) -> None:
        items = self._footage.sounds
        jobs = [{"path": item["media_path"]} for item in items]
        self._rounds(into, _seconds(items), {"transcription_jobs": jobs})

    def _rounds(self, into: Measurement, amount: float, body: dict[str, Any]) -> None:
        """Measure one round to warm up, then the asked ones; each does everything anew."""
        whole = {**body, "cache_dir": self._plan.scratch, "force": True, "on_busy": "refuse"}
        for number in range(self._plan.rounds + 1):
            if not self._is_time(into):
                return
            self._say(f"{into.name}, {f'round {number}' if number else 'warming up'}")
            into.add(amount / self._analysis_s(whole))

    def _analysis_s(self, body: dict[str, Any]) -> float:
        """Seconds that an analysis took, as the server counts. Raises RunFailed."""
        self.task_id = self._api.post("/analyze", body)["task_id"]
        *_, end = self._api.follow(self.task_id)
        task = self._api.get(f"/tasks/{self.task_id}")
        self.task_id = None
        if failed := end["failed_files"]:
            raise RunFailed(failed[0]["error"])
        if end["status"] != "completed":
            raise RunFailed(end["error"] or end["message"])
        return float(task["finished_at"] - task["created_at"])

    def _searches(self) -> Iterator[Measurement]:
        """Measure searches for words that nobody has asked for yet, then for the same words."""
        asked: list[str] = []

        def measure(into: Measurement, words: Sequence[str]) -> None:
            for text in words:
                body = {"cache_dir": self._plan.archive, "query": text, "max_results": RESULTS}
                into.add(self._timed("/search/text", body) * 1000)
                asked.append(text)

        new = [
            f"{random.choice(_SUBJECTS)} {random.choice(_PLACES)}, take {random.randrange(10**6)}"
            for _ in range(self._plan.searches + 1)
        ]
        yield self._guarded(Measurement("search, new words", "ms"), lambda into: measure(into, new))
        again = asked[:]
        yield self._guarded(
            Measurement("search, the same words", "ms"), lambda into: measure(into, again)
        )

    def _thumbnails(self, into: Measurement) -> None:
        for _ in range(_BATCHES + 1):
            items = random.choices(self._footage.pictures, k=BATCH)
            requests = [
                {
                    "media_path": item["media_path"],
                    "time_seconds": random.randrange(int(item["duration_seconds"] or 0) or 1),
                }
                for item in items
            ]
            body = {"cache_dir": self._plan.scratch, "requests": requests}
            into.add(BATCH / self._timed("/thumbnails", body))

    def _timed(self, path: str, body: dict[str, Any]) -> float:
        began = time.perf_counter()
        self._api.post(path, body)
        return time.perf_counter() - began


def _seconds(items: Sequence[dict[str, Any]]) -> float:
    return float(sum(item["duration_seconds"] or 0 for item in items))
