"""The base image of a generator: the bands of its upsampled input that lie next to its target's.

A generator on a base (``params.base: "input"``) adds to it, and its last layer starts at zero: the
untrained network is the upsampling itself, and every step of training a step away from it.

The base of a target band is its partner among the input bands, moved from the input's normalisation
to the target's. Where both have one unit that is exact; where they have not (radiance to
reflectance) the bands' value ranges are laid onto each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from models.parts.primitives import conv
from sensor2sensor.config.vocabulary import BASE_LAYER
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline.normalisation import Normalisation

if TYPE_CHECKING:
    from experiment import Experiment

BASES = ("none", "input")
# Farther apart two bands see different things: over the red edge, from 665 to 705 nm, the
# reflectance of vegetation rises several fold. Nearer, the bands of two sensors for one purpose
# overlap: the near infrared B08 of Sentinel-2 (833 nm, 106 nm wide) and 865 nm elsewhere.
PARTNER_NM = 35.0


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
        inputs: The network's input, ``[B, H, W, C_in]``.
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
    return tf.keras.layers.Add(dtype="float32")([base_layer(experiment)(inputs), added])


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


def base_bands(experiment: Experiment) -> list[int]:
    """For every target band its partner, the position of an input band.

    That is the band of the same name, else the nearest in wavelength within ``PARTNER_NM``.

    Raises:
        ConfigError: A band has neither.
    """
    wanted = zip(experiment.OUTPUT_BANDS, experiment.OUTPUT_WAVELENGTHS_NM, strict=True)
    return [_partner(experiment, band, nm) for band, nm in wanted]


def _partner(experiment: Experiment, band: str, wavelength_nm: float | None) -> int:
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
            where="params.base",
            hint="give wavelength_nm in dataset.json, or take base 'none' (edsr has no other base)",
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
    normalisation = Normalisation(experiment.NORMALISATION, contract)
    source, target = contract.input_ranges(), contract.target_ranges()
    in_slope, in_offset = _probe(normalisation.input, source)
    out_slope, out_offset = _probe(normalisation.target, target)
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
