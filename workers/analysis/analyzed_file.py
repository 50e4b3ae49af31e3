"""One file of an Item under analysis, from its entry in the spec to its published artefacts.

What is made of its pictures and of its sound shares one finding: what the pictures note of a
changed file must not make its old transcript look fresh.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum

from shared.cache import catalogue, publishing
from shared.cache.cache_dir import CacheDir, Draft
from shared.cache.cache_files import SeenPath
from shared.cache.catalogue import Artefact, Entry, Seen
from shared.cache.publishing import PathSighting
from shared.domain import AnalyzeSpec, Manifest, ProgressType, Stage
from shared.errors import MediaChanging, MediaError, MediaUnreadable, NotAllowed, RushesError
from shared.media import hash_media, is_hashed_whole, open_media_file
from shared.opening import OpenedFile
from shared.paths import Roots
from shared.process import traces
from workers.context import Context
from workers.media import sameness
from workers.media.budget import check_format


class AnalysisStep(Enum):
    """How far a file has come. Its pictures, then its sound, each lead it to PUBLISHED."""

    LISTED = "listed"  # named by the Item's spec; the disk was not asked yet, or refused
    FOUND = "found"  # allowed, there and hashed
    DECODED = "decoded"  # seen or heard whole; what was made of it is seen by nobody yet
    PUBLISHED = "published"  # what the last pass wanted is there, made now or before


_MAY_FOLLOW = {
    AnalysisStep.LISTED: {AnalysisStep.FOUND},
    AnalysisStep.FOUND: {AnalysisStep.DECODED, AnalysisStep.PUBLISHED},
    AnalysisStep.DECODED: {AnalysisStep.PUBLISHED, AnalysisStep.FOUND},
    AnalysisStep.PUBLISHED: {AnalysisStep.DECODED, AnalysisStep.PUBLISHED},
}


@dataclass(frozen=True, slots=True)
class _Finding:
    """A file as it was when its Item came to it."""

    at: float
    hash_str: str
    file: OpenedFile
    last_seen: SeenPath | None  # how this content lay there before


class AnalyzedFile:
    """A file with a place in an Item; `find` comes before all that asks or makes something."""

    def __init__(self, context: Context, cache: CacheDir, spec: AnalyzeSpec, index: int) -> None:
        self.index = index  # its place in the Item, by which the ledger counts
        self.entry = spec.files[index]  # what the Item's spec says of it
        self.step = AnalysisStep.LISTED
        self.left: Sequence[str] = ()  # names of drafts that dead tries left of it
        self._context = context
        self._cache = cache
        self._roots = Roots.media(context.bench.settings).within(spec.roots)
        self._is_forced = spec.force
        self._finding: _Finding | None = None
        self._is_same: bool | None = None
        self._crc: str | None = None  # of all bytes
        self._publishers: Sequence[Callable[[], None]] = ()
        self._drafts = ExitStack()
        self._written: list[Draft] = []  # of these, those that are finished are published
        self._there: list[Manifest] = []  # what was found published
        self._made: set[ProgressType] = set()

    @property
    def hash_str(self) -> str:
        return self._found.hash_str

    @property
    def opened(self) -> OpenedFile:
        """The file that was found, for all that is made of it."""
        return self._found.file

    def close(self) -> None:
        """The Item has ended: give the file back."""
        if self._finding:
            self._finding.file.close()

    def find(self) -> None:
        """Look at the file once: later calls keep the finding, but a failed one is tried again.

        Raises NotAllowed, MediaMissing, MediaUnreadable, MediaUnsupported or MediaChanging.
        """
        if self.step is not AnalysisStep.LISTED:
            return
        path, now = self.entry.path, time.time()
        with traces.stage("hash", {"rushes.path": path}), ExitStack() as undo:
            file = undo.enter_context(self._open())
            check_format(path)
            hash_str = self._context.bench.hashes.hash_of(file)
            last_seen = self._cache.last_seen(hash_str, path)
            undo.pop_all()
        if self._context.lease.token > 1:  # somebody has tried, and may have died
            media = self._cache.media_dir(hash_str)
            self.left = publishing.remove_dead(media, self._context.bench.ledger.is_over)
        if last_seen and last_seen.mtime_ns == file.status.st_mtime_ns:
            self._crc = last_seen.full_crc
        self._finding = _Finding(now, hash_str, file, last_seen)
        self._become(AnalysisStep.FOUND)

    def published(self, stage: Stage, model: str = "") -> Manifest | None:
        """What is there of this kind, whole and not older than the file's last known change.

        When all is to be made anew, what an earlier try of this Task has made is new enough.
        """
        manifest = self._cache.manifest(self.hash_str, stage, model)
        if manifest is None or not self._cache.has_data(self.hash_str, manifest):
            return None
        last_seen = self._found.last_seen
        if last_seen and manifest.made_at < last_seen.changed_at:
            return None
        if self._is_forced and manifest.task_id != self._context.lease.task_id:
            return None
        self._there.append(manifest)
        return manifest

    def is_same(self) -> bool:
        """Whether what is published may be used; reads the whole file at most once."""
        if self._is_same is None:
            found = self._found
            self._is_same = sameness.is_same(found.last_seen, found.file, self._context.checkpoint)
        return self._is_same

    @contextmanager
    def draft(
        self, stage: Stage, model: str, suffix: str, *, has_pack: bool = False
    ) -> Iterator[Draft]:
        """An artefact of this file in the making, under a name of this try of the Item alone.

        What is begun before the file is decoded is shown by `publish`, whole.
        """
        writer, waits = self._context.lease.writer, self.step is not AnalysisStep.DECODED
        with self._cache.draft(
            self.hash_str, stage, model, suffix, writer, has_pack=has_pack, waits=waits
        ) as draft:
            self._written.append(draft)
            yield draft

    def decoded(
        self,
        publishers: Sequence[Callable[[], None]],
        drafts: ExitStack,
        parts: Sequence[ProgressType],
    ) -> None:
        """The file was read whole and these parts are made, which the `publishers` can show.

        `drafts` holds what was written so far; it is closed after `publish` or by `drop`.
        """
        self._become(AnalysisStep.DECODED)
        self._publishers = publishers
        self._drafts = drafts
        self._made.update(parts)

    def make(self, parts: Sequence[ProgressType], publisher: Callable[[], None]) -> None:
        """Show at once what the `publisher` can show, if it is still the file that was read.

        Raises CacheError, MediaChanging, or as `full_crc` does: then nothing is shown.
        """
        self.decoded([publisher], ExitStack(), parts)
        try:
            for _, error in publish_together([self]):
                raise error
        finally:
            self.drop()

    def keep(self) -> None:
        """Note where this content lies, and if it has changed; nothing (more) is missing of it."""
        publishing.publish(self._cache.catalogue, [], [self._sighting()], self._announced_before())
        self._become(AnalysisStep.PUBLISHED)

    def drop(self) -> None:
        """Leave no trace of what was made and not published."""
        if self.step is AnalysisStep.DECODED:
            self._drafts.close()
            self._written.clear()
            self._become(AnalysisStep.FOUND)

    def end(self, part: ProgressType, error: RushesError | None = None) -> None:
        """Tell the ledger that nothing more is done for this part of the file.

        Raises as `Context.judge` does where it is not the file that failed.
        """
        self._context.come_to(self.index, "", 0)
        if error:
            self._context.judge(self.entry.path, error)
        self._context.progress.file_ended(
            part,
            self.index,
            self.entry.client_path,
            error,
            skipped=error is None and part not in self._made,
        )

    @property
    def _found(self) -> _Finding:
        assert self._finding, f"{self.entry.path} was not looked for"
        return self._finding

    def _become(self, step: AnalysisStep) -> None:
        assert step in _MAY_FOLLOW[self.step], f"{self.entry.path}: {self.step} to {step}"
        self.step = step

    def _finish(self) -> None:
        """Have all written that is to be shown, if this is still the file that was decoded."""
        assert self.step is AnalysisStep.DECODED
        self._check_unchanged()
        for publish in self._publishers:
            publish()

    def _sighting(self) -> PathSighting:
        found = self._found
        changed_at = found.last_seen.changed_at if found.last_seen else 0.0
        if self._crc is None and self._is_same and found.last_seen:
            self._crc = found.last_seen.full_crc
        if self._has_changed():
            changed_at = found.at
        return PathSighting(
            found.hash_str,
            self.entry.path,
            found.file.status.st_size,
            found.file.status.st_mtime_ns,
            self._crc,
            changed_at,
            self._context.lease.writer,
        )

    def _announced_before(self) -> list[Entry]:
        """What an earlier try of the Item may have shown, and died before the catalogue said so."""
        found, entries = self._found, list[Entry]()
        if self._context.lease.token > 1:
            there = filter(catalogue.is_announced, self._there)
            entries += [Artefact.of(found.hash_str, manifest) for manifest in there]
            entries += [Seen.of(found.hash_str, found.last_seen)] if found.last_seen else []
        return entries

    def _check_unchanged(self) -> None:
        """Raise MediaChanging unless the file is as found; reads what `keep` will note, too."""
        found = self._found
        if self._crc is None:
            self._crc = sameness.crc_to_keep(found.file, self._context.checkpoint)
        if hash_media(found.file) != found.hash_str:
            raise MediaChanging
        try:
            with self._open() as there:
                if self._has_gone_to(there) or self._may_be_edited(there.status):
                    raise MediaChanging
        except NotAllowed:  # a link that leads elsewhere by now
            raise MediaChanging from None

    def _open(self) -> OpenedFile:
        if self.entry.refused:
            raise MediaUnreadable(self.entry.refused)
        return open_media_file(self.entry.path, self._roots)

    def _has_gone_to(self, there: OpenedFile) -> bool:
        """Whether the path leads to another content than what was found there."""
        found = self._found
        return (
            not os.path.samestat(there.status, found.file.status)
            and hash_media(there) != found.hash_str
        )

    def _may_be_edited(self, now: os.stat_result) -> bool:
        """Whether the modification time gives an edit away, where the hash does not tell."""
        before = self._found.file.status
        return not is_hashed_whole(before.st_size) and now.st_mtime_ns != before.st_mtime_ns

    def _has_changed(self) -> bool:
        found = self._found
        if self._is_same is None:  # nobody had to ask: nothing was published, or all is made anew
            return not sameness.is_known_as(found.last_seen, found.file.status, lambda: self._crc)
        return not self._is_same


def publish_together(files: Sequence[AnalyzedFile]) -> list[tuple[AnalyzedFile, MediaError]]:
    """Show what was made of files of one CacheDir, and note where they lie.

    Returns those that are not shown, as they changed or cannot be read. Raises CacheError, and as
    `Context.checkpoint`: then none is.
    """
    failed: list[tuple[AnalyzedFile, MediaError]] = []
    whole: list[AnalyzedFile] = []
    with ExitStack() as drafts:
        for file in files:
            file._context.checkpoint()
            drafts.enter_context(file._drafts)
            try:
                file._finish()
            except MediaError as error:
                failed.append((file, error))
            else:
                whole.append(file)
        written = [draft.finished for file in whole for draft in file._written]
        artefacts = [artefact for artefact in written if artefact]
        if whole:
            publishing.publish(
                whole[0]._cache.catalogue,
                artefacts,
                [file._sighting() for file in whole],
                [entry for file in whole for entry in file._announced_before()],
                whole[0]._context.checkpoint,
            )
    for file in whole:
        file._written.clear()
        file._become(AnalysisStep.PUBLISHED)
    return failed
