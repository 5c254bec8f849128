"""A trained registration, used: the target is moved onto the input, the input stays as it is.

So that what learns from the pair stays in the geometry and radiometry of the coarser sensor, whose
images it will be given. Everything is in physical values; the network standardises what it sees, so
that values normalised band by band would do as well.

    f = R(S, L), smoothed                       S: the target's band, degraded; L: the input's band
    target' = warp(target, f enlarged)
    c = low-pass of L - warp(S, f), enlarged    with ``radiometric``, band by band
    target" = target' + c
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.pipeline import bicubic, flow, psf

# Of flows and corrections, in pixels of the input, as published; the kernel has 15 x 15.
FLOW_SIGMA_PX, CORRECTION_SIGMA_PX, HALF_WIDTH_PX = 1.67, 1.53, 7


@dataclass(frozen=True)
class Bands:
    """Which bands a registration looks at and moves.

    Attributes:
        low: Position of the registration band in the input.
        high: Its position in the target.
        factor: Target pixels along a side of an input pixel.
        known: Of each target band whether it has a reference; one without is the input itself, and
            stays.
        partners: Of each known target band that the input has too: its position there, and edge of
            its own pixel in pixels of the input's grid; by position in the target.
        mtf: Of each target band.
    """

    low: int
    high: int
    factor: int
    known: tuple[bool, ...]
    partners: dict[int, tuple[int, int]]
    mtf: tuple[float, ...]


def bands_of(contract: DatasetContract, band: str, mtf: Sequence[float]) -> Bands:
    """The bands of a data set whose input and target both have ``band``."""
    shape = contract.input_px
    assert shape is not None, "only regular grids are registered"
    factor = contract.tile_px // shape[0]
    inputs = {one.name: (place, one.native_px) for place, one in enumerate(contract.input.bands)}
    targets = contract.target.bands
    return Bands(
        low=inputs[band][0],
        high=[one.name for one in targets].index(band),
        factor=factor,
        known=tuple(one.reference for one in targets),
        partners={
            place: inputs[one.name]
            for place, one in enumerate(targets)
            if one.reference and one.name in inputs
        },
        mtf=tuple(float(one) for one in mtf),
    )


class Registrar:
    """Moves targets onto inputs; it learns nothing and changes no tensor that it is given.

    Args:
        network: R, ``[B, h, w, 2] -> [B, h, w, 2]``.
        bands: What it looks at.
        radiometric: Whether low frequencies are corrected as well.
        compat: ``torchsisr``, or None.
        origin: Where the network's weights are from.
    """

    def __init__(
        self,
        network: Callable[..., tf.Tensor],
        bands: Bands,
        *,
        radiometric: bool = False,
        compat: str | None = None,
        origin: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._network, self.bands, self.radiometric = network, bands, radiometric
        self.origin = origin
        self._kernel: dict[str, Any] = {"coefficient": bicubic.coefficient_of(compat)}
        self._way = {"half_width": psf.half_width_of(compat), **self._kernel}

    def __call__(
        self, image: tf.Tensor, target: tf.Tensor, real: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The target on the input's geometry, and the flow that brought it there.

        Args:
            image: The input ``[B, h, w, Ci]`` on its own grid, physical.
            target: ``[B, H, W, Ct]``, physical.
            real: ``[B]``, false for samples that are registered by construction (degraded ones),
                whose target stays bit for bit; None: all are real.

        Returns:
            ``[B, H, W, Ct]``, and the smoothed flow ``[B, h, w, 2]`` in pixels of the input.
        """
        found = self.flow(image, target)
        fine = flow.enlarge(found, self.bands.factor, **self._kernel)
        moved = bicubic.warp(target, fine, **self._kernel)
        if self.radiometric:
            moved += self._correction(image, target, found)
        keep = tf.constant(self.bands.known)[tf.newaxis, tf.newaxis, tf.newaxis]
        if real is not None:
            asked = tf.cast(real, tf.bool)[:, tf.newaxis, tf.newaxis, tf.newaxis]
            found, keep = tf.where(asked, found, 0.0), tf.logical_and(keep, asked)
        return tf.where(keep, moved, target), found

    def flow(self, low: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """R(S, L), smoothed, ``[B, h, w, 2]`` in pixels of the input."""
        found = self.between(self.seen(target), self.fixed(low))
        return flow.smooth(found, FLOW_SIGMA_PX, HALF_WIDTH_PX)

    def between(self, moving: tf.Tensor, fixed: tf.Tensor) -> tf.Tensor:
        """R itself: the flow that moves one band ``[B, h, w, 1]`` onto another, as it is said."""
        return self._network(tf.concat([moving, fixed], axis=-1), training=False)

    def seen(self, target: tf.Tensor) -> tf.Tensor:
        """S: the target's registration band as the coarser sensor sees it, ``[B, h, w, 1]``."""
        high = self.bands.high
        return psf.degrade(
            target[..., high : high + 1], self.bands.factor, self.bands.mtf[high], **self._way
        )

    def fixed(self, low: tf.Tensor) -> tf.Tensor:
        """L: the input's registration band, ``[B, h, w, 1]``."""
        return low[..., self.bands.low : self.bands.low + 1]

    def misfit(self, image: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and deviation of the length of the flow, ``[B]`` each, in pixels of the input.

        How far an image on the target's grid, a prediction or the target itself, lies from its
        input: the flow as the network says it, which smoothing would make shorter.
        """
        return flow.magnitude(self.between(self.seen(target), self.fixed(image)))

    def _correction(self, low: tf.Tensor, target: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        """What low frequencies of each band differ by, on the target's grid; 0 without a partner.

        A band of coarser pixels than the grid it is stored on is compared on its own.
        """
        made = [tf.zeros_like(target[..., :1]) for _ in self.bands.known]
        for native in sorted({native for _, native in self.bands.partners.values()}):
            places = [p for p, (_, n) in self.bands.partners.items() if n == native]
            partners = [self.bands.partners[p][0] for p in places]
            # Every native-th pixel: its value stands native x native times.
            here = tf.gather(low[:, ::native, ::native], partners, axis=-1)
            there = psf.degrade(
                tf.gather(target, places, axis=-1),
                self.bands.factor * native,
                [self.bands.mtf[p] for p in places],
                **self._way,
            )
            moved = bicubic.warp(there, _coarser(found, native), **self._kernel)
            rest = flow.smooth(here - moved, CORRECTION_SIGMA_PX, HALF_WIDTH_PX)
            fine = bicubic.resize(rest, *_sides(target), **self._kernel)
            for place, one in zip(places, tf.split(fine, len(places), axis=-1), strict=True):
                made[place] = one
        return tf.concat(made, axis=-1)


def _coarser(found: tf.Tensor, native: int) -> tf.Tensor:
    """A flow on a grid ``native`` times coarser, in pixels of that."""
    if native == 1:
        return found
    return tf.nn.avg_pool2d(found, native, native, "VALID") / native


def _sides(image: tf.Tensor) -> list[Any]:
    shape = tf.shape(image)
    return [image.shape[axis] or shape[axis] for axis in (1, 2)]
