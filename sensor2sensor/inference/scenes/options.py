"""What a user says of a product, stack or picture beside its path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class SceneOptions:
    """What no file says of itself, or what decides on the grid of a prediction.

    Attributes:
        like: A raster or Sentinel-2 product whose grid a swath is predicted on.
        tile: Sentinel-2 tile whose grid it is predicted on (``T17XNA``).
        bbox: West, south, east and north of that grid, in ``crs``.
        crs: Of ``bbox`` (``EPSG:32617``).
        input_m: Edge of the pixels that are given to the model: one of a product's own, or what a
            picture is resampled to; None: what the model was trained on, a picture's own.
        other_scale: Pixels of another size than the model was trained on are meant.
        bands: Names of a stack's bands in the order of the file; empty: as the file says.
        scale: ``value = stored * scale + offset`` of a stack, against what its tags say.
        offset: Of the same, in the unit of the bands (-0.1 of Sentinel-2 since baseline 04.00).
        radar: What radar is stored in; ``auto``: dB, and power is refused.
        radar_file: Radar of the same ground in a file of its own.
    """

    like: Path | None = None
    tile: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    crs: str | None = None
    input_m: float | None = None
    other_scale: bool = False
    bands: tuple[str, ...] = ()
    scale: float | None = None
    offset: float | None = None
    radar: Literal["auto", "db", "linear"] = "auto"
    radar_file: Path | None = None
