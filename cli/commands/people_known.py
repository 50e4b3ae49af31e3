"""What people tell ahead: who somebody is, by photos, and the words of a collection."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.arguments.media_arguments import CacheOption, cache_dir, server_path
from cli.remote import Remote, remote
from shared.errors import BadInput

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
