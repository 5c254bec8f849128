"""Images that step 52 cut into squares (``--split N``), found in a data set by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract

# As pictures.sample_name makes them.
_CORNER = re.compile(r"(.+)_(\d+)x(\d+)")


@dataclass(frozen=True)
class CutImage:
    """An image of which every square is there.

    Attributes:
        name: What the names of its squares begin with.
        rows: The names of its squares, row by row from the top: as many rows as columns.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]

    @property
    def count(self) -> int:
        """Squares along an edge."""
        return len(self.rows)


def cut_images(contract: DatasetContract, names: Iterable[str]) -> list[CutImage]:
    """The images whose N x N squares are all among ``names``, in their order.

    None where step 52 did not make the data set, or cut nothing. Of an oblong image there are
    more than N x N: it is left out.
    """
    made = contract.provenance
    count = made["options"]["split"] if made.get("step") == "52" else 1
    if count == 1:
        return []
    corners: dict[str, dict[tuple[int, int], str]] = {}
    for name in names:
        if found := _CORNER.fullmatch(name):
            image, x, y = found.groups()
            corners.setdefault(image, {})[int(y), int(x)] = name
    made_of = {image: _rows(squares, count) for image, squares in corners.items()}
    return [CutImage(image, rows) for image, rows in made_of.items() if rows]


def _rows(squares: dict[tuple[int, int], str], count: int) -> tuple[tuple[str, ...], ...]:
    """The squares of an image row by row; empty where they are not ``count`` x ``count``."""
    side = max(x for _, x in squares) // (count - 1)
    places = [[(row * side, column * side) for column in range(count)] for row in range(count)]
    if side == 0 or squares.keys() != {place for row in places for place in row}:
        return ()
    return tuple(tuple(squares[place] for place in row) for row in places)
