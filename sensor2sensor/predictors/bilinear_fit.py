"""``bilinear_fit``: bilinear between the native pixels of a swath, then one line per target band.

For an input without a grid (OLCI's rows are not aligned with the target's): each target band is
made from the input band nearest in wavelength. The line is all that is learned, on the train split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.predictors.protocol import Images

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

Floats = npt.NDArray[np.float64]


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
    normalised: ClassVar[bool] = False

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        return np.stack([self._one(tile) for tile in tiles])

    def _one(self, tile: TileRecord) -> Images:
        values = tile.input_pixels[:, list(self.sources)].astype(np.float64)
        spread = bilinear(tile.input_xy, values, tile.input_index, self.resolution_m)
        slopes = np.array([line.slope for line in self.lines])
        offsets = np.array([line.offset for line in self.lines])
        return (offsets + slopes * spread).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """Method and lines, from which :func:`restored` makes it again."""
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
    # Centres of pixels, as xy_m counts from the tile's corner.
    x = (np.arange(width) + 0.5) * resolution_m
    y = (np.arange(height) + 0.5) * resolution_m
    try:
        # Delaunay triangles: rows of a swath are turned against the grid and bend along the orbit.
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
        # E[x²] - E[x]² can come out just below 0 where a band is constant.
        var_x = np.maximum(wxx / w - mean_x**2, 0.0)
        var_y = np.maximum(wyy / w - mean_y**2, 0.0)
        cov = wxy / w - mean_x * mean_y
        # A band that never varies (night, a dead detector) explains nothing: the mean is left.
        slope = np.divide(cov, var_x, out=np.zeros_like(cov), where=var_x > 0)
        product = np.sqrt(var_x * var_y)
        correlation = np.divide(cov, product, out=np.zeros_like(cov), where=product > 0)
        return slope, mean_y - slope * mean_x, correlation


def _footprints(tile: TileRecord) -> tuple[Floats, Floats]:
    """Mean target under each input pixel ``[K, Ct]``, and its number of target pixels ``[K]``."""
    count = len(tile.input_pixels)
    finite = np.isfinite(tile.target).all(axis=-1)
    index = np.where(finite, tile.input_index, 0).ravel()  # 0 collects what has no truth
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
        # Names do not tell: B02 of one sensor is not Oa02 of the other.
        raise DatasetError(
            "bands without a wavelength have no nearest band",
            where=contract.name,
            hint="give wavelength_nm in dataset.json and delete dataset.sha256,"
            " or evaluate without baselines",
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
    resolution_m = _resolution_m(contract)
    sources = nearest_bands(contract)
    sums = _Sums(len(sources))
    # The line of a fit to single target pixels, too; but not its correlation, which detail that no
    # input pixel shows would lower.
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
    return BilinearFit(tuple(lines), sources, resolution_m)


def restored(contract: DatasetContract, described: Mapping[str, Any]) -> BilinearFit:
    """The fit that ``describe()`` told of; equal bit for bit, since JSON keeps every digit."""
    lines = tuple(BandLine(**line) for line in described["lines"])
    names = [band.name for band in contract.input.bands]
    sources = tuple(names.index(line.source) for line in lines)
    return BilinearFit(lines, sources, _resolution_m(contract))


def _resolution_m(contract: DatasetContract) -> float:
    if contract.resolution_m is None:
        raise DatasetError(
            "bilinear_fit needs the size of a target pixel in metres",
            where=contract.name,
            hint="give resolution_m in dataset.json and delete dataset.sha256,"
            " or evaluate without it",
        )
    return contract.resolution_m
