"""Checks for results that should be made again: transcripts with folder names, old faces."""

from __future__ import annotations

import contextlib
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
from shared.models.speech_and_faces import REMOVED, say_removed
from shared.paths import Roots
from shared.people.collection import Collection
from shared.redis.clients import connect
from shared.redis.known_folders import KnownFolders
from shared.settings import Settings
from shared.watch.folders import WatchFolders

_LOOKS_FOR_S = 15.0  # at all folders; the report itself ends soon after
_MOST_PATHS = 20  # in the command


def with_folder_names(
    settings: Settings, redis_url: str | None, limit_s: float = _LOOKS_FOR_S
) -> Iterator[Finding]:
    """A warning for each known cache folder and model with such transcripts, with the command."""
    until = time.monotonic() + limit_s
    unread = 0
    for folder in _cache_dirs(settings, redis_url):
        by_model: dict[str, set[str]] = {}
        find = partial(_collect, by_model, folder, Roots.cache(settings), until)
        try:
            is_whole = within(max(0.0, until - time.monotonic()), find)
        except TimeoutError:  # the folder hangs
            is_whole = False
        except RushesError:  # whoever searches there is told
            continue
        unread += not is_whole
        for model, paths in dict(by_model).items():
            count = f"{'' if is_whole else 'at least '}{len(paths):,}"
            yield warning(
                "transcripts",
                f"{folder} has transcripts (files: {count}) by a version that gave the "
                "speech model names of folders, which can cost full stops, words and sentences",
                _cure(folder, model, sorted(set(paths))),
            )
    if unread:
        yield warning(
            "transcripts",
            f"the transcripts of {unread} cache folders were not all examined in {limit_s:g} s",
            "run this again when the machine and its file servers have less to do",
        )


def of_removed_face_models(
    settings: Settings, redis_url: str | None, limit_s: float = _LOOKS_FOR_S
) -> Iterator[Finding]:
    """Yield a warning for each collection whose face model this version no longer has."""
    until = time.monotonic() + limit_s
    for folder in _cache_dirs(settings, redis_url):
        models: dict[str, str] = {}
        find = partial(_collect_models, models, folder, Roots.cache(settings))
        with contextlib.suppress(TimeoutError, RushesError):  # other checks report the folder
            within(max(0.0, until - time.monotonic()), find)
        for name, model in dict(models).items():
            if model in REMOVED:
                yield warning(
                    "people",
                    f"the collection {name!r} in {folder} was made with {model}",
                    say_removed(model, shlex.quote(name)),
                )


def _collect_models(models: dict[str, str], folder: str, roots: Roots) -> None:
    """Add the face model of each collection, by its name."""
    cache = CacheDir.open(folder, roots, create=False)
    for name in Collection.all_names(cache.root):
        models[name] = Collection.open(cache.root, name, create=False).members().model


def _cache_dirs(settings: Settings, redis_url: str | None) -> list[str]:
    try:
        with connect(redis_url or "") as client:
            known = KnownFolders(client, settings.instance, settings.state_dir).all()
            watched = WatchFolders(client, settings.instance, settings.state_dir).all()
            analyzed = AnalysisFiles(client, settings.instance).cache_dirs()
    except (RushesError, ValueError):  # said where Redis is looked at
        return []
    return sorted({*known, *analyzed, *(folder.cache_dir for folder in watched)})


def _collect(by_model: dict[str, set[str]], folder: str, roots: Roots, until: float) -> bool:
    """Add where files of such transcripts were seen last. Return False if time ran out."""
    cache = CacheDir.open(folder, roots, create=False)
    entries = cache.catalogue.follow(FollowState()).entries
    seen = {entry.hash_str: entry.path for entry in entries if isinstance(entry, Seen)}
    for entry in entries:
        if isinstance(entry, Artefact) and entry.stage is Stage.TRANSCRIPT and entry.rows:
            if time.monotonic() > until:
                return False
            manifest = cache.manifest(entry.hash_str, entry.stage, entry.model)
            if manifest and entry.hash_str in seen and transcripts.has_folder_names(manifest):
                by_model.setdefault(entry.model, set()).add(seen[entry.hash_str])
    return True


def _cure(folder: str, model: str, paths: list[str]) -> str:
    how = ("--no-visual", "--force", "--speech-model", model, "--cache", folder)
    command = shlex.join(("rushes", "analyze", *paths[:_MOST_PATHS], *how))
    rest = len(paths) - _MOST_PATHS
    again = f", and run `rushes doctor` again for the other {rest:,}" if rest > 0 else ""
    return f"make them again with `{command}`{again}"
