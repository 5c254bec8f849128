"""The picture of a recipe as SVG text: equal recipes give equal files."""

from __future__ import annotations

from html import escape

from model_tools.layout import (
    DETAIL,
    MARGIN,
    SHADOW,
    TITLE,
    WIDTH_PX,
    Arc,
    Box,
    lay_out,
    text_width,
)
from model_tools.recipe import Recipe

# Fill and line of a box by its kind, of a block by the first word of its label; others are grey.
# Readable on white, on which all is drawn.
_COLOURS = {
    "conv": ("#dbeafe", "#3b82f6"),
    "down": ("#cffafe", "#0891b2"),
    "pool": ("#cffafe", "#0891b2"),
    "up": ("#dcfce7", "#16a34a"),
    "join": ("#ffffff", "#475569"),
    "multireceptive": ("#ffedd5", "#ea580c"),
    "dilated": ("#ffedd5", "#ea580c"),
    "U-Net": ("#fce7f3", "#db2777"),
    "dense": ("#ede9fe", "#7c3aed"),
    "residual": ("#e0e7ff", "#4f46e5"),
    "AWRRDB": ("#fae8ff", "#c026d3"),
    "channel": ("#fef9c3", "#ca8a04"),
    "sub-pixel": ("#dcfce7", "#16a34a"),
}
_GREY = ("#f1f5f9", "#64748b")
_NAMES = {
    "conv": "convolution",
    "down": "strided convolution",
    "up": "upsampling",
    "pool": "pooling",
    "C": "concatenated",
    "+": "added",
    "×": "multiplied",
}
_INK, _PALE, _LINE, _SKIP = "#0f172a", "#475569", "#475569", "#94a3b8"
_FOOT, _HEAD = 66, 40  # px under the row for sizes and legend, over the arcs for the name
_ROUND = 8
_MINUS = 6  # px between an arrow's tip and what it points at


def draw(recipe: Recipe, name: str) -> str:
    """The picture of a generator.

    Args:
        recipe: Its boxes.
        name: The model's, written into a corner.

    Returns:
        An SVG file's text, about 900 px wide, on a white ground with round corners.
    """
    layout = lay_out(recipe)
    half = max(box.height for box in layout.boxes) / 2
    above = max([half, *(-box.top for box in layout.boxes), *(-arc.level for arc in layout.arcs)])
    middle, height = above + _HEAD, above + _HEAD + half + _FOOT
    parts = [_ground(layout.width, height, name)]
    parts += [_text(MARGIN, 24, f"{name}: generator", TITLE, _PALE, anchor="start", bold=True)]
    parts.append(f'<g transform="translate(0 {_n(middle)})">')
    parts += [_arc(arc, layout.boxes[arc.end].top) for arc in layout.arcs]
    parts += [_link(layout.boxes[left], layout.boxes[left + 1]) for left in layout.links]
    parts += [_drawn(box) for box in layout.boxes]
    parts += ["</g>", _legend(recipe, height - 18), "</svg>"]
    return "\n".join(parts) + "\n"


def _n(value: float) -> str:
    """A coordinate with at most one decimal; never ``-0``."""
    # -0.0 + 0.0 is 0.0.
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def _ground(width: float, height: float, name: str) -> str:
    shown = min(width, WIDTH_PX)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(shown)}" height="{_n(height * shown / width)}" role="img" '
        f'font-family="sans-serif">'
    )
    return (
        f"{head}\n<title>Recipe of the generator of {escape(name)}</title>\n"
        f'<rect x="0.5" y="0.5" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="14" '
        f'fill="#ffffff" stroke="#e2e8f0"/>'
    )


def _text(
    x: float, y: float, text: str, size: float, colour: str, *,
    anchor: str = "middle", bold: bool = False, turned: bool = False,
) -> str:  # fmt: skip
    weight = ' font-weight="600"' if bold else ""
    turn = f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else ""
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{colour}" '
        f'text-anchor="{anchor}"{weight}{turn}>{escape(text)}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, fill: str, line: str) -> str:
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="5" '
        f'fill="{fill}" stroke="{line}" stroke-width="1.3"/>'
    )


