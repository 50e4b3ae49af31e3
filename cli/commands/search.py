"""`rushes search`: footage by words, by a picture, by a frame, and by what is said in it."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from api.search.bodies import BY, SHOWN, WHERE, SearchTextBody, SearchTranscriptBody
from cli.api_client import is_this_machine
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import (
    CacheOption,
    cache_dir,
    is_foreign,
    media_files,
    seconds,
    server_path,
)
from cli.options import argument, examples, option
from cli.remote import Remote, remote
from cli.terminal.output import CommandOutput
from cli.terminal.pictures import Painter, PicturesOption, painter
from shared.errors import BadInput, os_errors_as
from shared.printable import printable

EPILOG = examples(
    "rushes search a red car --cache /footage/.rushes",
    "rushes search --image reference.jpg --in /footage/day1",
    "rushes search --frame A001.mov@1:23 --exclude snow",
    "rushes search --frame A001.mov@1:23 --fast",
    'rushes search --said "rolling thunder" --paths',
    "rushes search --said --by auto she wanted to go home",
    'rushes search a beach --person "Season 1/Anna" --person "Season 1/Ben" --any',
    "rushes search a beach --speaker Anna",
    "rushes search a beach --where codec=prores --where recorded=2026-11-01.. --sort date",
    "rushes search a beach --by-file --max 10",
    "rushes search a beach --min-strength fair --all --paths",
)
Answer = dict[str, Any]
SEARCH_S = 300.0  # the first one in a large cache folder loads it
_ALL = 500  # matches of a page, where all are asked for

_PERSON = re.compile(r"(?P<collection>.+)/(?:#(?P<cluster>-?\d+)|(?P<name>[^/]+))")
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_SIZE = re.compile(r"(\d+)[x×](\d+)")
WhereOption = Annotated[
    list[str],
    option(
        "Only files of which this holds: folder=DIR, watch-folder=ID, "
        "recorded=2026-11-01..2026-11-30, length=0:10..1:00, rate=25, size=3840x2160.., "
        "codec=prores, sound=yes, language=german, person=COLLECTION/NAME. "
        "A range may lack either end. Repeatable.",
        "--where",
        panel="Where",
        metavar="KEY=VALUE",
    ),
]
InOption = Annotated[
    list[str], option("Only in this file or folder. Repeatable.", "--in", panel=WHERE)
]
PathsOption = Annotated[
    bool, option("Lines of path, tab, time: for scripts.", "--paths", panel=SHOWN)
]
FuzzyOption = Annotated[
    bool, option("Also with about one wrong letter in five.", "--fuzzy", panel=BY)
]


WordsArgument = Annotated[
    list[str] | None, argument("What is to be seen, or with --said what is said.")
]
ImageOption = Annotated[
    str, option("What looks like this picture. Words, too, then count by --text-weight.", panel=BY)
]
FrameOption = Annotated[
    str,
    option(
        "What looks like this frame; the file need not be analyzed.", panel=BY, metavar="FILE@TIME"
    ),
]
SaidOption = Annotated[bool, option("Search in transcripts.", "--said", panel=BY)]
FastOption = Annotated[
    bool,
    option(
        "With --image or --frame: look only at scenes like it. May miss some matches.",
        "--fast",
        panel=BY,
    ),
]
PersonOption = Annotated[
    list[str],
    option(
        "Only frames with this person; COLLECTION/#3 is cluster 3. Repeatable.",
        "--person",
        panel=WHERE,
        metavar="COLLECTION/NAME",
    ),
]
AnyOption = Annotated[
    bool, option("One of them is enough, not all in one frame.", "--any", panel=WHERE)
]
ByFileOption = Annotated[
    bool,
    option("Matches file by file, three of each; --max counts files.", "--by-file", panel=SHOWN),
]
AllOption = Annotated[
    bool, option("All matches, page by page, whatever --max.", "--all", panel=SHOWN)
]
_REASONS = 5
_WEAK: Literal["weak"] = "weak"  # at the least, unless more or less is asked for
_NAMED = {
    "waiting": "waiting",
    "failed": "failed",
    "left_out": "left out",
    "other_models": "analyzed with other models only",
    "unknown": "not analyzed",
    "offline": "offline",
}
_STATES = {**_NAMED, "other_model": _NAMED["other_models"]}
Match = dict[str, Any]
_FOLDER = re.compile(r".*[/\\]")


StrengthOption = Annotated[
    Literal["strong", "fair", "weak", "any"],
    option(
        "Leave out what is weaker; with `any` all are shown, down to what is no match at all.",
        "--min-strength",
        panel=SHOWN,
    ),
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
    min_strength: StrengthOption = _WEAK,
    paths: PathsOption = False,
    pictures: PicturesOption = "auto",
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
    body = scope | _at_least(min_strength, fields) | example | {"query": text or None}
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
    if any(given != _WEAK for given in of_pictures if given):
        raise BadInput(
            "--said goes with --in, --where, --sort, --by-file, --all, --speaker, --fuzzy, --by "
            "and --subtitles alone."
        )


def _at_least(strength: str, fields: Fields) -> Fields:
    """The fields of a search that ask for matches of this strength at the least."""
    if strength != "any":
        return {"details": True, "min_strength": strength}
    # What is sorted otherwise than by score is at least weak, unless this is asked for.
    is_sorted = fields.get("sort", "score") != "score"
    return {"details": True} | ({"min_score": 0} if is_sorted else {})


def how_given(fields: Fields, every: bool, by_file: bool) -> Fields:
    """The fields of a search that were typed, and what is given of it."""
    found = dict(fields)
    if every:  # thousands of pictures would be too many
        found |= {"max_results": _ALL, "cursor": "", "images": False}
    if by_file:
        found["group_by"] = "file"
    return found


def _asked(server: Remote, kind: str, body: dict[str, Any]) -> Answer:
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


def tell_coverage(
    server: Remote, kind: str, body: dict[str, Any], answer: dict[str, Any], *, is_empty: bool
) -> None:
    """Say the coverage where it was asked for, or where nothing was found and not all searched."""
    coverage = answer.get("coverage")
    if coverage is None and is_empty and not server.out.as_json:
        once = {name: value for name, value in body.items() if name != "cursor"}
        once |= {"coverage": True, "max_results": 1}
        found = server.api.post(f"/search/{kind}", once)["coverage"]
        is_whole = found["searched"] == found["asked"] and not found["offline"]["files"]
        coverage = None if is_whole else found
    for line in _lines(coverage) if coverage else ():
        server.out.hint(line)


def _lines(coverage: dict[str, Any]) -> Iterator[str]:
    asked, searched = coverage["asked"], coverage["searched"]
    parts = [
        f"{coverage[part]['files']:,} {words}"
        for part, words in _NAMED.items()
        if part in coverage and coverage[part]["files"]
    ]
    rest = f": {', '.join(parts)}" if parts else ""
    unit, factor = ("hours", 1) if asked["hours"] >= 1 else ("minutes", 60)
    hours, all_hours = (factor * known["hours"] for known in (searched, asked))
    yield (
        f"Searched {searched['files']:,} of {asked['files']:,} files, {hours:,.1f} of "
        f"{all_hours:,.1f} {unit} that are known, with {coverage['model_key']}{rest}."
    )
    if "speakers" in coverage:
        yield f"Speakers were told apart in {coverage['speakers']['files']:,} of these files."
    if "captions" in coverage:
        yield f"Captions of {coverage['captions']['files']:,} of these files were searched."
    if "with_folder_names" in coverage:
        yield (
            f"Transcripts of {coverage['with_folder_names']['files']:,} of these files may lack "
            "sentences, made by an earlier version: `rushes doctor` says how to make them again."
        )
    reasons = coverage["reasons"]
    for each in reasons[:_REASONS]:
        state = _STATES.get(each["state"], each["state"])
        examples = ", ".join(each["examples"])
        more = ", …" if each["files"] > len(each["examples"]) else ""
        yield f"  {each['files']:,} {state}: {each['reason']} ({examples}{more})"
    if len(reasons) > _REASONS:
        yield f"  and {len(reasons) - _REASONS} other reasons (--coverage --json has all)"


def print_paths(matches: Sequence[Match]) -> None:
    """Print `path<TAB>HH:MM:SS` of matches, a line each; a terminal gets no control characters."""
    shown = printable if sys.stdout.isatty() else str
    for match in matches:
        sys.stdout.write(f"{shown(_path_of(match))}\t{_time_of(match)}\n")


def print_frames(out: CommandOutput, matches: Sequence[Match], painter: Painter | None) -> None:
    """Matches of a visual search, best first."""
    if not matches:
        out.hint("Nothing was found.")
    elif painter is None:
        folder = _say_folder(out, matches)
        rows = (
            (
                str(number),
                _path_of(match)[len(folder) :] + _offline(match),
                match["timestamp"],
                scene_of(match),
                strength_of(match),
            )
            for number, match in enumerate(matches, 1)
        )
        out.table(("", "…file", "time", "scene", "?match"), rows)
    else:
        for number, match in enumerate(matches, 1):
            painter.show([match["image"]], _beside(number, match))
            out.line("")


def print_speech(out: CommandOutput, matches: Sequence[Match]) -> None:
    """Matches of a search in transcripts, in the order of the answer."""
    if not matches:
        out.hint("Nothing was found.")
        return
    folder = _say_folder(out, matches)
    rows = (
        (
            str(number),
            _path_of(match)[len(folder) :],
            _time_of(match),
            match.get("speaker_name") or match.get("speaker") or "",
            match.get("matched_by") or "",
            match.get("kind") or "",
            match["text"],
        )
        for number, match in enumerate(matches, 1)
    )
    out.table(("", "…file", "time", "?speaker", "?by", "?in", "said"), rows)


def _path_of(match: Match) -> str:
    return str(match.get("video_path") or match["media_path"])


def _time_of(match: Match) -> str:
    return str(match.get("timestamp") or match["start_timestamp"])


def scene_of(match: Match) -> str:
    """Scene of a match, `HH:MM:SS-HH:MM:SS`; nothing for a still."""
    start, end = match["scene_start_timestamp"], match["scene_end_timestamp"]
    return "" if start == end else f"{start}-{end}"


def strength_of(match: Match) -> str:
    """How good a match is, such as `strong 0.71`; nothing where nobody knows."""
    return f"{match.get('strength', 'none')} {match['score']:.2f}" if "score" in match else ""


def _offline(match: Match) -> str:
    return " (offline)" if match.get("online") is False else ""


def common_folder(paths: Sequence[str]) -> str:
    """The folder that all paths are in, with its separator; empty where there is none."""
    # Letter by letter, and then back to a separator: it works on paths of any system.
    found = _FOLDER.match(os.path.commonprefix(list(paths)))  # noqa: RUF071
    return found[0] if found else ""


def _say_folder(out: CommandOutput, matches: Sequence[Match]) -> str:
    """Print the folder that all matches are in, so that the table need not repeat it."""
    folder = common_folder([_path_of(match) for match in matches])
    if folder:
        out.line(f"in {folder}")
    return folder


def _beside(number: int, match: Match) -> list[Text]:
    path = printable(_path_of(match))
    folder = common_folder([path])
    scene = scene_of(match)
    return [
        Text(f"{number}  {path[len(folder) :]}{_offline(match)}", style="bold"),
        Text(f"{_time_of(match)}  {strength_of(match)}".rstrip()),
        *([Text(f"scene {scene}")] if scene else []),
        Text(folder, style="dim"),
    ]


def filters(where: list[str], any_person: bool = False) -> Fields:
    """The field `filters` of a search; nothing where there is none. Raises BadInput."""
    found: Fields = {}
    for given in where:
        key, is_one, value = given.partition("=")
        read = _KEYS.get(key.strip().lower())
        if not is_one or not value.strip() or read is None:
            raise BadInput(f"--where {given}: write KEY=VALUE; keys are {', '.join(_KEYS)}.")
        name, content = read(value.strip())
        if name == "people":
            found.setdefault(name, []).append(content)
        elif name in found:
            raise BadInput(f"--where {given}: {key} is given twice; one file has one.")
        else:
            found[name] = content
    if any_person and "people" in found:
        found["people_mode"] = "or"
    return {"filters": found} if found else {}


def frames_with(persons: list[str], any_person: bool) -> Fields:
    """The fields of a search that let only frames with these people match. Raises BadInput."""
    mode = "or" if any_person else "and"
    return {"people_filter": [person(one) for one in persons], "people_filter_mode": mode}


def person(given: str) -> dict[str, str]:
    """COLLECTION/NAME or COLLECTION/#CLUSTER as the API has it. Raises BadInput."""
    found = _PERSON.fullmatch(given)
    if found is None:
        raise BadInput(
            f"{given} is no person: write COLLECTION/NAME, or COLLECTION/#3 for cluster 3."
        )
    who = {"cluster_job_name": found["collection"]}
    if found["cluster"] is not None:
        return {**who, "cluster_id": found["cluster"]}
    return {**who, "person_name": found["name"]}


