"""The coarser sensor of a pair: what it saw, and what it would see of an image on the fine grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.config.vocabulary import TORCHSISR
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.predictors.baselines import same_bands
from sensor2sensor.predictors.protocol import Images
from sensor2sensor.predictors.registry import find

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord


class LowSide:
    """The input's side of a data set whose input is the coarser one.

    Args:
        contract: Of the data set.
        mtf: At the Nyquist frequency of each input band, as ``fidelity_mtf``; None: Sentinel-2's.
        compat: As the key of ``experiment.json``.

    Raises:
        ConfigError: The input is not coarser by a whole factor, lacks a target band, or the MTF of
            a band is not known.

    Attributes:
        bands: For each target band, the position of its input band.
        facts: What the files say of it.
    """

    def __init__(
        self,
        contract: DatasetContract,
        mtf: float | Mapping[str, float] | None = None,
        compat: str | None = None,
    ) -> None:
        from sensor2sensor.pipeline.bicubic import coefficient_of
        from sensor2sensor.pipeline.psf import half_width_of, mtf_of

        refuse(contract)
        self.bands = same_bands(contract)
        target, inputs = contract.target.bands, contract.input.bands
        rows, _ = contract.input_px or (contract.tile_px,) * 2
        self._factor = contract.tile_px // rows
        self._native = np.array([inputs[place].native_px for place in self.bands])
        self._mtf = mtf_of([band.name for band in target], mtf, "fidelity_mtf")
        self._way: dict[str, Any] = {
            "half_width": half_width_of(compat),
            "coefficient": coefficient_of(compat),
        }
        # Of a band that nobody measured finer, the input is all there is to make an input of.
        self._made = [i for i, band in enumerate(target) if band.reference]
        self.facts: dict[str, Any] = {
            "simulated": [target[i].name for i in self._made],
            "mtf": {b.name: round(float(m), 6) for b, m in zip(target, self._mtf, strict=True)},
            "half_width": self._way["half_width"],
        }

    def degraded(self, images: Images) -> Images:
        """Fine images ``[B, H, W, Ct]`` as the coarser sensor sees them, ``[B, h, w, Ct]``.

        A band whose own pixel is larger than the input's is repeated, as it is stored.
        """
        from sensor2sensor.pipeline.psf import degrade

        height, width = (side // self._factor for side in images.shape[1:3])
        seen = np.empty((len(images), height, width, images.shape[-1]), np.float32)
        for native in np.unique(self._native):
            own = np.flatnonzero(self._native == native)
            part = images[..., own].astype(np.float32)
            factor = self._factor * int(native)
            small = degrade(part, factor, self._mtf[own], **self._way)
            seen[..., own] = np.asarray(small).repeat(native, axis=1).repeat(native, axis=2)
        return seen

    def enlarged(self, seen: Images, side_px: Sequence[int], coefficient: float) -> Images:
        """The input's bands ``[B, h, w, Ct]`` on the fine grid by bicubic interpolation.

        Args:
            seen: As of :meth:`of`.
            side_px: Rows and columns of the fine grid.
            coefficient: Of the kernel.
        """
        from sensor2sensor.pipeline.bicubic import resize

        large = np.empty((len(seen), *side_px, seen.shape[-1]), np.float32)
        for native in np.unique(self._native):
            own = np.flatnonzero(self._native == native)
            # Between its own pixels, as the baseline does, not between the copies stored of them.
            small = seen[:, ::native, ::native, own]
            large[..., own] = np.asarray(resize(small, *side_px, coefficient=coefficient))
        return large

    def whole(self, tiles: Sequence[TileRecord]) -> Images:
        """The input on its own grid, ``[B, h, w, Ci]``."""
        return np.stack([_grid(tile) for tile in tiles])

    def of(self, tiles: Sequence[TileRecord]) -> Images:
        """The input's bands of the target's names, ``[B, h, w, Ct]``."""
        return self.whole(tiles)[..., list(self.bands)]

    def simulated(self, tiles: Sequence[TileRecord]) -> list[TileRecord]:
        """The same tiles with an input made from their target: registered by construction."""
        made = self.degraded(np.stack([tile.target for tile in tiles]))
        return [self._with(tile, seen) for tile, seen in zip(tiles, made, strict=True)]

    def _with(self, tile: TileRecord, seen: Images) -> TileRecord:
        grid = _grid(tile).copy()
        for i in self._made:
            grid[..., self.bands[i]] = seen[..., i]
        if tile.input_dense is not None:
            return replace(tile, input_dense=grid)
        return replace(tile, input_pixels=grid.reshape(-1, grid.shape[-1]))


def refuse(contract: DatasetContract) -> None:
    """Refuse what profile torchsisr cannot score (ConfigError)."""
    grid = contract.input_px
    why = find("bicubic").applies(contract)
    if why is None and grid is not None and contract.tile_px % grid[0]:
        why = f"{contract.tile_px} pixels are no whole number of times {grid[0]}"
    if why is not None:
        problem = f"profile '{TORCHSISR}' cannot score this data set: {why}"
        hint = "it is for inputs that are coarser by a whole factor; take another --profile"
        raise ConfigError(problem, where=contract.name, hint=hint)


def _grid(tile: TileRecord) -> Images:
    """The input on its own grid, ``[h, w, Ci]``."""
    from sensor2sensor.dataset.upsampling import grid_of

    if tile.input_dense is not None:
        return tile.input_dense
    rows, columns, _ = grid_of(tile.input_index)
    return tile.input_pixels.reshape(rows, columns, -1)
