"""`rushes analyze`: files and folders, to be searched afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

from rich.progress import track

from cli.api_client import Refused
from cli.arguments import completing
from cli.arguments.media_arguments import CacheOption, cache_dir
from cli.arguments.media_arguments import vocabulary as words_of
from cli.arguments.media_files import MediaFiles, listed, media_files
from cli.commands.following import end_of
from cli.options import argument, option
from cli.remote import Remote, remote
from shared.errors import BadInput
from shared.media import MediaType

EPILOG = """Examples:

rushes analyze /footage/day1 --cache /footage/.rushes

rushes analyze A001.mov --faces --collection "Season 1"

find /footage -type f -newer mark -print0 | rushes analyze --from0 -"""
_WHAT, _HOW = "What is analyzed", "How"
_PROBED_AT_ONCE = 32
_PROBE_S = 600.0


class OnBusy(StrEnum):
    """Choice of what becomes of an analysis that runs already."""

    REFUSE = "refuse"
    QUEUE = "queue"
    REPLACE = "replace"


PathsArgument = Annotated[
    list[str], argument("Media files, and folders of them; `-`: read them from stdin, one a line.")
]
VisualOption = Annotated[bool, option("Pictures, for search.", panel=_WHAT)]
SpeechOption = Annotated[bool, option("Transcripts of what has sound.", panel=_WHAT)]
LanguageOption = Annotated[
    str, option("Of the speech, such as english or en. Default: detected.", panel=_WHAT)
]
VocabularyOption = Annotated[
    list[str],
    option(
        "A name or rare word that may be said, or @FILE of them, one a line. Repeatable. "
        '"": none, and no names of people.',
        panel=_WHAT,
        metavar="WORD",
    ),
]
SpeakersOption = Annotated[
    bool | None,
    option("Who speaks. Default: as the server is set.", "--speakers/--no-speakers", panel=_WHAT),
]
FacesOption = Annotated[bool, option("Faces, into --collection.", "--faces", panel=_WHAT)]
CollectionOption = Annotated[
    str,
    option(
        "Collection that receives the faces; with it --faces goes without saying.",
        panel=_WHAT,
        autocompletion=completing.collections,
    ),
]
ExcludeOption = Annotated[
    list[str],
    option(
        "Leave out what this glob matches: a name, or a path below a folder. Repeatable.",
        panel=_WHAT,
    ),
]
From0Option = Annotated[bool, option("Paths on stdin end with NUL.", "--from0", panel=_WHAT)]
ForceOption = Annotated[bool, option("Redo what is done.", "--force", panel=_HOW)]
OnBusyOption = Annotated[
    OnBusy,
    option(
        "While another analysis runs: give up, wait for one's turn, or stop it where it is "
        "one's own.",
        panel=_HOW,
    ),
]
WaitOption = Annotated[
    bool, option("Accept it although a model's weights are nowhere yet.", "--wait", panel=_HOW)
]
DetachOption = Annotated[bool, option("Return as soon as it is accepted.", "--detach", panel=_HOW)]
VisualModelOption = Annotated[
    str, option("Default: the active one.", panel=_HOW, autocompletion=completing.visual_models)
]
SpeechModelOption = Annotated[
    str, option("Default: the active one.", panel=_HOW, autocompletion=completing.speech_models)
]
FaceModelOption = Annotated[
    str, option("Default: the active one.", panel=_HOW, autocompletion=completing.face_models)
]


@remote
def analyze(
    server: Remote,
    paths: PathsArgument,
    cache: CacheOption = "",
    visual: VisualOption = True,
    speech: SpeechOption = True,
    language: LanguageOption = "",
    vocabulary: VocabularyOption = [],  # noqa: B006
    speakers: SpeakersOption = None,
    faces: FacesOption = False,
    collection: CollectionOption = "",
    exclude: ExcludeOption = [],  # noqa: B006
    from0: From0Option = False,
    force: ForceOption = False,
    on_busy: OnBusyOption = OnBusy.REFUSE,
    wait: WaitOption = False,
    detach: DetachOption = False,
    visual_model: VisualModelOption = "",
    speech_model: SpeechModelOption = "",
    face_model: FaceModelOption = "",
) -> None:
    """Analyze media files, and the media files in folders. What is done already is skipped."""
    asked = {"speakers": speakers, "force": force, "on_busy": on_busy.value, "wait": wait}
    how = {
        "cache_dir": (where := cache_dir(cache)),
        "cluster_job_name": _collection(faces, collection),
        **_models(visual=visual_model, speech=speech_model, face=face_model),
        "vocabulary": words_of(vocabulary) if vocabulary else None,
        **asked,
    }
    found = media_files(listed(paths, from0), exclude, where)
    pictures = found.of(MediaType.VIDEO, MediaType.IMAGE)
    heard = _with_sound(server, found) if speech else []
    work: dict[str, Any] = {
        "visual_media_paths": pictures if visual else [],
        "transcription_jobs": [{"path": path, "language": language or None} for path in heard],
        "face_media_paths": pictures if collection else [],
    }
    _say_what(server, found, work)
    end_of(server, _submit(server, {**work, **how}), detach)


def _models(**keys: str) -> dict[str, str | None]:
    return {f"{kind}_model_key": key or None for kind, key in keys.items()}


def _collection(faces: bool, collection: str) -> str | None:
    if faces and not collection:
        raise BadInput("--faces needs --collection NAME: the collection that receives them.")
    return collection or None


def _submit(server: Remote, body: dict[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = server.api.post("/analyze", body)
    except KeyboardInterrupt:
        server.out.hint("The server may have accepted it all the same: see `rushes tasks list`.")
        raise
    except Refused as error:
        if error.status != 409:
            raise
        advice = "To wait for your turn: --on-busy queue."
        if body["on_busy"] != OnBusy.REPLACE:
            advice += " To stop it, where it is of the same key: --on-busy replace."
        raise Refused(error.status, error.label, f"{error.message} {advice}") from error
    return answer


def _with_sound(server: Remote, found: MediaFiles) -> list[str]:
    """Sound files, and videos with a sound track, as the server sees them.

    A video that it cannot open stays: the analysis says why.
    """
    videos = found.of(MediaType.VIDEO)
    silent = {
        item["media_path"]
        for items in track(
            _probe_media(server, videos),
            "looking for sound",
            total=-(-len(videos) // _PROBED_AT_ONCE),
            console=server.out.aside,
            transient=True,
            disable=not videos or server.out.as_json or not server.out.aside.is_terminal,
        )
        for item in items
        if not item["has_audio"] and not item["error"]
    }
    return [path for path in found.of(MediaType.VIDEO, MediaType.AUDIO) if path not in silent]


def _probe_media(server: Remote, paths: list[str]) -> Iterator[list[dict[str, Any]]]:
    """Yield what the server reads of files, some at a time."""
    for at in range(0, len(paths), _PROBED_AT_ONCE):
        body = {"media_paths": paths[at : at + _PROBED_AT_ONCE]}
        yield server.api.post("/media/metadata", body, timeout_s=_PROBE_S)["media"]


def _say_what(server: Remote, found: MediaFiles, work: dict[str, list[Any]]) -> None:
    """Say what is about to be sent. Raises BadInput where it is nothing."""
    if found.left_out:
        left_out = [f"{what} ({count:,})" for what, count in found.left_out.items()]
        server.out.hint(f"Left out: {'; '.join(left_out)}.")
    if not found.paths:
        raise BadInput("There is no media file in what was named: nothing is sent.")
    if not any(work.values()):
        raise BadInput(
            f"There is nothing to do for {found.counted()} with these options: nothing is sent."
        )
    named = zip(("pictures", "speech", "faces"), work.values(), strict=True)
    parts = [f"{len(paths):,} for {what}" for what, paths in named if paths]
    server.out.hint(f"{found.counted()}: {', '.join(parts)}")
