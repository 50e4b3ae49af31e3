"""What searches use besides the core services, and the scope of one of their requests."""

from __future__ import annotations

from dataclasses import dataclass

from api.exact_cuts import ExactCuts
from api.http.auth import Access
from api.http.services import Scope
from api.people.people import PeopleServices
from api.search.calibration.store import Calibrations
from api.search.frames.index import SearchIndex
from api.search.vectors import Vectors
from shared.watch.files import WatchedFiles
from shared.watch.live import LiveStatus, SoleLease


@dataclass(frozen=True, slots=True)
class SearchServices(PeopleServices):
    """The index and what gives it vectors, and what is known of files that are not in it yet."""

    access: Access
    calibrations: Calibrations
    exact_cuts: ExactCuts
    index: SearchIndex
    vectors: Vectors
    watch_lease: SoleLease
    watch_live: LiveStatus
    watched_files: WatchedFiles


SearchScope = Scope[SearchServices]
