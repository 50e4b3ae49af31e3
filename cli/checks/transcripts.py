"""Check for transcripts of a version that gave the speech model names of folders."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from functools import partial

from cli.checks.finding import Finding, warning, within
from shared.cache import transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, FollowState, Seen
from shared.domain import Stage
from shared.errors import RushesError
from shared.ledger.analysis_files import AnalysisFiles
from shared.paths import Roots
from shared.redis.clients import connect
from shared.redis.known_folders import KnownFolders
from shared.settings import Settings
from shared.watch.folders import WatchFolders

_LOOKS_FOR_S = 5.0  # at a share with many files: it says that there may be more
_MOST_PATHS = 20  # in the command; of more, their folders


def with_folder_names(settings: Settings, redis_url: str | None) -> Iterator[Finding]:
    """A warning for each known cache folder and model with such transcripts, with the command."""
    until = time.monotonic() + _LOOKS_FOR_S
    for folder in sorted(_cache_dirs(settings, redis_url)):
        try:
            find = partial(_paths_by_model, folder, Roots.cache(settings), until)
            found = within(_LOOKS_FOR_S + 1, find)
        except (RushesError, TimeoutError):  # whoever searches there is told
            continue
        for model, paths in found.items():
            some = " at least" if time.monotonic() > until else ""
            files = f"{len(paths):,} file" + ("" if len(paths) == 1 else "s")
            yield warning(
                "transcripts",
                f"{folder} has transcripts of{some} {files} by a version that gave the speech "
                "model names of folders, which can cost full stops, words and sentences",
                f"make them again with `{_command(folder, model, paths)}`",
            )


def _cache_dirs(settings: Settings, redis_url: str | None) -> set[str]:
    if redis_url is None:
        return set()
    with connect(redis_url) as client:
        of_this = client, settings.instance
        try:
            used = KnownFolders(*of_this, settings.state_dir).all().keys()
            watched = {each.cache_dir for each in WatchFolders(*of_this, settings.state_dir).all()}
            return {*used, *watched, *AnalysisFiles(*of_this).cache_dirs()}
        except RushesError:  # said where Redis is looked at
            return set()


def _paths_by_model(folder: str, roots: Roots, until: float) -> dict[str, set[str]]:
    """Where files of such transcripts were seen last; those that were found in time."""
    cache = CacheDir.open(folder, roots, create=False)
    entries = cache.catalogue.follow(FollowState()).entries
    seen = {entry.hash_str: entry.path for entry in entries if isinstance(entry, Seen)}
    found: dict[str, set[str]] = {}
    for hash_str, model in {
        (entry.hash_str, entry.model)
        for entry in entries
        if isinstance(entry, Artefact) and entry.stage is Stage.TRANSCRIPT and entry.rows
    }:
        if time.monotonic() > until:
            break
        manifest = cache.manifest(hash_str, Stage.TRANSCRIPT, model)
        if manifest and hash_str in seen and transcripts.has_folder_names(manifest):
            found.setdefault(model, set()).add(seen[hash_str])
    return found


def _command(folder: str, model: str, paths: set[str]) -> str:
    while len(paths) > _MOST_PATHS:
        paths = {os.path.dirname(path) for path in paths}
    how = ("--no-visual", "--force", "--speech-model", model, "--cache", folder)
    return shlex.join(("rushes", "analyze", *sorted(paths), *how))
