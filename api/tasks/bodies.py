"""Request bodies of tasks; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.bodies import (
    MOST_PATHS,
    CacheDir,
    Keyed,
    ListedPath,
    Text,
    Vocabulary,
    Word,
)
from shared.domain import AudioStreams
from shared.fields import option

WHAT, HOW = "What is analyzed", "How"  # groups of options of the command line


class TranscriptionJob(Struct, kw_only=True):
    """One file to transcribe."""

    path: ListedPath
    language: Annotated[Word, Meta(examples=["english"])] | None = None
    """English name such as "english", an ISO code such as "en" or "eng", a tag such as "en-US", or
    "auto". Null and "auto": detect. The same path twice must not name two languages."""


class AnalyzeBody(Keyed, kw_only=True):
    """What to analyze. At least one list must name a file."""

    cache_dir: CacheDir
    visual_media_paths: Annotated[list[ListedPath], Meta(max_length=MOST_PATHS)] = []
    """Videos and stills whose pictures are analysed."""
    transcription_jobs: Annotated[list[TranscriptionJob], Meta(max_length=MOST_PATHS)] = []
    """Videos and sound files whose speech is transcribed."""
    face_media_paths: Annotated[list[ListedPath], Meta(max_length=MOST_PATHS)] = []
    """Videos and stills in which faces are found; needs cluster_job_name."""
    cluster_job_name: (
        Annotated[
            Text,
            Meta(examples=["Season 1"]),
            option(
                "--collection",
                WHAT,
                "Collection that receives the faces; with it --faces goes without saying.",
            ),
        ]
        | None
    ) = None
    """Collection (1 to 200 characters) that receives the faces and voices, made when it is new;
    required with face_media_paths."""
    face_eps: Annotated[float, Meta(gt=0, le=2, examples=[0.48])] | None = None
    """Lower groups faces more strictly. Left out: what the collection was grouped with last, 0.48
    for a new one. Another value than that groups the whole collection anew."""
    face_min_samples: Annotated[int, Meta(ge=1, le=1_000_000, examples=[5])] | None = None
    """Clear faces that make a person; fewer are in no cluster. Left out: as `face_eps`, 5 for a new
    collection."""
    face_model_key: (
        Annotated[Word, Meta(examples=["dlib-resnet"]), option("--face-model", HOW)] | None
    ) = None
    """Face model; left out: the active one. Faces of two models never meet: a collection shows
    those of the model that was used last."""
    visual_model_key: (
        Annotated[Word, Meta(examples=["conse-lite0"]), option("--visual-model", HOW)] | None
    ) = None
    """Visual model; left out: the active one."""
    speech_model_key: (
        Annotated[Word, Meta(examples=["whisper-base"]), option("--speech-model", HOW)] | None
    ) = None
    """Speech model; left out: the active one. With one that knows English only, a file whose
    `language` is another one fails with that reason; so does one of unnamed language of which it
    understands little, given a second of speech."""
    audio_streams: Annotated[AudioStreams, Meta(title="AudioStreams", examples=["mix"])] | None = (
        None
    )
    """What counts in a file with several audio streams: all of them mixed (`mix`), the `first`, or
    `each` by itself, its segments marked with the stream. Left out: the setting
    RUSHES_AUDIO_STREAMS. A file that was transcribed in another way is transcribed again."""
    speakers: Annotated[bool, Meta(examples=[True]), option(panel=WHAT)] | None = None
    """Tell apart who speaks, also in files whose words are known already: these are not transcribed
    again. Left out: the setting RUSHES_SPEAKERS. Without the model that this needs there are words
    alone, and a warning says so."""
    vocabulary: Vocabulary | None = None
    force: Annotated[bool, option(panel=HOW)] = False
    """Redo what is done already."""
    on_busy: (
        Annotated[
            Literal["replace", "replace-any", "queue", "refuse"],
            Meta(title="OnBusy", examples=["replace"]),
            option(
                panel=HOW,
                help="While another analysis runs: give up, wait for one's turn, or stop it "
                "where it is one's own, or, as an administrator, anybody's.",
            ),
        ]
        | None
    ) = None
    """While another analysis runs: `replace` ends what the same key began, and what of it waits to
    replace (409 when that is still unwinding after 2 s); another key's is waited for. `queue` waits
    for both, and nothing of the same key replaces it while it waits. `replace-any` ends whoever's
    runs: it needs the scope admin. `refuse` answers 409 and stops nothing. Keys take turns. Left
    out: the setting RUSHES_ON_BUSY, `replace` unless it was set."""
    wait: Annotated[bool, option(panel=HOW)] = False
    """Accept it although the weights of a model are nowhere: it waits until they are there, in
    nobody's way. Else that is a 400."""


class CancelBody(Keyed, kw_only=True):
    """Which task to stop."""

    task_id: Annotated[Word, Meta(examples=["8f14e45fceea167a5a36dedd4bea2543"])] | None = None
    """Left out: the analysis that the same key has begun, else the first that it has waiting to
    replace others."""


class PutFirstBody(Keyed, kw_only=True):
    """Before whom a waiting task comes."""

    of_all: Annotated[bool, option()] = False
    """Before the tasks of all keys, which needs the scope admin; else before the others of its own
    key."""


class RetryTaskBody(Keyed, kw_only=True):
    """Which of the files that failed."""

    paths: (
        Annotated[
            list[ListedPath],
            Meta(min_length=1, max_length=MOST_PATHS, examples=[["/footage/day1/A002.mov"]]),
        ]
        | None
    ) = None
    """Left out: all files of the task that failed."""
