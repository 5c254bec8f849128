"""What of a trained generator fits the public tool ``sentinel2_superresolution``.

What the tool asks of a model is its contract, and what does not fit it is refused with the
reason before anything is written: Theia's band names, as many made as taken, digital numbers of
reflectance x 10000 in and out ``[B, C, H, W]``, any size. Normalisation and its inverse go into the
file, which :mod:`sensor2sensor.predictors.onnx_file` writes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sensor2sensor.config.vocabulary import NATIVE_LAYER
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.upsampling import OWN_GRID
from sensor2sensor.predictors.given import leaves_sides_open
from sensor2sensor.products.theia import BANDS_10M, BANDS_20M, QUANTIFICATION

logger = logging.getLogger(__name__)
Sides = tuple[int, int]

TARGET = "sentinel2_superresolution"
_SMALLEST_PX, _LARGEST_PX = 64, 1024  # images on which the reach is looked for
_FITS = "the public tool takes models of Theia's bands and reflectance alone"


@dataclass(frozen=True)
class Fit:
    """What of a data set the target's contract asks for.

    Attributes:
        bands: Theia's names in the order of the input.
        order: Where among the target bands each of them is made.
        factor: Output pixels along a side of an input pixel.
        source_m: Pixel of the input it was trained on, metres; None where the data set has none.
        native_px: Of every input band, in pixels of the input's grid; empty: 1 for all.
        compat: Of the experiment; it says by which kernel the network enlarges the coarser ones.
    """

    bands: tuple[str, ...]
    order: tuple[int, ...]
    factor: int
    source_m: float | None
    native_px: tuple[int, ...] = ()
    compat: str | None = None


@dataclass(frozen=True)
class Margin:
    """Output pixels at each side of a window that depend on what lies beyond it.

    Attributes:
        px: The margin, a multiple of the factor.
        radius_px: Input pixels that an output pixel sees to one side; None: all of the image.
        asked: Whether it was given by hand.
    """

    px: int
    radius_px: int | None
    asked: bool


def fit_of(experiment: Any, *, other_scale: bool = False) -> Fit:
    """Hold an experiment against the target's contract.

    Args:
        experiment: ``experiment.Experiment`` of the run.
        other_scale: Whether the model is meant for finer pixels than it was trained on, as one that
            learned 20 m to 10 m and is given 10 m.

    Raises:
        ConfigError: It does not fit; names the key and the reason.
    """
    contract: DatasetContract = experiment.contract
    bands = tuple(_named(band, "input") for band in contract.input.bands)
    made = [_named(band, "target") for band in contract.target.bands]
    if sorted(bands) != sorted(made):
        what = f"the model makes {', '.join(made)} of {', '.join(bands)}, not what it takes"
        raise _unfit(contract, what)
    if (mode := experiment.INPUT_UPSAMPLING) != OWN_GRID:
        what = f"'{mode}' enlarges before the network, the tool does not: not to be exported"
        raise ConfigError(what, where="input_upsampling")
    refuse_settings(experiment)
    factor = experiment.IMG_HEIGHT // experiment.INPUT_HEIGHT
    if factor < 2:
        raise _unfit(contract, f"the model enlarges {factor} times")
    source_m = contract.resolution_m and contract.resolution_m * contract.factor
    wanted = 10 if set(bands) & set(BANDS_10M) else 20
    if source_m not in (None, wanted) and not other_scale:
        hint = "if it is meant to be applied at another scale than it was trained at: --other-scale"
        what = f"the model was trained on pixels of {source_m:g} m, the tool gives it {wanted} m"
        raise ConfigError(what, where=contract.name, hint=hint)
    order = tuple(made.index(band) for band in bands)
    native_px = tuple(band.native_px for band in contract.input.bands)
    for name, px in zip(bands, native_px, strict=True):
        if px not in (1, (20 if name in BANDS_20M else 10) // wanted):
            what = f"input band '{name}' has pixels of {px} times the grid's, the tool's has not"
            raise ConfigError(what, where=contract.name, hint=_FITS)
    return Fit(bands, order, factor, source_m, native_px, experiment.config.compat)


def _named(band: BandSpec, side: str) -> str:
    """Theia's name of a band: ``B2``, which ESA writes ``B02``."""
    name = re.sub(r"^B0(\d)$", r"B\1", band.name)
    if name not in BANDS_10M + BANDS_20M:
        known = ", ".join(BANDS_10M + BANDS_20M)
        raise ConfigError(f"{side} band '{band.name}' is none of {known}", hint=_FITS)
    if band.unit != "reflectance":
        raise ConfigError(
            f"{side} band '{band.name}' is in {band.unit}, no reflectance", hint=_FITS
        )
    return name


