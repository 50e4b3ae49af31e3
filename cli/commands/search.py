"""`rushes search`: footage by words, by a picture, by a frame, and by what is said in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api_client import is_this_machine
from cli.arguments.media_arguments import CacheOption, cache_dir, is_foreign, seconds, server_path
from cli.arguments.media_files import media_files
from cli.remote import Remote, remote
from cli.terminal.found import Match, print_frames, print_paths, print_speech
from cli.terminal.pictures import PictureMode, PicturesOption, painter
from shared.errors import BadInput

EPILOG = """Examples:

rushes search a red car --cache /footage/.rushes

rushes search --image reference.jpg --in /footage/day1

rushes search --frame A001.mov@1:23 --exclude snow

rushes search --frame A001.mov@1:23 --fast

rushes search --said "rolling thunder" --paths

rushes search a beach --person "Season 1/Anna" --person "Season 1/Ben" --any
"""
Answer = dict[str, Any]
_BY, _WHERE, _SHOWN = "What is searched for", "Where", "What is shown"
SEARCH_S = 300.0  # the first one in a large cache folder loads it
_PERSON = re.compile(r"(?P<collection>.+)/(?:#(?P<cluster>-?\d+)|(?P<name>[^/]+))")

MaxOption = Annotated[
    int, typer.Option("--max", min=1, help="At most this many.", rich_help_panel=_SHOWN)
]
InOption = Annotated[
    list[str],
    typer.Option(
        "--in",
        help="Only in this file or folder. Repeatable.",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]
PathsOption = Annotated[
    bool,
    typer.Option("--paths", help="Lines of path, tab, time: for scripts.", rich_help_panel=_SHOWN),
]
SpeakerOption = Annotated[
    str,
    typer.Option(help="Only what this speaker says.", rich_help_panel=_BY, show_default=False),
]
FuzzyOption = Annotated[
    bool,
    typer.Option("--fuzzy", help="Also with about one wrong letter in five.", rich_help_panel=_BY),
]


WordsArgument = Annotated[
    list[str] | None, typer.Argument(help="What is to be seen, or with --said what is said.")
]
ImageOption = Annotated[
    str,
    typer.Option(
        help="What looks like this picture. Words, too, then count by --text-weight.",
        rich_help_panel=_BY,
        show_default=False,
    ),
]
FrameOption = Annotated[
    str,
    typer.Option(
        metavar="FILE@TIME",
        help="What looks like this frame; the file need not be analyzed.",
        rich_help_panel=_BY,
        show_default=False,
    ),
]
SaidOption = Annotated[
    bool, typer.Option("--said", help="Search in transcripts.", rich_help_panel=_BY)
]
FastOption = Annotated[
    bool,
    typer.Option(
        "--fast",
        help="With --image or --frame: look only at scenes like it. May miss some matches.",
        rich_help_panel=_BY,
    ),
]
ExcludeOption = Annotated[
    list[str],
    typer.Option(
        help="Rank what looks like this lower. Repeatable.",
        rich_help_panel=_BY,
        show_default=False,
    ),
]
WeightOption = Annotated[
    float | None,
    typer.Option(help="Weight of the words. Default: 1.", rich_help_panel=_BY, show_default=False),
]
PersonOption = Annotated[
    list[str],
    typer.Option(
        metavar="COLLECTION/NAME",
        help="Only frames with this person; COLLECTION/#3 is cluster 3. Repeatable.",
        rich_help_panel=_WHERE,
        show_default=False,
    ),
]


class LeastStrength(StrEnum):
    """What a match must be at the least."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"
    ANY = "any"

    def fields(self) -> dict[str, Any]:
        """The fields of a search that ask for it."""
        return {"details": True, "min_strength": None if self is self.ANY else self.value}


