"""Training pairs made by degradation: from the target, and from the input (Wald et al. 1997).

Every sample of a batch takes one of three paths. *real* is the measured pair. *simulated* keeps the
target and puts in the place of the input what a sensor of drawn MTF and noise sees of it: a pair
that is registered by construction. *wald* goes one scale up: the input is degraded once more, by as
much as it is coarser than the target, and is itself the truth, so bands that nobody has measured on
the target's grid are supervised, too. Its images are smaller; mirrored side by side they fill the
batch's size again, each pixel over the same ground as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from sensor2sensor.pipeline import bicubic, psf
from sensor2sensor.pipeline.sensor import grouped, picked, together

PATHS = ("real", "simulated", "wald")
Batch = dict[str, Any]


@dataclass(frozen=True)
class Bands:
    """Input bands of one pixel size and what is drawn for them.

    Attributes:
        native_px: Their own pixel, in pixels of the input's grid.
        places: Their positions in the input.
        mtf: Ends of the range of each, ``[2, C]``.
        noise: Ends of the range of each, ``[2, C]``, in physical values.
    """

    native_px: int
    places: tuple[int, ...]
    mtf: Any
    noise: Any


@dataclass(frozen=True, eq=False)  # hashed by itself, as tf.function asks
class Simulation:
    """How the pairs of a training are made.

    Attributes:
        shares: Of the paths, by their names; of any sum.
        factor: Target pixels along a side of an input pixel.
        groups: All bands of the input, by pixel size.
        sources: For each input band the target band it is simulated from; None: it stays measured.
        partners: For each target band the input band that is its truth on path wald.
        known: Which target bands have a reference on the target's grid.
        half_width: Of the Gaussians.
        coefficient: Of bicubic interpolation.
        seed: Of all draws, with the number of the step.
    """

    shares: Mapping[str, float]
    factor: int
    groups: tuple[Bands, ...]
    sources: tuple[int | None, ...]
    partners: tuple[int, ...]
    known: tuple[bool, ...]
    half_width: psf.HalfWidth
    coefficient: float
    seed: int

    def __call__(self, batch: Batch, step: Any) -> Batch:
        """A batch of physical values with each sample on its path.

        Adds ``real``, bool ``[B]``: whether it is a measured pair; and, where bands without a
        reference get one on path wald, ``known``, bool ``[B, C]``.
        """
        seed = tf.random.experimental.stateless_fold_in(_pair(self.seed), step)
        path = self._paths(tf.shape(batch["input"])[0], _stream(seed, 0))
        made = dict(batch)
        if self.shares["simulated"]:
            chosen = _per_image(path == 1)
            made["input"] = tf.where(chosen, self.simulated(batch, seed), made["input"])
        if self.shares["wald"]:
            chosen, pair = _per_image(path == 2), self.wald(batch, seed)
            for name, image in pair.items():
                made[name] = tf.where(chosen, image, made[name])
            if not all(self.known):
                made["known"] = tf.constant(self.known) | (path == 2)[:, tf.newaxis]
        return {**made, "real": path == 0}

    def _paths(self, count: Any, seed: tf.Tensor) -> tf.Tensor:
        """The number of each sample's path, ``[B]``."""
        shares = [self.shares[name] for name in PATHS]
        ends = tf.cumsum(tf.constant(shares, tf.float32)) / sum(shares)
        drawn = tf.random.stateless_uniform([count], seed)
        # The last path with a share, should the sum be rounded below 1.
        last = max(place for place, share in enumerate(shares) if share)
        number = tf.searchsorted(ends, drawn, side="right", out_type=tf.int32)
        return tf.minimum(number, last)

    def simulated(self, batch: Batch, seed: tf.Tensor) -> tf.Tensor:
        """The input ``[B, h, w, C]`` that a sensor sees of the target; bands without stay."""
        image, target = batch["input"], batch["target"]
        parts, places = [], []
        for number, group in enumerate(self.groups):
            seen = [place for place in group.places if self.sources[place] is not None]
            left = [place for place in group.places if self.sources[place] is None]
            if left:
                parts.append(picked(image, left))
                places.append(left)
            if seen:
                fine = tf.gather(target, [self.sources[place] for place in seen], axis=-1)
                kept = [group.places.index(place) for place in seen]
                small = self._seen(fine, self.factor * group.native_px, group, kept, seed, number)
                parts.append(bicubic.repeated(small, group.native_px))
                places.append(seen)
        return together(parts, places)

    def wald(self, batch: Batch, seed: tf.Tensor) -> Batch:
        """Input and target one scale up, mirrored to the sizes of the batch's.

        The truth has the pixels of the coarsest input band, to which finer ones are degraded too.
        """
        image, coarsest = batch["input"], max(group.native_px for group in self.groups)
        scale = self.factor * coarsest
        low, truth, places = [], [], []
        for number, group in enumerate(self.groups):
            native, every = group.native_px, list(range(len(group.places)))
            # Stored repeated: every native-th pixel is the band as it was measured.
            own = picked(image, group.places)[:, ::native, ::native]
            small = self._seen(own, scale, group, every, seed, number)
            low.append(bicubic.repeated(small, native))
            truth.append(self._as_coarse(own, coarsest // native, group, seed, number))
            places.append(group.places)
        target = picked(together(truth, places), self.partners)
        return {"input": mirrored(together(low, places), scale), "target": mirrored(target, scale)}

    def _as_coarse(
        self, own: tf.Tensor, ratio: int, group: Bands, seed: tf.Tensor, number: int
    ) -> tf.Tensor:
        if ratio == 1:
            return own
        mtf = self._drawn(group.mtf, range(len(group.places)), tf.shape(own)[0], seed, number, 1)
        return self._degraded(own, ratio, mtf, group)

    def _seen(
        self, fine: tf.Tensor, factor: int, group: Bands, kept: Any, seed: tf.Tensor, number: int
    ) -> tf.Tensor:
        """An image degraded with drawn MTF and noise, by image and band."""
        count = tf.shape(fine)[0]
        mtf = self._drawn(group.mtf, kept, count, seed, number, 1)
        small = self._degraded(fine, factor, mtf, group)
        if not group.noise.any():
            return small
        level = self._drawn(group.noise, kept, count, seed, number, 2)
        white = tf.random.stateless_normal(tf.shape(small), _stream(seed, 3 * number + 3))
        return small + level[:, tf.newaxis, tf.newaxis] * white

    def _drawn(
        self, ends: Any, kept: Any, count: Any, seed: tf.Tensor, number: int, stream: int
    ) -> tf.Tensor:
        """Uniform numbers ``[B, C]`` between the ends of each band's range."""
        low, high = (tf.gather(end, list(kept)) for end in ends)
        share = tf.random.stateless_uniform([count, len(kept)], _stream(seed, 3 * number + stream))
        return low + share * (high - low)

    def _degraded(self, fine: tf.Tensor, factor: int, mtf: tf.Tensor, group: Bands) -> tf.Tensor:
        if self.half_width == "auto":
            # The widest Gaussian that may be drawn: the width of a kernel is not drawn.
            reach = psf.reach_px(psf.sigma_px(group.mtf[0].min(), factor))
            return psf.sampled(fine, factor, psf.sigma_px(mtf, factor), reach)
        options: Any = {"half_width": self.half_width, "coefficient": self.coefficient}
        return psf.degrade(fine, factor, mtf, **options)


def mirrored(image: tf.Tensor, count: int) -> tf.Tensor:
    """``count`` x ``count`` copies side by side, each the mirror image of its neighbours.

    The border pixels stand twice, so the mirrored halves of a coarse and of a fine image of one
    ground meet along the same line.
    """
    for axis in (1, 2):
        turned = tf.reverse(image, [axis])
        image = tf.concat([turned if n % 2 else image for n in range(count)], axis)
    return image


def _pair(seed: int) -> tf.Tensor:
    """A stateless seed from one of 63 bits."""
    return tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int64)


def _stream(seed: tf.Tensor, number: int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, number)


def _per_image(chosen: tf.Tensor) -> tf.Tensor:
    return chosen[:, tf.newaxis, tf.newaxis, tf.newaxis]


def by_pixel(native: list[int], mtf: Any, noise: Any) -> tuple[Bands, ...]:
    """Input bands grouped by their own pixel.

    Args:
        native: ``native_px`` of each.
        mtf: Ends of the range of each, ``[2, C]`` float32.
        noise: The same of their noise.
    """
    return tuple(
        Bands(px, tuple(places), mtf[:, places], noise[:, places]) for px, places in grouped(native)
    )
