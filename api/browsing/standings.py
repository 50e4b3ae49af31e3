"""How far the analysis of files is, told by the catalogue of a cache folder: no file is read.

A file is what was seen at its path while its size and time are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api.browsing.answers import PartState, PartStates
from api.browsing.looking import LyingFile
from api.cache.view import CacheView
from api.models.model_keys import active_key
from api.search.coverage.in_line import InLine, files_in_line
from api.search.services import SearchServices
from shared.domain import ModelKind, ProgressType
from shared.ledger.left_out import LeftOutMark, mark_of
from shared.media import MediaType, other_forms

PARTS = (ProgressType.VIDEO, ProgressType.AUDIO, ProgressType.FACES)
MODEL_OF = {
    ProgressType.VIDEO: ModelKind.VISUAL,
    ProgressType.AUDIO: ModelKind.SPEECH,
    ProgressType.FACES: ModelKind.FACES,
}
_LACKS = {
    ProgressType.VIDEO: MediaType.AUDIO,
    ProgressType.AUDIO: MediaType.IMAGE,
    ProgressType.FACES: MediaType.AUDIO,
}


def applies(part: ProgressType, media_type: MediaType) -> bool:
    """Whether files of that type may have such a part at all."""
    return media_type is not _LACKS[part]


@dataclass(frozen=True, slots=True)
class FileStanding:
    """How a file stands, by part that applies to it; `hash_str` of what is known, else None."""

    states: Mapping[ProgressType, PartState]
    reason: str | None
    hash_str: str | None

    def answer(self) -> PartStates:
        return PartStates(
            visual=self.states.get(ProgressType.VIDEO),
            speech=self.states.get(ProgressType.AUDIO),
            faces=self.states.get(ProgressType.FACES),
        )


@dataclass(slots=True)
class FileStandings:
    """Standings of files in one cache folder, as they are while it is made."""

    services: SearchServices
    cache_dir: str  # in our form
    view: CacheView
    files: Sequence[LyingFile]
    parts: tuple[ProgressType, ...] = PARTS
    _done: dict[ProgressType, set[str]] = field(default_factory=dict)
    _in_line: dict[ProgressType, dict[str, InLine]] = field(default_factory=dict)
    _left_out: dict[str, LeftOutMark] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        services: SearchServices,
        cache_dir: str,
        files: Sequence[LyingFile],
        parts: tuple[ProgressType, ...] = PARTS,
    ) -> FileStandings:
        """Blocks, in a thread for the folder. Raises as `Caches.open` does, and RedisAway."""
        # Who is in line is read before what is done: a file that moves on is found in one of them.
        left_out = services.left_out.of(cache_dir, [file.path for file in files])
        in_line = {part: files_in_line(services, cache_dir, part) for part in parts}
        view = services.caches.open(cache_dir)
        return cls(services, cache_dir, view, files, parts, _in_line=in_line, _left_out=left_out)

    def each(self) -> list[FileStanding]:
        """In the order of the files."""
        known = [(file, self._hash_of(file)) for file in self.files]
        self._learn({hash_str for _, hash_str in known if hash_str})
        return [self._standing(file, hash_str) for file, hash_str in known]

    def analyzed(self) -> set[str]:
        """Contents of which pictures or speech are analyzed, with any model."""
        return self.view.analyzed() | {hash_str for hash_str, _ in self.view.transcripts.files()}

    def _hash_of(self, file: LyingFile) -> str | None:
        seen = self.view.seen_at(file.path)
        if seen and (seen[1].size, seen[1].mtime_ns) == (file.size, file.mtime_ns):
            return seen[0]
        return None

    def _learn(self, hashes: set[str]) -> None:
        view = self.view
        for part in self.parts:
            if part is ProgressType.VIDEO:
                done = view.analyzed_by(active_key(self.services, ModelKind.VISUAL), hashes)
            elif part is ProgressType.AUDIO:  # what is said is searched in whichever there is
                done = {hash_str for hash_str, _ in view.transcripts.files()}
            else:
                found = self.services.people.collections_of(view.cache.root, hashes)
                done = {hash_str for hash_str, collections in found.items() if collections}
            self._done[part] = done

    def _standing(self, file: LyingFile, hash_str: str | None) -> FileStanding:
        states: dict[ProgressType, PartState] = {}
        reason = None
        for part in self.parts:
            if not applies(part, file.media_type):
                continue
            if hash_str in self._done[part]:
                states[part] = "analyzed"
                continue
            states[part], why = self._open(part, file.path)
            reason = reason or why
        return FileStanding(states, reason, hash_str)

    def _open(self, part: ProgressType, path: str) -> tuple[PartState, str | None]:
        """How a part stands that is not analyzed, and why."""
        found = self._in_line[part]
        standing = next((found[p] for p in (path, *other_forms(path)) if p in found), None)
        if standing and standing.state == "waiting":
            return standing.state, standing.reason
        if mark := mark_of(self._left_out, path):
            return "left_out", mark.words
        return (standing.state, standing.reason) if standing else ("none", None)