def _drawn(box: Box) -> str:
    """A box with its text and, below, the size of what it hands on."""
    kind = box.node.label.split()[0] if box.node.kind == "block" else box.node.kind
    fill, line = _COLOURS.get(kind, _GREY)
    if box.node.kind == "join":
        circle = f'<circle cx="{_n(box.x)}" cy="0" r="{_n(box.width / 2)}" fill="{fill}" '
        sign = _text(box.x, 4, box.lines[0], 12, _INK, bold=True)
        return f'{circle}stroke="{line}" stroke-width="1.3"/>\n{sign}'
    left, top = box.x - box.width / 2, -box.height / 2
    behind = (2, 1) if box.node.repeats > 1 else ()
    parts = [
        _rect(left + n * SHADOW, top - n * SHADOW, box.width, box.height, fill, line)
        for n in (*behind, 0)
    ]
    return "\n".join(parts + _inside(box) + _below(box))


def _inside(box: Box) -> list[str]:
    if box.node.kind != "block":
        # Turned upwards; the activation beside the label.
        label, activation = box.lines
        name = _text(box.x + (-2 if activation else 3.7), 0, label, 10.5, _INK, turned=True)
        return [name] + (
            [_text(box.x + 9.5, 0, activation, 8.8, _PALE, turned=True)] if activation else []
        )
    y = -(16 * len(box.lines) + 14 * len(box.node.details)) / 2 + 12
    parts = [
        _text(box.x, y + 16 * i, line, TITLE, _INK, bold=True) for i, line in enumerate(box.lines)
    ]
    y += 16 * len(box.lines) - 2
    return parts + [
        _text(box.x, y + 14 * i, line, DETAIL, _PALE) for i, line in enumerate(box.node.details)
    ]


def size_text(shape: tuple[int, ...]) -> list[str]:
    """``256²`` and ``×64`` for ``(256, 256, 64)``."""
    if len(shape) != 3:
        return ["×".join(map(str, shape))]
    rows, columns, channels = shape
    area = f"{rows}²" if rows == columns else f"{rows}×{columns}"
    return [area, f"×{channels}"]


def _below(box: Box) -> list[str]:
    size, bottom = size_text(box.node.shape), box.height / 2
    if box.node.kind == "block":
        return [_text(box.x, bottom + 14, "".join(size), 9.5, _PALE)]
    return [_text(box.x, bottom + 13 + 11 * i, text, 9.5, _PALE) for i, text in enumerate(size)]


def _link(left: Box, right: Box) -> str:
    """The arrow between two neighbours."""
    x1, x2 = left.x + left.width / 2 + left.behind, right.x - right.width / 2
    line = f'<path d="M{_n(x1)} 0H{_n(x2 - _MINUS)}" stroke="{_LINE}" stroke-width="1.4"/>'
    tip = f"M{_n(x2 - 1)} 0l-6.5 -3.5v7z"
    return f'{line}<path d="{tip}" fill="{_LINE}"/>'


def _arc(arc: Arc, end: float) -> str:
    """Up from one box, across, and down onto the other, whose upper end is ``end``."""
    r = min(_ROUND, (arc.x2 - arc.x1) / 2)
    path = (
        f"M{_n(arc.x1)} 0V{_n(arc.level + r)}q0 {_n(-r)} {_n(r)} {_n(-r)}"
        f"H{_n(arc.x2 - r)}q{_n(r)} 0 {_n(r)} {_n(r)}V{_n(end - _MINUS)}"
    )
    tip = f"M{_n(arc.x2)} {_n(end - 1)}l-3.3 -6h6.6z"
    line = f'<path d="{path}" fill="none" stroke="{_SKIP}" stroke-width="1.4"/>'
    return f'{line}<path d="{tip}" fill="{_SKIP}"/>'


def _legend(recipe: Recipe, y: float) -> str:
    """What the colours and signs in use mean."""
    kinds = {node.kind for node in recipe.nodes}
    signs = {node.label for node in recipe.nodes if node.kind == "join"}
    x, parts = float(MARGIN), []
    for key, name in _NAMES.items():
        if key in kinds:
            parts.append(_rect(x, y - 8.5, 10, 10, *_COLOURS[key]).replace('rx="5"', 'rx="2"'))
        elif key in signs:
            parts.append(_text(x + 5, y, key, 11, _INK, bold=True))
        else:
            continue
        parts.append(_text(x + 16, y, name, 9.5, _PALE, anchor="start"))
        x += 16 + text_width(name, 9.5) + 18
    return "\n".join(parts)
