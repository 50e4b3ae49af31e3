"""Options of `rushes watch add` and `change` that are typed otherwise than the API's fields."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments.declared import Fields
from cli.arguments.vocabulary_option import vocabulary as words_of

Vocabulary = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORD",
        help='A name or rare word that may be said, or @FILE of them; may be repeated; "": none, '
        "and no names of people.",
        rich_help_panel="What is analyzed",
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="HH:MM-HH:MM",
        help='Hours in which it may be worked on, by the server\'s clock; "": always.',
        rich_help_panel="When",
    ),
]


def folder_fields(
    typed: Fields, vocabulary: list[str] | None = None, schedule: str | None = None
) -> Fields:
    """The API's fields of the options that were given; an empty word resets one."""
    fields = dict(typed)
    for name in ("excluded_filename_globs", "excluded_extensions"):
        if name in fields:
            fields[name] = [word for word in fields[name] if word]
    for name in ("cluster_job_name", "language"):
        if name in fields:
            fields[name] = fields[name] or None
    if fields.get("cluster_job_name"):
        fields.setdefault("analyze_faces", True)
    if vocabulary is not None:
        fields["vocabulary"] = words_of(vocabulary)
    if schedule is not None:
        start, _, stop = schedule.partition("-")
        hours = {"start": start.strip(), "stop": stop.strip()}
        fields["schedule"] = hours if schedule else None
    return fields
