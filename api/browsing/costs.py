"""What work costs: seconds by what this server measured, bytes by what docs/sizing.md measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from api.browsing.lengths import Length
from api.browsing.looking import LyingFile
from shared.domain import ProgressType
from shared.ledger.ledger import MeasuredSpeed, Rates, Unit, WorkKind
from shared.ledger.records import STILLS_PER_ITEM
from shared.media import MediaType

# The table "Cache" of docs/sizing.md; of pictures what it says to reckon with.
PICTURE_BYTES_AN_HOUR = 100e6
SPEECH_BYTES_AN_HOUR = 1.6e6
STILL_BYTES = 100e6 / 3600  # as much as a picture of the grid
_LITTLE_S = 60.0  # of work that was measured
_NAMES = {ProgressType.VIDEO: "pictures", ProgressType.FACES: "faces", ProgressType.AUDIO: "speech"}
_PICTURES = (ProgressType.VIDEO, ProgressType.FACES)


class ToDo(NamedTuple):
    """A file with the parts that are to be made of it; its length, if it has one that is known."""

    file: LyingFile
    parts: tuple[ProgressType, ...]
    length: Length | None


@dataclass(slots=True)
class Cost:
    """Of some files. `seconds` of one worker alone; None: nothing tells."""

    seconds: float | None = 0.0
    longest: float = 0.0  # of one file
    items: int = 0
    disk_bytes: float | None = 0.0
    measured: dict[WorkKind, MeasuredSpeed] = field(default_factory=dict)
    unmeasured: list[WorkKind] = field(default_factory=list)

    def with_workers(self, workers: int) -> float | None:
        """Seconds that it takes where so many work side by side."""
        at_once = min(workers, self.items)
        if self.seconds is None or not workers:
            return None
        return max(self.seconds / at_once, self.longest) if at_once else 0.0

    def basis(self) -> str:
        """What the seconds rest on, in words."""
        if self.unmeasured:
            names = " and ".join(dict.fromkeys(_in_words(kind) for kind in self.unmeasured))
            models = " and ".join(sorted({key for k in self.unmeasured for _, key in k.models}))
            return (
                f"How long {names} with {models} would take is not known: this server has not "
                "measured that yet. Analyze something first."
            )
        if not self.measured:
            return "There is nothing to do."
        told = ", ".join(_speed(kind, rate) for kind, rate in self.measured.items())
        little = min(rate.seconds for rate in self.measured.values())
        doubt = f" That is of {little:.0f} s of work only." if little < _LITTLE_S else ""
        return f"Measured on this server: {told}.{doubt}"


def cost_of(work: Iterable[ToDo], models: Mapping[ProgressType, str], rates: Rates) -> Cost:
    """Return what all of it costs together."""
    cost, stills = Cost(), 0
    kinds: dict[tuple[Unit, tuple[ProgressType, ...]], WorkKind] = {}
    for todo in work:
        is_still = todo.file.media_type is MediaType.IMAGE
        unit: Unit = "stills" if is_still else "footage"
        stills += is_still
        cost.items += not is_still
        of_file = 0.0
        for parts, amount, size in _passes(todo, is_still=is_still):
            if (kind := kinds.get((unit, parts))) is None:
                kind = kinds[unit, parts] = WorkKind.of(unit, {p: models[p] for p in parts})
            speed = _learn(cost, kind, rates)
            if amount is None or speed is None:
                cost.seconds = None
            else:
                of_file += amount / speed
            if amount is None or cost.disk_bytes is None:
                cost.disk_bytes = None
            else:
                cost.disk_bytes += amount * size
        if cost.seconds is not None:
            cost.seconds += of_file
            cost.longest = max(cost.longest, of_file)
    cost.items += math.ceil(stills / STILLS_PER_ITEM)
    return cost


def _passes(
    todo: ToDo, *, is_still: bool
) -> Iterator[tuple[tuple[ProgressType, ...], float | None, float]]:
    """Yield what is made of pictures together, then of sound: parts, amount, bytes for each."""
    pictures = tuple(part for part in todo.parts if part in _PICTURES)
    sound = tuple(part for part in todo.parts if part not in _PICTURES)
    seconds = None if todo.length is None else todo.length.seconds
    sound_seconds = None if todo.length is None else todo.length.sound_seconds
    if pictures and is_still:
        yield pictures, 1.0, STILL_BYTES
    elif pictures and seconds != 0:
        yield pictures, seconds, PICTURE_BYTES_AN_HOUR / 3600
    if sound and sound_seconds != 0:
        yield sound, sound_seconds, SPEECH_BYTES_AN_HOUR / 3600


def _learn(cost: Cost, kind: WorkKind, rates: Rates) -> float | None:
    if kind not in cost.measured and kind not in cost.unmeasured:
        # A still takes about as long as a second of footage, of which one picture is seen.
        if rate := rates.of(kind) or rates.of(kind._replace(unit="footage")):
            cost.measured[kind] = rate
        else:
            cost.unmeasured.append(kind)
    return cost.measured[kind].speed if kind in cost.measured else None


def _speed(kind: WorkKind, rate: MeasuredSpeed) -> str:
    speed = f"{rate.speed:.1f}" if rate.speed < 10 else f"{rate.speed:,.0f}"
    if kind.unit == "stills":
        return f"{_in_words(kind)} {speed} a second"
    return f"{_in_words(kind)} {speed} times as fast as the footage plays"


def _in_words(kind: WorkKind) -> str:
    parts = sorted({part for part, _ in kind.models}, key=list(_NAMES).index)
    names = " and ".join(_NAMES[part] for part in parts)
    return f"{names} of stills" if kind.unit == "stills" else names
