"""People enrolled from reference photos, known from then on in every collection of the folder."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
import numpy as np
from msgspec import UNSET
from starlette.concurrency import run_in_threadpool

from api.base64_pictures import picture_bytes
from api.http.answers import counted
from api.http.bodies import LONGEST_PATH
from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.parameters import text_parameter
from api.models.model_keys import active_key
from api.people.answers import EnrolledPerson, NamedIn, NamedPeople, NamedPerson, PersonFound
from api.people.bodies import MOST_PICTURES, EnrollBody
from api.people.editing import checked_person
from api.people.people import FolderRoster, PeopleServices, left_out
from shared.cache.cache_dir import CacheDir
from shared.domain import ModelKind
from shared.errors import (
    BadInput,
    CacheError,
    MediaMissing,
    MediaUnreadable,
    Missing,
    ModelError,
    NoCacheFolder,
    NotAllowed,
    NoWorker,
    Unavailable,
)
from shared.media import MediaType, media_type_of
from shared.people.collection import Collection
from shared.people.enrolment import Enrolment, Reference
from shared.people.state import other_names
from shared.query.messages import FacesQuestion, FindFaces, FindPictureFaces, FoundFace, Lane
from shared.rights import KeyScope

_WITHIN_S = 5.0  # a folder that was not looked at before may take as long as reading its faces
_LOOKED_AT = 32  # of the folders used last
_CACHE_DIR = text_parameter(
    "cache_dir",
    "One folder with analysis data; an absolute path. Left out: those used last.",
    "/footage/.rushes",
    longest=LONGEST_PATH,
)


async def list_named_people(call: Call[None], services: PeopleServices) -> NamedPeople:
    """Everybody who has a name."""
    cache_dir = _CACHE_DIR.read(call.query)
    if cache_dir:
        cache = await services.in_cache_dir(
            cache_dir, services.caches.cache, services.paths.cache(cache_dir)
        )
        roster = await services.in_cache_dir(cache_dir, services.people.roster, cache)
        call.warnings.extend(map(left_out, roster.unread))
        return _answer(services, [roster], cache_dir)
    newest = list(await run_in_threadpool(services.used_cache_dirs))
    looks = await run_in_threadpool(
        services.folders.each,
        newest[:_LOOKED_AT],
        partial(_look, services),
        lambda folder: folder,
        lambda _: (None, False),
        within_s=_WITHIN_S,
    )
    if newest[_LOOKED_AT:]:
        call.warnings.append(
            f"Only the {_LOOKED_AT} cache folders used last were looked at, of {len(newest)}: "
            "name another one by cache_dir."
        )
    for folder, (look, is_answered) in zip(newest, looks, strict=False):
        shown = services.paths.back(folder)
        if not is_answered:
            call.warnings.append(
                f"{shown} does not answer in time: who is named there is left out. Ask again "
                "shortly."
            )
        unread = look.unread if look else ()
        call.warnings.extend(f"{shown}: {left_out(name)}" for name in unread)
    return _answer(services, [roster for roster, _ in looks if roster], None)


def _look(services: PeopleServices, folder: str) -> tuple[FolderRoster | None, bool]:
    """Who has a name in a folder; and whether it answers in time."""
    try:  # not by services.caches.cache, which counts as a use
        cache = CacheDir.open(folder, services.paths.cache_roots, create=False)
        return services.people.roster(cache, _WITHIN_S), True
    except Unavailable:
        return None, False
    except (NotAllowed, NoCacheFolder, CacheError):  # its links lead elsewhere; away; damaged
        return None, True


def _answer(services: PeopleServices, rosters: list[FolderRoster], like: str | None) -> NamedPeople:
    """Who has a name, by name; a name is one person, whatever the case of its letters."""
    found: dict[str, NamedPerson] = defaultdict(
        lambda: NamedPerson(name="", is_enrolled=False, references=0, collections=[])
    )
    for roster in rosters:
        for who, (name, photos) in roster.enrolled.items():
            found[who].name = found[who].name or name
            found[who].is_enrolled = True
            found[who].references += photos
    most: dict[str, int] = {}  # faces of the collection that has the name so
    for roster in rosters:
        shown = services.paths.back(roster.folder, like=like)
        named = ((place, *entry) for place, names in roster.collections for entry in names.items())
        for collection, who, clusters in named:
            item = NamedIn(
                cache_dir=shown,
                cluster_job_name=collection,
                cluster_ids=list(map(str, clusters.ids)),
                face_count=clusters.face_count,
                voice_count=clusters.voice_count or UNSET,
            )
            found[who].collections.append(item)
            if not found[who].is_enrolled and clusters.face_count > most.get(who, -1):
                most[who], found[who].name = clusters.face_count, clusters.name
    return NamedPeople(people=[found[who] for who in sorted(found)])


_TIMEOUT_S = 60.0  # the model may have to be loaded first, and photos wait for each other


async def enroll_person(call: Call[EnrollBody], services: PeopleServices) -> EnrolledPerson:
    """Enroll a person from photos.

    Clusters whose faces are like those of the photos bear the name from now on, in every
    collection of the cache folder, and so do faces in no cluster, which are a cluster of their
    own then, however few they are. What users call a cluster comes first. Photos for a name
    that is known already are added. Of the photos only the vectors of the faces are kept, for
    the active face model and those of the folder's collections; after a change of the model,
    enroll again. /faces/people/delete forgets them. Photos lie in files (`pictures`) or come
    along (`images`); there are 1 to 20 in all. 400 for a photo without a clear face, or with
    several.
    """
    body = call.body
    name = checked_person(body.name)
    if not name:
        raise BadInput("name must not be empty.")
    photos = await _photos(services, body)
    active = await asyncio.to_thread(active_key, services, ModelKind.FACES)
    others = await services.in_cache_dir(body.cache_dir, _other_models, services, body, active)
    references = await _references(services, active, photos)
    models = [active]
    for model in others:
        try:
            references += await _references(services, model, photos)
            models.append(model)
        except ModelError as error:
            call.warnings.append(f"Collections by {model} do not know {name}: {error.message}")
    call.audited["pictures"] = len(photos)
    enrolment = Enrolment(name, tuple(references))
    enrolled, unread = await services.in_cache_dir(
        body.cache_dir, _enroll, services, body.cache_dir, enrolment, models
    )
    call.warnings.extend(map(left_out, unread))
    return enrolled


async def _photos(services: PeopleServices, body: EnrollBody) -> dict[str, FacesQuestion]:
    """What to ask of the photos of a request, by field, of no model yet.

    They are checked as far as the API can; what else is wrong a worker says.
    """
    count = len(body.pictures) + len(body.images)
    if not 1 <= count <= MOST_PICTURES:
        raise BadInput(
            f"Give pictures (paths) or images (base64), 1 to {MOST_PICTURES} in all, not {count}."
        )
    photos: dict[str, FacesQuestion] = {}
    fields = [f"pictures[{n}]" for n in range(len(body.pictures))]
    paths = list(map(services.paths.media, body.pictures, fields))
    for field, path in zip(fields, paths, strict=True):
        await services.folders.run(os.path.dirname(path), _must_be_there, services, path, field)
        photos[field] = FindFaces(path=path, face_model="", roots=services.paths.key_roots)
    for n, text in enumerate(body.images):
        content = await run_in_threadpool(picture_bytes, text, f"images[{n}]")
        photos[f"images[{n}]"] = FindPictureFaces(picture=content, face_model="")
    return photos


def _must_be_there(services: PeopleServices, path: str, field: str) -> None:
    """Raises BadInput, MediaMissing and NotAllowed; what else is wrong the worker says."""
    if media_type_of(path) is not MediaType.IMAGE:
        raise BadInput(f"{field}: {path} is no picture by its name; send photos, such as .jpg.")
    try:
        services.paths.open_media(path).close()
    except MediaMissing:
        raise MediaMissing(f"{field}: the file {path} does not exist.") from None
    except MediaUnreadable as error:
        raise BadInput(f"{field} is no picture: {error.message}") from None


def _other_models(services: PeopleServices, body: EnrollBody, active: str) -> list[str]:
    """Face models of the folder's collections, without the active one."""
    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    found = set()
    for name in Collection.all_names(cache.root):
        try:
            found.add(Collection.open(cache.root, name, create=False).members().model)
        except (Missing, CacheError):  # deleted just now, or damaged
            continue
    return sorted(found - {active, ""})


