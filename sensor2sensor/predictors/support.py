"""What an input says of a target: the bands both measure, and the ways between their grids.

``u`` takes the input to the target's grid, ``d`` an image of the target's grid to the input's
pixels: the mean over the ground of each. On a regular grid that is a square of target pixels; of a
swath it is where ``input_index`` names the pixel. A band that is coarser than the grid it is stored
on is taken on its own pixels, on both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.degradation import axis_weights
from sensor2sensor.dataset.upsampling import by_native_px, grid_of, regular_index, upsample

if TYPE_CHECKING:
    from sensor2sensor.dataset.bands import BandSpec
    from sensor2sensor.dataset.form import Form
    from sensor2sensor.dataset.records import TileRecord
    from sensor2sensor.predictors.bilinear_fit import BilinearFit

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]
# Bands of two sensors that are meant to see the same; those of one sensor lie farther apart.
SAME_NM = 20.0
NAME, WAVELENGTH = "name", "wavelength"


@dataclass(frozen=True)
class Match:
    """A target band and the input band that measures the same.

    Attributes:
        target: Position among the target bands.
        source: Position among the input bands.
        by: ``name``, or ``wavelength`` (within 20 nm).
    """

    target: int
    source: int
    by: str


@dataclass(frozen=True)
class Low:
    """Values on the input's pixels.

    Attributes:
        values: ``[K, C]``, of pixels that show nothing NaN.
        whole: ``[K]``: whether all of the ground of a pixel was there to be averaged.
    """

    values: Floats
    whole: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Support:
    """The bands that input and target have in common, and both ways between their grids.

    Attributes:
        form: Of the data set or model.
        matches: One for each band in common, in the target's order.
        lines: Slope and offset of each, from the input's unit to the target's; None: they share it.
    """

    form: Form
    matches: tuple[Match, ...]
    lines: tuple[tuple[float, float], ...] | None = None

    @property
    def targets(self) -> list[int]:
        """Positions of the bands in common among the target's."""
        return [one.target for one in self.matches]

    @property
    def judged(self) -> list[int]:
        """Of the bands in common, the positions of those that somebody measured as a target."""
        bands = self.form.target.bands
        return [i for i, one in enumerate(self.matches) if bands[one.target].reference]

    @property
    def unit(self) -> str:
        """Of the target bands in common."""
        return self.form.target.bands[self.matches[0].target].unit

    @property
    def swath(self) -> bool:
        """Whether the input's pixels lie on no grid."""
        return self.form.input.layout == "pixels" and self.form.input.grid is None

    @property
    def calibrated(self) -> bool:
        """Whether the input is in the target's unit, by itself or by lines."""
        return self.lines is not None or _units(self.form, self.matches)[0] == self.unit

    def with_lines(self, lines: Sequence[tuple[float, float]]) -> Support:
        """The same with the input's values on lines to the target's."""
        return replace(self, lines=tuple(lines))

    def fitted(self, fit: BilinearFit) -> Support:
        """The same with the lines and source bands that the baseline of swaths fitted on train."""
        own = [(fit.lines[one.target], fit.sources[one.target]) for one in self.matches]
        matches = tuple(
            replace(one, source=source) for one, (_, source) in zip(self.matches, own, strict=True)
        )
        lines = tuple((line.slope, line.offset) for line, _ in own)
        return replace(self, matches=matches, lines=lines)

    def facts(self) -> dict[str, Any]:
        """Which bands, for JSON."""
        form = self.form
        matched = [
            {
                "target": form.target.bands[one.target].name,
                "input": form.input.bands[one.source].name,
                "by": one.by,
            }
            for one in self.matches
        ]
        known = {one.target for one in self.matches}
        left_out = [b.name for i, b in enumerate(form.target.bands) if i not in known]
        unjudged = [matched[i]["target"] for i in range(len(matched)) if i not in self.judged]
        return {"matched": matched, "left_out": left_out, "unmeasured": unjudged}

    def grid_px(self, tile: TileRecord) -> tuple[int, int, int]:
        """Rows, columns and factor of the input's grid of a tile."""
        if tile.input_dense is None:
            return grid_of(tile.input_index)
        rows, columns = tile.input_dense.shape[:2]
        return rows, columns, len(tile.target) // rows

    def index(self, tile: TileRecord) -> Index:
        """Which input pixel each target pixel shows, ``[H, W]``: 1 + its number, 0 for none."""
        if tile.input_dense is None:
            return tile.input_index
        return _squares(*tile.target.shape[:2], self.grid_px(tile)[2])

    def low(self, tile: TileRecord) -> Floats:
        """The input's bands in common on its own pixels, ``[K, C]``, in the target's unit."""
        dense = tile.input_dense
        pixels = tile.input_pixels if dense is None else dense.reshape(-1, dense.shape[-1])
        return self._on_lines(pixels[:, self._sources].astype(np.float64))

    def up(self, tile: TileRecord) -> Floats:
        """``u``: the same on the target's grid, ``[H, W, C]``: bicubic, or linear in a swath."""
        if self.swath:
            from sensor2sensor.predictors.bilinear_fit import bilinear

            assert self.form.resolution_m is not None, "data sets of swaths know their pixels"
            values = tile.input_pixels[:, self._sources].astype(np.float64)
            spread = bilinear(tile.input_xy, values, tile.input_index, self.form.resolution_m)
            return self._on_lines(spread)
        native = tuple(band.native_px for band in self.form.input.bands)
        large = np.asarray(upsample(tile, "bicubic", native))[..., self._sources]
        return self._on_lines(large.astype(np.float64))

    def down(self, image: npt.NDArray[Any], tile: TileRecord) -> Low:
        """``d``: an image ``[H, W, C]`` of the bands in common on the input's pixels.

        The mean over each pixel's ground; of an input that was made with a Gaussian the same one.
        Target pixels that are NaN have no part in it.
        """
        how = self.form.degradation
        if how is not None and how.method == "mtf" and how.mtf_nyquist is not None:
            return _seen(image, how.factor, how.mtf_nyquist)
        found = Low(*self.means(image, tile))
        for native, bands in self.by_native.items():
            if native > 1:
                values, whole = self.means(image[..., bands], tile, native)
                rows, columns, _ = self.grid_px(tile)
                place = _squares(rows, columns, native).ravel() - 1
                found.values[:, bands] = values[place]
                found.whole[...] &= whole[place]
        return found

    def means(
        self, image: npt.NDArray[Any], tile: TileRecord, native: int = 1
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Means ``[K, C]`` over the ground of each input pixel, and whether all of it was there.

        Args:
            image: ``[H, W, C]``.
            tile: Of the input.
            native: Input pixels along a side of the pixels that are meant.
        """
        index, count = self.places(tile, native)
        known = np.isfinite(image).all(axis=-1)
        values, weight = averages(image, np.where(known, index, 0), count)
        if self.swath:
            # How large one is nobody says: those that the tile's edge may cut are left out.
            edge = np.concatenate([index[0], index[-1], index[:, 0], index[:, -1]])
            whole = (weight == np.bincount(index.ravel(), minlength=count + 1)[1:]) & (weight > 0)
            whole[np.unique(edge[edge > 0]) - 1] = False
        else:
            whole = weight == (self.grid_px(tile)[2] * native) ** 2
        return values, whole

    def places(self, tile: TileRecord, native: int = 1) -> tuple[Index, int]:
        """As :meth:`index` for pixels ``native`` times as wide, and how many there are."""
        if native == 1:
            dense = tile.input_dense
            return self.index(tile), len(tile.input_pixels) if dense is None else dense[..., 0].size
        rows, columns, factor = self.grid_px(tile)
        place = _squares(*tile.target.shape[:2], factor * native)
        return place, -(-rows // native) * -(-columns // native)

    @property
    def by_native(self) -> dict[int, list[int]]:
        """Positions among the bands in common of each size of a band's own pixel."""
        return by_native_px([self.form.input.bands[one.source].native_px for one in self.matches])

    @property
    def _sources(self) -> list[int]:
        return [one.source for one in self.matches]

    def _on_lines(self, values: Floats) -> Floats:
        if self.lines is None:
            return values
        slopes, offsets = np.array(self.lines).T
        return np.asarray(offsets + slopes * values)


def averages(
    image: npt.NDArray[Any], index: Index, count: int
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Means ``[count, C]`` of an image's pixels by their number, and how many each has.

    Args:
        image: ``[H, W, C]``; what has number 0 may be NaN.
        index: ``[H, W]``, 1 + number, 0 for none.
        count: Of the numbers.
    """
    flat, place = image.reshape(-1, image.shape[-1]), index.ravel()
    weight = np.bincount(place, minlength=count + 1)[1:]
    values = np.where(place[:, None] > 0, flat, 0.0).astype(np.float64)
    bands = range(flat.shape[-1])
    sums = np.stack([np.bincount(place, values[:, b], count + 1)[1:] for b in bands], -1)
    means = np.full(sums.shape, np.nan)
    np.divide(sums, weight[:, None], out=means, where=weight[:, None] > 0)
    return means, weight


def _seen(image: npt.NDArray[Any], factor: int, mtf: float) -> Low:
    """An image through the Gaussian that an input was made with, as step 50 does."""
    known = np.isfinite(image)
    sides = image.shape[:2]
    down, across = (axis_weights(side, factor, 0, "mtf", mtf) for side in sides)
    full = float(axis_weights(factor, factor, 8 * factor, "mtf", mtf)[0].sum()) ** 2

    def weigh(values: Floats) -> Floats:
        return np.asarray(np.einsum("ih,hwc,jw->ijc", down, values, across, optimize=True))

    mass = weigh(known.astype(np.float64))
    total = weigh(np.where(known, image, 0.0).astype(np.float64))
    means = np.full(total.shape, np.nan)
    np.divide(total, mass, out=means, where=mass > 0)
    bands = image.shape[-1]
    whole = mass.min(axis=-1) >= full * (1 - 1e-9)
    return Low(means.reshape(-1, bands), whole.ravel())


@lru_cache(maxsize=16)
def _squares(height: int, width: int, side: int) -> Index:
    return regular_index(height, width, side)


def matches_of(form: Form) -> tuple[Match, ...]:
    """The bands that both sides measure: by name, else by the nearest wavelength within 20 nm."""
    given = form.input.bands
    names = {_short(band.name): place for place, band in enumerate(given)}
    found = []
    for place, band in enumerate(form.target.bands):
        source = names.get(_short(band.name))
        if source is not None and not _apart(band, given[source]):
            found.append(Match(place, source, NAME))
        elif (nearest := _nearest(band, given)) is not None:
            found.append(Match(place, nearest, WAVELENGTH))
    return tuple(found)


def _nearest(band: BandSpec, given: Sequence[BandSpec]) -> int | None:
    if band.wavelength_nm is None:
        return None
    far = [
        abs(one.wavelength_nm - band.wavelength_nm) if one.wavelength_nm else np.inf
        for one in given
    ]
    place = int(np.argmin(far))
    return place if far[place] <= SAME_NM else None


def _apart(one: BandSpec, other: BandSpec) -> bool:
    # B05 is red edge to Sentinel-2 and near infrared to Landsat; where one is not known names tell.
    known = [band.wavelength_nm for band in (one, other) if band.wavelength_nm is not None]
    return len(known) == 2 and abs(known[0] - known[1]) > SAME_NM


def _short(name: str) -> str:
    # B02 of one data set is B2 of another.
    return f"B{name[2:]}" if name[:2] == "B0" and len(name) > 2 else name


def _units(form: Form, matches: Sequence[Match]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form.input.bands[one.source].unit for one in matches))


def why_not(form: Form) -> str | None:
    """Why a prediction cannot be held against its input; None where it can."""
    matches, bands = matches_of(form), form.target.bands
    if not matches:
        given = ", ".join(band.name for band in form.input.bands)
        return f"no target band ({', '.join(b.name for b in bands)}) is in the input ({given})"
    if form.factor < 1:
        return "the input is finer than the target"
    if not any(bands[one.target].reference for one in matches):
        return "nobody measured a target band that the input has"
    units = tuple(dict.fromkeys(bands[one.target].unit for one in matches))
    if len(units) > 1:
        return f"the target bands are in several units ({', '.join(units)})"
    given_in = _units(form, matches)
    swath = form.input.layout == "pixels" and form.input.grid is None
    if given_in != units and not swath:
        return f"the input is in {', '.join(given_in)}, the target in {units[0]}"
    if swath and form.resolution_m is None:
        return "the target's pixels have no size in metres"
    return None


def support_of(form: Form, what: str) -> Support:
    """What the input of a data set or model says of its target.

    Args:
        form: Of it.
        what: That needs it, for the message: ``profile 'trust'``.

    Raises:
        ConfigError: It says nothing that a prediction could be held against.
    """
    if (why := why_not(form)) is not None:
        problem = f"{what} compares a prediction with its input, and here {why}"
        raise ConfigError(problem, where=form.name, hint="leave it out")
    return Support(form, matches_of(form))
