"""Completions after Tab, asked of the server; nothing where it is not there at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import typer

from cli.arguments.media_arguments import server_path
from cli.remote import client_of
from shared.errors import RushesError

_PATIENCE_S = 1.0


def task_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest tasks, each with its kind and state."""
    tasks = _answer(ctx, "/tasks").get("tasks", ())
    described = ((task["task_id"], f"{task['kind']}, {task['status']}") for task in tasks)
    return [pair for pair in described if pair[0].startswith(incomplete)]


def models(*kinds: str) -> Callable[[typer.Context, str], list[str]]:
    """Complete keys of the models of these kinds that the server knows."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        answer = _answer(ctx, "/models/available")
        keys = (model["model_key"] for kind in kinds for model in answer.get(kind, ()))
        return [key for key in keys if key.startswith(incomplete)]

    return complete


visual_models, speech_models, face_models = models("visual"), models("speech"), models("faces")
all_models = models("visual", "speech", "faces")


def collections(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the collections of faces in the cache folder that is named so far."""
    cache = ctx.params.get("cache") or os.environ.get("RUSHES_CACHE_DIR")
    if not cache:
        return []
    jobs = _answer(ctx, "/faces/clusters", cache_dir=server_path(cache)).get("cluster_jobs", ())
    names = (job["cluster_job_name"] for job in jobs)
    return [name for name in names if name.startswith(incomplete)]


def _answer(ctx: typer.Context, path: str, **query: str) -> dict[str, Any]:
    given = ctx.params
    try:
        server = given.get("server") or os.environ.get("RUSHES_SERVER", "")
        key = given.get("key") or os.environ.get("RUSHES_KEY")
        client = client_of(server, key, _PATIENCE_S)
        try:
            answer: dict[str, Any] = client.get(path, **query)
        finally:
            client.close()
    except RushesError:
        return {}
    return answer