def _range(value: str, read: Callable[[str], Any], low: str, high: str) -> Fields:
    """`A..B`, `A..`, `..B`, or `A` for both."""
    start, is_range, end = value.partition("..")
    if not is_range:
        end = start
    bounds = {low: start.strip(), high: end.strip()}
    if not any(bounds.values()):
        raise BadInput(f"{value} is no range: write A..B, A.., ..B or A.")
    return {name: read(bound) for name, bound in bounds.items() if bound}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{text} is no number.") from None


def _size(value: str) -> Fields:
    found: Fields = {}
    for name, size in _range(value, str, "min", "max").items():
        wide = _SIZE.fullmatch(size)
        if wide is None:
            raise BadInput(f"{size} is no size: write WIDTHxHEIGHT, such as 3840x2160.")
        found |= {f"{name}_width": int(wide[1]), f"{name}_height": int(wide[2])}
    return found


def _sound(value: str) -> bool:
    if value.lower() not in (*_YES, *_NO):
        raise BadInput(f"sound={value}: write sound=yes or sound=no.")
    return value.lower() in _YES


_KEYS: dict[str, Callable[[str], tuple[str, Any]]] = {
    "folder": lambda value: ("folder", server_path(value)),
    "watch-folder": lambda value: ("watch_folder", value),
    "recorded": lambda value: ("recorded", _range(value, str, "from", "to")),
    "length": lambda value: ("seconds", _range(value, seconds, "min", "max")),
    "rate": lambda value: ("rate", _range(value, _number, "min", "max")),
    "size": lambda value: ("size", _size(value)),
    "codec": lambda value: ("codec", value),
    "sound": lambda value: ("sound", _sound(value)),
    "language": lambda value: ("language", value),
    "person": lambda value: ("people", person(value)),
}
