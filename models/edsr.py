"""edsr: a residual network without normalisation that mends the upsampled input.

Lim, Son, Kim, Nah, Lee: Enhanced Deep Residual Networks for Single Image Super-Resolution,
CVPRW 2017.

Differences from the paper:
    * The paper works on the coarse grid and upsamples at the end. Here the input arrives on the
      target's grid, so the network works on a grid ``shrink`` times coarser: its first convolution
      strides over squares of ``shrink`` pixels and its last, transposed one (a 3 x 3 convolution
      and the paper's pixel shuffle in one) fills them again.
    * What it adds goes on top of the upsampled input instead of on nothing. The last convolution
      starts at zero: an untrained edsr is the bicubic (or nearest) upsampling itself, and every
      step of training is a step away from that baseline.
    * 16 blocks of 64 filters are the paper's baseline network; its large one has 32 of 256.

The base of a target band is the input band of the same name, else the nearest in wavelength,
moved from the input's normalisation to the target's. Where both have one unit that is exact;
where they have not (radiance to reflectance) the bands' value ranges are laid onto each other.

``params``:
    blocks (16): residual blocks.
    width (1.0): multiplies the 64 filters, at least 4.
    shrink (1): 1, 2 or 4; how much coarser the inner grid is. Each doubling costs a quarter.
    residual_scale (1.0): factor of every block's branch (the paper takes 0.1 for 256 filters).
    local_contrast (false): also show the network the deviations from the local mean in units of
        the local contrast, and let it answer in that unit. Nothing is learned by it and the base
        is untouched; a dark field and a bright floe then look alike, where with one range for
        both the field's contrast is a few percent of it. Without it 300 steps on scenes with ice
        beside land barely leave the bicubic.
    discriminator (false): train against a 70 x 70 PatchGAN of pix2pix; its filters follow width.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from experiment import Experiment
from models import base, layers
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline.normalisation import Normalisation

DEFAULTS = {
    "blocks": 16,
    "width": 1.0,
    "shrink": 1,
    "residual_scale": 1.0,
    "local_contrast": False,
    "discriminator": False,
}
SHRINKS = (1, 2, 4)
CONTRAST_INPUT_PX = 3  # side of the square that counts as local, in pixels of the input
CONTRAST_FLOOR = 0.01  # of the normalised range; below it there is noise rather than contrast


class GAN:
    """EDSR over the upsampled input; unbounded output, by default no discriminator."""

    def __init__(self, experiment: Experiment):
        self.exp = experiment
        self.params = base.read_params(experiment, DEFAULTS)
        base.check_sizes(experiment)
        if self.params.shrink not in SHRINKS:
            raise ConfigError("must be 1, 2 or 4", where="params.shrink")
        base.check_losses(experiment, self.params.discriminator)
        self.generator = self.Generator()
        self.discriminator = self.Discriminator()
        # 0.9 as in the paper; an adversary moves the goal at every step and wants a shorter memory.
        beta_1 = 0.9 if self.discriminator is None else 0.5
        self.generator_optimizer = base.adam(experiment, self.generator, beta_1)
        self.discriminator_optimizer = base.adam(experiment, self.discriminator)
        self.loss_object = tf.keras.losses.BinaryCrossentropy(from_logits=True)

    @staticmethod
    def experiment_defaults(params):
        """Without a discriminator of its own no adversarial term is there by default."""
        return {} if params.get("discriminator") else {"gen_loss.gen_gan": None}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded; untrained it returns its base."""
        exp, shrink = self.exp, self.params.shrink
        filters = layers.scaled(64, self.params.width)
        with layers.seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            start = _base_layer(exp)(inputs)
            seen, gain = inputs, None
            if self.params.local_contrast:
                seen, gain = _local_contrast(inputs, start, contrast_px(exp))
            x = head = tf.keras.layers.Conv2D(
                filters, 3 * shrink, shrink, "same", kernel_initializer=layers.he_normal()
            )(seen)
            for _ in range(self.params.blocks):
                x = self._block(x, filters)
            x = tf.keras.layers.Add()([_conv(filters, layers.he_normal(0.1))(x), head])
            residual = tf.keras.layers.Conv2DTranspose(
                exp.OUTPUT_CHANNELS,
                3 * shrink,
                shrink,
                "same",
                kernel_initializer="zeros",
                dtype="float32",
            )(x)
            if gain is not None:
                residual = tf.keras.layers.Multiply(dtype="float32")([residual, gain])
            outputs = tf.keras.layers.Add(dtype="float32")([start, residual])
        return tf.keras.Model(inputs, outputs, name="generator")

    def _block(self, x: tf.Tensor, filters: int) -> tf.Tensor:
        branch = _conv(filters, layers.he_normal(), "relu")(x)
        # Without normalisation a sum of blocks must start small, or it doubles with every block.
        branch = _conv(filters, layers.he_normal(0.1))(branch)
        if self.params.residual_scale != 1.0:
            branch = tf.keras.layers.Rescaling(self.params.residual_scale)(branch)
        outputs = tf.keras.layers.Add()([x, branch])
        layers.mark(outputs, x, "residual block")
        return outputs

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits, or None without one."""
        return base.patchgan(self.exp, self.params.width) if self.params.discriminator else None

    @tf.function
    def train_step(self, input_image, target, step):
        """One update; the losses to log."""
        return base.standard_step(self, input_image, target, step)


def _conv(filters: int, initializer, activation: str | None = None) -> tf.keras.layers.Layer:
    return tf.keras.layers.Conv2D(
        filters, 3, padding="same", activation=activation, kernel_initializer=initializer
    )


def contrast_px(experiment: Experiment) -> int:
    """Side of the local square in pixels of the target: odd, and no wider than the image."""
    side = round(CONTRAST_INPUT_PX * experiment.SCALE)
    return min(side, experiment.IMG_HEIGHT - 1, experiment.IMG_WIDTH - 1) // 2 * 2 + 1


def _local_contrast(
    image: tf.Tensor, start: tf.Tensor, side_px: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network sees of an image, and the scale of what it adds.

    Returns:
        The image beside its deviations from the local mean in units of the local contrast,
        ``[B, H, W, 2 C_in]``; the local contrast of the base, ``[B, H, W, C]``.
    """
    mean, contrast = _local_statistics(image, side_px)
    deviation = (image - mean) / contrast
    _, gain = _local_statistics(start, side_px)
    return tf.keras.layers.Concatenate()([image, deviation]), gain