async def _references(
    services: PeopleServices, model: str, photos: Mapping[str, FacesQuestion]
) -> list[Reference]:
    """The one face of each photo. Raises BadInput naming the photo, and as `ask`."""
    found = []
    for field, photo in photos.items():
        question = msgspec.structs.replace(photo, face_model=model)
        try:
            answer = await services.query_client.ask(Lane.FACES, question, _TIMEOUT_S)
        except MediaUnreadable as error:
            raise BadInput(f"{field} is no picture: {error.message}") from None
        face = _only(answer.faces, field)
        found.append(Reference.of(model, np.frombuffer(face.vector, "<f2")))
    return found


def _only(faces: Sequence[FoundFace], field: str) -> FoundFace:
    """The one face of a reference photo. Raises BadInput with the cure."""
    if not faces:
        raise BadInput(
            f"{field}: no face is found in it. Use a photo on which the face is clear and seen "
            "from the front."
        )
    if len(faces) > 1:
        raise BadInput(
            f"{field}: {len(faces)} faces are found in it. Cut it so that only the person's own "
            "is left."
        )
    (face,) = faces
    if face.is_small:
        raise BadInput(
            f"{field}: its face is too small. Use a photo on which it has at least 40 pixels."
        )
    if face.is_blurred or face.is_turned:
        why = "blurred" if face.is_blurred else "turned away"
        raise BadInput(f"{field}: its face is {why}. Use a sharp photo from the front.")
    return face


