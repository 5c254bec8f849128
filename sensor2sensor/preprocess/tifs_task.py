"""What a worker of step 40 is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.manifest import file_fingerprint
from sensor2sensor.preprocess.tifs_draw import CLOUD
from sensor2sensor.preprocess.tifs_options import TileOptions
from sensor2sensor.products.sentinel2 import S2Product


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


def check_usable(product: S2Product, options: TileOptions) -> None:
    """The product has the level and the files the inventory was made for, and a mask of clouds.

    Raises:
        ProductError: it has not.
    """
    if options.level is not None and product.level != options.level:
        what = f"is {product.level}, the inventory lists {options.level}"
        raise ProductError(what, where=product.name, hint="repeat step 20")
    if options.resolution_m not in product.grids:
        raise ProductError(f"has no grid of {options.resolution_m} m", where=product.name)
    missing = product.missing(options.bands, options.resolution_m)
    if missing:
        raise ProductError(f"lacks {', '.join(missing)}", where=product.name)
    if options.cloud_must_be_known and not product.quality_given(options.resolution_m) & CLOUD:
        what = "has no cloud mask (SCL, MSK_CLASSI or MSK_CLOUDS): --max-cloud cannot be kept"
        hint = "fetch it with its QI_DATA, or cut tiles unseen with --unknown-cloud accept"
        raise ProductError(what, where=product.name, hint=hint)


def input_marks(path: Path, members: list[str]) -> list[Any]:
    """Cheap identity of a product: the zip, or every file of the folder that will be opened."""
    if path.is_file():
        return [file_fingerprint(path)]
    found = (path / member for member in members)
    return [[file.name, file_fingerprint(file)] for file in found if file.is_file()]
