"""The low frequencies of a generated image are the input's: a last layer of any generator.

What a sensor of the input's pixels would see of the output is compared with the input itself, and
the difference is added, enlarged bicubically: one step of iterative back-projection (Irani, Peleg
1991). The network is left the detail; a drift of its mean reflectance, of which adversaries are
guilty, is taken out whatever the weights say. Where the output already looks like the input to that
sensor, nothing changes. All of it is a convolution with fixed weights.

One step leaves two fifths of what an image of Sentinel-2 lacks, four leave a tenth; each sees one
kernel farther. With an input on the target's grid (``input_upsampling: "bicubic"``) both are
compared there, where the output has been blurred only: more steps would undo a blur that the truth
never had, and from the fourth on images get worse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from models.parts.base_image import base_bands, base_of
from models.parts.grids import Blurred, enlarged, factor_of
from sensor2sensor.config.vocabulary import NATIVE_LAYER
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline import psf

if TYPE_CHECKING:
    from experiment import Experiment

KEY = "params.low_frequency"
MOST_STEPS = 8


def constrained(experiment: Experiment, network: tf.keras.Model, steps: int = 1) -> tf.keras.Model:
    """A generator whose output keeps the low frequencies of its input; it shares all weights.

    The point spread is ``fidelity_mtf`` of the experiment, Sentinel-2's where that names no band.
    Bands whose own pixel is coarser than the input's grid stay as the network made them: at that
    grid nothing was measured of them.

    Args:
        experiment: Gives bands and grids.
        network: The generator.
        steps: Of back-projection.

    Raises:
        ConfigError: A band has no partner in the input or no known MTF, the input is as fine as
            the target, or it was enlarged by repetition; or several steps on the target's grid.
    """
    factor = factor_of(experiment)
    if steps > 1 and factor == 1:
        what = f"{steps} steps need an input on its own grid; on the target's they sharpen"
        raise ConfigError(what, where=KEY, hint="set it to true, or input_upsampling to 'none'")
    coarse = _coarser(experiment, factor)
    mtf = psf.mtf_of(experiment.OUTPUT_BANDS, experiment.config.fidelity_mtf, "fidelity_mtf")
    image, made = _seen(network), network.output
    measured = base_of(experiment, image)
    for _ in range(steps):
        seen = Blurred(mtf.tolist(), coarse, factor, dtype="float32")(made)
        missing = tf.keras.layers.Subtract(dtype="float32")([measured, seen])
        missing = _known(experiment, enlarged(experiment, missing))
        made = tf.keras.layers.Add(dtype="float32")([made, missing])
    return tf.keras.Model(network.input, made, name=network.name)


def _coarser(experiment: Experiment, factor: int) -> float:
    """Target pixels along a side of the sensor's own."""
    if experiment.SCALE <= 1:
        raise ConfigError("the input is as fine as the target", where=KEY, hint="leave it out")
    if factor == 1 and experiment.INPUT_UPSAMPLING == "nearest":
        raise ConfigError(
            "an input enlarged by repetition has steps that no sensor saw",
            where=KEY,
            hint="set input_upsampling to 'none' or 'bicubic'",
        )
    return experiment.SCALE if factor == 1 else float(factor)


def _seen(network: tf.keras.Model) -> tf.Tensor:
    names = [layer.name for layer in network.layers]
    return network.get_layer(NATIVE_LAYER).output if NATIVE_LAYER in names else network.inputs[0]


def _known(experiment: Experiment, missing: tf.Tensor) -> tf.Tensor:
    bands = experiment.contract.input.bands
    share = [float(bands[place].native_px == 1) for place in base_bands(experiment, KEY)]
    if np.all(share):
        return missing
    return tf.keras.layers.Rescaling(share, dtype="float32")(missing)
