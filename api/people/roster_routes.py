"""Who is known by name, in one cache folder or in all that the server knows."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET
from starlette.concurrency import run_in_threadpool

from api.http.bodies import LONGEST_PATH
from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.parameters import text_parameter
from api.people.answers import NamedIn, NamedPeople, NamedPerson
from api.people.people import FolderRoster, PeopleServices, RosterEntry, everybody, left_out
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput, CacheError, NoCacheFolder, NotAllowed, Unavailable
from shared.rights import KeyScope

_WITHIN_S = 5.0  # a folder that was not looked at before may take as long as reading its faces
_LOOKED_AT = 32  # of the folders used last
_CACHE_DIR = text_parameter(
    "cache_dir",
    "One folder with analysis data; an absolute path. Left out: those used last.",
    "/footage/.rushes",
    longest=LONGEST_PATH,
)


@dataclass(slots=True)
class _FolderLook:
    """What was found in a folder so far; another thread may be at it still."""

    folder: str
    is_over: bool = False
    roster: FolderRoster | None = None


async def list_named_people(call: Call[None], services: PeopleServices) -> NamedPeople:
    """Everybody who has a name."""
    cache_dir = _CACHE_DIR.read(call.query)
    if cache_dir:
        roster = await services.in_cache_dir(cache_dir, _roster, services, cache_dir)
        call.warnings.extend(map(left_out, roster.unread))
        return _answer(services, [roster], cache_dir)
    newest = list(await run_in_threadpool(services.used_cache_dirs))
    looks = await run_in_threadpool(_looks, services, newest[:_LOOKED_AT])
    if newest[_LOOKED_AT:]:
        call.warnings.append(
            f"Only the {_LOOKED_AT} cache folders used last were looked at, of {len(newest)}: "
            "name another one by cache_dir."
        )
    for look in looks:
        if not look.is_over:
            call.warnings.append(
                f"{services.paths.back(look.folder)} does not answer in time: who is named there "
                "is left out. Ask again shortly."
            )
        for name in look.roster.unread if look.roster else ():
            call.warnings.append(f"{services.paths.back(look.folder)}: {left_out(name)}")
    return _answer(services, [look.roster for look in looks if look.roster], None)


def _roster(services: PeopleServices, cache_dir: str) -> FolderRoster:
    return services.people.roster(services.caches.cache(services.paths.cache(cache_dir)))


def _looks(services: PeopleServices, folders: list[str]) -> list[_FolderLook]:
    """What is found in folders. Blocks, for seconds at most."""
    looks = [_FolderLook(folder) for folder in folders]
    services.folders.each(
        looks,
        lambda look: _find_out(services, look),
        lambda look: look.folder,
        lambda look: None,
        within_s=_WITHIN_S,
    )
    return looks


def _find_out(services: PeopleServices, look: _FolderLook) -> None:
    # Not by services.caches.cache, which counts as a use.
    try:
        cache = CacheDir.open(look.folder, services.paths.cache_roots, create=False)
        look.roster = services.people.roster(cache, _WITHIN_S)
    except Unavailable:
        return
    except (NotAllowed, NoCacheFolder, CacheError):  # its links lead elsewhere; away; damaged
        pass
    look.is_over = True


def _answer(services: PeopleServices, rosters: list[FolderRoster], like: str | None) -> NamedPeople:
    shown = {one.folder: services.paths.back(one.folder, like=like) for one in rosters}
    return NamedPeople(people=[_person(entry, shown) for entry in everybody(rosters)])


def _person(entry: RosterEntry, shown: dict[str, str]) -> NamedPerson:
    return NamedPerson(
        name=entry.name,
        is_enrolled=entry.is_enrolled,
        references=entry.references,
        collections=[
            NamedIn(
                cache_dir=shown[folder],
                cluster_job_name=collection,
                cluster_ids=list(map(str, clusters.ids)),
                face_count=clusters.face_count,
                voice_count=clusters.voice_count or UNSET,
            )
            for folder, collection, clusters in entry.places
        ],
    )


ENDPOINTS = (
    Endpoint(
        "GET /faces/people",
        list_named_people,
        "Faces",
        KeyScope.SEARCH,
        description="Who is named in a collection or enrolled from photos, each once, whatever the "
        "case of the letters, with where the person is seen or heard. Over the cache folders that "
        f"the server knows and the key may read, the {_LOOKED_AT} used last; one that is away is "
        "left out, and one that does not answer within seconds as well, which X-Rushes-Warnings "
        "says, as of a collection that cannot be read.",
        roots=RootsRule.FILTERED,
        query=(_CACHE_DIR,),
        errors={BadInput: "cache_dir must be an absolute path, not 'footage'."},
    ),
)
