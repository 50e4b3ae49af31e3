"""Options that are fields of a request, made from the declarations of its body; completions.

A field is marked by shared.fields. Its type, bounds, choices and words are those of the API,
and what was not typed is not sent, so that defaults are the server's.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import typer
from msgspec import Meta, UnsetType
from msgspec.structs import FieldInfo

from cli.arguments.media_arguments import server_path
from cli.remote import client_of
from shared.errors import RushesError
from shared.fields import MARK, CommandLineOption, words_of

_PATIENCE_S = 1.0


def complete_task_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest tasks, each with its kind and state."""
    tasks = _answer(ctx, "/tasks").get("tasks", ())
    described = ((task["task_id"], f"{task['kind']}, {task['status']}") for task in tasks)
    return [pair for pair in described if pair[0].startswith(incomplete)]


def _models(*kinds: str) -> Callable[[typer.Context, str], list[str]]:
    """Complete keys of the models of these kinds that the server knows."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        answer = _answer(ctx, "/models/available")
        keys = (model["model_key"] for kind in kinds for model in answer.get(kind, ()))
        return [key for key in keys if key.startswith(incomplete)]

    return complete


complete_models = _models("visual", "speech", "faces")


def complete_collections(ctx: typer.Context, incomplete: str) -> list[str]:
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


Fields = dict[str, Any]
Command = Callable[..., None]
_COMPLETED = {
    "cluster_job_name": complete_collections,
    "visual_model_key": _models("visual"),
    "speech_model_key": _models("speech"),
    "face_model_key": _models("faces"),
    "model_key": complete_models,
}


def with_fields(
    *bodies: type[msgspec.Struct], but: Collection[str] = (), **defaults: Any
) -> Callable[[Command], Command]:
    """Give a command the marked fields of bodies as options; `fields` receives what was typed.

    `but` are fields that it offers otherwise, `defaults` are its own. Of fields of the same name in
    several bodies the first counts.
    """
    options: dict[str, inspect.Parameter] = {}
    paths: set[str] = set()
    for body in bodies:
        for field in msgspec.structs.fields(body):
            kind, metas = _parts(field.type)
            marks = [meta.extra[MARK] for meta in metas if meta.extra and MARK in meta.extra]
            if marks and field.name not in {*but, *options}:
                mark = marks[0]
                words = mark.help or _help(words_of(body).get(field.name), kind, metas)
                options[field.name] = _option(field, kind, metas, mark, words, defaults)
                if any("pattern" in (meta.extra_json_schema or ()) for meta in metas):
                    paths.add(field.name)

    def decorate(function: Command) -> Command:
        def command(*arguments: Any, **given: Any) -> None:
            typed = {name: given.pop(name) for name in options}
            fields = {
                name: _on_server(value) if name in paths else value
                for name, value in typed.items()
                if value is not None and value != []
            }
            function(*arguments, **given, fields=fields)

        own = inspect.signature(function, eval_str=True).parameters.values()
        named = [each for each in own if each.name != "fields"]
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        signature = inspect.Signature([*named, *options.values()])
        command.__signature__ = signature  # type: ignore[attr-defined]
        return command

    return decorate


def _parts(kind: Any) -> tuple[Any, list[Meta]]:
    """A field's type as Typer takes it, and all that is declared of it, the outermost first."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        plain, metas = _parts(inner[0])
        return plain, [*reversed(kind.__metadata__), *metas]
    if origin in (Union, UnionType):  # of a number or text, the text is what may be typed
        return _parts([part for part in inner if part not in (NoneType, UnsetType)][-1])
    if origin is list:
        plain, metas = _parts(inner[0])
        return list[plain], metas  # type: ignore[valid-type]
    return kind, []


def _option(
    field: FieldInfo,
    kind: Any,
    metas: list[Meta],
    mark: CommandLineOption,
    words: str,
    defaults: dict[str, Any],
) -> inspect.Parameter:
    flag = mark.flag or f"--{field.name.replace('_', '-')}"
    if kind is bool and "/" not in flag and field.default is not False:
        flag = f"{flag}/--no-{flag[2:]}"
    is_number = kind in (int, float)
    default = defaults.get(field.name, field.default)
    is_shown = default and isinstance(default, str | int | float) and kind is not bool
    words += " Repeatable." if get_origin(kind) is list else ""
    option = typer.Option(
        flag,
        help=words,
        rich_help_panel=mark.panel or None,
        metavar=mark.metavar or None,
        autocompletion=_COMPLETED.get(field.name),
        min=next((meta.ge for meta in metas if meta.ge is not None), None) if is_number else None,
        max=next((meta.le for meta in metas if meta.le is not None), None) if is_number else None,
        show_default=str(default) if is_shown else False,
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if field.required else defaults.get(field.name),
        annotation=Annotated[kind if field.required else kind | None, option],
    )


def _help(words: str | None, kind: Any, metas: list[Meta]) -> str:
    """The words of a field, of a list of choices all of them, else the first sentence."""
    text = words or next((meta.description for meta in metas if meta.description), "")
    first = text.partition(". ")[0].rstrip(".") + "."
    return text if get_origin(kind) is Literal else first


def _on_server(value: Any) -> Any:
    return [server_path(each) for each in value] if isinstance(value, list) else server_path(value)
