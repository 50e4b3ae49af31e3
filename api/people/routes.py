"""People of a collection and their faces, as they stand now."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from api.cache.view import CacheView
from api.http.bodies import LONGEST_TEXT
from api.http.concurrency import own_slot
from api.http.endpoint import Call, Endpoint
from api.http.parameters import IN_CACHE_DIR, flag, text_parameter
from api.http.services import Scope
from api.people.answers import ClusterItem, ClusterJob, ClusterJobs, FaceItem, FacePage, Samples
from api.people.bodies import MOST_SAMPLES, ClusterId, FacesBody, SamplesBody
from api.people.people import PeopleServices, left_out
from api.people.snapshot import NOT_SEEN, CollectionSnapshot, voice_totals
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_keys, read_faces
from shared.cache.frame_packs import PackReader
from shared.clock_times import timestamp
from shared.domain import Stage
from shared.errors import BadInput, CacheError
from shared.media import MediaType, media_type_of
from shared.opening import RootedPath
from shared.people.clustering import NO_CLUSTER, Clustering
from shared.rights import KeyScope

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pictured:
    """What could be read of a face; None: its file is gone or damaged."""

    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    jpeg: bytes | None = None


_NOTHING = Pictured()


def pictured(
    cache: CacheDir, clustering: Clustering, faces: Sequence[int], pool: Executor
) -> list[Pictured]:
    """Pictures of faces (indexes into the clustering), in order; each file is opened once."""
    found = [_NOTHING] * len(faces)
    by_file: dict[int, list[int]] = {}
    media = clustering.media_of[np.asarray(faces, dtype=np.intp)].tolist()
    for place, number in enumerate(media):
        by_file.setdefault(number, []).append(place)

    def read(number: int) -> None:
        places = by_file[number]
        keys = clustering.keys[[faces[place] for place in places]]
        for place, face in zip(places, _of_file(cache, clustering, number, keys), strict=True):
            found[place] = face

    list(pool.map(read, by_file))
    return found


def _of_file(
    cache: CacheDir, clustering: Clustering, number: int, keys: NDArray[np.uint64]
) -> list[Pictured]:
    """Pictures from the artefact that was grouped, else from the one that has replaced it."""
    hash_str = clustering.media[number]

    def names() -> Iterator[str]:
        yield clustering.media_files[number]
        if manifest := cache.manifest(hash_str, Stage.FACES, clustering.model):
            yield manifest.file

    for name in filter(cache_files.is_data, names()):  # never follow a path out of the folder
        try:
            with own_slot(f"Reading faces of {hash_str}", CacheError):
                return _read(cache.media_dir(hash_str), name, keys)
        except CacheError as error:
            _log.info("faces of %s: %s", hash_str, error)
    return [_NOTHING] * len(keys)


def _read(folder: RootedPath, name: str, keys: NDArray[np.uint64]) -> list[Pictured]:
    """Pictures of the faces with these keys. Raises CacheError for rows that cannot be read.

    A pack that cannot be read costs the crops only.
    """
    stored = read_faces(folder / name, "seconds", "boxes", "scores")
    boxes, scores = stored["boxes"], stored["scores"]
    known = face_keys(stored["seconds"], boxes)
    rows = np.minimum(np.searchsorted(known, keys), max(0, len(known) - 1))
    is_there = known[rows] == keys if len(known) else np.zeros(len(keys), dtype=bool)
    rows_there = [
        row if there else None for row, there in zip(rows.tolist(), is_there, strict=True)
    ]
    crops: list[bytes | None] = [None] * len(keys)
    try:
        with PackReader(folder / f"{name.rpartition('.')[0]}.pack") as pack:
            crops = [None if row is None else pack.read(row) for row in rows_there]
    except CacheError as error:
        _log.info("no crops of %s: %s", name, error)
    return [
        _NOTHING if row is None else Pictured(tuple(boxes[row].tolist()), float(scores[row]), jpeg)
        for row, jpeg in zip(rows_there, crops, strict=True)
    ]


_MOST_SHOWN = 10_000  # faces of one answer with samples: some 60 MB of pictures
_COLLECTION_NAME = text_parameter(
    "cluster_job_name",
    "The collection. Left out or empty: all of them.",
    "Season 1",
    longest=LONGEST_TEXT,
)
_DETAILS = flag(
    "details",
    "`true` adds how long each cluster is seen, in how many pictures and files, and "
    "the newest edit.",
)
_VOICES = flag(
    "voices",
    "`true` adds the voices of each cluster, and lists people of whom there are "
    'voices only, with a `face_count` of 0. Voices that are nobody\'s are under "-1".',
)


def list_face_clusters(call: Call[None], services: PeopleServices) -> ClusterJobs:
    """People of a collection.

    A cluster is one person; the faces that are in none are counted under cluster_id "-1", which
    stands last: those of people with fewer than min_samples clear faces, and small, blurred or
    far turned ones, which join a person whom they clearly resemble and never make one. Ids and
    names are kept when the faces are grouped anew. An analysis with `face_media_paths` makes a
    collection and adds to it. Voices are in clusters, too, each in one: of whom no face is
    known, in one of their own. Where all collections are asked for, one that cannot be read is
    left out, and X-Rushes-Warnings says so.
    """
    cache_dir, name = IN_CACHE_DIR.read(call.query), _COLLECTION_NAME.read(call.query)
    has_details, has_voices = _DETAILS.read(call.query), _VOICES.read(call.query)
    scope = Scope.of(services, cache_dir, None)
    cache = scope.cache()
    people = services.people
    found, unread = ([people.open(cache, name)], []) if name else people.readable(cache)
    jobs = [
        ClusterJob(
            cluster_job_name=snapshot.name,
            total_faces=len(snapshot.clustering),
            eps=snapshot.clustering.eps,
            min_samples=snapshot.clustering.min_samples,
            clusters=cluster_items(snapshot, has_voices),
        )
        for snapshot in found
    ]
    if has_details:
        for job, snapshot in zip(jobs, found, strict=True):
            _add_details(job, snapshot, scope.view())
    call.warnings.extend(map(left_out, unread))
    return ClusterJobs(cluster_jobs=jobs)


def _add_details(job: ClusterJob, snapshot: CollectionSnapshot, view: CacheView) -> None:
    version = (view.key, view.sightings)
    paths = view.newest_paths()

    def is_still(hash_str: str) -> bool:
        return media_type_of(paths.get(hash_str, "")) is MediaType.IMAGE

    times = snapshot.screen_times(version, is_still)
    for item in job.clusters:
        time = times.get(int(item.cluster_id), NOT_SEEN)
        item.seconds, item.stills, item.files = time.seconds, time.stills, time.files
    edits = snapshot.state.edits
    job.last_edit_id = edits[-1].id if edits else ""


def cluster_items(snapshot: CollectionSnapshot, has_voices: bool = False) -> list[ClusterItem]:
    """Clusters with faces, the largest first; the faces in no cluster come last.

    With voices, those without faces stand before these, who speaks longest first; and what is
    nobody's is there also where that is voices alone.
    """
    state, counts = snapshot.state, snapshot.state.counts
    voices = voice_totals(state) if has_voices else {}
    ids = sorted(counts, key=lambda id_: (-counts[id_], id_))
    ids += [id_ for id_ in voices if id_ not in counts and id_ != NO_CLUSTER]
    names = {**state.voice_names, **state.names}
    faces = {**counts, NO_CLUSTER: len(snapshot.clustering) - sum(counts.values())}
    if faces[NO_CLUSTER] or NO_CLUSTER in voices:
        ids.append(NO_CLUSTER)
    items = []
    for id_ in ids:
        seconds, count = voices.get(id_) or (UNSET, UNSET)
        items.append(
            ClusterItem(
                cluster_id=str(id_),
                name=names.get(id_),
                face_count=faces.get(id_, 0),
                voice_count=count,
                voice_seconds=seconds,
            )
        )
    return items


def sample_faces(call: Call[SamplesBody], services: PeopleServices) -> Samples:
    """A few faces of each person."""
    body = call.body
    scope = Scope.of(services, body.cache_dir, None)
    snapshot = services.people.open(scope.cache(), body.cluster_job_name)
    asked: Sequence[ClusterId] | None = body.cluster_ids
    if asked is None:
        every = [item.cluster_id for item in cluster_items(snapshot)]
        asked = [id_ for id_ in every if id_ != str(NO_CLUSTER)]
    roots = {
        str(asked_id): snapshot.root(asked_id, f"cluster_ids[{n}]")
        for n, asked_id in enumerate(asked)
    }
    if len(roots) * body.samples_per_cluster > _MOST_SHOWN:
        raise BadInput(
            f"{len(roots)} clusters with {body.samples_per_cluster} faces each are more than "
            f"{_MOST_SHOWN} faces: name fewer cluster_ids, or less samples_per_cluster."
        )
    faces = {
        asked_id: snapshot.state.samples_of(root, body.samples_per_cluster)
        for asked_id, root in roots.items()
    }
    shown = iter(_items(scope, snapshot, [face for some in faces.values() for face in some]))
    return Samples(
        samples={asked_id: [next(shown) for _ in some] for asked_id, some in faces.items()}
    )


def list_faces(call: Call[FacesBody], services: PeopleServices) -> FacePage:
    """Faces of a person.

    By path of the file, then by time. A face whose file was deleted from the cache folder is
    listed without a picture. 400 for an offset past the end.
    """
    body = call.body
    scope = Scope.of(services, body.cache_dir, None)
    snapshot = services.people.open(scope.cache(), body.cluster_job_name)
    roots = None
    if body.cluster_ids is not None:
        roots = [snapshot.root(c, f"cluster_ids[{n}]") for n, c in enumerate(body.cluster_ids)]
    elif body.cluster_id is not None:
        roots = [snapshot.root(body.cluster_id, "cluster_id")]
    found = snapshot.faces_in_order(roots, scope.view().newest_paths())
    end = body.offset + body.limit
    return FacePage(
        faces=_items(scope, snapshot, found[body.offset : end].tolist()),
        total=len(found),
        limit=body.limit,
        offset=body.offset,
        has_more=end < len(found),
    )


def _items(
    scope: Scope[PeopleServices], snapshot: CollectionSnapshot, found: Sequence[int]
) -> list[FaceItem]:
    """Faces with their pictures; what cannot be read of one is null."""
    caches = scope.services.caches
    pictures = pictured(snapshot.cache, snapshot.clustering, found, caches.reader(snapshot.cache))
    shown = scope.best_places({snapshot.hash_of(face) for face in found})
    return [
        _item(snapshot, face, picture, shown[snapshot.hash_of(face)])
        for face, picture in zip(found, pictures, strict=True)
    ]


def _item(snapshot: CollectionSnapshot, face: int, picture: Pictured, path: str | None) -> FaceItem:
    cluster, second = int(snapshot.state.faces[face]), snapshot.second_of(face)
    return FaceItem(
        face_id=snapshot.face_id(face),
        cluster_id=str(cluster),
        name=snapshot.state.names.get(cluster),
        image=base64.b64encode(picture.jpeg).decode("ascii") if picture.jpeg else None,
        media_path=path,
        hash_str=snapshot.hash_of(face),
        frame_idx=str(second),
        timestamp=timestamp(second),
        bbox=[round(part, 5) for part in picture.box] if picture.box else None,
        detection_score=None if picture.score is None else round(picture.score, 4),
    )


ENDPOINTS = (
    Endpoint(
        "GET /faces/clusters",
        list_face_clusters,
        "Faces",
        KeyScope.SEARCH,
        query=(IN_CACHE_DIR, _COLLECTION_NAME, _DETAILS, _VOICES),
        answer_example={"cluster_jobs": [{"clusters": [{}, {"cluster_id": "-1", "name": None}]}]},
    ),
    Endpoint(
        "POST /faces/clusters/samples",
        sample_faces,
        "Faces",
        KeyScope.SEARCH,
        description="The clearest and most different ones, best first, at most "
        f"{MOST_SAMPLES} of each cluster and {_MOST_SHOWN} in all.",
        example={"cluster_ids": ..., "samples_per_cluster": 2},
        answer_example={"samples": {"418350733": [{}]}},
    ),
    Endpoint(
        "POST /faces/clusters/faces",
        list_faces,
        "Faces",
        KeyScope.SEARCH,
        example={"cluster_id": ..., "limit": 500},
    ),
)
