"""Voices of people, and which faces may be theirs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cli.arguments.clusters import (
    CollectionOption,
    WhoArgument,
    ids_of,
    in_collection,
    one_id_of,
    shown_id,
)
from cli.arguments.media_arguments import CacheOption
from cli.commands.following import name_of
from cli.remote import Remote, remote
from shared.clock_times import timestamp
from shared.errors import BadInput

app = typer.Typer()
_MOST_VOICES = 200  # in one answer of the API


@app.command("voices", epilog="Example: rushes people voices Ada")
@remote
def show_voices(
    server: Remote,
    who: WhoArgument,
    cache: CacheOption = "",
    collection: CollectionOption = "",
    limit: Annotated[
        int, typer.Option(min=1, max=_MOST_VOICES, help="At most so many of each cluster.")
    ] = 50,
    after: Annotated[
        str, typer.Option(metavar="VOICE", help="Where the page before ended.", show_default=False)
    ] = "",
) -> None:
    """Show the voices of a person: what each says, and its id for `people move`."""
    body = in_collection(server.api, cache, collection)
    ids = ids_of(server.api, cache=body["cache_dir"], collection=body["cluster_job_name"], who=who)
    if after and len(ids) > 1:
        raise BadInput(f"{who} is several clusters: with --after name one, {', '.join(ids)}.")
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    for cluster in ids:
        asked = {**body, "cluster_id": cluster, "limit": limit, "after": after or None}
        page = server.api.post("/faces/clusters/voices", asked)
        found += page["voices"]
        if following := page.get("next"):
            more[cluster] = following
    if server.out.document({"voices": found, "next": more}):
        return
    server.out.show(_voices(found))
    for cluster, following in more.items():
        server.out.hint(f"{shown_id(cluster)} has more voices; go on with --after {following}")


@app.command("apart", epilog="Example: rushes people apart 70001 Ada")
@remote
def tell_apart(
    server: Remote,
    one: WhoArgument,
    other: WhoArgument,
    cache: CacheOption = "",
    collection: CollectionOption = "",
) -> None:
    """Say that two are not the same person: they are not proposed again."""
    body = in_collection(server.api, cache, collection)
    place = {"cache": body["cache_dir"], "collection": body["cluster_job_name"]}
    pair = [one_id_of(server.api, **place, who=who) for who in (one, other)]
    apart = {"apart": [{"cluster_ids": pair}], "voices": True}
    answer = server.api.post("/faces/clusters/modify", {**body, **apart})
    if not server.out.document(answer):
        server.out.line(f"{pair[0]} and {pair[1]} are two.")


def _voices(found: list[dict[str, Any]]) -> Table:
    table = Table(
        Column("voice", no_wrap=True), "file", "speaker", Column("speaks", justify="right"), "says"
    )
    for one in found:
        table.add_row(
            one["voice_id"],
            name_of(one["media_path"]) or one["hash_str"],
            one["speaker"],
            f"{one['seconds']:.0f} s",
            f"{timestamp(int(one['excerpt']['start_seconds']))} {one['text'] or ''}",
        )
    return table


@app.command("proposals", epilog="Example: rushes people proposals")
@remote
def list_proposals(
    server: Remote, cache: CacheOption = "", collection: CollectionOption = ""
) -> None:
    """List faces that are seen while a voice speaks; `people merge` makes the two one."""
    answer = server.api.get("/faces/proposals", **in_collection(server.api, cache, collection))
    if server.out.document(answer):
        return
    table = Table("voice", "face", Column("together", justify="right"), "in")
    for one in answer["proposals"]:
        table.add_row(
            _called(one["voice_cluster_id"], one["voice_name"]),
            _called(one["face_cluster_id"], one["face_name"]),
            f"{one['seconds_together']} of {one['seconds_spoken']} s",
            ", ".join(name_of(path) or path for path in one["media_paths"]),
        )
    server.out.show(table)
    if not answer["proposals"]:
        server.out.hint("No face is clearly seen while one voice speaks, and not while others do.")


def _called(cluster_id: str, name: str | None) -> str:
    return f"{cluster_id} ({name})" if name else cluster_id
