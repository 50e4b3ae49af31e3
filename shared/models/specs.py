"""Facts of a model: kind, licence, where its weights come from."""

from __future__ import annotations

import msgspec

from shared.domain import ModelKind
from shared.models.scores import ScoreScale

DEFAULT_EPS = 0.48  # the best point of every face model, by its FaceScale
DEFAULT_MIN_SAMPLES = 5  # faces that make a person


class FaceScale(msgspec.Struct, frozen=True, kw_only=True):
    """Meaning of cosines between a face model's unit rows, measured on labelled pictures.

    `person` is the cosine from which two faces count as one person at the default eps. From
    `track` on two faces are near-duplicates, of one moment.
    """

    person: float
    track: float

    def same_person(self, eps: float) -> float:
        """The cosine that `eps` asks for: distances grow with it, from 0 through the default."""
        return 1 - (1 - self.person) * eps / DEFAULT_EPS


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One model variant; `key` is the public `model_key` and is safe in file names."""

    key: str
    kind: ModelKind
    family: str  # which adapter loads it: "conse", "open_clip", …
    display_name: str
    dim: int | None = None
    resolution: int | None = None  # pixels
    languages: tuple[str, ...] = ()
    multilingual: bool = False
    size_bytes: int | None = None
    licence: str = ""
    commercial_use: bool | None = None  # None: unknown
    source: str = ""  # one line for people: registry package, hub repository or local folder
    limits: str = ""  # what it cannot do, in one honest sentence
    architecture: str = ""  # the library's own name of the model, e.g. "ViT-B-32"
    pretrained: str = ""  # the library's tag of the weights; "" for local files
    weights: str = ""  # absolute path of a local folder or file with the weights
    faces: FaceScale | None = None  # of face models
    scores: ScoreScale | None = None  # of visual models that were measured
