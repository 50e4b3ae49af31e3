"""Which faces and voices of a collection may be one person."""

from __future__ import annotations

from collections.abc import Iterator

from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.http.parameters import IN_CACHE_DIR, OF_COLLECTION
from api.http.services import Scope
from api.people.people import PeopleServices
from api.people.snapshot import CollectionSnapshot
from api.people.voices.answers import ProposalItem, Proposals
from api.people.voices.proposals import MOST_FILES, MOST_PROPOSALS, Proposal
from api.people.voices.proposing import Proposed
from api.people.voices.together import MIN_SECONDS, MIN_TIMES
from shared.rights import KeyScope


async def list_proposals(call: Call[None], services: PeopleServices) -> Proposals:
    """Faces and voices that may be one person."""
    cache_dir, name = IN_CACHE_DIR.read(call.query), OF_COLLECTION.read(call.query)
    found, proposed = await services.in_cache_dir(cache_dir, _proposals, services, cache_dir, name)
    call.warnings.extend(_left_out(proposed))
    return found


def _proposals(services: PeopleServices, cache_dir: str, name: str) -> tuple[Proposals, Proposed]:
    scope = Scope.of(services, cache_dir, None)
    snapshot = services.people.open(scope.cache(), name)
    proposed = services.people.proposing.of(snapshot, services.caches.reader(scope.cache()))
    places = scope.best_places({hash_str for one in proposed.found for hash_str in one.files})
    return Proposals(proposals=[_item(snapshot, one, places) for one in proposed.found]), proposed


def _left_out(proposed: Proposed) -> Iterator[str]:
    """Why files with faces and voices were not looked at."""
    if later := proposed.asked - proposed.reached:
        yield (
            f"{counted(later, 'file')} of {proposed.files:,} with faces and voices could not be "
            "looked at in time. Ask again shortly for more of them."
        )
    if proposed.unread:
        yield (
            f"{counted(proposed.unread, 'file')} of {proposed.files:,} with faces and voices could "
            "not be looked at: who speaks in them cannot be read. Transcribe them again with force."
        )
    if beyond := proposed.beyond + proposed.files - proposed.asked:
        yield (
            f"{counted(beyond, 'file')} of {proposed.files:,} with faces and voices were left out: "
            f"at most {MOST_FILES:,} are looked at, those in which is spoken longest, and of very "
            "many faces and turns fewer."
        )


def _item(
    snapshot: CollectionSnapshot, proposal: Proposal, places: dict[str, str | None]
) -> ProposalItem:
    fit, state = proposal.fit, snapshot.state
    return ProposalItem(
        face_cluster_id=str(fit.face),
        face_name=state.names.get(fit.face),
        voice_cluster_id=str(fit.voice),
        voice_name=state.voice_names.get(fit.voice),
        seconds_together=fit.seconds,
        seconds_spoken=fit.spoken,
        share=round(fit.seconds / fit.spoken, 3),
        media_paths=[path for hash_str in proposal.files if (path := places[hash_str])],
    )


ENDPOINTS = (
    Endpoint(
        "GET /faces/proposals",
        list_proposals,
        "Faces",
        KeyScope.SEARCH,
        description="Nothing is joined by itself: merge the two clusters by /faces/clusters/modify "
        "to accept a proposal, or say there that they are `apart`. A face is proposed for a voice "
        f"where it is seen while the voice speaks, for {MIN_SECONDS} seconds and at {MIN_TIMES} "
        "different times at least, and clearly less while others do, and where no other face and "
        "no other voice fits nearly as well. So nobody is proposed for a narrator who is not "
        "seen, and a face that is always in the picture for nobody. Turns of which it is doubtful "
        f"whose they are do not count. At most {MOST_PROPOSALS}, over the {MOST_FILES:,} files in "
        "which is spoken longest; X-Rushes-Warnings says when some were not looked at.",
        query=(IN_CACHE_DIR, OF_COLLECTION),
        answer_example={"proposals": [{"voice_cluster_id": "1590043", "voice_name": None}]},
    ),
)
