"""Packets of sound in a range: PCM cut at the sample, others whole."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.packet import Packet

from workers.export.merging import Timed
from workers.export.planning import ClipPlan
from workers.export.reading import Damage, sound_from
from workers.export.sound.codecs import pcm_name
from workers.export.source import ClipSource

_RUN_UP = 2  # packets that decoders need to be right; hidden by the edit list
_LATE_S = Fraction(3)  # streams lie beside each other in a file, at most so far apart


def copied_sound(
    source: ClipSource, targets: dict[int, Any], planned: ClipPlan, damage: Damage
) -> Iterator[Timed]:
    """Packets of all chosen sound with times counted from the in-point."""
    begins = source.origin + planned.start
    ends = source.origin + planned.end
    tracks = {s.index: _CopiedTrack(s, begins, ends, planned) for s in source.sounds}
    for packet in sound_from(source, begins, damage):
        if packet.pts is None:
            continue
        seconds = packet.pts * packet.time_base
        if all(t.is_done for t in tracks.values()) or seconds > ends + _LATE_S:
            return
        track = tracks.get(packet.stream_index)
        for taken in track.taken(packet) if track is not None else ():
            taken.stream = targets[packet.stream_index]
            assert taken.dts is not None
            yield taken.dts * taken.time_base, taken


class _CopiedTrack:
    """One stream of sound in the range."""

    def __init__(
        self, stream: AudioStream, begins: Fraction, ends: Fraction, planned: ClipPlan
    ) -> None:
        self.is_done = False
        self._begins, self._ends = begins, ends
        self._rate = stream.sample_rate
        self._block = _block(stream)
        base = stream.time_base or Fraction(1, self._rate)
        self._shift = round(begins / base)
        hides = planned.form.has_edit_list
        self._run_up = _RUN_UP if hides else 0
        self._whole_only = not hides
        self._last = 0  # decode time of the last one

    def taken(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        assert packet.pts is not None
        start = packet.pts * packet.time_base
        length = self._length(packet)
        if start >= self._ends:
            self.is_done = True
            return
        if self._block:
            packet = self._sliced(packet, start, length)
        elif (self._whole_only and start < self._begins - packet.time_base) or start + length * (
            1 + self._run_up
        ) <= self._begins:
            return
        if packet.size:
            assert packet.pts is not None
            packet.pts -= self._shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - self._shift
            yield packet

    def _length(self, packet: Packet[Any]) -> Fraction:
        if self._block:
            return Fraction(packet.size // self._block, self._rate)
        return (packet.duration or 0) * packet.time_base

    def _sliced(self, packet: Packet[Any], start: Fraction, length: Fraction) -> Packet[Any]:
        """The part of a packet whose samples are in the range."""
        rate = self._rate
        skipped = max(0, math.ceil((self._begins - start) * rate - Fraction(1, 2)))
        kept = math.ceil((min(self._ends, start + length) - start) * rate - Fraction(1, 2))
        samples = packet.size // self._block
        if skipped <= 0 and kept >= samples:
            return packet
        data = bytes(packet)[skipped * self._block : max(skipped, kept) * self._block]
        part: Packet[Any] = Packet(data)
        assert packet.pts is not None
        part.time_base = packet.time_base
        part.pts = part.dts = packet.pts + round(Fraction(skipped, rate) / packet.time_base)
        part.duration = round(Fraction(max(0, kept - skipped), rate) / packet.time_base)
        part.is_keyframe = True
        return part


def _block(stream: AudioStream) -> int:
    """Bytes of one sample of all channels; 0: the packets of the stream cannot be cut."""
    name = pcm_name(stream)
    if not name:
        return 0
    bits = re.search(r"\d+", name)
    return stream.channels * (int(bits[0]) // 8 if bits else 1)
