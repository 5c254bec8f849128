"""Baselines that know the input alone, or the mean of the target: what is gained by learning.

They start from the low-resolution grid as it was observed, not from an upsampled copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.predictors.protocol import Images

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord


@dataclass(frozen=True)
class Upsampled:
    """The low-resolution image itself on the target's grid.

    Attributes:
        mode: ``nearest`` or ``bicubic``.
        bands: For each target band, its position among the input bands.
        native_px: Of each input band, in pixels of the input's grid; empty: 1 for all.
    """

    mode: str
    bands: tuple[int, ...]
    native_px: tuple[int, ...] = ()
    normalised: ClassVar[bool] = False

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        from sensor2sensor.dataset.upsampling import upsample

        images = np.stack([np.asarray(upsample(tile, self.mode, self.native_px)) for tile in tiles])
        return images[..., list(self.bands)].astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """How it is made."""
        return {"method": f"{self.mode} interpolation of the low-resolution pixels"}


@dataclass(frozen=True)
class DoNothing:
    """The input's own values in the target's bands: a cloud stays a cloud.

    Attributes:
        bands: For each target band, its position among the input bands.
    """

    bands: tuple[int, ...]
    normalised: ClassVar[bool] = False

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        found = [_dense(tile)[..., list(self.bands)] for tile in tiles]
        return np.stack(found).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """How it is made."""
        return {"method": "the input's bands of the same names as they are"}


@dataclass(frozen=True)
class MeanColour:
    """One colour everywhere: the mean of each target band over the train split.

    No constant has a smaller mean squared error on that split, so a model that does not beat it
    has learned nothing about where things are.

    Attributes:
        means: Physical value by target band.
    """

    means: Mapping[str, float]
    normalised: ClassVar[bool] = False

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        shape = (len(tiles), *tiles[0].target.shape)
        return np.broadcast_to(np.array([*self.means.values()], np.float32), shape).copy()

    def describe(self) -> dict[str, Any]:
        """Method and means, from which the registry makes it again."""
        method = "mean of each target band over the train split, everywhere"
        return {"method": method, "means": dict(self.means)}


def same_bands(contract: DatasetContract) -> tuple[int, ...]:
    """For each target band, the position of the input band of its name.

    Raises:
        DatasetError: The input lacks some.
    """
    # By name, not by place: an input may hold further bands, in any order.
    names = [band.name for band in contract.input.bands]
    missing = [band.name for band in contract.target.bands if band.name not in names]
    if missing:
        raise DatasetError(
            f"input lacks the target bands {', '.join(missing)}",
            where=contract.name,
            hint="interpolation baselines need every target band in the input",
        )
    return tuple(names.index(band.name) for band in contract.target.bands)


def mean_colour(contract: DatasetContract, train: Iterable[TileRecord]) -> MeanColour:
    """Average each target band over the finite pixels of train tiles.

    Raises:
        DatasetError: A band has no finite pixel.
    """
    names = [band.name for band in contract.target.bands]
    # float64: a float32 sum over 10^9 pixels stops growing long before its end.
    total, count = np.zeros(len(names)), np.zeros(len(names))
    for tile in train:
        flat = tile.target.reshape(-1, len(names)).astype(np.float64)
        total += np.nansum(flat, axis=0)
        count += np.isfinite(flat).sum(axis=0)
    if not count.all():
        raise DatasetError(
            "a target band has no value on train", where=contract.name, hint="check its files"
        )
    return MeanColour(dict(zip(names, (total / count).tolist(), strict=True)))


def _dense(tile: TileRecord) -> Images:
    """The input of a record that is stored as an image, ``[H, W, Ci]``."""
    if tile.input_dense is None:
        raise DatasetError("the input is no image on the target's grid", where=tile.name)
    return tile.input_dense