def refuse_settings(experiment: Any) -> None:
    """Refuse what no file could do by itself.

    Raises:
        ConfigError: Names the key and the reason.
    """
    config, refused = experiment.config, None
    if not experiment.normaliser.elementwise:
        why = f"'{experiment.NORMALISATION}' divides by a norm of each tile, which cannot be undone"
        refused = "normalisation", why
    elif config.inference.dropout:
        refused = "inference.dropout", "a prediction that is drawn is another one each time"
    elif config.applied_statistics != "train":
        kind = config.applied_statistics
        key = "inference_statistics" if kind == "image" else "inference.norm"
        refused = key, f"'{kind}' normalises by what a window happens to show"
    if refused is not None:
        # The setting is the run's own: nothing said now makes these weights another model.
        hint = "predict.py applies the run as it is; an experiment without this key can be exported"
        raise ConfigError(f"{refused[1]}: not to be exported", where=refused[0], hint=hint)


def _unfit(contract: DatasetContract, what: str) -> ConfigError:
    return ConfigError(what, where=contract.name, hint=f"{TARGET} needs as many and the same bands")


def enlarges_otherwise(fit: Fit) -> bool:
    """Whether a network learned bands of 20 m by another bicubic kernel than the tool's -0.5."""
    return max(fit.native_px, default=1) > 1 and fit.compat is not None


def behind_its_enlargement(generator: Any, fit: Fit) -> Any:
    """The generator for bands of 20 m that are enlarged already; it shares all weights.

    The tool brings bands of 20 m to 10 m bicubically before a model sees them (GDAL's ``cubic``,
    -0.5), where a record holds them repeated. The generator's own first step does the same and has
    no weights: it is cut off. What lies behind it stays as it was made, for bands of 20 m.

    Raises:
        ModelContractError: It has no such step, or looks past it.
    """
    if max(fit.native_px, default=1) == 1:
        return generator
    import keras

    layers = getattr(generator, "layers", None) or ()
    step = next((one for one in layers if one.name == NATIVE_LAYER), None)
    if step is not None:
        try:
            return keras.Model(step.output, generator.outputs[0], name=generator.name)
        except ValueError:  # Keras: the output cannot be had of this tensor alone
            logger.debug("%s sees what %s is given", generator.name, NATIVE_LAYER)
    what = "sees bands of 20 m repeated, as records hold them; the tool gives them enlarged"
    hint = f"make all of it of what a layer '{NATIVE_LAYER}' (models.parts.grids.native) puts out"
    raise ModelContractError(what, where=generator.name, hint=hint)


def of_any_size(generator: Any) -> Any:
    """The generator in float32 on images of any size: itself, or a copy with the same weights.

    Raises:
        ModelContractError: It takes other than one image, or images of one size alone.
    """
    image = _image_of(generator)
    if leaves_sides_open(generator) and _computes_in_float32(generator):
        return generator
    return _copy(generator, (None, None, image[-1]), "any size")


def in_float32(generator: Any) -> Any:
    """The generator in float32 on images of its own size: itself, or a copy of the same weights.

    Raises:
        ModelContractError: It takes other than one image, or cannot be copied.
    """
    image = _image_of(generator)
    return generator if _computes_in_float32(generator) else _copy(generator, image, "float32")


def _image_of(generator: Any) -> tuple[int | None, ...]:
    """``(h, w, C)`` of the one image it takes."""
    inputs: Any = getattr(generator, "inputs", None) or ()
    if len(inputs) != 1:
        what = (
            f"takes {len(inputs) or 'an unknown number of'} inputs, a file of it is given one image"
        )
        raise ModelContractError(what, where=generator.name)
    return tuple(inputs[0].shape[1:])


