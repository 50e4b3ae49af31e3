"""Matches of a search with what is said of them: pictures, places, what they are worth."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import msgspec
import pybase64

from api.cache.view import Place, opens_at
from api.exact_cuts import Film
from api.folders import quick_map
from api.http.answers import MatchPlace
from api.people.people import left_out, people_seen
from api.search.answers import Match, Matches, MatchGroup, PersonSeen
from api.search.bodies import SearchFields
from api.search.calibration.prompting import Meaning
from api.search.frames.previews import SignedFrame, read_previews
from api.search.paging.asked import AskedPage, ClientPaths
from api.search.paging.pages import HitPage, KeptQuery, Picker, TheBest, grouped
from api.search.picture_routes import PATH as pictures_path
from api.search.services import SearchScope
from api.search.types import FrameSearch, Hit, QueryVectors
from api.signed_addresses import token_of
from shared.clock_times import timestamp
from shared.domain import Scene
from shared.media import MediaType, media_type_of
from shared.models.scores import STRENGTHS, Judge, Strength

_BEYOND = 1e7  # what any score is, whatever the text_weight
WAIT_S = 0.5  # a search is worth no longer wait for what it says beside its matches


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one query; `judge` is None where nobody knows what scores of the model mean."""

    model: str
    judge: Judge | None
    is_familiar: bool
    min_strength: str | None
    min_score: float | None
    provisional: str = ""  # what there is to say of how the scores were found out

    @classmethod
    def of(
        cls,
        model: str,
        meaning: Meaning,
        body: SearchFields,
        query: QueryVectors,
        familiarity: float | None,
    ) -> Standing:
        """`familiarity`: of the words, see VisualEmbedder."""
        scale, judge, is_familiar = meaning.scale, None, True
        if scale is not None:
            is_familiar = familiarity is None or familiarity >= scale.familiar
            judge = Judge.of(
                scale,
                text_weight=None if query.query is None else query.text_weight,
                has_picture=query.picture is not None,
                is_familiar=is_familiar,
            )
        least = body.min_strength
        if body.sort not in (None, "score") and body.min_score is None:
            least = least or "weak"  # what is no match would be all over what is sorted
        said = meaning.note if judge else ""
        return cls(model, judge, is_familiar, least, body.min_score, said)

    def keeps(self, score: float) -> bool:
        """Whether a match with this score, without the excluded concepts, is strong enough."""
        if self.judge is None:
            return True
        if self.min_score is not None and self.judge.probability(score) < self.min_score:
            return False
        if self.min_strength is None:
            return True
        strength = self.judge.strength(score)
        return strength is not None and (
            STRENGTHS.index(strength) <= STRENGTHS.index(self.min_strength)
        )

    @property
    def least(self) -> float:
        """No score below it is kept, which rise with what they mean."""
        low, high = -_BEYOND, _BEYOND
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if self.keeps(middle) else (middle, high)
        return low

    def warnings(self) -> list[str]:
        """What of the request had no effect. That nothing is no match is nothing to warn of."""
        asked = {
            "min_strength": self.min_strength not in (None, "weak"),
            "min_score": self.min_score is not None,
        }
        given = [name for name, is_given in asked.items() if is_given]
        if self.judge is not None or not given:
            return []
        return [
            f"{' and '.join(given)} had no effect: what the scores of {self.model} mean for this "
            "query was never measured."
        ]

    def notes(self, best: float | None, left: int) -> list[str]:
        """What a reader of the answer should know: `best` score before some were left out."""
        notes = [self.provisional] if self.provisional else []
        if not self.is_familiar:
            notes.append(f"{self.model} hardly knows these words: what it finds may be anything.")
        if self.judge is not None and best is not None and not left:
            likely = self.judge.probability(best)
            notes.append(f"Nothing is strong enough; the nearest has a score of {likely:.2f}.")
        return notes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to search, how much of it to answer, and what to say of it."""

    search: FrameSearch  # of files that filters leave
    familiarity: float | None  # of the words, see VisualEmbedder
    max_results: int
    page: AskedPage | None
    images: bool | Literal["url"]
    key_id: str  # of the licence key
    standing: Standing | None  # None: nobody asks what matches are worth
    details: bool


@dataclass(frozen=True, slots=True)
class _Details:
    """What a match says of itself where it is asked to."""

    score: float | None
    strength: Strength | None
    paths: list[MatchPlace]
    opens: dict[str, bool | None]  # by our path
    model_key: str
    people: list[PersonSeen]


def find_matches(scope: SearchScope, wanted: Wanted) -> Matches:
    """Blocks; raises as the index does, and BadInput for a cursor that is out of date."""
    began = time.monotonic()
    client_paths, standing = scope.client_paths(), wanted.standing
    page = _page(scope, wanted, client_paths)
    details: Sequence[_Details | None] = [None] * len(page.hits)
    unread: list[str] = []
    if standing and wanted.details:
        details, unread = _details(scope, page.hits, standing, began)
    pictures = _pictures(scope, page.hits, wanted, began)
    ours = {client: path for path, client in (scope.asked or {}).items()}
    of_hits = [
        [
            _match(hit, *picture, path, ours.get(path, hit.path), detail)
            for path in scope.places(hit.hash_str, hit.path)[places]
        ]
        for hit, picture, detail, places in zip(
            page.hits, pictures, details, page.all_places, strict=True
        )
    ]
    notes = None
    if standing and wanted.details:
        silence = _silence(scope, client_paths, wanted)
        notes = [*silence, *standing.notes(page.best, len(page.hits)), *map(left_out, unread)]
    answer = Matches(matches=[], notes=notes)
    if page.sizes is None:
        answer.matches = [match for of_hit in of_hits for match in of_hit][: wanted.max_results]
    else:
        answer.groups = [
            MatchGroup(media_path=group[0].video_path, hash_str=group[0].hash_str, matches=group)
            for group in grouped(of_hits, page.sizes)
        ]
    if wanted.page is not None:
        kept = KeptQuery.of(wanted.search.vectors, wanted.familiarity)
        answer.next = wanted.page.next(scope, wanted.search.model, page.ending, kept)
    return answer


def _page(scope: SearchScope, wanted: Wanted, client_paths: ClientPaths) -> HitPage[Hit]:
    standing, asked = wanted.standing, wanted.page

    def keeps(hit: Hit) -> bool:
        return standing is None or standing.keeps(hit.base)

    search = wanted.search
    falls = search.vectors.exclude is None
    picker: Picker[Hit] = TheBest(wanted.max_results, keeps, falls)
    if asked is not None:
        asked.check_current(scope, search.model)
        picker = asked.picker(scope, client_paths, keeps, falls)
        if asked.has_cursor and search.instead is not None:
            # Of more scenes, as each page would need, some come before the cursor.
            search.instead("a cursor needs the order of all frames")
            search = replace(search, instead=None)
    if client_paths is not None:
        hashes = set(client_paths) if search.hashes is None else search.hashes & set(client_paths)
        search = replace(search, hashes=hashes)
    if not falls and standing is not None:
        search = replace(search, least=standing.least)
    return scope.services.index.page(scope.view(), search, picker)


def _silence(
    scope: SearchScope, client_paths: dict[str, list[str]] | None, wanted: Wanted
) -> list[str]:
    """Why there may be no match, although what is looked for is there."""
    known = scope.view().announced(wanted.search.model).keys()
    if not known:
        return [f"Nothing in this cache folder is analyzed with {wanted.search.model} yet."]
    if client_paths is None:
        return []
    found = {path for hash_str in client_paths.keys() & known for path in client_paths[hash_str]}
    asked = (scope.asked or {}).values()
    silent = [
        path for path in asked if path not in found and media_type_of(path) is not MediaType.AUDIO
    ]
    if not silent:
        return []
    many = f", and {len(silent) - 1} more" if len(silent) > 1 else ""
    return [f"Not analyzed with {wanted.search.model}, or not there: {silent[0]}{many}."]


def _details(
    scope: SearchScope, hits: Sequence[Hit], standing: Standing, began: float
) -> tuple[Sequence[_Details], list[str]]:
    """With the names of collections that cannot be read."""
    judge, view = standing.judge, scope.view()
    places = scope.services.caches.places(view, [hit.hash_str for hit in hits], began)
    scenes = [(h.hash_str, h.scene.start, _scene_end(h)) for h in hits]
    seen, unread = people_seen(scope.services.people, view.cache, scenes)
    found = [
        _Details(
            None if judge is None else judge.probability(hit.base),
            None if judge is None else judge.strength(hit.base),
            match_places(scope, places[hit.hash_str]),
            dict(places[hit.hash_str]),
            standing.model,
            [
                PersonSeen(cluster_job_name=p.collection, cluster_id=str(p.cluster_id), name=p.name)
                for p in people
            ],
        )
        for hit, people in zip(hits, seen, strict=True)
    ]
    return found, unread


def match_places(scope: SearchScope, places: Sequence[Place]) -> list[MatchPlace]:
    """Places as the client knows them."""
    return [MatchPlace(path=scope.shown(path), online=opens) for path, opens in places]


def _pictures(
    scope: SearchScope, hits: Sequence[Hit], wanted: Wanted, began: float
) -> Sequence[tuple[str, str | None]]:
    """`image` and `image_url` of each hit."""
    services, cache = scope.services, scope.cache()
    if wanted.images == "url":
        signer = services.addresses.signer()
        place = services.settings.public_path + pictures_path
        roots = services.paths.key_roots
        signed = (
            SignedFrame(
                *(str(cache.root), hit.hash_str, hit.second, hit.scene.start, _scene_end(hit)),
                roots,
                wanted.key_id,
            )
            for hit in hits
        )
        return [("", f"{place}/{token_of(signer, frame)}") for frame in signed]
    if not wanted.images:
        return [("", None)] * len(hits)
    asked = [(hit.hash_str, hit.second) for hit in hits]
    previews = read_previews(scope.view(), asked, services.caches.reader(cache), began)
    return [(_encoded(jpeg or b""), None) for jpeg in previews]


def _scene_end(hit: Hit) -> int:
    # A still has the scene (0, 0), and its picture and faces in second 0.
    return max(hit.scene.end, hit.second + 1)


def _match(
    hit: Hit,
    image: str,
    image_url: str | None,
    path: str,
    ours: str | None,
    details: _Details | None,
) -> Match:
    """`path` in the client's form, `ours` as this machine opens it."""
    match = Match(
        frame_idx=str(hit.second),
        timestamp=timestamp(hit.second),
        image=image,
        image_url=image_url,
        scene_start_timestamp=timestamp(hit.scene.start),
        scene_end_timestamp=timestamp(hit.scene.end),
        original_index=hit.row,
        hash_str=hit.hash_str,
        video_path=path,
    )
    if details is not None:
        match.score, match.strength = details.score, details.strength
        match.paths, match.model_key = details.paths, details.model_key
        match.people = details.people
        # A file that is only known by what it holds was opened for that just now.
        match.online = opens_at(details.opens, ours) if ours else False
    return match


