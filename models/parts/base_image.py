"""The base image of a generator: the bands of its upsampled input that lie next to its target's.

A generator on a base (``params.base: "input"``) adds to it, and its last layer starts at zero: the
untrained network is the upsampling itself, and every step of training a step away from it.

The base of a target band is its partner among the input bands, moved from the input's normalisation
to the target's. Where both have one unit that is exact; where they have not (radiance to
reflectance) the bands' value ranges are laid onto each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from models.parts.grids import enlarged
from models.parts.primitives import conv
from sensor2sensor.config.vocabulary import BASE_LAYER
from sensor2sensor.core.errors import ConfigError

if TYPE_CHECKING:
    from experiment import Experiment

BASES = ("none", "input")
# Farther apart two bands see different things: over the red edge, from 665 to 705 nm, the
# reflectance of vegetation rises several fold. Nearer, the bands of two sensors for one purpose
# overlap: the near infrared B08 of Sentinel-2 (833 nm, 106 nm wide) and 865 nm elsewhere.
PARTNER_NM = 35.0
SAME = 1e-9  # of a factor and an offset that are 1 and 0 but for the rounding of double precision


def finish(
    experiment: Experiment,
    base: str,
    inputs: tf.Tensor,
    last: Callable[..., tf.Tensor],
    activation: str | None = None,
) -> tf.Tensor:
    """A generator's output: its last layer by itself or, linear and from zero on, on the base.

    Args:
        experiment: Gives the bands and their normalisation.
        base: One of :data:`BASES`.
        inputs: The network's input, ``[B, H, W, C_in]``; on a coarser grid of its own the base is
            enlarged bicubically.
        last: ``last(**options)`` makes the output of the last convolution ``[B, H, W, C]``, with
            these options of it.
        activation: That of the published last layer.

    Raises:
        ConfigError: A target band has no partner in the input.
    """
    # In float32, so that the image keeps its digits whatever the network computes in.
    if base == "none":
        return last(activation=activation, dtype="float32")
    added = last(kernel_initializer="zeros", activation=None, dtype="float32")
    start = enlarged(experiment, base_layer(experiment)(inputs))
    return tf.keras.layers.Add(dtype="float32")([start, added])


def last_conv(
    experiment: Experiment,
    base: str,
    inputs: tf.Tensor,
    features: tf.Tensor,
    kernel_size: int,
    activation: str | None = None,
) -> tf.Tensor:
    """:func:`finish` with a convolution of ``kernel_size`` over ``features`` as the last layer."""

    def last(**options: Any) -> tf.Tensor:
        return conv(kernel_size, experiment.OUTPUT_CHANNELS, **options)(features)

    return finish(experiment, base, inputs, last, activation)


def base_layer(experiment: Experiment) -> tf.keras.layers.Layer:
    """The base as a frozen 1 x 1 convolution: it needs no custom layer to be saved or exported.

    Raises:
        ConfigError: A target band has no partner in the input.
    """
    bands = base_bands(experiment)
    factor, offset = base_affine(experiment, bands)
    kernel = np.zeros((1, 1, experiment.INPUT_CHANNELS, len(bands)), np.float32)
    kernel[0, 0, bands, np.arange(len(bands))] = factor
    return tf.keras.layers.Conv2D(
        len(bands),
        1,
        kernel_initializer=tf.keras.initializers.Constant(kernel),
        bias_initializer=tf.keras.initializers.Constant(offset.astype(np.float32)),
        trainable=False,
        name=BASE_LAYER,
        dtype="float32",  # the base keeps its digits whatever the network computes in
    )


def base_of(experiment: Experiment, image: tf.Tensor) -> tf.Tensor:
    """The base without a weight, for networks whose published counts know none.

    Args:
        experiment: Gives the bands and their normalisation.
        image: The input, normalised, ``[B, H, W, C_in]``; of a network or of numbers.

    Returns:
        ``[B, H, W, C]`` in the target's normalisation, float32: where both sides are normalised
        alike, the input's bands bit for bit.

    Raises:
        ConfigError: A target band has no partner in the input, or no map leads to the target's
            normalisation.
    """
    refuse_without_map(experiment)
    bands = base_bands(experiment)
    factor, offset = base_affine(experiment, bands)
    start = chosen_bands(image, bands)
    if np.allclose(factor, 1.0, rtol=0, atol=SAME) and np.allclose(offset, 0.0, atol=SAME):
        return start
    return tf.keras.layers.Rescaling(factor.tolist(), offset.tolist(), dtype="float32")(start)


def refuse_without_map(experiment: Experiment) -> None:
    """Refuse a normalisation that divides input and target of a tile by numbers of their own.

    An input band is then no target band, not even where nothing changed between the two.

    Raises:
        ConfigError: It does.
    """
    if experiment.NORMALISATION == "l2":
        raise ConfigError(
            "'l2' divides input and target each by its own norm, so that no input band is a base "
            "of the target, and this model or one of its losses needs one",
            where="normalisation",
            hint="use 'symmetric', 'reflectance' or 'dsen2cr'",
        )


def chosen_bands(image: tf.Tensor, bands: Sequence[int]) -> tf.Tensor:
    """Bands by position, in the order asked for, without a weight: ``[..., C] -> [..., c]``."""
    count, places = image.shape[-1], list(bands)
    if places == list(range(count)):
        return image
    # Runs of neighbours: an operation that keeps its places in its own config can be saved,
    # exported and drawn.
    starts = [n for n, band in enumerate(places) if n == 0 or band != places[n - 1] + 1]
    runs = [places[a:b] for a, b in zip(starts, [*starts[1:], len(places)], strict=True)]
    parts = [_run(image, run[0], run[-1] + 1, count) for run in runs]
    return parts[0] if len(parts) == 1 else tf.keras.layers.Concatenate(dtype="float32")(parts)


def _run(image: tf.Tensor, first: int, after: int, count: int) -> tf.Tensor:
    ends = [end for end in (first, after) if 0 < end < count]
    return tf.keras.ops.split(image, ends, axis=-1)[1 if first else 0] if ends else image


def base_bands(experiment: Experiment, where: str = "params.base") -> list[int]:
    """For every target band its partner, the position of an input band.

    That is the band of the same name, else the nearest in wavelength within ``PARTNER_NM``.

    Args:
        experiment: Gives the bands.
        where: The key that asks for a base, for the message.

    Raises:
        ConfigError: A band has neither.
    """
    wanted = zip(experiment.OUTPUT_BANDS, experiment.OUTPUT_WAVELENGTHS_NM, strict=True)
    return [_partner(experiment, band, nm, where) for band, nm in wanted]


def _partner(experiment: Experiment, band: str, wavelength_nm: float | None, where: str) -> int:
    distances = [
        np.inf if None in (nm, wavelength_nm) else abs(nm - wavelength_nm)
        for nm in experiment.INPUT_WAVELENGTHS_NM
    ]
    if band in experiment.INPUT_BANDS:
        same = experiment.INPUT_BANDS.index(band)
        # Names are a sensor's own: B04 is red on Sentinel-2 and near infrared on Landsat 7.
        if not PARTNER_NM < distances[same] < np.inf:
            return same
    nearest = int(np.argmin(distances))
    if distances[nearest] > PARTNER_NM:
        raise ConfigError(
            f"no input band is a base for '{band}': none of its name, none within "
            f"{PARTNER_NM:g} nm of its wavelength",
            where=where,
            hint="give wavelength_nm in dataset.json and delete dataset.sha256,"
            " or take base 'none' (not edsr, dsen2cr)",
        )
    return nearest


def base_affine(experiment: Experiment, bands: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Factor and offset that take a normalised input band to the normalised target band.

    Returns:
        Two float64 arrays ``[C]``. ``l2`` divides every tile by its own norm, which no constant
        undoes: there the band is taken as it is.
    """
    contract = experiment.contract
    if experiment.NORMALISATION == "l2":
        return np.ones(len(bands)), np.zeros(len(bands))
    normalisation = experiment.normaliser
    source, target = contract.input_ranges(), contract.target_ranges()
    in_slope, in_offset = _probe(normalisation.input, normalisation.reached("input", source))
    out_slope, out_offset = _probe(normalisation.target, normalisation.reached("target", target))
    factor, offset = np.ones(len(bands)), np.zeros(len(bands))
    for index, band in enumerate(bands):
        if contract.input.bands[band].unit != contract.target.bands[index].unit:
            physical = _line(source[band], target[index])
        else:
            physical = (1.0, 0.0)
        slope, shift = physical
        factor[index] = out_slope[index] * slope / in_slope[band]
        offset[index] = (
            out_slope[index] * (shift - slope * in_offset[band] / in_slope[band])
            + out_offset[index]
        )
    return factor, offset


def _probe(function, ranges) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset per band of an affine normalisation, from the two ends of its ranges."""
    ends = np.array(ranges, np.float32)  # [C, 2]
    constant = ends[:, 1] <= ends[:, 0]
    ends[constant, 1] = ends[constant, 0] + 0.5  # two points make a line
    image = ends.T[None, :, None, :]  # [1, 2, 1, C]
    values = np.asarray(function(image), np.float64)[0, :, 0, :]
    ends = image[0, :, 0, :].astype(np.float64)
    slope = (values[1] - values[0]) / (ends[1] - ends[0])
    return slope, values[0] - slope * ends[0]


def _line(source, target) -> tuple[float, float]:
    slope = float((target[1] - target[0]) / (source[1] - source[0]))
    return slope, float(target[0] - slope * source[0])
