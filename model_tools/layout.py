"""Where the boxes and arrows of a recipe go: one row from left to right, skips as arcs above."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

from model_tools.recipe import Node, Recipe

WIDTH_PX = 900
MARGIN = 26
BAR, JOIN = 29, 18
SHORTEST_BAR, PER_HALVING = 66, 8  # a bar's height says the size of its image
LOWEST_BLOCK, NARROWEST_BLOCK = 96, 96
GAP, WIDEST_GAP = 17, 46
JOIN_GAP = 0.65  # share of a gap beside a join
LEVEL, PILL_LEVEL, PILL = 13, 25, 20
SHADOW = 4  # offset of each box behind a repeated one
LETTER = 0.56  # mean width of a letter over the font's size


@dataclass(frozen=True)
class Box:
    """A node with its place.

    Attributes:
        node: What it stands for.
        x: Its centre, px from the left.
        width: px.
        height: px, symmetric to the row's middle.
        lines: Its text.
    """

    node: Node
    x: float
    width: float
    height: float
    lines: tuple[str, ...]

    @property
    def top(self) -> float:
        """Upper end, px above the row's middle (negative), boxes behind it included."""
        behind = 2 * SHADOW if self.node.repeats > 1 else 0
        return -self.height / 2 - behind


@dataclass(frozen=True)
class Arc:
    """A connection above the row.

    Attributes:
        start: Position of the box it leaves.
        end: Position of the box it enters.
        carried: Boxes on the way, drawn onto the arc.
        x1: Where it leaves, px.
        x2: Where it enters, px.
        level: Height of its level part, px above the row's middle (negative).
    """

    start: int
    end: int
    carried: tuple[Node, ...] = ()
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
    row, links, arcs = _row_and_arcs(recipe)
    boxes, width = _placed([recipe.nodes[index] for index in row])
    return Layout(tuple(boxes), links, tuple(_levelled(_ended(arcs, boxes), boxes)), width)


def _row_and_arcs(recipe: Recipe) -> tuple[list[int], tuple[int, ...], list[Arc]]:
    """Nodes in the row, which of them lead to their neighbour, and all other connections.

    The row is the longest way through the network. What lies beside it in plain chains is carried
    by arcs; where there is anything else beside it, the row is all nodes.
    """
    row = _longest(recipe)
    chains = _chains(recipe, set(row))
    if chains is None:
        row, chains = list(range(len(recipe.nodes))), []
    place = {index: position for position, index in enumerate(row)}
    arcs = [
        Arc(place[chain[0]], place[chain[-1]], tuple(recipe.nodes[i] for i in chain[1:-1]))
        for chain in chains
    ]
    direct = [(place[a], place[b]) for a, b in recipe.edges if a in place and b in place]
    links = tuple(a for a, b in direct if b == a + 1)
    return row, links, arcs + [Arc(a, b) for a, b in direct if b != a + 1]


def _longest(recipe: Recipe) -> list[int]:
    before: dict[int, list[int]] = {}
    for index in range(len(recipe.nodes)):
        # Arrows point forward: all ways to what comes before are known by now.
        ways = [before[a] for a, b in recipe.edges if b == index]
        before[index] = [*max(ways, key=len, default=[]), index]
    return before[len(recipe.nodes) - 1]


def _chains(recipe: Recipe, row: set[int]) -> list[list[int]] | None:
    """Ways beside the row, from row to row; None where one branches."""
    after: dict[int, list[int]] = {index: [] for index in range(len(recipe.nodes))}
    before: dict[int, list[int]] = {index: [] for index in range(len(recipe.nodes))}
    for a, b in recipe.edges:
        after[a].append(b)
        before[b].append(a)
    beside = [index for index in range(len(recipe.nodes)) if index not in row]
    if any(len(after[index]) != 1 or len(before[index]) != 1 for index in beside):
        return None
    chains = []
    for index in beside:
        if before[index][0] in row:
            chain = [before[index][0], index]
            while chain[-1] not in row:
                chain.append(after[chain[-1]][0])
            chains.append(chain)
    return chains


