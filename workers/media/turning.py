"""Turning decoded pictures upright: what a file says of its rotation is lost on encoding."""

from __future__ import annotations

from fractions import Fraction

from av.filter import Graph
from av.video.frame import VideoFrame

_TURNS = {
    90: (("transpose", "clock"),),
    180: (("hflip", None), ("vflip", None)),
    270: (("transpose", "cclock"),),
}


class Turner:
    """Turns pictures by a rotation, in clockwise degrees."""

    def __init__(self, rotation: int) -> None:
        self._turns = _TURNS.get(rotation, ())
        self.is_quarter = rotation in (90, 270)
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def turned(self, frame: VideoFrame) -> VideoFrame:
        """The picture upright; itself where nothing is to be turned."""
        if not self._turns:
            return frame
        shape = frame.width, frame.height, frame.format.name
        if self._graph is None or shape != self._shape:
            self._graph, self._shape = self._built(frame), shape
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _built(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        nodes = [
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base or Fraction(1, 1000),
            )
        ]
        nodes += [graph.add(name, args) for name, args in self._turns]
        nodes.append(graph.add("buffersink"))
        graph.link_nodes(*nodes).configure()
        return graph