def _enroll(
    services: PeopleServices, cache_dir: str, enrolment: Enrolment, models: list[str]
) -> tuple[EnrolledPerson, list[str]]:
    ours = services.paths.cache(cache_dir)
    cache = CacheDir.open(ours, services.paths.cache_roots, create=True)
    references = services.people.references(cache)
    references.add(enrolment)
    per_model = len(references.of(enrolment.name, models[0]))
    snapshots, unread = services.people.readable(cache)
    found = [
        PersonFound(
            cluster_job_name=snapshot.name,
            cluster_ids=[str(id_) for id_ in ids],
            face_count=sum(snapshot.state.counts[id_] for id_ in ids),
        )
        for snapshot in snapshots
        if (ids := snapshot.state.ids_named(enrolment.name))
    ]
    others = sorted({n for one in snapshots for n in other_names(one.state, enrolment.name)})
    named = (
        f" Clusters that look like the photos are named {', '.join(map(repr, others))}, and keep "
        "that name: rename them with PUT /faces/clusters/names if it is wrong."
    )
    faces = sum(one.face_count for one in found)
    enrolled = EnrolledPerson(
        message=f"{enrolment.name} is known by {counted(per_model, 'photo')}, and found in "
        f"{counted(faces, 'face')} so far.{named if others else ''}",
        name=enrolment.name,
        references=per_model,
        models=models,
        collections=found,
    )
    return enrolled, unread


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
    Endpoint(
        "POST /faces/people",
        enroll_person,
        "Faces",
        KeyScope.PEOPLE,
        is_audited=True,
        errors={
            BadInput: "pictures[0]: 2 faces are found in it. Cut it so that only the person's own "
            "is left.",
            MediaMissing: "pictures[0]: the file /footage/ada.jpg does not exist.",
            NoWorker: "No query worker answered within 60 s; retry shortly.",
            ModelError: "The weights of dlib-resnet are not on this machine.",
        },
        example={"pictures": ...},
        answer_example={"message": "Ada is known by 2 photos, and found in 12 faces so far."},
    ),
)