def _local_statistics(image: tf.Tensor, side_px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Local mean and standard deviation; the latter never below CONTRAST_FLOOR."""
    mean = _local_mean(image, side_px)
    variance = _local_mean(tf.keras.ops.square(image - mean), side_px)
    return mean, tf.keras.ops.sqrt(variance + CONTRAST_FLOOR**2)


def _local_mean(image: tf.Tensor, side_px: int) -> tf.Tensor:
    """Mean over a square, at borders over its part inside; columns and rows one after the other."""
    columns = tf.keras.layers.AveragePooling2D((side_px, 1), 1, "same", dtype="float32")(image)
    return tf.keras.layers.AveragePooling2D((1, side_px), 1, "same", dtype="float32")(columns)


def base_bands(experiment: Experiment) -> list[int]:
    """For every target band the input band it starts from: same name, else nearest wavelength.

    Raises:
        ConfigError: Neither name nor wavelength finds one.
    """
    names, wavelengths = experiment.INPUT_BANDS, experiment.INPUT_WAVELENGTHS_NM
    known = [index for index, nm in enumerate(wavelengths) if nm is not None]
    chosen = []
    for band, nm in zip(experiment.OUTPUT_BANDS, experiment.OUTPUT_WAVELENGTHS_NM, strict=True):
        if band in names:
            chosen.append(names.index(band))
        elif nm is not None and known:
            chosen.append(min(known, key=lambda index: abs(wavelengths[index] - nm)))
        else:
            raise ConfigError(
                f"edsr finds no input band to start '{band}' from",
                where="dataset.json",
                hint="give the bands wavelengths, or train pix2pix",
            )
    return chosen


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


def _base_layer(experiment: Experiment) -> tf.keras.layers.Layer:
    """The base as a frozen 1 x 1 convolution: it needs no custom layer to be saved or exported."""
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
        name="base",
        dtype="float32",  # the base keeps its digits whatever the network computes in
    )
