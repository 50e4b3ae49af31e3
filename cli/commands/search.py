"""`rushes search`: footage by words, by a picture, by a frame, and by what is said in it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api.search.bodies import BY, SHOWN, WHERE, SearchTextBody, SearchTranscriptBody
from cli.api_client import is_this_machine
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import CacheOption, cache_dir, is_foreign, seconds, server_path
from cli.arguments.media_files import media_files
from cli.arguments.search_filters import WhereOption, filters, frames_with
from cli.commands.coverage import tell_coverage
from cli.remote import Remote, remote
from cli.terminal.found import Match, print_frames, print_paths, print_speech
from cli.terminal.pictures import PictureMode, PicturesOption, painter
from shared.errors import BadInput, os_errors_as

EPILOG = """Examples:

rushes search a red car --cache /footage/.rushes

rushes search --image reference.jpg --in /footage/day1

rushes search --frame A001.mov@1:23 --exclude snow

rushes search --frame A001.mov@1:23 --fast

rushes search --said "rolling thunder" --paths

rushes search --said --by auto she wanted to go home

rushes search a beach --person "Season 1/Anna" --person "Season 1/Ben" --any

rushes search a beach --speaker Anna

rushes search a beach --where codec=prores --where recorded=2026-11-01.. --sort date

rushes search a beach --by-file --max 10

rushes search a beach --min-strength fair --all --paths
"""
Answer = dict[str, Any]
SEARCH_S = 300.0  # the first one in a large cache folder loads it
_ALL = 500  # matches of a page, where all are asked for

InOption = Annotated[
    list[str],
    typer.Option(
        "--in",
        help="Only in this file or folder. Repeatable.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]
PathsOption = Annotated[
    bool,
    typer.Option("--paths", help="Lines of path, tab, time: for scripts.", rich_help_panel=SHOWN),
]
FuzzyOption = Annotated[
    bool,
    typer.Option("--fuzzy", help="Also with about one wrong letter in five.", rich_help_panel=BY),
]


WordsArgument = Annotated[
    list[str] | None, typer.Argument(help="What is to be seen, or with --said what is said.")
]
ImageOption = Annotated[
    str,
    typer.Option(
        help="What looks like this picture. Words, too, then count by --text-weight.",
        rich_help_panel=BY,
        show_default=False,
    ),
]
FrameOption = Annotated[
    str,
    typer.Option(
        metavar="FILE@TIME",
        help="What looks like this frame; the file need not be analyzed.",
        rich_help_panel=BY,
        show_default=False,
    ),
]
SaidOption = Annotated[
    bool, typer.Option("--said", help="Search in transcripts.", rich_help_panel=BY)
]
FastOption = Annotated[
    bool,
    typer.Option(
        "--fast",
        help="With --image or --frame: look only at scenes like it. May miss some matches.",
        rich_help_panel=BY,
    ),
]
PersonOption = Annotated[
    list[str],
    typer.Option(
        "--person",
        metavar="COLLECTION/NAME",
        help="Only frames with this person; COLLECTION/#3 is cluster 3. Repeatable.",
        rich_help_panel=WHERE,
        show_default=False,
    ),
]


class LeastStrength(StrEnum):
    """What a match must be at the least."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"
    ANY = "any"

    def fields(self, sort: str | None) -> Fields:
        """The fields of a search that ask for it."""
        if self is not self.ANY:
            return {"details": True, "min_strength": self.value}
        # What is sorted otherwise than by score is at least weak, unless this is asked for.
        is_sorted = sort not in (None, "score")
        return {"details": True, **({"min_score": 0} if is_sorted else {})}


StrengthOption = Annotated[
    LeastStrength,
    typer.Option(
        "--min-strength",
        help="Leave out what is weaker; with `any` all are shown, down to what is no match at all.",
        rich_help_panel=SHOWN,
    ),
]
AnyOption = Annotated[
    bool,
    typer.Option(
        "--any", help="One of them is enough, not all in one frame.", rich_help_panel=WHERE
    ),
]


ByFileOption = Annotated[
    bool,
    typer.Option(
        "--by-file",
        help="Matches file by file, three of each; --max counts files.",
        rich_help_panel=SHOWN,
    ),
]
AllOption = Annotated[
    bool,
    typer.Option("--all", help="All matches, page by page, whatever --max.", rich_help_panel=SHOWN),
]


@remote
@with_fields(SearchTextBody, SearchTranscriptBody, max_results=20)
def search(
    server: Remote,
    fields: Fields,
    words: WordsArgument = None,
    cache: CacheOption = "",
    image: ImageOption = "",
    frame: FrameOption = "",
    fast: FastOption = False,
    said: SaidOption = False,
    fuzzy: FuzzyOption = False,
    shown: PersonOption = [],  # noqa: B006
    any_person: AnyOption = False,
    within: InOption = [],  # noqa: B006
    where: WhereOption = [],  # noqa: B006
    every: AllOption = False,
    by_file: ByFileOption = False,
    min_strength: StrengthOption = LeastStrength.WEAK,
    paths: PathsOption = False,
    pictures: PicturesOption = PictureMode.AUTO,
) -> None:
    """Search analyzed footage; best first. The exit status is 1 where nothing is found."""
    text, scope = " ".join(words or ()), scope_of(cache, within) | filters(where, any_person)
    scope |= how_given(fields, every, by_file)
    if said:
        of_pictures = fields.keys() - set(SearchTranscriptBody.__struct_fields__)
        _check_said(image, frame, fast, shown, of_pictures, min_strength)
        find_said(server, text, scope | how_said(fields, fuzzy), paths)
        return
    if fuzzy or fields.keys() - set(SearchTextBody.__struct_fields__):
        raise BadInput("--fuzzy, --by and --subtitles need --said: they are for what is said.")
    kind, example = _example(server, text, image, frame, fast)
    body = scope | min_strength.fields(fields.get("sort")) | example | {"query": text or None}
    body |= frames_with(shown, any_person)
    shown_by = None if every else painter(pictures, server.out)
    _find(server, kind, body, paths, lambda found: print_frames(server.out, found, shown_by))


