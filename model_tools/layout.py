"""Where the boxes and arrows of a recipe go: one row from left to right, skips as arcs above."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, replace

from model_tools.recipe import Node, Recipe

WIDTH_PX = 900
MARGIN = 26
BAR, JOIN = 29, 18
SHORTEST_BAR, PER_HALVING = 66, 8  # a bar's height says the size of its image
LOWEST_BLOCK, NARROWEST_BLOCK = 96, 96
TITLE, DETAIL = 12.5, 10  # sizes of a block's letters
GAP, WIDEST_GAP = 14, 46
LEVEL = 13
SHADOW = 4  # offset of each box behind a repeated one
LETTER = 0.56  # mean width of a letter over the font's size


@dataclass(frozen=True)
class Box:
    """A node with its place.

    Attributes:
        node: What it stands for.
        width: px.
        height: px, symmetric to the row's middle.
        lines: Its text.
        x: Its centre, px from the left.
    """

    node: Node
    width: float
    height: float
    lines: tuple[str, ...]
    x: float = 0.0

    @property
    def behind(self) -> float:
        """By how much the boxes behind a repeated one stand out, px."""
        return 2 * SHADOW if self.node.repeats > 1 else 0

    @property
    def top(self) -> float:
        """Upper end, px above the row's middle (negative), boxes behind it included."""
        return -self.height / 2 - self.behind


@dataclass(frozen=True)
class Arc:
    """A connection above the row.

    Attributes:
        start: Position of the box it leaves.
        end: Position of the box it enters.
        x1: Where it leaves, px.
        x2: Where it enters, px.
        level: Height of its level part, px above the row's middle (negative).
    """

    start: int
    end: int
    x1: float = 0.0
    x2: float = 0.0
    level: float = 0.0


@dataclass(frozen=True)
class Layout:
    """A recipe with places.

    Attributes:
        boxes: The row.
        links: Left ones of the neighbours in the row that are connected.
        arcs: All other connections.
        width: Of the picture, px.
    """

    boxes: tuple[Box, ...]
    links: tuple[int, ...]
    arcs: tuple[Arc, ...]
    width: float


def lay_out(recipe: Recipe) -> Layout:
    """Give every box and arrow of a recipe its place."""
    boxes, width = _placed([_box(node) for node in recipe.nodes])
    links = tuple(a for a, b in recipe.edges if b == a + 1)
    arcs = [Arc(a, b) for a, b in recipe.edges if b > a + 1]
    return Layout(tuple(boxes), links, tuple(_levelled(_ended(arcs, boxes), boxes)), width)


def text_width(text: str, size: float) -> float:
    """About the width of a line of text, px."""
    return LETTER * size * len(text)


def _box(node: Node) -> Box:
    if node.kind == "join":
        return Box(node, JOIN, JOIN, (node.label,))
    height = SHORTEST_BAR + PER_HALVING * math.log2(max(node.shape[0], 1))
    if node.kind != "block":
        return Box(node, BAR, height, (node.label, node.activation))
    title = textwrap.wrap(node.label, 15) + ([f"× {node.repeats}"] if node.repeats > 1 else [])
    widths = [text_width(line, TITLE) for line in title]
    widths += [text_width(line, DETAIL) for line in node.details]
    height = max(height, LOWEST_BLOCK, 16 * len(title) + 14 * len(node.details) + 24)
    return Box(node, max(max(widths) + 18, NARROWEST_BLOCK), height, tuple(title))


def _placed(boxes: list[Box]) -> tuple[list[Box], float]:
    """Boxes side by side; narrow rows are spread and centred."""
    # fsum rounds once: sum does so otherwise from Python 3.12 on, and pictures are compared.
    used, gaps = math.fsum(box.width for box in boxes), len(boxes) - 1
    gap = min(max((WIDTH_PX - 2 * MARGIN - used) / gaps, GAP), WIDEST_GAP)
    total = max(used + gap * gaps + 2 * MARGIN, WIDTH_PX)
    x, placed = (total - used - gap * gaps) / 2, []
    for box in boxes:
        placed.append(replace(box, x=x + box.width / 2))
        x += box.width + gap
    return placed, total


def _ended(arcs: list[Arc], boxes: list[Box]) -> list[Arc]:
    """Give arcs their ends: side by side on a box's upper edge, so that none cross there."""
    ends: dict[tuple[Arc, int], float] = {}
    for position, box in enumerate(boxes):
        # From left to right: the arriving, nearest first; then the leaving, farthest first.
        here = sorted((a for a in arcs if a.end == position), key=lambda arc: -arc.start)
        here += sorted((a for a in arcs if a.start == position), key=lambda arc: -arc.end)
        step = min(8.0, (box.width - 6) / max(len(here), 1))
        for number, arc in enumerate(here):
            ends[arc, position] = box.x + (number - (len(here) - 1) / 2) * step
    return [replace(arc, x1=ends[arc, arc.start], x2=ends[arc, arc.end]) for arc in arcs]


def _levelled(arcs: list[Arc], boxes: list[Box]) -> list[Arc]:
    """Give every arc a height above all it spans; short ones lie below long ones."""
    done: list[Arc] = []
    for arc in sorted(arcs, key=lambda arc: (arc.end - arc.start, arc.start)):
        below = [box.top for box in boxes[arc.start : arc.end + 1]]
        below += [other.level for other in done if other.x1 < arc.x2 and arc.x1 < other.x2]
        done.append(replace(arc, level=min(below) - LEVEL))
    return done