def _encoded(jpeg: bytes) -> str:
    """Base64 as JSON already: a text would be looked through for what must be escaped."""
    return cast(str, msgspec.Raw(b'"%b"' % pybase64.b64encode(jpeg)))


async def fill_bounds(scope: SearchScope, answer: Matches) -> None:
    """Fill in what is known, or found in a moment."""
    services = scope.services
    grouped = [match for group in answer.groups or () for match in group.matches]
    matches = [*answer.matches, *grouped]
    films = await services.folders.run(scope.cache_dir, _films, scope, matches)
    wanted: dict[str, dict[int, None]] = {hash_str: {} for hash_str in films}  # best match first
    for match in matches:
        if film := films.get(match.hash_str):
            scene = film.scene_at(int(match.frame_idx))
            wanted[match.hash_str].update(dict.fromkeys(_cuts(film, scene)))
    asked = [(films[hash_str], cuts) for hash_str, cuts in wanted.items()]
    found = await services.exact_cuts.find(asked, WAIT_S, services.paths.key_roots)
    known = dict(zip(wanted, found, strict=True))
    for match in matches:
        if film := films.get(match.hash_str):
            _fill(match, film, known[match.hash_str])


def _films(scope: SearchScope, matches: Sequence[Match]) -> dict[str, Film]:
    view, cache = scope.view(), scope.cache()
    hashes = list(dict.fromkeys(match.hash_str for match in matches))
    places = scope.services.caches.places(view, hashes, scope.began)

    def film_of(hash_str: str) -> Film | None:
        path = next((place.path for place in places[hash_str] if place.opens), None)
        return Film.of(cache, hash_str, path)

    films = zip(hashes, quick_map(view.reader, film_of, hashes), strict=True)
    return {hash_str: film for hash_str, film in films if film is not None}


def _cuts(film: Film, scene: Scene) -> list[int]:
    """The bounds of a scene that are cuts."""
    scenes = film.manifest.scenes
    found = [] if scene == scenes[0] else [scene.start]
    return found if scene == scenes[-1] else [*found, scene.end]


def _fill(match: Match, film: Film, known: Mapping[int, float]) -> None:
    manifest = film.manifest
    scene = film.scene_at(int(match.frame_idx))
    is_first, is_last = scene == manifest.scenes[0], scene == manifest.scenes[-1]
    match.cut_start_seconds = float(scene.start) if is_first else known.get(scene.start)
    length = manifest.probe.duration_seconds if manifest.probe else None
    match.cut_end_seconds = length if is_last else known.get(scene.end)
