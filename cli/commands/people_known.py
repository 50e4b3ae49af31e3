"""What people tell ahead: who somebody is, by photos, and the words of a collection."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cli.arguments.media_arguments import CacheOption, cache_dir, server_path
from cli.remote import Remote, remote
from shared.errors import BadInput
from shared.printable import printable

app = typer.Typer()
_ENROLLING_S = 1200.0  # each photo may wait for a model


@app.command("enroll", epilog="Example: rushes people enroll Ada ada-1.jpg ada-2.jpg")
@remote
def enroll_person(
    server: Remote,
    name: Annotated[str, typer.Argument(help="What the person is called.", show_default=False)],
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE...",
            help="Photos on which the person is seen alone, from the front.",
            show_default=False,
        ),
    ],
    cache: CacheOption = "",
) -> None:
    """Make a person known by photos, in every collection of the cache folder."""
    paths = [server_path(picture) for picture in pictures]
    body = {"cache_dir": cache_dir(cache), "name": name, "pictures": paths}
    answer = server.api.post("/faces/people", body, _ENROLLING_S)
    if not server.out.document(answer):
        server.out.line(answer["message"])


@app.command("known", epilog="Example: rushes people known --all")
@remote
def list_named_people(
    server: Remote,
    cache: CacheOption = "",
    everywhere: Annotated[
        bool, typer.Option("--all", help="In all cache folders that the server knows.")
    ] = False,
) -> None:
    """List everybody who has a name: given by hand, or enrolled from photos."""
    place = {} if everywhere else {"cache_dir": cache_dir(cache)}
    answer = server.api.get("/faces/people", **place)
    if server.out.document(answer):
        return
    every = [place for person in answer["people"] for place in person["collections"]]
    has_voices = any("voice_count" in place for place in every)
    counts = [Column(kind, justify="right") for kind in ("faces", "voices")[: 1 + has_voices]]
    table = Table("name", Column("photos", justify="right"), *counts, "in")
    for person in answer["people"]:
        places = person["collections"]
        table.add_row(
            printable(person["name"]),
            str(person["references"] or ""),
            f"{sum(place['face_count'] for place in places):,}",
            *([f"{sum(p.get('voice_count', 0) for p in places):,}"] if has_voices else ()),
            printable(", ".join(dict.fromkeys(place["cluster_job_name"] for place in places))),
        )
    server.out.show(table)
    if not answer["people"]:
        server.out.hint("Nobody has a name yet: `rushes people name` gives one.")


@app.command("vocabulary", epilog='Example: rushes people vocabulary "Season 1" Kestrelhaven')
@remote
def collection_vocabulary(
    server: Remote,
    collection: Annotated[str, typer.Argument(help="The collection.", show_default=False)],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD...]", help="Its words from now on, the most important first."
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Leave it without words.")] = False,
    cache: CacheOption = "",
) -> None:
    """Show or replace the words that the speech model is told of for a collection."""
    if words and clear:
        raise BadInput("Give words or --clear, not both.")
    body: dict[str, Any] = {"cache_dir": cache_dir(cache), "cluster_job_name": collection}
    if words or clear:
        body["vocabulary"] = words or []
    answer = server.api.post("/faces/collections/vocabulary", body)
    if not server.out.document(answer):
        server.out.line(answer["message"])
        for word in answer["vocabulary"]:
            server.out.line(f"  {word}")
