"""Check for transcripts of a version that gave the speech model names of folders."""

from __future__ import annotations

import os
import shlex
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

_LOOKS_FOR_S = 5.0  # at one folder
_MOST_PATHS = 20  # in the command; of more, their folders


def with_folder_names(settings: Settings, redis_url: str | None) -> Iterator[Finding]:
    """A warning for each known cache folder and model with such transcripts, with the command."""
    for folder in _cache_dirs(settings, redis_url):
        try:
            find = partial(_paths_by_model, folder, Roots.cache(settings))
            found = within(_LOOKS_FOR_S, find)
        except (RushesError, TimeoutError):  # whoever searches there is told
            continue
        for model, paths in found.items():
            yield warning(
                "transcripts",
                f"{folder} has transcripts (files: {len(paths):,}) by a version that gave the "
                "speech model names of folders, which can cost full stops, words and sentences",
                f"make them again with `{_command(folder, model, paths)}`",
            )


def _cache_dirs(settings: Settings, redis_url: str | None) -> list[str]:
    try:
        with connect(redis_url or "") as client:
            known = KnownFolders(client, settings.instance, settings.state_dir).all()
            watched = WatchFolders(client, settings.instance, settings.state_dir).all()
            analyzed = AnalysisFiles(client, settings.instance).cache_dirs()
    except (RushesError, ValueError):  # said where Redis is looked at
        return []
    return sorted({*known, *analyzed, *(folder.cache_dir for folder in watched)})


def _paths_by_model(folder: str, roots: Roots) -> dict[str, set[str]]:
    """Where files of such transcripts were seen last."""
    cache = CacheDir.open(folder, roots, create=False)
    entries = cache.catalogue.follow(FollowState()).entries
    seen = {entry.hash_str: entry.path for entry in entries if isinstance(entry, Seen)}
    found: dict[str, set[str]] = {}
    for entry in entries:
        if isinstance(entry, Artefact) and entry.stage is Stage.TRANSCRIPT and entry.rows:
            manifest = cache.manifest(entry.hash_str, entry.stage, entry.model)
            if manifest and entry.hash_str in seen and transcripts.has_folder_names(manifest):
                found.setdefault(entry.model, set()).add(seen[entry.hash_str])
    return found


def _command(folder: str, model: str, paths: set[str]) -> str:
    while len(paths) > _MOST_PATHS:
        paths = {os.path.dirname(path) for path in paths}
    how = ("--no-visual", "--force", "--speech-model", model, "--cache", folder)
    return shlex.join(("rushes", "analyze", *sorted(paths), *how))