StrengthOption = Annotated[
    LeastStrength,
    typer.Option(
        "--min-strength",
        help="Leave out what is weaker; with `any` all are shown, down to what is no match at all.",
        rich_help_panel=_SHOWN,
    ),
]
AnyOption = Annotated[
    bool,
    typer.Option(
        "--any", help="One of them is enough, not all in one frame.", rich_help_panel=_WHERE
    ),
]


@remote
def search(
    server: Remote,
    words: WordsArgument = None,
    cache: CacheOption = "",
    image: ImageOption = "",
    frame: FrameOption = "",
    fast: FastOption = False,
    said: SaidOption = False,
    speaker: SpeakerOption = "",
    fuzzy: FuzzyOption = False,
    exclude: ExcludeOption = [],  # noqa: B006
    text_weight: WeightOption = None,
    person: PersonOption = [],  # noqa: B006
    any_person: AnyOption = False,
    within: InOption = [],  # noqa: B006
    at_most: MaxOption = 20,
    min_strength: StrengthOption = LeastStrength.WEAK,
    paths: PathsOption = False,
    pictures: PicturesOption = PictureMode.AUTO,
) -> None:
    """Search analyzed footage; best first. The exit status is 1 where nothing is found."""
    text = " ".join(words or ())
    scope = {**scope_of(cache, within), "max_results": at_most}
    if said:
        of_pictures = image or frame or fast or exclude or person or text_weight is not None
        if of_pictures or min_strength is not LeastStrength.WEAK:
            raise BadInput("--said goes with --in, --speaker and --fuzzy alone.")
        find_said(server, text, {**scope, **how_said(speaker, fuzzy)}, paths)
        return
    if speaker or fuzzy:
        raise BadInput("--speaker and --fuzzy need --said: they are for what is said.")
    ranking = {"query": text or None, "exclude": exclude, "text_weight": text_weight}
    mode = "or" if any_person else "and"
    people = {"people_filter": [_person(one) for one in person], "people_filter_mode": mode}
    kind, example = _example(server, text, image, frame, fast)
    body = scope | ranking | people | example | min_strength.fields()
    shown_by = painter(pictures, server.out)
    answer = server.api.post(f"/search/{kind}", body, SEARCH_S)
    _print(server, answer, paths, lambda found: print_frames(server.out, found, shown_by))


def find_said(server: Remote, text: str, body: dict[str, Any], paths: bool) -> None:
    """Search in transcripts and print what is found; the exit status is 1 where nothing is.

    Raises BadInput without words.
    """
    if not text.strip():
        raise BadInput("Say which words to look for.")
    answer = server.api.post("/search/transcript", {**body, "query": text}, SEARCH_S)
    _print(server, answer, paths, lambda found: print_speech(server.out, found))


def _print(
    server: Remote, answer: Answer, paths: bool, print_matches: Callable[[list[Match]], None]
) -> None:
    """An answer as it is wanted, then its notes; ends with 1 where nothing was found."""
    found = answer["matches"]
    if paths and not server.out.as_json:
        print_paths(found)
    elif not server.out.document(answer):
        print_matches(found)
    for note in answer.get("notes", ()):
        server.out.hint(note)
    if not found:
        raise typer.Exit(1)


def how_said(speaker: str, fuzzy: bool) -> dict[str, Any]:
    """The fields of a search in transcripts that narrow or widen it."""
    return {"speaker": speaker or None, "mode": "fuzzy" if fuzzy else "substring"}


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
    try:
        return {"image": base64.b64encode(Path(path).read_bytes()).decode("ascii")}
    except OSError as error:
        raise BadInput(f"{image} cannot be read: {error.strerror}.") from error


def _person(given: str) -> dict[str, str]:
    found = _PERSON.fullmatch(given)
    if found is None:
        raise BadInput(
            f"{given} is no person: write COLLECTION/NAME, or COLLECTION/#3 for cluster 3."
        )
    who = {"cluster_job_name": found["collection"]}
    if found["cluster"] is not None:
        return {**who, "cluster_id": found["cluster"]}
    return {**who, "person_name": found["name"]}
