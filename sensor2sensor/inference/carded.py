"""A model over a whole product: read, predict and write, one window at a time.

No more is held than a window and its halo, however large the product. No frame is lost: at the
product's edge the halo is the mirrored image. Where a band has no value the model is given the
nearest one, and the result has none there, and there only: one pixel without a value would else
make hundreds, for every convolution spreads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import ModelContractError, OutputExistsError
from sensor2sensor.core.progress import progress
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.inputs import Inputs, inputs_of
from sensor2sensor.inference.windows import Image, Missing, cores
from sensor2sensor.predictors.card import Card, read_card
from sensor2sensor.predictors.onnx_model import OnnxModel
from sensor2sensor.products.s2_images import kept_open
from sensor2sensor.products.theia import open_theia

Stored = npt.NDArray[np.int16]
NODATA = -10000
LOWEST, HIGHEST = NODATA + 1, 32767
TILE_PX = 256  # of the input; with factor 2 two blocks of the written file
_CACHE_MIB = 128


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: The GeoTIFF.
        shape: Rows and columns.
        windows: How many there were.
        saturated: Values that int16 does not hold, written as the nearest it does.
    """

    path: Path
    shape: tuple[int, int]
    windows: int
    saturated: int


def super_resolve(
    model: Path,
    product: Path,
    out: Path,
    *,
    tile_px: int = TILE_PX,
    threads: int | None = None,
    force: bool = False,
) -> Written:
    """Apply a model to a product and write a GeoTIFF.

    Args:
        model: The card, a YAML file.
        product: A level 2A product of Theia, a folder or a zip.
        out: The GeoTIFF: int16, reflectance x 10000, -10000 where there is none.
        tile_px: Side of a window, input pixels.
        threads: Of onnxruntime.
        force: Write over a file that is there.

    Raises:
        OutputExistsError: There is a file.
        ModelContractError: The model does not make what its card says.
        ProductError: The product lacks a band, or is damaged.
    """
    if out.exists() and not force:
        raise OutputExistsError("is there already", where=out, hint="name another, or add --force")
    card = read_card(model)
    network = OnnxModel(card.model, threads)
    if network.channels not in (None, len(card.bands)):
        what = f"takes {network.channels} bands, its card names {len(card.bands)}"
        raise ModelContractError(what, where=card.model)
    with kept_open(_CACHE_MIB):
        inputs = inputs_of(open_theia(product), card)
        with files.atomic_path(out) as part, _created(part, inputs, card) as target:
            count, saturated = _write(target, inputs, network, tile_px)
            shape = (target.height, target.width)
    return Written(out, shape, count, saturated)


def _created(path: Path, inputs: Inputs, card: Card) -> Any:
    """The GeoTIFF, to be written to: tiled, compressed, with names and scale of its bands."""
    import rasterio

    factor, grid = card.factor, inputs.grid
    step = grid.resolution_m / factor
    made = rasterio.open(
        path, "w", driver="GTiff", count=len(card.bands), dtype="int16", nodata=NODATA,
        height=grid.height_px * factor, width=grid.width_px * factor, crs=f"EPSG:{grid.epsg}",
        transform=rasterio.Affine(step, 0.0, grid.ulx_m, 0.0, -step, grid.uly_m),
        tiled=True, blockxsize=256, blockysize=256, compress="deflate", predictor=2,
        BIGTIFF="IF_SAFER",
    )  # fmt: skip
    made.descriptions = card.bands
    made.scales, made.offsets = (1e-4,) * len(card.bands), (0.0,) * len(card.bands)
    made.update_tags(product=inputs.product.name, model=card.model.name)
    return made


def _write(target: Any, inputs: Inputs, network: OnnxModel, tile_px: int) -> tuple[int, int]:
    from rasterio.windows import Window

    card, saturated = inputs.card, 0
    factor = card.factor
    windows = list(cores(*inputs.grid.shape, tile_px))
    for core in progress(windows, desc=card.model.stem, unit="window"):
        stored, beyond = _predicted(core, inputs, network)
        sides = (core.width * factor, core.height * factor)
        target.write(stored, window=Window(core.x * factor, core.y * factor, *sides))
        saturated += beyond
    return len(windows), saturated


def _predicted(core: PixelWindow, inputs: Inputs, network: OnnxModel) -> tuple[Stored, int]:
    """What is written of a window ``[C, h, w]``, and how many values of it int16 cannot hold."""
    card = inputs.card
    factor, cut = card.factor, card.halo_px * card.factor
    found = inputs.read(core)
    if found is None:
        sides = (core.height * factor, core.width * factor)
        return np.full((len(card.bands), *sides), NODATA, np.int16), 0
    given, missing = found
    made = network(given[np.newaxis])
    expected = (1, len(card.bands), given.shape[1] * factor, given.shape[2] * factor)
    if made.shape != expected:
        what = f"makes {list(made.shape)} of {list(given.shape)}, its card says {list(expected)}"
        raise ModelContractError(what, where=card.model)
    rows, columns = (slice(cut, cut + side * factor) for side in (core.height, core.width))
    return _stored(made[0, :, rows, columns], missing, card)


def _stored(values: Image, missing: Missing, card: Card) -> tuple[Stored, int]:
    if not np.isfinite(values).all():
        what = "makes values that are no numbers of input that is whole"
        raise ModelContractError(what, where=card.model)
    gaps = missing.repeat(card.factor, 1).repeat(card.factor, 2)
    rounded = np.rint(values)
    held = np.clip(rounded, LOWEST, HIGHEST)  # the type's ends, not the reflectance's
    beyond = int(np.count_nonzero((held != rounded) & ~gaps))
    stored = held.astype(np.int16)
    stored[gaps] = NODATA
    return stored, beyond
