"""Makes a model pack in insightface's form whose "faces" are rectangles of red, green or blue.

The detector has SCRFD's inputs and outputs, the recognition network ArcFace's, so that all of
insightface's own code around them runs. No weights: a pixel is in a face by its colour, a
face reaches as far as its pixels are in one, and a vector tells the colour.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from workers.models.weights.onnx_graphs import OnnxGraph

_LONGEST = 10  # doublings: faces of up to 2 ** 10 pixels
_LEAST = 17  # pixels: noise makes smaller ones
_STRIDES = (8, 16, 32)
# Eyes, nose and mouth in a face, as parts of its width and height.
LANDMARKS = ((0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75))
DIM = 512


def make_pack(folder: Path) -> Path:
    folder.mkdir(parents=True)
    onnx.save(detector(), folder / "det_tiny.onnx")
    onnx.save(recognition(), folder / "w600k_tiny.onnx")
    return folder


def detector(*, landmarks: bool = True) -> onnx.ModelProto:
    """[1, 3, h, w] -> for each stride scores, boxes and, last, landmarks, two anchors a place."""
    graph = OnnxGraph()
    inside = _painted(graph)
    reach = {name: _reach(graph, inside, *way) for name, way in _WAYS.items()}
    kinds = 3 if landmarks else 2
    outputs: list[list[str]] = [[] for _ in range(kinds)]
    for stride in _STRIDES:
        sides = {name: _sampled(graph, value, stride) for name, value in reach.items()}
        for kind, rows in enumerate(_rows(graph, sides, stride)[:kinds]):
            outputs[kind].append(rows)
    flat = [name for kind in outputs for name in kind]
    widths = [width for width in (1, 4, 10)[:kinds] for _ in _STRIDES]
    outputs_by_name = {name: [None, width] for name, width in zip(flat, widths, strict=True)}
    return graph.model("tiny_scrfd", {"input": [1, 3, "height", "width"]}, outputs_by_name)


def _painted(graph: OnnxGraph) -> str:
    """[1, 1, h, w]: 1 where a pixel is red, green or blue and nothing else."""

    def is_over(value: str, least: float) -> str:
        return graph.add("Greater", value, graph.constant(np.array(least, np.float32)))

    strongest = graph.add("ReduceMax", "input", axes=[1], keepdims=1)
    weakest = graph.add("ReduceMin", "input", axes=[1], keepdims=1)
    total = graph.add("ReduceSum", "input", graph.constant(np.array([1], np.int64)), keepdims=1)
    second = graph.add("Sub", graph.add("Sub", total, strongest), weakest)
    is_pure = graph.add("And", is_over(strongest, 0.5), is_over(graph.add("Neg", second), 0.5))
    return graph.add("Cast", is_pure, to=TensorProto.FLOAT)


def recognition(side: int = 112, batch: int | str = "n") -> onnx.ModelProto:
    """[n, 3, side, side] -> [n, 512]: where the picture's mean colour points."""
    graph = OnnxGraph()
    colour = graph.add("Flatten", graph.add("GlobalAveragePool", "input"))
    spread = np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32)
    graph.add("MatMul", colour, graph.constant(spread), output="rows")
    return graph.model("tiny_arcface", {"input": [batch, 3, side, side]}, {"rows": [batch, DIM]})


# Axis, and on which side of it the neighbour is that is looked at.
_WAYS = {"left": (3, True), "top": (2, True), "right": (3, False), "bottom": (2, False)}


def _reach(graph: OnnxGraph, inside: str, axis: int, before: bool) -> str:
    """How many pixels in a row are inside, from each one to that side, itself included.

    By doubling: what reaches k pixels, all inside, reaches as far as the pixel k further on, too.
    """
    reach = inside
    for doubling in range(_LONGEST):
        step = 2**doubling
        further = _shifted(graph, reach, axis, step if before else -step)
        full = graph.add("Equal", reach, graph.constant(np.array(step, np.float32)))
        gain = graph.add("Mul", further, graph.add("Cast", full, to=TensorProto.FLOAT))
        reach = graph.add("Add", reach, gain)
    return reach


def _shifted(graph: OnnxGraph, values: str, axis: int, by: int) -> str:
    """The values moved along an axis; zeros come in."""
    pads = np.zeros(8, np.int64)
    pads[axis if by > 0 else axis + 4] = abs(by)
    padded = graph.add("Pad", values, graph.constant(pads))
    start, end = (0, -by) if by > 0 else (-by, 2**30)
    return graph.add(
        "Slice", padded, *(graph.constant(np.array([v], np.int64)) for v in (start, end, axis))
    )


def _sampled(graph: OnnxGraph, values: str, stride: int) -> str:
    """One value of each cell of the grid, the first, in a column."""
    cut = [(0, 0), (2**30, 2**30), (2, 3), (stride, stride)]
    picked = graph.add("Slice", values, *(graph.constant(np.array(v, np.int64)) for v in cut))
    return graph.add("Reshape", picked, graph.constant(np.array([-1, 1], np.int64)))


def _rows(graph: OnnxGraph, sides: dict[str, str], stride: int) -> tuple[str, str, str]:
    """Scores, distances to the box's sides, and to the landmarks, in strides."""

    def number(value: float) -> str:
        return graph.constant(np.array(value, np.float32))

    width = graph.add("Add", sides["left"], sides["right"])
    height = graph.add("Add", sides["top"], sides["bottom"])
    off = []
    for one, other, whole in (("left", "right", width), ("top", "bottom", height)):
        apart = graph.add("Abs", graph.add("Sub", sides[one], sides[other]))
        off.append(graph.add("Div", apart, graph.add("Max", whole, number(1))))
    # 1 in the middle, 0 at the edges and where no face is.
    middle = graph.add("Sub", number(1), graph.add("Max", *off))
    narrower = graph.add("Min", width, height)
    is_large = graph.add(
        "Cast", graph.add("Greater", narrower, number(_LEAST)), to=TensorProto.FLOAT
    )
    is_face = graph.add("Mul", graph.add("Min", sides["left"], number(1)), is_large)
    score = graph.add("Mul", middle, is_face)
    box = [sides[name] for name in ("left", "top", "right", "bottom")]
    points = []
    for across, down in LANDMARKS:
        for whole, before, part in ((width, "left", across), (height, "top", down)):
            points.append(graph.add("Sub", graph.add("Mul", whole, number(part)), sides[before]))
    second = graph.add("Mul", score, number(0))  # the other anchor of each place finds nothing
    strides = number(stride)
    return (
        _two_anchors(graph, [score, second], 1),
        graph.add("Div", _two_anchors(graph, box + box, 4), strides),
        graph.add("Div", _two_anchors(graph, points + points, 10), strides),
    )


def _two_anchors(graph: OnnxGraph, columns: list[str], width: int) -> str:
    wide = graph.add("Concat", *columns, axis=1)
    return graph.add("Reshape", wide, graph.constant(np.array([-1, width], np.int64)))
