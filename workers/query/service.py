"""The query worker: answers at once what a request needs and the API must not do itself.

Lanes never wait for each other: texts go to the thread with the model, pictures and probes are
popped only when one of their child processes is free.
"""

from __future__ import annotations

import logging
import os
import threading
import time

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.cache.faces import FaceMark
from shared.domain import ModelKind
from shared.errors import BadInput, ModelError, ModelLoading, NoWorker, RedisAway, RushesError
from shared.ledger.ledger import LoadCount
from shared.models.model_catalogue import resolve
from shared.paths import Roots
from shared.process.periodic import Periodic
from shared.query.bounds import LONGEST_QUERY, MOST_TEXTS
from shared.query.messages import (
    EmbedFrame,
    EmbedPicture,
    EmbedQuestion,
    EmbedSentences,
    EmbedTexts,
    FindCuts,
    FindFaces,
    FindPictureFaces,
    FoundCuts,
    FoundFace,
    FoundFaces,
    Grabbed,
    GrabbedFrames,
    GrabFrame,
    GrabFrames,
    Lane,
    MakePreview,
    PreviewSegment,
    ProbeFile,
)
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import WorkerState
from shared.settings import Settings
from workers.analysis.face_quality import DETECTION_SIDE, marks, sharpness, shorter_side
from workers.children import Children, Unwanted
from workers.liveness import STALL_S
from workers.media.pictures import fit
from workers.model_reconciler import ModelReconciler
from workers.models.pool import ModelPool
from workers.models.protocols import FaceBox, FaceFinder
from workers.models.weights.fetcher import WeightsFetcher
from workers.presence.availability import Availability
from workers.preview.segment import make_segment
from workers.query import grab
from workers.query.consumer import LaneConsumer, PendingRequest
from workers.query.embed import Embedder, EmbedRequest

LONGEST_SIDE = 2 * DETECTION_SIDE  # of the picture that they are cut from

log = logging.getLogger(__name__)

_CHILDREN_A_LANE = 2
LIMIT_S = 15.0  # of one probe or picture, however long the caller would wait
_BEAT_S = 2.0
_LOOK_UP_S = 0.3
_REDIS_PAUSE_S = 0.5
_LEAST_S = 1.0  # that reading a picture may take
_LAST_ANSWERS_S = 4.0  # what takes longer at the end is asked again, or fails with its caller


