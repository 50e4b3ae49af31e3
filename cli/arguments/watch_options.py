"""The options of `rushes watch add` and `change`, and the API's fields that they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli.arguments.vocabulary_option import vocabulary
from shared.watch import choices

_WHAT = "What is analyzed"
_WHICH = "Which files"
_WHEN = "When"
Visual = Annotated[
    bool | None, typer.Option("--visual/--no-visual", help="Pictures.", rich_help_panel=_WHAT)
]
Speech = Annotated[
    bool | None, typer.Option("--speech/--no-speech", help="Speech.", rich_help_panel=_WHAT)
]
Speakers = Annotated[
    bool | None,
    typer.Option(
        "--speakers/--no-speakers",
        help="Who speaks in new files. Default: as the server is set.",
        rich_help_panel=_WHAT,
        show_default=False,
    ),
]
Faces = Annotated[
    bool | None,
    typer.Option("--faces/--no-faces", help="Faces, into --collection.", rich_help_panel=_WHAT),
]
Collection = Annotated[
    str | None,
    typer.Option(
        help="Collection that receives the faces; with it --faces goes without saying.",
        rich_help_panel=_WHAT,
    ),
]
Language = Annotated[
    str | None,
    typer.Option(help='Of the speech, such as "english"; "": detect.', rich_help_panel=_WHAT),
]
Vocabulary = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORD",
        help='A name or rare word that may be said, or @FILE of them; may be repeated; "": none, '
        "and no names of people.",
        rich_help_panel=_WHAT,
    ),
]
Recursive = Annotated[
    bool | None,
    typer.Option(
        "--recursive/--no-recursive", help="Folders inside it too.", rich_help_panel=_WHICH
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help='File names to leave out, such as "proxy_*"; may be repeated; "": none.',
        rich_help_panel=_WHICH,
    ),
]
ExcludeExtension = Annotated[
    list[str] | None,
    typer.Option(
        metavar="EXT",
        help='Extensions to leave out, such as wav; may be repeated; "": none.',
        rich_help_panel=_WHICH,
    ),
]
ImageSequences = Annotated[
    choices.ImageSequences | None,
    typer.Option(help="Of 24 or more numbered stills in a folder.", rich_help_panel=_WHICH),
]
Polling = Annotated[
    choices.Polling | None, typer.Option(help="How new files are noticed.", rich_help_panel=_WHEN)
]
Settle = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0.0,
        help="A file is taken when it has not changed for so long.",
        rich_help_panel=_WHEN,
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="HH:MM-HH:MM",
        help='Hours in which it may be worked on, by the server\'s clock; "": always.',
        rich_help_panel=_WHEN,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """What was typed; None: not given."""

    enabled: bool | None = None
    visual: bool | None = None
    speech: bool | None = None
    speakers: bool | None = None
    faces: bool | None = None
    collection: str | None = None
    language: str | None = None
    vocabulary: list[str] | None = None
    recursive: bool | None = None
    exclude: list[str] | None = None
    exclude_extension: list[str] | None = None
    image_sequences: choices.ImageSequences | None = None
    polling: choices.Polling | None = None
    settle: float | None = None
    schedule: str | None = None

    def fields(self) -> dict[str, Any]:
        """The API's fields of the options that were given; an empty word resets one."""
        faces = True if self.collection and self.faces is None else self.faces
        found = {
            "enabled": self.enabled,
            "analyze_visual": self.visual,
            "analyze_speech": self.speech,
            "speakers": self.speakers,
            "analyze_faces": faces,
            "recursive": self.recursive,
            "vocabulary": None if self.vocabulary is None else vocabulary(self.vocabulary),
            "excluded_filename_globs": _words(self.exclude),
            "excluded_extensions": _words(self.exclude_extension),
            "image_sequences": self.image_sequences,
            "polling": self.polling,
            "settle_seconds": self.settle,
        }
        resettable = {
            "cluster_job_name": self.collection,
            "language": self.language,
            "schedule": _hours(self.schedule) if self.schedule else self.schedule,
        }
        given = {name: value for name, value in found.items() if value is not None}
        return given | {
            name: value or None for name, value in resettable.items() if value is not None
        }


def _words(given: list[str] | None) -> list[str] | None:
    return None if given is None else [word for word in given if word]


def _hours(given: str) -> dict[str, str]:
    start, _, stop = given.partition("-")
    return {"start": start.strip(), "stop": stop.strip()}