def _computes_in_float32(generator: Any) -> bool:
    from sensor2sensor.networks.layers import held_layers

    return {layer.dtype_policy.name for layer in held_layers(generator)} == {"float32"}


def _copy(generator: Any, shape: Sequence[int | None], what: str) -> Any:
    import keras

    why = "a layer was made for one size"
    try:
        made = keras.models.clone_model(
            generator, input_tensors=keras.Input(shape), clone_function=_in_float32, recursive=True
        )
        made.set_weights(generator.get_weights())
        if None not in shape[:2] or made.outputs[0].shape[1:3] == (None, None):
            return made
    # Whatever a layer raises that was made for one size.
    except Exception as error:
        why = " ".join(str(error).split())[:160]
    raise ModelContractError(f"cannot be made for {what} ({why})", where=generator.name)


def _in_float32(layer: Any) -> Any:
    config = layer.get_config()
    # A checkpoint's weights are float32 whatever the network computes in.
    return type(layer).from_config({**config, "dtype": "float32"} if "dtype" in config else config)


def in_digital_numbers(generator: Any, normaliser: Any, fit: Fit) -> Any:
    """A network ``[B, C, H, W] -> [B, C, H f, W f]`` of reflectance x 10000, bands in one order."""
    return as_exported(generator, normaliser, numbers=QUANTIFICATION, order=fit.order)


def as_exported(
    generator: Any, normaliser: Any, *, numbers: float = 1.0, order: Sequence[int] | None = None,
    sides: tuple[Sides, Sides, Sides] | None = None,
) -> Any:  # fmt: skip
    """A network ``[B, Ci, h, w] -> [B, Ct, H, W]`` that normalises and restores within.

    Args:
        generator: In float32.
        normaliser: The one it was trained with.
        numbers: What the values in and out are multiplied by; 1: they are physical.
        order: Which band it makes comes where; as it makes them by default.
        sides: Rows and columns of the images it is given, of those the generator takes, and of
            those it is to make, where they differ: it resizes bilinearly, as in training.
    """
    import keras
    import tensorflow as tf

    class Exported(keras.Model):  # type: ignore[misc]  # Keras has no types
        """Channels last, normalised, predicted, restored, channels first."""

        def __init__(self) -> None:
            super().__init__(name="exported", dtype="float32")
            self.generator = generator

        def call(self, values: Any) -> Any:
            image = tf.transpose(values, [0, 2, 3, 1])
            image = image / numbers if numbers != 1 else image
            image = image if sides is None else tf.image.resize(image, sides[1])
            made = self.generator(normaliser.input(image), training=False)
            made = normaliser.restore(tf.cast(made, tf.float32))
            made = made if sides is None else tf.image.resize(made, sides[2])
            made = made * numbers if numbers != 1 else made
            made = made if order is None else tf.gather(made, list(order), axis=-1)
            return tf.transpose(made, [0, 3, 1, 2])

    network, image = Exported(), generator.inputs[0].shape[1:]
    given = sides[0] if sides else [side or _SMALLEST_PX for side in image[:2]]
    network(tf.zeros([1, image[-1], *given]))
    return network


def margin_of(generator: Any, factor: int, asked: int | None = None) -> Margin:
    """How far the edge of a window is felt in the output.

    Args:
        generator: On images of any size.
        factor: Output pixels along a side of an input pixel.
        asked: A margin to take instead; output pixels.

    Raises:
        ConfigError: It is no multiple of the factor, or nothing is known and none is asked for.
    """
    from sensor2sensor.networks.context import farthest_px

    radius = farthest_px(generator, _LARGEST_PX)
    if asked is not None:
        # A tool that shifts its windows by half an input pixel resamples what it reads.
        if asked < 0 or asked % factor:
            near = -(-max(asked, 0) // factor) * factor
            what = f"{asked} is no multiple of the factor {factor}"
            raise ConfigError(what, where="--margin", hint=f"take {near}")
        return Margin(asked, radius, asked=True)
    if radius is None:
        what = f"an output pixel sees all of an image of {_LARGEST_PX} pixels"
        raise ConfigError(what, where="--margin", hint="say how much of it matters: --margin N")
    return Margin(radius * factor, radius, asked=False)
