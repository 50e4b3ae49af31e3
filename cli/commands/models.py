"""`rushes models`: what the server has and loads, and weights fetched onto this machine."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api_client import ApiClient
from cli.arguments import declared
from cli.arguments.media_arguments import CacheOption, cache_dir, seconds, server_path
from cli.commands.processes import become
from cli.options import argument, option
from cli.remote import Remote, remote
from shared.domain import ModelKind
from shared.errors import BadInput, ModelError
from shared.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Models and their weights.")
_ALLOWED = {True: "yes", False: "no", None: "unknown"}
_POLL_S = 0.5
_CALIBRATE_S = 600.0  # a search for each query
_GIVEN_UP_S = 20.0  # workers say every few seconds what they load
_NEEDED = ("query", "media_path")
_TIMES = ("start_seconds", "end_seconds")


@app.command("list", epilog="Example: rushes models list --type speech --ready")
@remote
def list_models(
    server: Remote,
    kind: Annotated[ModelKind | None, option("Only these.", "--type")] = None,
    ready: Annotated[
        bool, option("Only those whose weights are on the server.", "--ready")
    ] = False,
) -> None:
    """List the server's models, what their licences allow, which are downloaded and active."""
    answer = server.api.get("/models/available")
    rows = (
        _row(each, model)
        for each in ([kind] if kind else ModelKind)
        for model in answer[each]
        if model["is_downloaded"] or not ready
    )
    columns = ("kind", "!key", "ready", "active", "MB", "licence", "commercial use")
    server.out.listing(answer, columns, rows)


def _row(kind: ModelKind, model: dict[str, Any]) -> tuple[str, ...]:
    return (
        kind.value,
        model["model_key"],
        "yes" if model["is_downloaded"] else "no",
        "yes" if model["is_active"] else "",
        f"{model['size_bytes'] / 1e6:,.0f}" if model["size_bytes"] else "",
        model["licence"],
        _ALLOWED[model["commercial_use"]],
    )


@app.command("loaded")
@remote
def show_loaded(server: Remote) -> None:
    """Show which models the workers have in memory."""
    answer = server.api.get("/models/loaded")
    rows = ((kind, state["model_key"] or "", _state_of(state)) for kind, state in answer.items())
    server.out.listing(answer, ("kind", "key", "state"), rows)


def _state_of(model: dict[str, Any]) -> str:
    if model["is_loading"]:
        return "loading"
    return "loaded" if model["model_key"] else "not loaded"


@app.command("load", epilog="Example: rushes models load whisper-tiny.en")
@remote
def load_model(
    server: Remote,
    model_key: Annotated[
        str, argument("As `rushes models list` shows.", autocompletion=declared.complete_models)
    ],
    kind: Annotated[
        ModelKind | None, option("What it is for. Default: as listed.", "--type")
    ] = None,
    detach: Annotated[bool, option("Do not wait until it is loaded.", "--detach")] = False,
) -> None:
    """Make a model the active one, and wait until it is loaded."""
    wanted = kind or _kind_of(server.api, model_key)
    answer = server.api.post("/models/load", {"model_key": model_key, "model_type": wanted.value})
    if answer["is_loading"] and not detach:
        with server.out.aside.status(answer["message"]):
            answer = _wait_until_loaded(server.api, wanted, answer["model_key"])
    if not server.out.document(answer):
        server.out.line(answer.get("message") or f"{model_key} is loaded.")


@app.command("calibrate", epilog="Example: rushes models calibrate --labels labels.csv")
@remote
def calibrate_model(
    server: Remote,
    cache: CacheOption = "",
    labels: Annotated[
        str, option("CSV or JSON with query and media_path, a row for each right answer.")
    ] = "",
    forget: Annotated[bool, option("Forget what labels said of the model.", "--forget")] = False,
) -> None:
    """Measure by labelled queries what scores of the active visual model mean."""
    if bool(labels) == forget:
        raise BadInput("Say either --labels FILE or --forget.")
    body = {"cache_dir": cache_dir(cache), "forget": forget}
    if labels:
        body["labels"] = labels_of(Path(labels))
    answer = server.api.post("/models/calibrate", body, _CALIBRATE_S)
    if server.out.document(answer):
        return
    server.out.line(answer["message"])
    if forget:
        return
    server.out.line(
        f"{answer['queries']} queries, {answer['found']} with a right answer among their first "
        f"three matches; {answer['left_out']} of these are no match from now on."
    )
    named = ("strong", "fair", "weak")
    told = [f"{name} {answer[name]:.0%}" for name in named if answer[name] is not None]
    server.out.line(f"Right are, of matches called so: {', '.join(told)}.")


def _kind_of(api: ApiClient, model_key: str) -> ModelKind:
    """The kind as listed; an unlisted key is taken for a visual model, as the API takes it."""
    known = api.get("/models/available")
    for kind in ModelKind:
        if any(model["model_key"] == model_key for model in known[kind]):
            return kind
    return ModelKind.VISUAL


def _wait_until_loaded(api: ApiClient, kind: ModelKind, key: str) -> dict[str, Any]:
    """Wait for a model; what is loaded then. Raises ModelError where no worker loads it."""
    busy_at = time.monotonic()
    while True:
        loaded: dict[str, Any] = api.get("/models/loaded")
        state = loaded[kind]
        if state["model_key"] == key and not state["is_loading"]:
            return loaded
        ready = api.ready("models")
        why = ready.get("message", "")
        if f" model {key} cannot be used" in why:
            raise ModelError(why)
        if state["is_loading"] and ready.get("workers", True):
            busy_at = time.monotonic()
        elif time.monotonic() - busy_at > _GIVEN_UP_S:
            said = f"No worker has loaded {key}: their log says why."
            raise ModelError(said if ready.get("workers", True) else why)
        time.sleep(_POLL_S)


@app.command("pull", epilog="Example: rushes models pull lite whisper-small")
def pull_models(
    names: Annotated[
        list[str] | None,
        argument(
            "Model keys, `lite` for the default set, `configured` for what the settings name. "
            "None: list them."
        ),
    ] = None,
) -> None:
    """Fetch the weights of models into MODELS_DIR of this machine."""
    what = ("pull", *names) if names else ("list",)
    become(Settings.from_env(), "workers.models", *what)


def labels_of(path: Path) -> list[dict[str, Any]]:
    """One label for each right answer. Raises BadInput, naming the row."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error
    rows = _of_json(path, text) if text.lstrip().startswith("[") else list(_of_csv(path, text))
    return [_label(f"{path}: row {n}", row) for n, row in enumerate(rows, start=1)]


def _of_csv(path: Path, text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(
            f"{path} has no column {' and no '.join(missing)}: its first line must name them "
            f"(query,media_path, and if you like {','.join(_TIMES)})."
        )
    return list(reader)


def _of_json(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} is no JSON: {error}.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise BadInput(f"{path} must be a list of objects with query and media_path.")
    return list(rows)


def _label(where: str, row: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(row.get(name), str) and row[name].strip() for name in _NEEDED):
        raise BadInput(f"{where} needs a query and a media_path.")
    times = {name: seconds(str(row[name])) for name in _TIMES if row.get(name) not in (None, "")}
    return {"query": row["query"], "media_path": server_path(row["media_path"]), **times}
