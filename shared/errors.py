"""Every error that crosses a module border. The docstring is the default message.

RushesError
├── BadInput                 the caller can mend it                    (400)
│   ├── NoCacheFolder        nothing was analyzed into it yet
│   └── UnusablePath         no path of this machine; in a list the item's own error
├── NotAllowed               outside the roots                         (403)
├── NothingUsable            none of the files can be used             (422)
├── Missing                  an unknown task, file, collection …       (404)
├── Busy                     another task holds what this one needs    (409)
├── EditedMeanwhile          others changed the same people meanwhile (409)
├── AlreadyWatched           a folder that is watched already          (409)
├── AlreadySubscribed        a webhook that exists already             (409)
├── NotLeader                a watcher that is not the active one any more
├── TriedBefore              an Item that is done alone, if at all
├── Unavailable              retry shortly                             (503)
│   ├── RedisAway
│   ├── NoWorker
│   ├── FolderHangs
│   └── ModelLoading
├── MediaError               one media file, which fails alone
│   ├── MediaMissing
│   ├── MediaUnreadable      corrupt, truncated, empty, not media
│   │   ├── MediaUnsupported     fine, but no decoder here knows its format
│   │   └── MediaSilent          there is no sound to transcribe
│   └── MediaChanging        grows or changes while it is read        (409)
├── ModelError               a model that is absent, broken or not allowed
├── CacheError               the CacheDir cannot be read or written
├── ExportError              the folder of an export cannot be written
└── SettingsError            one sentence; processes exit with 2

Cancelled and LeaseLost are BaseExceptions beside the tree: they are no errors, and an
`except Exception` in a frame loop must not swallow them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class RushesError(Exception):
    """Something went wrong in Rushes."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.message)


class BadInput(RushesError):
    """The request cannot be understood."""


class NoCacheFolder(BadInput):
    """There is no such cache folder; analyze into it first."""


class UnusablePath(BadInput):
    """This is no path of a file that this server can open."""


class NotAllowed(RushesError):
    """The path lies outside the folders this server may use."""


class NothingUsable(RushesError):
    """None of the files can be used."""


class Missing(RushesError):
    """There is no such thing."""


class Busy(RushesError):
    """Another task is still running."""


class EditedMeanwhile(RushesError):
    """These people were changed meanwhile. Look again, then decide."""


class NotLeader(RushesError):
    """Another watcher has taken over; nothing was accepted."""


class TriedBefore(RushesError):
    """An earlier try of this Item has failed, or has ended its worker."""


class AlreadyWatched(RushesError):
    """This folder is watched already."""


class AlreadySubscribed(RushesError):
    """This webhook is subscribed already."""


class Unavailable(RushesError):
    """The server cannot answer right now; retry shortly."""

    retry_after_s: int = 2


class RedisAway(Unavailable):
    """Redis does not answer; nothing was accepted. Retry shortly."""


class NoWorker(Unavailable):
    """No worker that can answer this is running. Start one with `rushes worker query`."""

    retry_after_s = 5


class FolderHangs(Unavailable):
    """The folder does not answer: its disk or network share hangs. Retry when it is back."""

    retry_after_s = 5

    @classmethod
    def of(cls, folder: str) -> FolderHangs:
        return cls(
            f"The folder {folder} does not answer: its disk or network share hangs. Retry when it "
            "is back; other folders are not concerned."
        )


class ModelLoading(Unavailable):
    """The model is still loading; retry shortly."""

    retry_after_s = 3


class MediaError(RushesError):
    """The media file cannot be used."""


class MediaMissing(MediaError):
    """The file does not exist."""


class MediaUnreadable(MediaError):
    """The file cannot be decoded."""


class MediaUnsupported(MediaUnreadable):
    """No decoder here knows the file's format."""


class MediaSilent(MediaUnreadable):
    """It has no audio track."""


class MediaChanging(MediaError):
    """The file changed while it was read; try again when it is complete."""


class ModelError(RushesError):
    """The model cannot be used."""


class CacheError(RushesError):
    """The cache folder cannot be read or written."""


class ExportError(RushesError):
    """The folder of the export cannot be written."""


class SettingsError(RushesError):
    """A setting is wrong."""


class Cancelled(BaseException):
    """The Task was asked to stop: unwind, publish nothing half-done."""


class LeaseLost(BaseException):
    """Another worker has taken this Item up: unwind and settle nothing."""


class HandBack(BaseException):
    """This worker is shutting down: unwind and give the Item back without counting a try."""


@contextlib.contextmanager
def os_errors_as(kind: type[RushesError], what: str) -> Iterator[None]:
    """Turn an OSError of the block into an error of this kind: `what`, and the system's reason."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what}: {error.strerror or error}.") from error
