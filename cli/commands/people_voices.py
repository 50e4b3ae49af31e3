"""Voices of people, and which faces may be theirs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cli.arguments.clusters import CollectionOption, WhoArgument, ids_of, in_collection
from cli.arguments.media_arguments import CacheOption
from cli.commands.following import name_of
from cli.remote import Remote, remote
from shared.clock_times import timestamp

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
) -> None:
    """Show the voices of a person: what each says, and its id for `people move`."""
    body = in_collection(server.api, cache, collection)
    ids = ids_of(server.api, cache=body["cache_dir"], collection=body["cluster_job_name"], who=who)
    found: list[dict[str, Any]] = []
    for cluster in ids:
        asked = {**body, "cluster_id": cluster, "limit": limit}
        found += server.api.post("/faces/clusters/voices", asked)["voices"]
    if server.out.document({"voices": found}):
        return
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
    server.out.show(table)


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
