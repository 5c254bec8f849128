"""How much of a tile a generator is given at once where it is looked at and scored.

Validation, sample sheets, evaluation and pictures all ask here. A generator is given what it was
trained on, with one exception: trained on crops, a fully convolutional one sees the whole tile, so
that no pixel is judged by less than it can see, and none at a seam. Where values are divided by a
norm over all that is given, as with ``l2``, a whole tile would come out at another scale: there too
it is given windows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sensor2sensor.core.blame import sentence

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """What a generator is given at once.

    Attributes:
        size_px: Rows and columns on the target's grid.
        batch_size: Pictures; whole tiles are as many fewer as they are larger than the crops, so
            that looking needs no more memory than training.
    """

    size_px: tuple[int, int]
    batch_size: int


def given_at_once(experiment: Any, generator: Any, discriminator: Any = None) -> Given:
    """Whole tiles where the networks take them and crops were trained on; else what was trained on.

    Args:
        experiment: ``experiment.Experiment``: sizes of tiles and crops, and the normalisation.
        generator: The network itself, not as it is applied.
        discriminator: Losses at validation ask it about the same pictures, so its sides have to be
            open too; None: there is none.
    """
    trained = Given((experiment.IMG_HEIGHT, experiment.IMG_WIDTH), experiment.BATCH_SIZE)
    networks = [generator] if discriminator is None else [generator, discriminator]
    if not (experiment.config.random_crop and all(map(leaves_sides_open, networks))):
        return trained
    tile = experiment.TILESIZE
    if trained.size_px == (tile, tile) or not experiment.normaliser.elementwise:
        return trained
    if not _takes(generator, experiment):
        return trained
    # What a batch is normalised by in common would be another for fewer tiles.
    if experiment.config.applied_statistics == "batch":
        return Given((tile, tile), trained.batch_size)
    crop = trained.size_px[0] * trained.size_px[1]
    return Given((tile, tile), max(1, trained.batch_size * crop // tile**2))


def leaves_sides_open(network: Any) -> bool:
    """Whether a graph of layers says no rows and columns of any input, as a convolution needs none.

    One that is no graph (a subclass of ``keras.Model``) says nothing of its inputs.
    """
    shapes = [tensor.shape for tensor in getattr(network, "inputs", None) or ()]
    return bool(shapes) and all(tuple(shape[1:3]) == (None, None) for shape in shapes)


def _takes(generator: Any, experiment: Any) -> bool:
    """Whether it makes a whole tile of a whole input: one that halves may need other sides."""
    import keras

    tile = experiment.TILESIZE
    side = tile * experiment.INPUT_HEIGHT // experiment.IMG_HEIGHT
    image = keras.KerasTensor((1, side, side, experiment.INPUT_CHANNELS))
    try:
        made = tuple(generator.compute_output_spec(image).shape[1:3])
        why = f"it makes {made[0]} x {made[1]} pixels"
    # Whatever a layer of the user's raises.
    except Exception as error:
        made, why = None, sentence(error)
    if made == (tile, tile):
        return True
    logger.warning("the generator is given windows, not whole tiles of %d pixels: %s", tile, why)
    return False