def find_said(server: Remote, text: str, body: dict[str, Any], paths: bool) -> None:
    """Search in transcripts and print what is found; the exit status is 1 where nothing is.

    Raises BadInput without words.
    """
    if not text.strip():
        raise BadInput("Say which words to look for.")
    body = {name: value for name, value in body.items() if name != "images"} | {"query": text}
    _find(server, "transcript", body, paths, lambda found: print_speech(server.out, found))


def _check_said(*of_pictures: object) -> None:
    if any(given is not LeastStrength.WEAK for given in of_pictures if given):
        raise BadInput(
            "--said goes with --in, --where, --sort, --by-file, --all, --speaker, --fuzzy, --by "
            "and --subtitles alone."
        )


def how_given(fields: Fields, every: bool, by_file: bool) -> Fields:
    """The fields of a search that were typed, and what is given of it."""
    found = dict(fields)
    if every:  # thousands of pictures would be too many
        found |= {"max_results": _ALL, "cursor": "", "images": False}
    if by_file:
        found["group_by"] = "file"
    return found


def _asked(server: Remote, kind: str, body: dict[str, Any]) -> Answer:
    """The answer, with the matches of all pages where these are asked for."""
    answer: Answer = server.api.post(f"/search/{kind}", body, SEARCH_S)
    more = answer
    while following := more.get("next"):
        asked = {**body, "cursor": following, "coverage": False}
        more = server.api.post(f"/search/{kind}", asked, SEARCH_S)
        for name in ("matches", "groups"):
            answer[name] = [*answer.get(name, ()), *more.get(name, ())]
    answer.pop("next", None)
    return answer


def _find(
    server: Remote,
    kind: str,
    body: dict[str, Any],
    paths: bool,
    print_matches: Callable[[list[Match]], None],
) -> None:
    """Print an answer as it is wanted, then its notes; ends with 1 where nothing was found."""
    answer = _asked(server, kind, body)
    of_files = [match for group in answer.get("groups", ()) for match in group["matches"]]
    found = answer["matches"] or of_files
    if paths and not server.out.as_json:
        print_paths(found)
    elif not server.out.document(answer):
        print_matches(found)
    for note in answer.get("notes", ()):
        if note not in server.api.told:
            server.out.hint(note)
    tell_coverage(server, kind, body, answer, is_empty=not found)
    if not found:
        raise typer.Exit(1)


def how_said(fields: Fields, fuzzy: bool) -> Fields:
    """The fields of a search in transcripts that widen it. Raises BadInput."""
    mode = fields.get("mode", "substring")
    if fuzzy and mode not in ("substring", "fuzzy"):
        raise BadInput(f"--fuzzy is --by fuzzy: leave it out with --by {mode}.")
    return {"mode": "fuzzy" if fuzzy else mode, "details": True}


def scope_of(cache: str, within: list[str]) -> dict[str, Any]:
    """The fields of a search that name the cache folder, and the files to search in, if any."""
    where = cache_dir(cache)
    if not within:
        return {"cache_dir": where}
    found = media_files(within, cache=where)
    if not found.paths:
        raise BadInput("There is no media file in what --in names.")
    return {"cache_dir": where, "media_paths": list(found.paths)}


def _example(
    server: Remote, text: str, image: str, frame: str, fast: bool
) -> tuple[str, dict[str, Any]]:
    """The kind of a visual search, the picture that it is made with, and how."""
    mode = {"mode": "fast"} if fast else {}
    if image and frame:
        raise BadInput("Search by --image or by --frame, not by both.")
    if image:
        return "image", {**_picture(server, image), **mode}
    if frame:
        path, _, time = frame.rpartition("@")
        if not path:
            raise BadInput("--frame wants FILE@TIME, such as A001.mov@1:23.")
        of_frame = {"media_path": server_path(path), "time_seconds": seconds(time)}
        return "frame", {**of_frame, **mode}
    if fast:
        raise BadInput("--fast needs --image or --frame: a search by words looks at all frames.")
    if not text.strip():
        raise BadInput("Say what to look for: words, --image FILE or --frame FILE@TIME.")
    return "text", {}


def _picture(server: Remote, image: str) -> dict[str, str]:
    """The field of a picture to search with: its path, or the content for a server elsewhere."""
    path = server_path(image)
    if is_this_machine(server.api.url) or is_foreign(path) or not Path(path).is_file():
        return {"image_path": path}
    with os_errors_as(BadInput, f"{image} cannot be read"):
        return {"image": base64.b64encode(Path(path).read_bytes()).decode("ascii")}
