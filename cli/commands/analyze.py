"""`rushes analyze`: files and folders, to be searched afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from rich.progress import track

from api.tasks.bodies import HOW, WHAT, AnalyzeBody
from cli.api_client import Refused
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import (
    CacheOption,
    MediaFiles,
    PathsArgument,
    VocabularyOption,
    cache_dir,
    listed,
    media_files,
)
from cli.arguments.media_arguments import vocabulary as words_of
from cli.commands.tasks import end_of
from cli.options import examples, option
from cli.remote import Remote, remote
from shared.errors import BadInput
from shared.media import MediaType

EPILOG = examples(
    "rushes analyze /footage/day1 --cache /footage/.rushes",
    'rushes analyze A001.mov --faces --collection "Season 1"',
    "find /footage -type f -newer mark -print0 | rushes analyze --from0 -",
)
_PROBED_AT_ONCE = 32
_PROBE_S = 600.0

ExcludeOption = Annotated[
    list[str],
    option(
        "Leave out what this glob matches: a name, or a path below a folder. Repeatable.",
        panel=WHAT,
    ),
]


@remote
@with_fields(AnalyzeBody, on_busy="refuse")
def analyze(
    server: Remote,
    fields: Fields,
    paths: PathsArgument,
    cache: CacheOption = "",
    visual: Annotated[bool, option("Pictures, for search.", panel=WHAT)] = True,
    speech: Annotated[bool, option("Transcripts of what has sound.", panel=WHAT)] = True,
    language: Annotated[
        str, option("Of the speech, such as english or en. Default: detected.", panel=WHAT)
    ] = "",
    vocabulary: VocabularyOption = None,
    faces: Annotated[bool, option("Faces, into --collection.", "--faces", panel=WHAT)] = False,
    exclude: ExcludeOption = [],  # noqa: B006
    from0: Annotated[bool, option("Paths on stdin end with NUL.", "--from0", panel=WHAT)] = False,
    detach: Annotated[
        bool, option("Return as soon as it is accepted.", "--detach", panel=HOW)
    ] = False,
) -> None:
    """Analyze media files, and the media files in folders. What is done already is skipped."""
    if faces and not fields.get("cluster_job_name"):
        raise BadInput("--faces needs --collection NAME: the collection that receives them.")
    where = cache_dir(cache)
    how = {**fields, "cache_dir": where, "vocabulary": words_of(vocabulary) if vocabulary else None}
    found = media_files(listed(paths, from0), exclude, where)
    pictures = found.of(MediaType.VIDEO, MediaType.IMAGE)
    heard = _with_sound(server, found) if speech else []
    work: dict[str, Any] = {
        "visual_media_paths": pictures if visual else [],
        "transcription_jobs": [{"path": path, "language": language or None} for path in heard],
        "face_media_paths": pictures if fields.get("cluster_job_name") else [],
    }
    _say_what(server, found, work)
    end_of(server, _submit(server, {**work, **how}), detach)


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
        if body["on_busy"] not in ("replace", "replace-any"):
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
