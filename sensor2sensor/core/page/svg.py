"""Small drawings as SVG within the page: sharp at any size, in its type and its colours.

Colours are classes of ``page.css``, so that a drawing follows light, dark and print.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 360.0  # of a panel, in the units of its own; the page scales it
RIGHT = 12.0
TOP, FOOT = 24.0, 30.0  # title above, numbers of the axis and unit below
LETTER = 6.1  # width of a letter of 11 units, on the average of a sans-serif
LONGEST = 24  # letters of a label
TICKS = 4
NOTHING = "–"  # no value


def text(value: str) -> str:
    """Escaped: names come from folders and files of other people."""
    return html.escape(value, quote=True)


def n(value: float) -> str:
    """A coordinate in few letters: thousands of them stand in a page."""
    return f"{value:.1f}".removesuffix(".0")


def shortened(label: str, longest: int = LONGEST) -> str:
    """The label with its middle left out: names of experiments differ at both ends."""
    if len(label) <= longest:
        return label
    head = (longest - 1) // 2
    return f"{label[:head]}…{label[len(label) - (longest - 1 - head) :]}"


def told_apart(labels: Sequence[str]) -> list[str]:
    """Labels as short as a drawing needs them: without the folder all have in common."""
    shared = _folder(labels)
    cut = [shortened(label[len(shared) :]) for label in labels]
    return cut if len(set(cut)) == len(set(labels)) else [shortened(x, 40) for x in labels]


def _folder(labels: Sequence[str]) -> str:
    within = [label for label in labels if "/" in label]
    if len(within) != len(labels) or len(labels) < 2:
        return ""
    shared = within[0][: within[0].rindex("/") + 1]
    while shared and not all(label.startswith(shared) for label in labels):
        shared = shared[: shared.rstrip("/").rfind("/") + 1]
    return shared


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """A few round numbers within a range; of ranks, which have no halves, whole ones."""
    raw = max((high - low) / TICKS, 1.0 if whole else 0.0)
    if not raw > 0 or not math.isfinite(raw):
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(
        power * m
        for m in ((1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10))
        if power * m >= raw * 0.999
    )
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    found = [i * step for i in range(first, last + 1)]
    # Of ranks the first is the one that is looked for.
    return [1.0, *(value for value in found if value > 1)] if whole else found


def tick_text(value: float) -> str:
    """A number of an axis, with a true minus sign."""
    return f"{value:.6g}".replace("-", "−")


def number(value: float | None) -> str:
    """Enough digits to tell neighbours apart, a dash for no value."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    # Runs differ in the third digit: of SSIM the third decimal, of reflectance the fourth.
    if size >= 10:
        return f"{value:.1f}" if size >= 100 else f"{value:.2f}"
    if 0 < size < 0.001:
        return f"{value:.1e}"
    return f"{value:.4f}" if size < 0.1 else f"{value:.3f}"


@dataclass(frozen=True)
class Scale:
    """A range of values laid over a range of places; a range without width gets one."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; of one beyond the range, the nearest end."""
        place = self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
        low, high = sorted((self.start, self.end))
        return min(max(place, low), high)


def scale(values: Sequence[float], start: float, end: float, *, padding: float = 0.04) -> Scale:
    """A scale over finite values with some air at both ends."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    air = padding * (high - low) or abs(high) * 0.1 or 1.0
    return Scale(low - air, high + air, start, end)


@dataclass(frozen=True)
class Row:
    """One line of a panel.

    Attributes:
        label: As it is drawn.
        full: The whole name, which hovering shows.
        kind: ``baseline`` in grey, or empty.
    """

    label: str
    full: str
    kind: str = ""


def rows_of(labels: Sequence[str], baselines: Sequence[bool]) -> list[Row]:
    """Lines for entrants; runs lose the folder they share, and baselines are grey."""
    runs = told_apart([label for label, grey in zip(labels, baselines, strict=True) if not grey])
    short = iter(runs)
    return [
        Row(shortened(label), label, "baseline") if grey else Row(next(short), label)
        for label, grey in zip(labels, baselines, strict=True)
    ]


@dataclass(frozen=True)
class Panel:
    """A frame with a line for each entrant and an axis below; what it shows is drawn into it.

    Attributes:
        rows: Its lines from the top.
        top: Where the first line begins; less without a title.
        whole: Whether its axis has whole numbers alone.
    """

    rows: Sequence[Row]
    top: float = TOP
    whole: bool = False

    @property
    def pitch(self) -> float:
        """Height of a line: narrower where there are many."""
        return 19.0 if len(self.rows) <= 14 else 15.0 if len(self.rows) <= 30 else 12.5

    @property
    def left(self) -> float:
        """Where the frame begins, right of the labels."""
        widest = max((len(row.label) for row in self.rows), default=0)
        return min(widest * LETTER * self._size / 11 + 10, 0.45 * WIDTH)

    @property
    def _size(self) -> float:
        return 11.0 if self.pitch >= 15 else 10.0

    @property
    def height(self) -> float:
        """Of the whole drawing."""
        return self.top + self.pitch * len(self.rows) + FOOT

    def axis(self, values: Sequence[float]) -> Scale:
        """A scale of the frame's width."""
        return scale(values, self.left + 6, WIDTH - RIGHT)

    def y(self, position: int) -> float:
        """Middle of a line."""
        return self.top + self.pitch * (position + 0.5)

    def drawn(self, title: str, unit: str, axis: Scale | None, marks: str, alt: str) -> str:
        """The panel with its marks as an ``<svg>``.

        Args:
            title: Above the frame.
            unit: Under the axis; ``1`` is no unit.
            axis: Of :meth:`axis`; None where marks say their numbers themselves.
            marks: What it shows, as SVG.
            alt: Says in words what is drawn, for who cannot see it.
        """
        bottom = self.top + self.pitch * len(self.rows)
        parts = [
            f'<svg class="panel" viewBox="0 0 {n(WIDTH)} {n(self.height)}" role="img" '
            f'aria-label="{text(alt)}">',
            f'<text class="t" x="0" y="13">{text(title)}</text>' if title else "",
        ]
        for value, at in self._ticks(axis):
            x = n(at)
            parts.append(f'<path class="grid" d="M{x} {n(self.top)}V{n(bottom)}"/>')
            parts.append(f'<text class="x" x="{x}" y="{n(bottom + 13)}">{tick_text(value)}</text>')
        if unit not in ("", "1"):
            parts.append(
                f'<text class="u" x="{n(WIDTH - RIGHT)}" y="{n(bottom + 26)}">{text(unit)}</text>'
            )
        for position, row in enumerate(self.rows):
            parts.append(
                f'<text class="l {row.kind}" x="{n(self.left)}" y="{n(self.y(position) + 3.7)}" '
                f'font-size="{n(self._size)}">{text(row.label)}<title>{text(row.full)}</title>'
                "</text>"
            )
        return "".join(parts) + marks + "</svg>"

    def _ticks(self, axis: Scale | None) -> list[tuple[float, float]]:
        if axis is None:
            return []
        return [(value, axis(value)) for value in ticks(axis.low, axis.high, whole=self.whole)]


def panels(drawings: Sequence[str]) -> str:
    """Small multiples beside each other, as many as fit; one column on a phone."""
    return f'<div class="panels">{"".join(drawings)}</div>'