def _placed(nodes: list[Node]) -> tuple[list[Box], float]:
    """Boxes side by side; narrow rows are spread and centred."""
    boxes = [_box(node) for node in nodes]
    shares = [
        JOIN_GAP if "join" in (left.kind, right.kind) else 1.0
        for left, right in itertools.pairwise(nodes)
    ]
    # fsum rounds once: sum does so otherwise from Python 3.12 on, and pictures are compared.
    used, gaps = math.fsum(box.width for box in boxes), math.fsum(shares)
    gap = min(max((WIDTH_PX - 2 * MARGIN - used) / gaps, GAP), WIDEST_GAP)
    total = max(used + gap * gaps + 2 * MARGIN, WIDTH_PX)
    x = (total - used - gap * gaps) / 2
    placed = []
    for box, share in zip(boxes, [*shares, 0.0], strict=True):
        placed.append(replace(box, x=x + box.width / 2))
        x += box.width + gap * share
    return placed, total


def _box(node: Node) -> Box:
    if node.kind == "join":
        return Box(node, 0.0, JOIN, JOIN, (node.label,))
    rows = node.shape[0] if len(node.shape) == 3 else 1
    height = SHORTEST_BAR + PER_HALVING * math.log2(max(rows, 1))
    if node.kind != "block":
        lines = (node.label, node.activation) if node.activation else (node.label,)
        return Box(node, 0.0, BAR, height, lines)
    title = _wrapped(node.label, 15) + ([f"× {node.repeats}"] if node.repeats > 1 else [])
    width = max([text_width(line, 12.5) for line in title] + [0])
    width = max([width] + [text_width(line, 10) for line in node.details]) + 18
    height = max(height, LOWEST_BLOCK, 16 * len(title) + 14 * len(node.details) + 24)
    return Box(node, 0.0, max(width, NARROWEST_BLOCK), height, tuple(title))


def text_width(text: str, size: float) -> float:
    """About the width of a line of text, px."""
    return LETTER * size * len(text)


def _wrapped(text: str, letters: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= letters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _ended(arcs: list[Arc], boxes: list[Box]) -> list[Arc]:
    """Give arcs their ends: side by side on a box's upper edge, so that none cross there."""
    x1: dict[int, float] = {}
    x2: dict[int, float] = {}
    for position, box in enumerate(boxes):
        leaving = [i for i, arc in enumerate(arcs) if arc.start == position]
        entering = [i for i, arc in enumerate(arcs) if arc.end == position]
        # From left to right: the arriving, nearest first; then the leaving, farthest first.
        entering.sort(key=lambda i: -arcs[i].start)
        leaving.sort(key=lambda i: -arcs[i].end)
        ends = [(x2, i) for i in entering] + [(x1, i) for i in leaving]
        step = min(8.0, (box.width - 6) / max(len(ends), 1))
        for number, (side, index) in enumerate(ends):
            side[index] = box.x + (number - (len(ends) - 1) / 2) * step
    return [replace(arc, x1=x1[i], x2=x2[i]) for i, arc in enumerate(arcs)]


def _levelled(arcs: list[Arc], boxes: list[Box]) -> list[Arc]:
    """Give every arc a height above all it spans; short ones lie below long ones."""
    done: list[Arc] = []
    for arc in sorted(arcs, key=lambda arc: (arc.end - arc.start, arc.start)):
        under = min(box.top for box in boxes[arc.start : arc.end + 1])
        level = under - (PILL_LEVEL if arc.carried else LEVEL)
        for other in done:
            if other.x1 < arc.x2 and arc.x1 < other.x2:
                step = PILL_LEVEL if arc.carried or other.carried else LEVEL
                level = min(level, other.level - step)
        done.append(replace(arc, level=level))
    return done
