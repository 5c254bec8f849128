"""The discriminator that an experiment asks for, of one of the kinds of ``discriminators``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from models.parts import discriminators
from models.parts.seeds import seeded
from sensor2sensor.core.errors import ConfigError

if TYPE_CHECKING:
    from experiment import Experiment


def patchgan(
    experiment: Experiment, width: float, *, any_size: bool = False, **own: Any
) -> tf.keras.Model | None:
    """An experiment's PatchGAN: ``[input, target] -> [B, h, w, 1]`` logits, 70 pixels each.

    All that an experiment may say of it is heeded: another receptive field, padding, biases and
    slope (``discriminator``). As it is by default, h is H/8 - 2.

    Args:
        experiment: Gives sizes, channels, the discriminator's settings and the seed.
        width: Multiplies the filters.
        any_size: Leave its sides open, beside a generator that does: then both see whole tiles at
            validation, whatever crops they were trained on.
        own: What the model has of itself where the experiment does not say, as arguments of
            ``discriminators.patchgan``.

    Returns:
        None where the experiment asks for no discriminator.

    Raises:
        ConfigError: The images are too small for one answer.
    """
    asked = experiment.DISCRIMINATOR
    options = {} if asked is None else {key: getattr(asked, key) for key in asked.of_patches}
    made = _judge(
        experiment, discriminators.patchgan, any_size, **{"width": width, **own, **options}
    )
    if made is not None and any_size:
        sides = experiment.IMG_HEIGHT, experiment.IMG_WIDTH
        try:
            made.compute_output_shape([(1, *sides, image.shape[-1]) for image in made.inputs])
        except ValueError:
            raise discriminators.too_small() from None
    return made


def plain_patchgan(
    experiment: Experiment, stages: Sequence[tuple[int, int]], width: float
) -> tf.keras.Model | None:
    """An experiment's judge of patches: ``[input, target] -> [B, H/s, W/s, 1]`` logits.

    Args:
        experiment: Gives sizes, channels, norm and the seed.
        stages: Filters and stride of each convolution; s is the product of the strides.
        width: Multiplies the filters.

    Returns:
        None where the experiment asks for no discriminator.
    """
    refuse_patch_keys(experiment)
    return _judge(experiment, discriminators.plain_patchgan, stages=stages, width=width)


def vgg_discriminator(
    experiment: Experiment, stages: Sequence[tuple[int, int]], head: int, width: float
) -> tf.keras.Model | None:
    """An experiment's judge of whole images: ``[input, target] -> [B, 1, 1, 1]`` logits.

    Args:
        experiment: Gives sizes, channels, norm and the seed.
        stages: Filters and stride of each convolution.
        head: Units of the first fully connected layer.
        width: Multiplies filters and units.

    Returns:
        None where the experiment asks for no discriminator.
    """
    refuse_patch_keys(experiment)
    return _judge(
        experiment, discriminators.vgg_discriminator, stages=stages, head=head, width=width
    )


def refuse_patch_keys(experiment: Experiment) -> None:
    """Refuse what only a PatchGAN has, where the discriminator is none.

    Raises:
        ConfigError: The experiment sets one of ``DISCRIMINATOR.of_patches``.
    """
    for key in experiment.DISCRIMINATOR.of_patches if experiment.DISCRIMINATOR else ():
        raise ConfigError(
            f"'{key}' is for models with a PatchGAN, and this one has another discriminator",
            where=f"discriminator.{key}",
            hint="leave it out, or take pix2pix, whose discriminator is one",
        )


def _judge(
    experiment: Experiment,
    make: Callable[..., tf.keras.Model],
    any_size: bool = False,
    **options: Any,
) -> tf.keras.Model | None:
    if experiment.DISCRIMINATOR is None:
        return None
    sides = (None, None) if any_size else (experiment.IMG_HEIGHT, experiment.IMG_WIDTH)
    shapes = (*sides, experiment.INPUT_CHANNELS, experiment.OUTPUT_CHANNELS)
    with seeded(experiment.SEED, "discriminator"):
        return make(*shapes, norm=experiment.DISCRIMINATOR.norm, **options)
