"""`rushes transcripts`: what is said in the footage, to read, to search and as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.search.bodies import SearchTranscriptBody
from cli.api_client import Refused
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import (
    CacheOption,
    NewFiles,
    PathsArgument,
    cache_dir,
    listed,
    media_files,
    pure_path,
)
from cli.commands.search import (
    SEARCH_S,
    AllOption,
    ByFileOption,
    FuzzyOption,
    InOption,
    PathsOption,
    WhereOption,
    filters,
    find_said,
    how_given,
    how_said,
    scope_of,
)
from cli.options import argument, examples, option
from cli.remote import Remote, remote
from shared.clock_times import timestamp
from shared.errors import BadInput, ExportError
from shared.media import MediaType

app = typer.Typer(no_args_is_help=True, help="What is said in the footage.")
TranscriptFormat = Literal["srt", "vtt", "txt", "csv", "docx", "pdf", "json"]
Item = dict[str, Any]
_READ_AT_ONCE = 32
_MISSING = "It is not transcribed, or it has no audio track."
SubtitlesInstead = Annotated[
    bool,
    option(
        "Instead, the subtitles and captions that are in the files: a file for each track.",
        "--subtitles",
    ),
]
_SHOW = (
    "Example: rushes transcripts show /footage/interview.mov --cache /footage/.rushes --subtitles"
)
_EXPORT = examples(
    "rushes transcripts export /footage/day1 --format srt --captions --to subtitles",
    "rushes transcripts export interview.mov --format docx --to . --force",
    "rushes transcripts export film.mkv --format srt --subtitles --to subtitles",
)
_SEARCH = 'Example: rushes transcripts search "rolling thunder" --in /footage/day1'


@app.command("show", epilog=_SHOW)
@remote
def show(
    server: Remote,
    paths: PathsArgument,
    cache: CacheOption = "",
    speakers: Annotated[
        bool,
        option(
            "Say who speaks, where that was told apart; Ada?: it may be somebody else.",
            "--speakers/--no-speakers",
        ),
    ] = True,
    subtitles: Annotated[
        bool, option("Also subtitles and captions that are in the files.", "--subtitles")
    ] = False,
) -> None:
    """Print the transcripts of files."""
    asked = {**_asked(paths, cache), "speakers": speakers, "captions": subtitles}
    answer = server.api.post("/transcriptions", asked, SEARCH_S)
    items: list[Item] = answer["transcriptions"]
    if not server.out.document(answer):
        for item in items:
            _print(server, item)
            if subtitles:
                print_captions(server, item)
    is_there = [item["segments"] is not None or item.get("captions") for item in items]
    if not any(is_there) or any(item["error"] for item in items):
        raise typer.Exit(1)


@app.command("search", epilog=_SEARCH)
@remote
@with_fields(SearchTranscriptBody, max_results=20)
def search(
    server: Remote,
    fields: Fields,
    words: Annotated[list[str], argument("What is said.")],
    cache: CacheOption = "",
    fuzzy: FuzzyOption = False,
    within: InOption = [],  # noqa: B006
    where: WhereOption = [],  # noqa: B006
    every: AllOption = False,
    by_file: ByFileOption = False,
    paths: PathsOption = False,
) -> None:
    """Search in transcripts, as `rushes search --said` does."""
    scope = scope_of(cache, within) | filters(where) | how_given(fields, every, by_file)
    find_said(server, " ".join(words), scope | how_said(fields, fuzzy), paths)


@app.command("export", epilog=_EXPORT)
@remote
def export(
    server: Remote,
    paths: PathsArgument,
    to: Annotated[Path, option("Folder of this machine; made where there is none.", "--to")],
    kind: Annotated[TranscriptFormat, option("Of the files.", "--format")],
    cache: CacheOption = "",
    captions: Annotated[
        bool, option("Cut srt and vtt into captions that can be read.", "--captions")
    ] = False,
    timestamps: Annotated[bool, option("Times in txt, docx and pdf.")] = True,
    speakers: Annotated[
        bool | None,
        option(
            "Say who speaks, where that was told apart. Default: not in txt and srt.",
            "--speakers/--no-speakers",
        ),
    ] = None,
    subtitles: SubtitlesInstead = False,
    force: Annotated[bool, option("Overwrite files that exist.", "--force")] = False,
) -> None:
    """Write the transcripts of files, one file each, into a folder."""
    if speakers is None:
        speakers = kind not in ("txt", "srt")
    asked = {**_asked(paths, cache), "speakers": speakers, "captions": subtitles}
    how: dict[str, Any] = {
        "format": kind,
        "timestamps": timestamps,
        "captions": {} if captions else None,
    }
    exporting = _Exporting(server, how, NewFiles(to, kind, force))
    for item in _with_words(server, asked):
        if subtitles:
            exporting.add_captions(item)
        else:
            exporting.add(item)
    exporting.end()


class _Exporting:
    """What becomes of the files of one export."""

    def __init__(self, server: Remote, how: dict[str, Any], files: NewFiles) -> None:
        self._server, self._how, self._files = server, how, files
        self._exported: list[Item] = []
        self._failed: list[Item] = []
        self._missing: list[str] = []

    def add(self, item: Item) -> None:
        """Write the transcript of a file."""
        if item["segments"] is not None:
            self._write(item)
        elif item["error"]:
            self._fail(item["media_path"], item["error"])
        else:
            self._missing.append(item["media_path"])
            self._server.out.hint(f"{item['media_path']}: {_MISSING}")

    def add_captions(self, item: Item) -> None:
        """Write each track of a file."""
        tracks = list(files_of(item))
        for kind, track in tracks:
            self._write(track, kind)
        if item["error"]:
            self._fail(item["media_path"], item["error"])
        elif not tracks:
            self._missing.append(item["media_path"])
        tell_missing(self._server, item)

    def end(self) -> None:
        """Say what was done; ends with 1 where something failed, or there was nothing."""
        self._server.out.document(
            {"exported": self._exported, "failed": self._failed, "not_transcribed": self._missing}
        )
        if self._failed or not self._exported:
            raise typer.Exit(1)

    def _write(self, item: Item, kind: str = "") -> None:
        path, out = item["media_path"], self._server.out
        parts = ("segments", "words", "language", "speakers", "speaker_names")
        body = {name: item.get(name) for name in parts}
        body |= {"display_name": pure_path(path).name, **self._how}
        try:
            answer = self._server.api.call("POST", "/export/transcript", json=body)
            written = self._files.write(path, answer.content, kind)
        except (Refused, ExportError) as error:
            self._fail(path, error.message)
            return
        self._exported.append({"media_path": path, "output_path": str(written)})
        if not out.as_json:
            out.line(str(written))

    def _fail(self, path: str, why: str) -> None:
        self._failed.append({"media_path": path, "error": why})
        self._server.out.hint(f"failed: {path}: {why}")


def _with_words(server: Remote, asked: dict[str, Any]) -> Iterator[Item]:
    paths = asked["media_paths"]
    for at in range(0, len(paths), _READ_AT_ONCE):
        some = {"media_paths": paths[at : at + _READ_AT_ONCE]}
        body = {**asked, **some, "words": True, "doubtful": True}
        yield from server.api.post("/transcriptions", body, SEARCH_S)["transcriptions"]


def _asked(paths: list[str], cache: str) -> dict[str, Any]:
    where = cache_dir(cache)
    found = media_files(listed(paths), cache=where)
    spoken = found.of(MediaType.VIDEO, MediaType.AUDIO)
    if not spoken:
        raise BadInput("There is no video or sound file in what was named.")
    return {"cache_dir": where, "media_paths": spoken}


def _print(server: Remote, item: Item) -> None:
    if item["segments"] is None:
        server.out.hint(f"{item['media_path']}: {item['error'] or _MISSING}")
        return
    language = f" ({item['language']})" if item["language"] else ""
    server.out.line(f"{item['media_path']}{language}")
    for warning in item.get("speaker_warnings") or ():
        server.out.hint(f"{item['media_path']}: {warning}")
    for number, (start, text, _) in enumerate(item["segments"]):
        server.out.line(f"{timestamp(start)}  {_said_by(item, number)}{text}")
    if not item["segments"]:
        server.out.line("Nobody speaks.")


def _said_by(item: Item, number: int) -> str:
    """Who says a segment, in front of it; nothing where nobody knows."""
    if "speakers" not in item:
        return ""
    names = item.get("speaker_names")
    who = (names and names[number]) or item["speakers"][number]
    return f"{who}{'?' if item['doubtful_speakers'][number] else ''}: " if who else ""


def print_captions(server: Remote, item: dict[str, Any]) -> None:
    """The tracks of a file, each under what it is."""
    for track in item.get("captions") or ():
        told = [track["service"], track["language"], track["title"]]
        which = ", ".join(one for one in told if one)
        server.out.line(f"{track['kind']} in the file{f' ({which})' if which else ''}")
        for start, text, _ in track["segments"]:
            server.out.line(f"{timestamp(start)}  {text}")
    tell_missing(server, item)


def tell_missing(server: Remote, item: dict[str, Any]) -> None:
    """Say what captions there are not, and why."""
    path = item["media_path"]
    if item.get("captions") == []:
        server.out.hint(f"{path}: there are no subtitles or captions in it.")
    for warning in item.get("caption_warnings") or ():
        server.out.hint(f"{path}: {warning}")
    if "captions" not in item and "caption_warnings" not in item and not item["error"]:
        server.out.hint(
            f"{path}: nobody has looked for subtitles in it yet; analyze its speech for that."
        )


def files_of(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What sets each track apart in a name, and what is exported of it."""
    for track in item.get("captions") or ():
        exported = {"media_path": item["media_path"], "segments": track["segments"]}
        yield track["language"] or track["service"] or track["kind"], exported
