"""`rushes models`: what the server has and loads, and weights fetched onto this machine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Column, Table

from cli.commands.processes import become
from cli.remote import Remote, remote
from shared.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Models and their weights.")
_ALLOWED = {True: "yes", False: "no", None: "unknown"}


class ModelType(StrEnum):
    VISUAL = "visual"
    SPEECH = "speech"
    FACES = "faces"


@app.command("list")
@remote
def list_models(server: Remote) -> None:
    """List the server's models, what their licences allow, which are downloaded and active."""
    answer = server.api.get("/models/available")
    if server.out.document(answer):
        return
    table = Table(
        "kind", Column("key", no_wrap=True), "ready", "active", "MB", "licence", "commercial use"
    )
    for kind in ModelType:
        for model in answer[kind]:
            table.add_row(
                kind.value,
                model["model_key"],
                "yes" if model["is_downloaded"] else "no",
                "yes" if model["is_active"] else "",
                f"{model['size_bytes'] / 1e6:,.0f}" if model["size_bytes"] else "",
                model["licence"],
                _ALLOWED[model["commercial_use"]],
            )
    server.out.show(table)


@app.command("loaded")
@remote
def show_loaded(server: Remote) -> None:
    """Show which models the workers have in memory."""
    answer = server.api.get("/models/loaded")
    if server.out.document(answer):
        return
    table = Table("kind", "key", "state")
    for kind, state in answer.items():
        loaded = "loaded" if state["model_key"] else "not loaded"
        table.add_row(kind, state["model_key"] or "", "loading" if state["is_loading"] else loaded)
    server.out.show(table)


@app.command("load")
@remote
def load_model(
    server: Remote,
    model_key: Annotated[str, typer.Argument(help="As `rushes models list` shows.")],
    kind: Annotated[ModelType, typer.Option("--type", help="What it is for.")] = ModelType.VISUAL,
) -> None:
    """Make a model the active one: every worker loads it."""
    answer = server.api.post("/models/load", {"model_key": model_key, "model_type": kind.value})
    if not server.out.document(answer):
        server.out.line(answer["message"])


@app.command("pull")
def pull_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Model keys, or `lite` for the default set. None: list them."),
    ] = None,
) -> None:
    """Fetch the weights of models into MODELS_DIR of this machine."""
    what = ("pull", *names) if names else ("list",)
    become(Settings.from_env(), "workers.models", *what)
