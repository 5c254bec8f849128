"""What a worker of step 40 is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensor2sensor.preprocess.tifs_options import TileOptions


@dataclass(frozen=True)
class SceneTask:
    """What a worker needs to know of one scene; can be pickled.

    Attributes:
        scene: id in the inventory.
        inventory: its name.
        s2: path of the Sentinel-2 product.
        s3: path of its partner, or None for Sentinel-2 alone.
        facts: columns of ``tiles.csv`` known beforehand (paths, dates, time gap).
        masks: KML file by name.
        folder: where tiles go.
        overlay: where the overlay picture goes.
        options: what decides the tiles.
        verify: compare the files read with the products' checksums.
    """

    scene: int
    inventory: str
    s2: Path
    s3: Path | None
    facts: dict[str, Any]
    masks: dict[str, Path]
    folder: Path
    overlay: Path
    options: TileOptions
    verify: bool

    @property
    def label(self) -> str:
        """How messages name the scene."""
        return f"scene {self.scene:05d}"


@dataclass(frozen=True)
class SceneResult:
    """What became of a scene.

    Attributes:
        scene: id in the inventory.
        skipped: it was there already.
        tiles: how many it has.
        reasons: positions rejected, by reason.
        exhausted: no further position is left to try.
        cloud_known: whether anything tells where it is cloudy.
    """

    scene: int
    skipped: bool
    tiles: int
    reasons: dict[str, int] = field(default_factory=dict)
    exhausted: bool = False
    cloud_known: bool = True
