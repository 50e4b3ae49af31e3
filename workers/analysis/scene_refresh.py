"""Adds the cuts that this version detects in stored frames: the program behind `rushes scenes`.

Cuts are added and never removed. The earlier version saw the full frames, so a cut that it found
may be right although a stored JPEG of the frame no longer shows it. No media are opened.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from shared.cache import cache_files, catalogue, scene_updates
from shared.cache.cache_dir import CacheDir
from shared.cache.frame_packs import PackReader
from shared.clock_times import timestamp
from shared.domain import Manifest, Scene, Stage
from shared.errors import BadInput, CacheError, RushesError, SettingsError
from shared.paths import Roots
from shared.printable import printable
from shared.settings import Settings
from workers.analysis.stages.scenes import SceneCutter

_TOKEN = "scenes"
# Log-odds: cuts with less evidence were false more often than not in quick pans between black bars
# (tests/quality/media/test_scene_refresh.py).
SURE = 1.0
_USAGE = "usage: python -m workers.analysis.scene_refresh show|apply|undo [--json] CACHE [PATH...]"
_SUMMARIES = {
    "show": "Files: {files:,} examined, {changed:,} would change. Say --apply to add the cuts.",
    "apply": "Files: {files:,} examined, {changed:,} changed. `rushes scenes undo` takes the cuts "
    "back for a day.",
    "undo": "Files: {changed:,} have their earlier scenes again.",
}


def add_cuts(old: Sequence[Scene], detected: Sequence[Scene]) -> tuple[Scene, ...]:
    """Return the old scenes, split at the detected cuts that are not among their own.

    A detected cut within a second of an old one that was not detected is taken for that one.
    """
    if not old:
        return tuple(detected)
    cuts, new = _cuts(old), _cuts(detected)
    moved = cuts - new
    added = {cut for cut in new - cuts if not moved & {cut - 1, cut + 1}}
    first, last = old[0].start, old[-1].end
    edges = [first, *sorted(cuts | {cut for cut in added if first < cut < last}), last]
    return tuple(map(Scene, edges, edges[1:]))


def refresh(cache: CacheDir, hash_str: str, *, dry_run: bool) -> tuple[Scene, ...]:
    """Return the scenes with the added cuts, and publish them unless it is a dry run.

    Raises CacheError for damaged frames.
    """
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    if manifest is None or not scene_updates.is_of_media(cache, hash_str, manifest):
        return _scenes(cache, hash_str)
    scenes = add_cuts(manifest.scenes, _detect(cache, hash_str, manifest))
    if not dry_run:
        scene_updates.publish(cache, hash_str, manifest, scenes, _TOKEN)
    return scenes


def run(
    cache: CacheDir, action: str, wanted: Sequence[str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Examine the files that were seen at the wanted paths, or all; return the JSON document."""
    report: dict[str, Any] = {"dry_run": action == "show", "files": 0, "changed": [], "failed": []}
    for hash_str in sorted(cache.catalogue.hashes()):
        file = {"media_path": hash_str, "hash_str": hash_str}
        try:
            is_candidate = action == "undo" or scene_updates.is_due(cache, hash_str)
            path = _seen_at(cache, hash_str, wanted) if is_candidate else None
            if path is None:
                continue
            file["media_path"] = path
            report["files"] += 1
            before = _cuts(_scenes(cache, hash_str))
            if action == "undo":
                scene_updates.undo(cache, hash_str, _TOKEN)
                after = _cuts(_scenes(cache, hash_str))
            else:
                after = _cuts(refresh(cache, hash_str, dry_run=report["dry_run"]))
        except CacheError as error:
            report["failed"].append({**file, "error": error.message})
            say(f"{file['media_path']}: {error.message}")
            continue
        changes = {"added": sorted(after - before), "removed": sorted(before - after)}
        if any(changes.values()):
            report["changed"].append(file | changes)
        for change, cuts in changes.items():
            if cuts:
                say(f"{path}: {change} {', '.join(map(timestamp, cuts))}")
    return report


def _seen_at(cache: CacheDir, hash_str: str, wanted: Sequence[str]) -> str | None:
    """Return where a MediaFile was seen last; None if it was seen at no wanted path."""
    with cache_files.clear_errors(cache.root):
        seen = [each.path for each in catalogue.read_paths(cache.media_dir(hash_str))]
    if not wanted:
        return seen[0] if seen else hash_str
    folders = tuple(f"{path.rstrip('/')}/" for path in wanted)
    return next((p for p in seen if p in wanted or p.startswith(folders)), None)


def _scenes(cache: CacheDir, hash_str: str) -> tuple[Scene, ...]:
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    return manifest.scenes if manifest else ()


def _cuts(scenes: Sequence[Scene]) -> set[int]:
    return {scene.start for scene in scenes[1:]}


def _detect(cache: CacheDir, hash_str: str, manifest: Manifest) -> tuple[Scene, ...]:
    cutter = SceneCutter()
    with PackReader(cache.data_path(hash_str, manifest)) as pack:
        for second in pack.seconds.tolist():
            cutter.add(second, _frame(pack, second))
    return cutter.finish(SURE)


def _frame(pack: PackReader, second: int) -> NDArray[np.uint8]:
    jpeg = pack.read(second)
    try:
        rgb: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            jpeg or b"", min_width=SceneCutter.side, min_height=1
        )
    except ValueError as error:
        raise CacheError(f"The stored frame of second {second} is damaged: {error}") from error
    return rgb


def main(arguments: list[str]) -> int:
    """Run the program; exit status 0: done, 1: failed, 2: wrong usage or settings."""
    as_json = "--json" in arguments
    match [argument for argument in arguments if argument != "--json"]:
        case [("show" | "apply" | "undo") as action, folder, *wanted]:
            pass
        case _:
            print(_USAGE, file=sys.stderr)
            return 2

    def say(line: str) -> None:
        if not as_json:
            print(printable(line), flush=True)

    os.nice(10)  # searches and analyses come first
    try:
        cache = CacheDir.open(folder, Roots.cache(Settings.from_env()), create=False)
        with cache_files.clear_errors(cache.root):
            report = run(cache, action, wanted, say)
    except RushesError as error:
        failure = {"error": type(error).__name__, "message": error.message}
        print(json.dumps(failure) if as_json else f"rushes: {error.message}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError | BadInput) else 1
    if as_json:
        print(json.dumps(report, indent=2))
    say(_SUMMARIES[action].format(files=report["files"], changed=len(report["changed"])))
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
