"""The quality page of a folder of tiles: what step 40 made, of what, and what is odd in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.preprocess.inventory.rows import InventoryRow, read_rows
from sensor2sensor.preprocess.quality.measured import (
    Measured,
    numbers_of,
    processes,
    read_measured,
    write_both,
)
from sensor2sensor.preprocess.quality.outliers import Outlier, outliers
from sensor2sensor.preprocess.quality.tile_page import page_of
from sensor2sensor.preprocess.tiles.table import (
    OLCI_SUFFIX,
    TABLE_FILE,
    TileRow,
    read_manifest,
    read_table,
)

INVENTORIES = "_inventory"


@dataclass(frozen=True)
class Folder:
    """What is known of a folder of tiles.

    Attributes:
        path: ``_tif/<inventory>/<tilesize>``.
        manifest: Of step 40.
        rows: Of ``tiles.csv``.
        measured: Of each tile.
        unreadable: A line for each tile that could not be measured.
    """

    path: Path
    manifest: Mapping[str, Any]
    rows: Sequence[TileRow]
    measured: Measured
    unreadable: Sequence[str] = ()

    @property
    def data_root(self) -> Path:
        """The folder that inventories and masks lie in, too."""
        return self.path.parents[2]

    @property
    def targets(self) -> list[Mapping[str, Any]]:
        """The Sentinel-2 bands."""
        return [band for band in self.manifest["bands"] if band["unit"] == "reflectance"]

    @property
    def inputs(self) -> list[Mapping[str, Any]]:
        """The OLCI bands."""
        return [band for band in self.manifest["bands"] if band["name"].startswith("Oa")]

    @cached_property
    def _inventory(self) -> Sequence[InventoryRow]:
        table = self.data_root / INVENTORIES / f"{self.manifest['inventory']}.csv"
        return read_rows(table) if table.is_file() else ()

    @cached_property
    def listed(self) -> dict[int, InventoryRow]:
        """The first row of each scene in the inventory, by the scene's id: that row's number."""
        return {row.index: row for row in self._inventory}

    @cached_property
    def overlaps(self) -> list[float]:
        """Share of each scene in use that its Sentinel-3 product covers, as the inventory says."""
        used = {
            (row.s2, row.s3, row.s2_joined or "", row.s3_joined or "")
            for row in self.rows
            if row.s3
        }
        # What is left of a pair of joined products is a pair of its own.
        return [
            row.overlap
            for row in self._inventory
            if (row.s2, row.s3, *row.joined_cells()) in used and row.overlap is not None
        ]

    @cached_property
    def odd(self) -> list[Outlier]:
        """Tiles unlike the others."""
        return outliers(self.measured)

    def colours(self, place: int, bands: tuple[int, int, int]) -> NDArray[np.float32]:
        """Red, green and blue of a tile ``[H, W, 3]``."""
        names = [self.targets[band]["name"] for band in bands]
        return _layers(self.path / f"{self.measured.tiles[place]}.tif", names)


def write_quality(path: Path, workers: int = 1) -> Path:
    """Measure the tiles of a folder that are not yet, and write ``quality.csv`` and the page.

    Args:
        path: ``_tif/<inventory>/<tilesize>``.
        workers: Processes that read tiles.

    Returns:
        The page.

    Raises:
        InputError: The folder holds no tiles, or its table or manifest is damaged.
    """
    folder = look(path, workers)
    return write_both(path, folder.measured, page_of(folder))


def look(path: Path, workers: int = 1) -> Folder:
    """What is known of a folder of tiles, its pixels measured."""
    if not (path / TABLE_FILE).is_file():
        raise InputError("no tiles", where=path, hint="run step 40, or name _tif/<inventory>/<px>")
    manifest = read_manifest(path)
    rows = sorted(read_table(path / TABLE_FILE), key=lambda row: row.tile)
    bare = Folder(path, manifest, rows, Measured((), (), (), np.empty((0, 0, 4))))
    names = [band["name"] for band in (*bare.targets, *bare.inputs)]
    known = dict(read_measured(path, names))
    new = [row for row in rows if (row.tile, row.sha256) not in known]
    measure = partial(_measure, path, [b["name"] for b in bare.targets], len(bare.inputs))
    lost = []
    for row, found in parallel_map(
        measure, new, workers=processes(workers, len(new)), label=_name, desc="measured"
    ):
        if isinstance(found, Failure):
            lost.append(f"{row.tile}: {found.reason}")
        else:
            known[row.tile, row.sha256] = found
    there = [row for row in rows if (row.tile, row.sha256) in known]
    values = np.array([known[row.tile, row.sha256] for row in there]).reshape(-1, len(names), 4)
    tiles, digests = tuple(r.tile for r in there), tuple(r.sha256 for r in there)
    return Folder(path, manifest, rows, Measured(tuple(names), tiles, digests, values), lost)


def _name(row: TileRow) -> str:
    return row.tile


def _measure(path: Path, targets: Sequence[str], inputs: int, row: TileRow) -> NDArray[np.float64]:
    """Numbers of a tile's bands: target pixels, and each OLCI pixel in use once."""
    pixels = _layers(path / f"{row.tile}.tif", targets)
    found = numbers_of(pixels.reshape(-1, len(targets)))
    if not inputs:
        return found
    with np.load(path / f"{row.tile}{OLCI_SUFFIX}", allow_pickle=False) as table:
        radiance = table["radiance"]
    return np.concatenate([found, numbers_of(radiance[: row.olci_pixels or None])])


def _layers(path: Path, names: Sequence[str]) -> NDArray[np.float32]:
    import rasterio

    with rasterio.open(path) as source:
        described = list(source.descriptions)
        data = source.read([described.index(name) + 1 for name in names])
    return np.moveaxis(data, 0, -1)


def rejected(manifest: Mapping[str, Any]) -> Counter[str]:
    """Places that gave no tile, by reason, over all scenes."""
    found: Counter[str] = Counter()
    for scene in manifest.get("scenes", {}).values():
        found.update(scene.get("rejected", {}))
    return found
