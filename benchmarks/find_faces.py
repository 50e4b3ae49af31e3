"""What finding faces costs beside the rest of the analysis of a film, in CPU time of the worker.

    python -m benchmarks.find_faces [SECONDS [ROUNDS]]      default: films of 60 s, 3 rounds

One real worker on real Redis analyses films of 1280x720: nobody in them, one face, six faces in
each picture. Each is done for its pictures, for its faces, and for both at once; every round with
films of its own. The limit of "both" is the sum of the others less one decoding. Medians.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks import describe
from shared.domain import ProgressType
from tests.support.analysis.desk import Desk
from tests.support.media.faces_film import film_of
from tests.support.private_redis import PrivateRedis

FILMS = {"nobody": "nobody", "one face": "red", "six faces": "all"}
PARTS = {
    "pictures": (ProgressType.VIDEO,),
    "faces": (ProgressType.FACES,),
    "both": (ProgressType.VIDEO, ProgressType.FACES),
}
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Bench:
    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.desk = Desk(folder, redis_url)
        self.pid = self.desk.worker().popen.pid

    def analysed(self, film: Path, wants: tuple[ProgressType, ...], cache: str) -> float:
        """CPU seconds of the worker for one analysis from nothing."""
        before = cpu_seconds(self.pid)
        task_id = self.desk.submit(
            [film],
            wants=wants,
            face_model="dlib-resnet",
            cache_dir=str(self.folder / cache),
        )
        record = self.desk.wait_final(task_id, timeout_s=600)
        assert record.status == "completed", record
        return cpu_seconds(self.pid) - before


def main(seconds: int, rounds: int) -> None:
    print(describe())
    with tempfile.TemporaryDirectory(prefix="rf-") as folder:
        server = PrivateRedis(Path(folder))
        server.start()
        bench = Bench(Path(folder), server.url)
        try:
            warm = film_of(Path(folder) / "warm.mp4", [("all", 6)])
            bench.analysed(warm, PARTS["both"], "warm")
            found: dict[tuple[str, str], list[float]] = defaultdict(list)
            for number in range(rounds):
                for name, person in FILMS.items():
                    film = film_of(Path(folder) / f"{name} {number}.mp4", [(person, seconds)])
                    for part, wants in PARTS.items():
                        cpu = bench.analysed(film, wants, f"{name} {number} {part}")
                        found[name, part].append(cpu * 60 / seconds)
        finally:
            bench.desk.close()
            server.stop()
    print(
        "\nCPU seconds a minute of film\n\nfilm        pictures   faces    both   faces / pictures"
    )
    for name in FILMS:
        row = {part: statistics.median(found[name, part]) for part in PARTS}
        print(f"{name:10} {row['pictures']:9.1f} {row['faces']:7.1f} {row['both']:7.1f} "
              f"{row['faces'] / row['pictures']:18.1f}")  # fmt: skip


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    main(*(arguments + [60, 3][len(arguments) :]))
