"""What a scan has found in a watched folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import NamedTuple


class FileStat(NamedTuple):
    """A file as a stat saw it."""

    size: int
    mtime_ns: int


class DirectoryStamp(NamedTuple):
    """A directory just before it was listed."""

    mtime_ns: int
    device: int
    inode: int


@dataclass
class Scan:
    """All that one look found.

    `files`: media and unsupported files, exactly as the disk has their names. `sequences`: path
    of the item -> stills in it; they are not in `files`. `folders`: directories that were listed
    whole. `problems`: what could not be looked at, and why; mostly directories.
    """

    files: dict[str, FileStat] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    folders: dict[str, DirectoryStamp] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    passed_by: set[str] = field(default_factory=set)  # directories that are there, not looked at

    def covers(self, path: str) -> bool:
        """Whether a known path that is in neither `files` nor `sequences` has gone for sure.

        Holds only while the root is the same before and after the scan: see root_identity.
        """
        while path not in self.problems and path not in self.passed_by:
            above = os.path.dirname(path)
            if path in self.gone or (above in self.folders and above not in self.problems):
                return True
            if above == path:
                return False
            path = above
        return False