class QueryService:
    """The query worker's process; every lane has its own threads and Redis connection."""

    def __init__(self, settings: Settings, *, limit_s: float = LIMIT_S) -> None:
        assert settings.redis_url, "workers are started with a Redis"
        self._settings = settings
        self._limit_s = limit_s
        self._roots = Roots.media(settings)
        self._client = connect(settings.redis_url)
        self._pool = ModelPool(settings)
        self._load_count = LoadCount(self._client, settings.instance)
        self._availability = Availability(settings)
        self._desired = ModelReconciler(
            settings, self._client, self._pool, self._availability, (ModelKind.VISUAL,)
        )
        self._embedder = Embedder(self._pool)
        self._grabbers = Children(_CHILDREN_A_LANE, grab.warm_up)
        self._probers = Children(_CHILDREN_A_LANE, grab.warm_up)
        self._previewers = Children(_CHILDREN_A_LANE, grab.warm_up)  # started when used
        self._asked_for: set[str] = set()
        self._stopping = False
        self._heart_beat = Periodic("beat", self._beat, _BEAT_S)
        self._heart = heartbeats.first_heartbeat("query", "loading")
        self._fetcher = WeightsFetcher(settings, self._client, self._heart.name)

    def shut_down(self) -> None:
        """Answer what is begun and end. Safe in a signal handler."""
        self._stopping = True

    def serve(self) -> int:
        """Answer requests until it is shut down; returns the exit status."""
        self._availability.start()
        self._embedder.start()
        self._fetcher.start()
        self._heart_beat.start()
        threads = self._start_threads()
        self._load_models()  # before the children: at the start all want the same cores
        self._grabbers.start()
        self._probers.start()
        while not self._stopping:
            self._load_models()
            time.sleep(_LOOK_UP_S)
        until = time.monotonic() + _LAST_ANSWERS_S
        for thread in threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        self._heart_beat.end(wait_s=_LAST_ANSWERS_S)
        self._availability.end()
        self._fetcher.end()
        self._embedder.close()
        self._grabbers.close()
        self._probers.close()
        self._previewers.close()
        self._pool.close()
        heartbeats.leave(self._client, self._settings.instance, self._heart.name)
        log.info("Query worker %s has ended", self._heart.name)
        return 0

    def _start_threads(self) -> list[threading.Thread]:
        counts = {
            Lane.EMBED: 1,
            Lane.FACES: 1,
            Lane.GRAB: _CHILDREN_A_LANE,
            Lane.PROBE: _CHILDREN_A_LANE,
            Lane.PREVIEW: _CHILDREN_A_LANE,
        }
        threads = [
            threading.Thread(target=self._follow, args=(lane,), name=f"lane-{lane}", daemon=True)
            for lane, count in counts.items()
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _load_models(self) -> None:
        """Load the models that all should have, then those that single requests have named."""
        try:
            self._desired.reconcile(lambda message: self._say("loading", message))
        except RedisAway as error:
            log.debug("Redis is away: %s", error)
        for key in tuple(self._asked_for):
            if self._desired.side_of(key) is None:
                self._say("loading", f"Loading the model {key}.")
                self._desired.load(key)
            self._asked_for.discard(key)
        self._say("idle")

    def _follow(self, lane: Lane) -> None:
        """One thread of a lane: take requests and answer them, for ever."""
        url = self._settings.redis_url
        assert url
        consumer = LaneConsumer(url, self._settings.instance, lane)
        while not self._stopping:
            try:
                request = consumer.take()
            except RedisAway as error:
                log.debug("Redis is away: %s", error)
                time.sleep(_REDIS_PAUSE_S)
                continue
            if request is None:
                continue
            with request.traced():
                self._answer(lane, request)
        consumer.close()

    def _answer(self, lane: Lane, request: PendingRequest) -> None:
        """Answer any question, whatever its lane; vectors come later, from the model's thread."""
        # A child that is killed costs the next question a second; so it gets one at the least.
        limit_s = min(self._limit_s, max(_LEAST_S, request.within_s))
        try:
            self._reply(request, limit_s)
        except RushesError as error:
            request.reply(error)
        except Unwanted:
            request.drop()
        except (KeyError, TypeError, ValueError) as error:  # what decoders raise for odd files, too
            log.exception("A question of the lane %s was not understood", lane)
            request.reply(BadInput(f"The question was not understood: {error}"))
        except Exception as error:  # of ours; without its thread the lane would have no worker
            log.exception("A question of the lane %s failed", lane)
            request.reply(RushesError(f"An internal error: {type(error).__name__}: {error}"))

    def _reply(self, request: PendingRequest, limit_s: float) -> None:
        """Reply to a question. Raises RushesError, Unwanted, and what decoders raise."""
        match request.question:
            case ProbeFile(path=path, roots=of_key):
                roots = self._roots.within(of_key)
                request.reply(self._probers.run(limit_s, grab.probe_file, roots, path))
            case GrabFrame(path=path, seconds=seconds, long_side=side, roots=of_key):
                roots = self._roots.within(of_key)
                jpeg = self._grabbers.run(limit_s, grab.jpeg_at, roots, path, seconds, side)
                request.reply(Grabbed(jpeg=jpeg))
            case GrabFrames(path=path, seconds=stretch, long_side=side, roots=of_key):
                roots = self._roots.within(of_key)
                jpegs, following = self._grabbers.run(
                    limit_s, grab.jpegs_within, roots, path, stretch, side
                )
                request.reply(GrabbedFrames(jpegs=tuple(jpegs), next=following))
            case FindCuts(path=path, seconds=pairs, roots=of_key):
                roots = self._roots.within(of_key)
                found = self._grabbers.run(limit_s, grab.cuts_between, roots, path, pairs)
                request.reply(FoundCuts(places=tuple(found)))
            case MakePreview() if request.within_s < self._limit_s:
                # It would end in the midst, as if the file could not be read.
                raise NoWorker("Too many previews are being made; retry shortly.")
            case MakePreview(roots=of_key) as asked:
                roots = self._roots.within(of_key)
                run = self._previewers.run_while
                mp4 = run(request.is_wanted, limit_s, make_segment, roots, asked)
                request.reply(PreviewSegment(mp4=mp4))
            case FindFaces(path=path, face_model=model, roots=of_key):
                roots = self._roots.within(of_key)
                rgb = self._grabbers.run(limit_s, grab.rgb_within, roots, path, LONGEST_SIDE)
                request.reply(find_faces(self._pool, model, rgb))
            case FindPictureFaces(picture=picture, face_model=model):
                rgb = self._grabbers.run(limit_s, grab.rgb_of_picture, picture, LONGEST_SIDE)
                request.reply(find_faces(self._pool, model, rgb))
            case question:
                self._embedder.put(self._prepared(question, request, limit_s))

    def _prepared(
        self, question: EmbedQuestion, request: PendingRequest, limit_s: float
    ) -> EmbedRequest:
        """An EmbedRequest for the model's thread, its picture decoded."""
        until = time.monotonic() + request.within_s
        key, side = self._ready_model(question.model)
        match question:
            case EmbedTexts(texts=texts) | EmbedSentences(sentences=texts):
                _check_texts(texts)
                are_sentences = isinstance(question, EmbedSentences)
                return EmbedRequest(
                    key, request.reply, until, texts=texts, are_sentences=are_sentences
                )
            case EmbedPicture(image=image):
                rgb = self._grabbers.run(limit_s, grab.rgb_of_bytes, image, side)
            case EmbedFrame(path=path, seconds=seconds, roots=of_key):
                roots = self._roots.within(of_key)
                rgb = self._grabbers.run(limit_s, grab.rgb_at, roots, path, seconds, side)
        return EmbedRequest(key, request.reply, until, picture=rgb)

    def _ready_model(self, wanted: str) -> tuple[str, int]:
        """Key and picture side of a loaded model; else notes the wish and raises ModelLoading."""
        key = resolve(self._settings, ModelKind.VISUAL, wanted).key
        side = self._desired.side_of(key)
        if side is not None:
            return key, side
        if error := self._desired.error_of(key):
            raise ModelError(error)
        self._asked_for.add(key)
        raise ModelLoading

    def _say(self, state: WorkerState, message: str = "") -> None:
        is_news = state != self._heart.state
        self._heart = msgspec.structs.replace(self._heart, state=state, message=message)
        if is_news:
            self._heart_beat.wake()

    def _beat(self) -> None:
        """Publish heartbeats; end the process when the model's thread hangs in native code."""
        if self._embedder.busy_s() > STALL_S:
            log.critical("The model has not answered for %.0f s: ending", STALL_S)
            os._exit(1)
        heart = msgspec.structs.replace(
            self._heart,
            models=self._desired.states(),
            held=self._pool.held(),
            roots=self._availability.roots(),
        )
        heartbeats.publish(self._client, self._settings.instance, heart)
        self._load_count.tell(self._pool.loads)


def _check_texts(texts: tuple[str, ...]) -> None:
    """Raise BadInput for texts that cannot be embedded, or are too many."""
    if not texts:
        raise BadInput("There is no text to embed.")
    if len(texts) > MOST_TEXTS:
        raise BadInput(f"There are {len(texts):,} texts; ask for at most {MOST_TEXTS}.")
    if max(map(len, texts)) > LONGEST_QUERY:
        raise BadInput(f"A text may have at most {LONGEST_QUERY:,} characters.")


def find_faces(pool: ModelPool, model: str, rgb: NDArray[np.uint8]) -> FoundFaces:
    """Every face in an upright picture of up to LONGEST_SIDE. Raises ModelError.

    The model is loaded first where it is not.
    """
    height, width = rgb.shape[:2]
    size = fit(width, height, DETECTION_SIDE)
    small = rgb
    if size != (width, height):
        small = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))
    with pool.lend(ModelKind.FACES, model) as finder:
        boxes = [face.scaled(width / size[0]) for face in finder.detect(small)]
        return FoundFaces(faces=tuple(_found(finder, rgb, box) for box in boxes))


def _found(finder: FaceFinder, rgb: NDArray[np.uint8], face: FaceBox) -> FoundFace:
    aligned = finder.align(rgb, face)
    found = marks(shorter_side(face), sharpness(aligned), face.landmarks)
    (row,) = finder.embed(aligned[None])
    return FoundFace(
        vector=row.astype("<f2").tobytes(),
        is_small=FaceMark.SMALL in found,
        is_blurred=FaceMark.BLURRED in found,
        is_turned=FaceMark.TURNED in found,
    )
