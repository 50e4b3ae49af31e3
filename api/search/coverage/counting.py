"""Counting what of the asked media is analyzed, waiting, failed, unknown and offline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from msgspec import UNSET

from api.cache.view import CacheView
from api.models.model_keys import active_key
from api.search.coverage.answers import (
    Coverage,
    CoverageOfModel,
    CoveragePart,
    CoverageReason,
    CoverageState,
)
from api.search.coverage.in_line import InLine, files_in_line
from api.search.filtering.facts import FactsSnapshot, FileFacts
from api.search.services import SearchScope
from shared.domain import ModelKind, ProgressType
from shared.ledger.left_out import LeftOutMark, mark_of
from shared.media import MediaType, media_type_of, other_forms

Key = TypeVar("Key")

_EXAMPLES = 3
_MOST_REASONS = 50
_TYPES = {ModelKind.VISUAL: ProgressType.VIDEO, ModelKind.SPEECH: ProgressType.AUDIO}
_WITHOUT = {ModelKind.VISUAL: MediaType.AUDIO, ModelKind.SPEECH: MediaType.IMAGE}
_NOTHING_IN_IT = {
    ModelKind.VISUAL: "It is sound: there are no pictures to search.",
    ModelKind.SPEECH: "It is a still: nobody speaks in it.",
}
_SILENT = "It has no sound: nobody speaks in it."
_NOT_ANALYZED = "It was not analyzed for this, and does not wait for it."
_NOT_THERE = "It is not there, or cannot be read."
_GONE = "No place opens where its content was seen."
_UNSURE = "Its place did not answer in time: it may be offline."


@dataclass(frozen=True, slots=True)
class _File:
    """One of the asked files; `path` is in our form, "" where none is known."""

    path: str
    hash_str: str | None
    name: str = ""  # in the client's form, where it named it
    trouble: str = ""  # why it can be used by none


@dataclass(slots=True)
class _Count:
    """Files that have something in common."""

    seconds: float = 0.0
    files: list[_File] = field(default_factory=list)

    @property
    def part(self) -> CoveragePart:
        return CoveragePart(files=len(self.files), hours=round(self.seconds / 3600, 3))


def coverage_of(
    scope: SearchScope,
    kind: ModelKind,
    *,
    asks_who_speaks: bool = False,
    searches_captions: bool = False,
) -> Coverage:
    """What there is to say of the media of a request. Blocks."""
    services, folder, asked = scope.services, scope.cache_dir, scope.asked
    model, in_line = active_key(services, kind), files_in_line(services, folder, _TYPES[kind])
    marks = services.left_out
    left_out = marks.all(folder) if asked is None else marks.of(folder, asked)
    view = services.caches.follow(scope.cache())  # what was published meanwhile waits no more
    snapshot = services.index.facts.snapshot(view)
    known = _Known(view, kind, in_line, left_out, snapshot.files)
    captioned = _captioned(scope, view) if searches_captions else None
    files = _all(known, captioned or set()) if asked is None else _asked(scope, view)
    tally = _Tally(scope, snapshot.files)
    if asks_who_speaks or kind is ModelKind.SPEECH:
        told = tally.counted(files, _told(view, active_key(services, ModelKind.SPEECH)))
        tally.told = told if asks_who_speaks or told.files else None
    tally.captions = None if captioned is None else tally.counted(files, captioned)
    if kind is ModelKind.SPEECH:
        tally.with_names = tally.counted(files, _with_folder_names(snapshot, model))
    for file in files:
        models = known.models_of(file)
        for key in models:
            tally.add(tally.models, key, file)
        # What is said is searched in whichever transcript there is.
        if model in models or (models and kind is ModelKind.SPEECH):
            tally.add(tally.states, "searched", file)
            continue
        state, reason = _state(known, file, models)
        if captioned and file.hash_str in captioned:
            reason = f"Its captions were searched, but not what is said in it. {reason}"
        tally.add(tally.states, state, file)
        tally.add(tally.reasons, (state, reason), file)
    for reason, file in _offline(scope, view, files):
        tally.add(tally.reasons, ("offline", reason), file)
    return tally.coverage(model)


class _Known:
    """What is analyzed and what is in line, by content."""

    def __init__(
        self,
        view: CacheView,
        kind: ModelKind,
        in_line: Mapping[str, InLine],
        left_out: Mapping[str, LeftOutMark],
        facts: Mapping[str, FileFacts],
    ) -> None:
        self.view, self.kind, self.left_out = view, kind, left_out
        self._facts = facts
        self.models: dict[str, list[str]] = {}  # hash -> models
        for hash_str, model in _analyzed(view, kind):
            self.models.setdefault(hash_str, []).append(model)
        self.standing: dict[str, InLine] = {}  # hash, or path where none was seen there
        self.unseen: list[str] = []
        for path, standing in in_line.items():
            seen = view.seen_at(path)
            if seen is None:
                self.unseen.append(path)
            key = seen[0] if seen else path
            if key not in self.standing or standing.state == "waiting":
                self.standing[key] = standing

    def models_of(self, file: _File) -> Sequence[str]:
        return self.models.get(file.hash_str or "", ())

    def has_nothing(self, path: str, hash_str: str | None) -> str:
        """Why there can be nothing to search in it, "" where there can."""
        if media_type_of(path) is _WITHOUT[self.kind]:
            return _NOTHING_IN_IT[self.kind]
        facts = self._facts.get(hash_str or "")
        is_silent = facts is not None and facts.sound is False
        return _SILENT if is_silent and self.kind is ModelKind.SPEECH else ""

    def standing_of(self, file: _File) -> InLine | None:
        keys = (file.hash_str or "", file.path, *other_forms(file.path))
        return next((self.standing[key] for key in keys if key in self.standing), None)


def _analyzed(view: CacheView, kind: ModelKind) -> Iterable[tuple[str, str]]:
    if kind is ModelKind.SPEECH:
        return list(view.transcripts.files())
    return [(hash_str, model) for model in view.models() for hash_str in view.announced(model)]


def _told(view: CacheView, model: str) -> set[str]:
    """Hashes of those whose speakers were told apart in the transcript that answers for them."""
    transcripts, speakers = view.transcripts.files(), view.speakers.files()
    return {
        hash_str
        for hash_str, told_by in speakers.keys() & transcripts.keys()
        if told_by == model or (hash_str, model) not in transcripts
    }


def _with_folder_names(snapshot: FactsSnapshot, model: str) -> set[str]:
    """Hashes of those whose transcript by this model, or else any, was made with folder names."""
    return {
        hash_str
        for hash_str, of_file in snapshot.manifests.items()
        if any(
            facts.has_folder_names
            for facts in ([of_file[model]] if model in of_file else of_file.values())
        )
    }


def _captioned(scope: SearchScope, view: CacheView) -> Set[str]:
    """Hashes of those whose captions are searched."""
    unread = scope.services.index.transcripts.unread_captions(view)
    return view.captions.files().keys() - unread.keys()


def _all(known: _Known, captioned: Set[str]) -> list[_File]:
    """All contents that were seen, then what is in line and was never seen.

    Of what has nothing to search only what is searched all the same, such as captions.
    """
    searched = known.models.keys() | captioned
    paths = dict.fromkeys(known.models, "") | known.view.newest_paths()
    return [
        *(
            _File(path, hash_str)
            for hash_str, path in paths.items()
            if hash_str in searched or not known.has_nothing(path, hash_str)
        ),
        *(_File(path, None) for path in known.unseen),
    ]


def _asked(scope: SearchScope, view: CacheView) -> list[_File]:
    asked = scope.asked or {}
    hashes = scope.services.caches.hashes_for(view, list(asked))
    return [
        *(
            _File(path, hash_str, name)
            for (path, name), hash_str in zip(asked.items(), hashes, strict=True)
        ),
        *(_File("", None, name, why) for name, why in scope.unusable.items()),
    ]


def _state(known: _Known, file: _File, models: Sequence[str]) -> tuple[CoverageState, str]:
    """How a file stands that was not searched, and why."""
    if file.trouble:
        return "unknown", file.trouble
    standing = known.standing_of(file)
    if standing and standing.state == "waiting":
        return standing.state, standing.reason
    if mark := mark_of(known.left_out, file.path):
        return "left_out", mark.words
    if standing:
        return standing.state, standing.reason
    if models:
        return "other_model", f"It was analyzed with {' and '.join(sorted(models))} only."
    if nothing := known.has_nothing(file.path, file.hash_str):
        return "unknown", nothing
    return "unknown", _NOT_ANALYZED if file.hash_str else _NOT_THERE


def _offline(
    scope: SearchScope, view: CacheView, files: Sequence[_File]
) -> Iterator[tuple[str, _File]]:
    """Files of which no place opens, and files that did not tell in time, with the reason."""
    known = [file for file in files if file.hash_str]
    places = scope.services.caches.places(view, [file.hash_str or "" for file in known])
    for file in known:
        opens = [place.opens for place in places[file.hash_str or ""]]
        if True not in opens:
            yield _UNSURE if None in opens else _GONE, file


class _Tally:
    """Counts by state, by model and by reason."""

    def __init__(self, scope: SearchScope, facts: Mapping[str, FileFacts]) -> None:
        self._scope, self._facts = scope, facts
        self.states: dict[str, _Count] = {}
        self.models: dict[str, _Count] = {}
        self.reasons: dict[tuple[CoverageState, str], _Count] = {}
        # None: nothing to say
        self.told: _Count | None = None  # whose speakers were told apart
        self.captions: _Count | None = None  # whose captions were searched
        self.with_names = _Count()  # of folders

    def coverage(self, model: str) -> Coverage:
        def part(name: Literal["searched"] | CoverageState) -> CoveragePart:
            return self.states.get(name, _Count()).part

        together = _Count(
            sum(count.seconds for count in self.states.values()),
            [file for count in self.states.values() for file in count.files],
        )
        by_files = sorted(self.reasons.items(), key=lambda item: -len(item[1].files))
        return Coverage(
            model_key=model,
            asked=together.part,
            searched=part("searched"),
            waiting=part("waiting"),
            failed=part("failed"),
            other_models=part("other_model"),
            unknown=part("unknown"),
            left_out=part("left_out") if "left_out" in self.states else UNSET,
            speakers=UNSET if self.told is None else self.told.part,
            captions=UNSET if self.captions is None else self.captions.part,
            with_folder_names=self.with_names.part if self.with_names.files else UNSET,
            offline=self.reasons.get(("offline", _GONE), _Count()).part,
            models=[
                CoverageOfModel(model_key=key, files=count.part.files, hours=count.part.hours)
                for key, count in sorted(self.models.items())
            ],
            reasons=[
                CoverageReason(
                    state=state, reason=reason, files=len(count.files), examples=self._names(count)
                )
                for (state, reason), count in by_files[:_MOST_REASONS]
            ],
        )

    def add(self, counts: dict[Key, _Count], key: Key, file: _File) -> None:
        """Count a file in one of these."""
        self._count(counts.setdefault(key, _Count()), file)

    def counted(self, files: Iterable[_File], hashes: Set[str]) -> _Count:
        """How many of some files have one of these hashes."""
        found = _Count()
        for file in files:
            if file.hash_str in hashes:
                self._count(found, file)
        return found

    def _count(self, count: _Count, file: _File) -> None:
        count.files.append(file)
        known = self._facts.get(file.hash_str or "")
        count.seconds += (known.seconds if known else None) or 0.0

    def _names(self, count: _Count) -> list[str]:
        some = [file for file in count.files if file.name or file.path][:_EXAMPLES]
        return [file.name or self._scope.shown(file.path) for file in some]
