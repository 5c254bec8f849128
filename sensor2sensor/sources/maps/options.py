"""Options of step 51: what decides on its samples, in a form that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources import pictures

DIRECTIONS = ("right-to-left", "left-to-right")


@dataclass(frozen=True)
class MapsOptions:
    """What decides on the samples.

    Attributes:
        dataset: Name of the data set.
        name: Of this folder in it.
        direction: From which half to which is translated.
        tile_px: Edge of a sample.
        resize: Halves are resized to that; else patches are cut out of them.
        overlap: Patches overlap, so that they cover the whole half.
        val_from_train: Images of ``train/`` that go to validation; None: a tenth.
        seed: Of that draw.
    """

    dataset: str
    name: str
    direction: str
    tile_px: int
    resize: bool
    overlap: bool
    val_from_train: int | None
    seed: int

    def as_json(self) -> dict[str, Any]:
        """What all folders of a data set share."""
        return {key: value for key, value in vars(self).items() if key not in ("dataset", "name")}

    def command(self, folder: Path) -> str:
        """The command line that makes it."""
        words = [
            "python preprocessing/51_create_tfrecords_maps.py",
            pictures.data_words(folder, self.name),
            f"--dataset {self.dataset} --direction {self.direction}",
            "--resize_images" if self.resize else "--extract_patches",
            *(["--overlap"] if self.overlap else []),
            f"--tilesize {self.tile_px} --seed {self.seed}",
        ]
        if self.val_from_train is not None:
            words.append(f"--val-from-train {self.val_from_train}")
        return " ".join(words)

    def windows(self, side_px: int) -> list[PixelWindow]:
        """The squares that are cut out of a half; none where there is no room for one."""
        if self.resize:
            return [PixelWindow(0, 0, side_px, side_px)]
        if not self.overlap or side_px < self.tile_px:
            return pictures.squares(side_px, side_px, self.tile_px)
        last = side_px - self.tile_px
        corners = np.rint(np.linspace(0, last, -(-side_px // self.tile_px))).astype(int).tolist()
        return [PixelWindow(x, y, self.tile_px, self.tile_px) for y in corners for x in corners]
