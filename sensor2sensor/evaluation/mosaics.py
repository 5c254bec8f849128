"""Mosaics of profile ``torchsisr``: the target, and what is made of real and simulated inputs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.core import files
from sensor2sensor.dataset.display import view
from sensor2sensor.predictors.protocol import Images

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

MOSAICS = 32
SHOWN = (MODEL, "bicubic")
PANEL_INCH = 2.1
Pictures = dict[str, npt.NDArray[np.uint8]]


class Mosaics:
    """Keeps the pictures of tiles evenly spread over a split.

    Args:
        contract: Of the data set: bands and fixed value ranges.
        tiles: How many the split has.
    """

    def __init__(self, contract: DatasetContract, tiles: int) -> None:
        self._contract = contract
        count = min(MOSAICS, tiles)
        self._wanted = {place * tiles // count for place in range(count)}
        self._seen = 0
        self._here: list[tuple[int, Pictures]] = []
        photo = contract.target.dtype == "uint8"
        ranges, colour = contract.target_ranges(), contract.colour()
        self._view = view(contract.target.bands, ranges, colour, photo=photo)
        self.pictures: dict[str, Pictures] = {}

    def begin(self, tiles: Sequence[TileRecord]) -> None:
        """A batch of tiles."""
        self._here = []
        for place, tile in enumerate(tiles):
            if self._seen + place in self._wanted:
                own = self.pictures.setdefault(tile.name, {"target": self._drawn(tile.target)})
                self._here.append((place, own))
        self._seen += len(tiles)

    def add(self, method: str, seen: str, images: Images) -> None:
        """What a method makes of that batch of ``real`` or ``simulated`` inputs."""
        if method in SHOWN:
            for place, own in self._here:
                own[f"{method}, {seen}"] = self._drawn(images[place])

    def _drawn(self, image: Images) -> npt.NDArray[np.uint8]:
        # As 8 bits: 32 tiles of every kind in float would be a gigabyte.
        return np.rint(255 * self._view.picture(image)).astype(np.uint8)

    def write(self, folder: Path) -> list[dict[str, Any]]:
        """``mosaic-01.png`` and so on; returns the entries of the gallery."""
        entries = []
        for number, (tile, pictures) in enumerate(self.pictures.items(), start=1):
            path = folder / f"mosaic-{number:02d}.png"
            caption = f"mosaic {number} of {len(self.pictures)}, tile {tile}"
            files.write_bytes(path, _sheet(pictures, caption))
            entry = {"file": f"{folder.name}/{path.name}", "rank": path.stem, "tile": tile}
            entries.append({**entry, "caption": f"{caption}: {', '.join(pictures)}"})
        return entries


def _sheet(pictures: Pictures, title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (len(pictures) * PANEL_INCH + 0.2, PANEL_INCH + 0.6)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # without pyplot, which would look for a display
    figure.suptitle(title, fontsize=9, x=0.01, ha="left", parse_math=False)
    panels = figure.subplots(1, len(pictures), squeeze=False)[0]
    for axes, (name, picture) in zip(panels, pictures.items(), strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(name, fontsize=9)
        axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
