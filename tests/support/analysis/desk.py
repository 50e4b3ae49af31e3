"""Submits analyses straight to the ledger, as the API does, for tests of workers alone."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.domain import AnalyzeSpec, FileSpec, ProgressType, TaskKind
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.records import ItemJob, NewItem, NewTask, TaskRecord
from shared.media import MediaType, media_type_of
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, live
from tests.support.private_redis import private_redis
from tests.support.stack import Process, Stack, models_dir
from tests.support.waiting import wait_for

MODEL = "conse-lite0"
SPEECH_MODEL = "whisper-base"
FACE_MODEL = "insightface-squares"
_MULTILINGUAL = 99  # language tokens of a Whisper that knows more than English
INSTANCE = "default"


@dataclass
class Desk:
    """One test's ledger, CacheDir and worker processes."""

    folder: Path
    redis_url: str
    stack: Stack = field(init=False)

    def __post_init__(self) -> None:
        self.cache = self.folder / "cache"
        self.client = connect(self.redis_url)
        self.ledger = Ledger(self.client, INSTANCE)
        self.jobs = JobQueues(connect(self.redis_url, decode=False), INSTANCE)
        self.stack = Stack(self.folder, self.redis_url)

    def with_folder(self, folder: Path) -> Desk:
        """The same processes, for a test that shares them but for its media and its CacheDir."""
        other = copy.copy(self)
        other.folder, other.cache = folder, folder / "cache"
        return other

    def submit(
        self,
        *groups: list[Path],
        kind: TaskKind = TaskKind.ANALYZE,
        wants: tuple[ProgressType, ...] = (ProgressType.VIDEO,),
        language: str | None = None,
        **spec: Any,
    ) -> str:
        """One Item a group, all of whose files want `wants`; its jobs are enqueued."""
        return self.submit_items(
            [self.item(group, wants, language, **spec) for group in groups], kind
        )

    def item(
        self,
        group: list[Path],
        wants: tuple[ProgressType, ...],
        language: str | None = None,
        **spec: Any,
    ) -> NewItem:
        """One Item, of whose files all want `wants`."""
        files = tuple(
            FileSpec(
                str(path),
                f"client:{path}",
                media_type_of(str(path)) or MediaType.VIDEO,
                wants,
                language,
            )
            for path in group
        )
        return NewItem.analyze(self.spec(files, **spec))

    def spec(self, files: tuple[FileSpec, ...] = (), **more: Any) -> AnalyzeSpec:
        """Of an Item, with all models named."""
        fields = {
            "cache_dir": str(self.cache),
            "visual_model": MODEL,
            "speech_model": SPEECH_MODEL,
            "face_model": FACE_MODEL,
            "collection": "Season 1",
            **more,
        }
        return AnalyzeSpec(files=files, **fields)

    def submit_items(self, items: list[NewItem], kind: TaskKind = TaskKind.ANALYZE) -> str:
        task = NewTask(kind=kind, items=items)
        self.ledger.submit(task)
        is_front = kind is TaskKind.ANALYZE
        self.jobs.enqueue(ItemJob(task.task_id, n, "analysis", is_front) for n in range(len(items)))
        return task.task_id

    def record(self, task_id: str) -> TaskRecord:
        record = self.ledger.record(task_id)
        assert record is not None
        return record

    def wait_final(self, task_id: str, timeout_s: float = 40) -> TaskRecord:
        def final() -> TaskRecord | None:
            record = self.record(task_id)
            return record if record.status.is_final else None

        return wait_for(final, timeout_s, f"the end of {task_id}; {self.logs()}")

    def worker(self, number: int = 0, **more: str) -> Process:
        """The analysis worker as it is started in production."""
        return self.stack.start_worker("analysis", number, **more)

    def worker_with_fake_embedder(self, number: int = 0, **more: str) -> Process:
        """tests.support.analysis.with_fake_embedder.py: it starts in half the time."""
        command = ("-m", "tests.support.analysis.with_fake_embedder")
        return self.stack.start(f"analysis-{number}", *command, **more)

    def worker_with(self, number: int = 0, **stage: Any) -> Process:
        """The same with the extra stage of tests/support/programs/analysis_with_a_stage.py."""
        told = {
            "at": 2,
            "fake_embedder": True,
            "marker": str(self.folder / "marker"),
            "release": str(self.folder / "release"),
            **stage,
        }
        command = ("-m", "tests.support.programs.analysis_with_a_stage")
        return self.stack.start(f"analysis-{number}", *command, TEST_STAGE=json.dumps(told))

    def worker_that_hears_tones(
        self, number: int = 0, *, interpreter: bool = False, **told: Any
    ) -> Process:
        """programs/analysis_that_hears_tones.py, with the models "tones" and "tones-en"."""
        told = {
            "marker": str(self.folder / "marker"),
            "release": str(self.folder / "release"),
            **told,
        }
        models = self.folder / "models"
        for name, languages in (("tones", _MULTILINGUAL), ("tones-en", 1)):
            folder = models / "whisper" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "model.bin").write_bytes(b"tones")
            (folder / "config.json").write_text(json.dumps({"lang_ids": [0] * languages}))
        if not (models / MODEL).exists():
            (models / MODEL).symlink_to(models_dir() / MODEL)
        return self.stack.start(
            f"analysis-{number}",
            *("-m", "tests.support.programs.analysis_that_hears_tones"),
            interpreter=interpreter,
            TEST_SPEECH=json.dumps(told),
            RUSHES_MODELS_DIR=str(models),
        )

    def squares_env(self) -> dict[str, str]:
        """MODELS_DIR in which FACE_MODEL seems to lie, with the scale of the fake."""
        models = self.folder / "models"
        pack = models / "insightface" / "squares"
        pack.mkdir(parents=True, exist_ok=True)
        (pack / "det_none.onnx").write_bytes(b"none")
        (pack / "rushes-faces.json").write_text('{"person": 0.8, "track": 0.97}')
        if not (models / MODEL).exists():
            (models / MODEL).symlink_to(models_dir() / MODEL)
        return {"RUSHES_MODELS_DIR": str(models), "RUSHES_FACE_MODEL": FACE_MODEL}

    def worker_that_sees_squares(self, number: int = 0, **told: Any) -> Process:
        """tests/support/programs/analysis_that_sees_squares.py with the face model FACE_MODEL."""
        told = {
            "marker": str(self.folder / "marker"),
            "release": str(self.folder / "release"),
            **told,
        }
        return self.stack.start(
            f"analysis-{number}",
            *("-m", "tests.support.programs.analysis_that_sees_squares"),
            TEST_FACES=json.dumps(told),
            **self.squares_env(),
        )

    def wait_marker(self) -> list[int]:
        """Pids of the workers that hold."""
        marker = self.folder / "marker"

        def written() -> list[int]:
            return [int(line) for line in marker.read_text().split()] if marker.exists() else []

        return wait_for(written, 30, lambda: f"a worker in the middle of a file; {self.logs()}")

    def kill(self, pid: int) -> None:
        """Kill a worker once its heartbeat is there: it is missed before its leases are over."""
        wait_for(lambda: pid in {heart.pid for heart in self.hearts()}, 20, "its heartbeat")
        os.kill(pid, signal.SIGKILL)

    def release(self) -> None:
        (self.folder / "release").touch()

    def hearts(self, kind: str = "analysis") -> list[Heartbeat]:
        return live(self.client, INSTANCE, kind)  # type: ignore[arg-type]

    def artefacts(self) -> list[str]:
        """Names of all files below CACHE_DIR/media, temporary ones too."""
        return sorted(path.name for path in self.cache.glob("media/*/*/*") if path.is_file())

    def logs(self) -> str:
        return "\n".join(process.text()[-1500:] for process in self.stack.processes.values())

    def close(self) -> None:
        self.stack.stop()
        self.client.close()


@contextlib.contextmanager
def shared_desk(folder: Path) -> Iterator[Desk]:
    """A Desk with a Redis of its own, for processes that the tests of a file share."""
    with private_redis() as redis:
        desk = Desk(folder, redis.url)
        try:
            yield desk
        finally:
            desk.close()
