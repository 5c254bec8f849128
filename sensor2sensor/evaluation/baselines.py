"""Baselines without learning beyond a line: what every network must be held against.

They start from the low-resolution grid as it was observed, not from an upsampled copy:

* degraded Sentinel-2: ``nearest`` and ``bicubic``;
* Sentinel-3: ``bilinear_fit``, bilinear between the native OLCI pixels (whose rows are not aligned
  with the target grid) of the band nearest in wavelength, then one straight line per target band,
  fitted on the train split.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord
    from sensor2sensor.evaluation.predictors import Images

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Upsampled:
    """The low-resolution image itself on the target's grid.

    Attributes:
        mode: ``nearest`` or ``bicubic``.
        bands: For each target band, its position among the input bands.
    """

    mode: str
    bands: tuple[int, ...]

    def __call__(self, tiles: Sequence[TileRecord]) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        from sensor2sensor.dataset.upsampling import upsample

        images = np.stack([np.asarray(upsample(tile, self.mode)) for tile in tiles])
        return images[..., list(self.bands)].astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """What the JSON of an evaluation says about this baseline."""
        return {"method": f"{self.mode} interpolation of the low-resolution pixels"}


@dataclass(frozen=True)
class BandLine:
    """Target = offset + slope * input, for one target band.

    Attributes:
        target: Name of the target band.
        source: Name of the input band nearest in wavelength.
        slope: Target unit per input unit.
        offset: Target unit.
        correlation: Of the OLCI pixels and the mean target under them, on the train split.
        pixels: OLCI pixels the line was fitted to.
    """

    target: str
    source: str
    slope: float
    offset: float
    correlation: float
    pixels: int


@dataclass(frozen=True)
class BilinearFit:
    """Bilinear between native pixels, then a line per band.

    Attributes:
        lines: One per target band.
        sources: For each target band, the position of its source among the input bands.
        resolution_m: Target pixel size.
    """

    lines: tuple[BandLine, ...]
    sources: tuple[int, ...]
    resolution_m: float

    def __call__(self, tiles: Sequence[TileRecord]) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        return np.stack([self._one(tile) for tile in tiles])

    def _one(self, tile: TileRecord) -> Images:
        values = tile.input_pixels[:, list(self.sources)].astype(np.float64)
        spread = bilinear(tile.input_xy, values, tile.input_index, self.resolution_m)
        slopes = np.array([line.slope for line in self.lines])
        offsets = np.array([line.offset for line in self.lines])
        return (offsets + slopes * spread).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """What the JSON of an evaluation says about this baseline."""
        method = "bilinear between native input pixels, one line per band fitted on train"
        return {"method": method, "lines": [asdict(line) for line in self.lines]}


def bilinear(
    xy_m: Floats, values: Floats, index: npt.NDArray[np.int32], resolution_m: float
) -> Floats:
    """Interpolate scattered pixels linearly in the triangles between them.

    Outside their hull, and where they span no triangle, the nearest pixel's value is kept.

    Args:
        xy_m: Centres ``[K, 2]``, metres within the tile (x right, y down).
        values: ``[K, C]``.
        index: ``[H, W]``, 1 + number of the nearest pixel, 0 for none.
        resolution_m: Target pixel size.

    Returns:
        ``[H, W, C]``; NaN where there is no pixel at all.
    """
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    height, width = index.shape
    nearest = np.where(index[..., None] > 0, values[np.maximum(index, 1) - 1], np.nan)
    x = (np.arange(width) + 0.5) * resolution_m
    y = (np.arange(height) + 0.5) * resolution_m
    try:
        linear = LinearNDInterpolator(xy_m, values)(*np.meshgrid(x, y))
    except (QhullError, ValueError):  # fewer than three pixels, or all in one line
        return nearest
    return np.where(np.isfinite(linear), linear, nearest)


@dataclass
class _Sums:
    """Weighted sums of a straight-line fit for C bands."""

    channels: int
    pixels: int = 0
    table: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.table = np.zeros((6, self.channels))  # w, wx, wy, wxx, wxy, wyy

    def add(self, x: Floats, y: Floats, weight: Floats) -> None:
        w = weight[:, None]
        terms = (w + 0 * x, w * x, w * y, w * x * x, w * x * y, w * y * y)
        self.table += np.stack([term.sum(axis=0) for term in terms])
        self.pixels += int(np.count_nonzero(weight))

    def solve(self) -> tuple[Floats, Floats, Floats]:
        """Slope, offset and correlation of each band; slope 0 where the input never varies."""
        w, wx, wy, wxx, wxy, wyy = self.table
        mean_x, mean_y = wx / w, wy / w
        var_x = np.maximum(wxx / w - mean_x**2, 0.0)
        var_y = np.maximum(wyy / w - mean_y**2, 0.0)
        cov = wxy / w - mean_x * mean_y
        slope = np.divide(cov, var_x, out=np.zeros_like(cov), where=var_x > 0)
        product = np.sqrt(var_x * var_y)
        correlation = np.divide(cov, product, out=np.zeros_like(cov), where=product > 0)
        return slope, mean_y - slope * mean_x, correlation


def _footprints(tile: TileRecord) -> tuple[Floats, Floats]:
    """Mean target under each input pixel ``[K, Ct]``, and its number of target pixels ``[K]``."""
    count = len(tile.input_pixels)
    finite = np.isfinite(tile.target).all(axis=-1)
    index = np.where(finite, tile.input_index, 0).ravel()
    weight = np.bincount(index, minlength=count + 1)[1:].astype(np.float64)
    flat = np.nan_to_num(tile.target.reshape(-1, tile.target.shape[-1]).astype(np.float64))
    bands = range(flat.shape[1])
    sums = [np.bincount(index, flat[:, b], minlength=count + 1)[1:] for b in bands]
    return np.stack(sums, axis=-1) / np.maximum(weight, 1.0)[:, None], weight


def nearest_bands(contract: DatasetContract) -> tuple[int, ...]:
    """For each target band, the position of the input band nearest in wavelength.

    Raises:
        DatasetError: A target band has no wavelength, or no input band has one.
    """
    known = [(i, b.wavelength_nm) for i, b in enumerate(contract.input.bands) if b.wavelength_nm]
    wanted = [band.wavelength_nm for band in contract.target.bands]
    if not known or not all(wanted):
        raise DatasetError(
            "bands without a wavelength have no nearest band",
            where=contract.name,
            hint="give wavelength_nm in dataset.json, or evaluate without baselines",
        )
    distances = [[abs(nm - (want or 0.0)) for _, nm in known] for want in wanted]
    return tuple(known[int(np.argmin(row))][0] for row in distances)


def fit_lines(contract: DatasetContract, train: Iterable[TileRecord]) -> BilinearFit:
    """Fit target = offset + slope * input per band, over the input pixels of the train split.

    Each input pixel meets the mean target under it and counts by the target pixels it covers.

    Args:
        contract: The data set's contract.
        train: Its train tiles.
    """
    sources = nearest_bands(contract)
    sums = _Sums(len(sources))
    for tile in train:
        means, weight = _footprints(tile)
        sums.add(tile.input_pixels[:, list(sources)].astype(np.float64), means, weight)
    slope, offset, correlation = sums.solve()
    names = [contract.input.bands[i].name for i in sources]
    lines = [
        BandLine(
            band.name,
            names[b],
            float(slope[b]),
            float(offset[b]),
            float(correlation[b]),
            sums.pixels,
        )
        for b, band in enumerate(contract.target.bands)
    ]
    return BilinearFit(tuple(lines), sources, contract.resolution_m)


def _same_names(contract: DatasetContract) -> tuple[int, ...]:
    names = [band.name for band in contract.input.bands]
    missing = [b.name for b in contract.target.bands if b.name not in names]
    if missing:
        raise DatasetError(
            f"input lacks the target bands {', '.join(missing)}",
            where=contract.name,
            hint="interpolation baselines need every target band in the input",
        )
    return tuple(names.index(band.name) for band in contract.target.bands)


def baselines(
    dataset_dir: Path,
    contract: DatasetContract,
    *,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
) -> dict[str, Upsampled | BilinearFit]:
    """The baselines of a data set by name, the strongest last.

    Args:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``; its train split is read for Sentinel-3.
        contract: The data set's contract.
        enforce_suffix: Fit on train tiles whose name ends so, as the model is trained.
        exclude_suffix: Fit on train tiles whose name does not end so.

    Raises:
        InputError: No train tile is left to fit on.
    """
    if contract.kind == "degraded":
        bands = _same_names(contract)
        return {mode: Upsampled(mode, bands) for mode in ("nearest", "bicubic")}
    if contract.kind == "sentinel3":
        from sensor2sensor.pipeline.reader import iterate_tiles

        train = iterate_tiles(
            dataset_dir,
            contract,
            "train",
            enforce_suffix=enforce_suffix,
            exclude_suffix=exclude_suffix,
        )
        return {"bilinear_fit": fit_lines(contract, train)}
    return {}
