"""What turns tiles into predictions: a trained generator, or a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord
    from sensor2sensor.pipeline.normalisation import Normalisation

Images = npt.NDArray[np.float32]
# Tiles of physical values -> predictions [B, H, W, Ct] in the target's physical units.
Predictor = Callable[[Sequence["TileRecord"]], Images]


class ModelPredictor:
    """Applies a generator to tiles as it was trained: same upsampling, normalisation and size.

    A tile of another size than the generator's is resized to it and back bilinearly, as in
    training; a generator trained on crops sees the tile window by window, overlaps averaged.

    Args:
        generator: ``keras.Model`` ``[B, H, W, Ci] -> [B, H, W, Ct]``, weights restored.
        normalisation: The one it was trained with.
        input_upsampling: ``nearest`` or ``bicubic``, as in training.
        batch_size: Tiles per call of the generator.
        size_px: ``(img_height, img_width)`` of the experiment; the tile's size by default.
        crops: Whether it was trained on crops (``random_crop``) and not on resized tiles.

    Attributes:
        normalised: True where the normalisation cannot be undone (``l2``): the predictions are then
            in the network's own units and only profile ``arisgan`` can score them.
    """

    def __init__(
        self,
        generator: Any,
        normalisation: Normalisation,
        input_upsampling: str,
        batch_size: int,
        size_px: tuple[int, int] | None = None,
        *,
        crops: bool = False,
    ) -> None:
        self._generator = generator
        self._normalisation = normalisation
        self._input_upsampling = input_upsampling
        self._batch_size = batch_size
        self._size_px = size_px
        self._crops = crops
        self.normalised = not normalisation.invertible

    def __call__(self, tiles: Sequence[TileRecord]) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        from sensor2sensor.dataset.upsampling import upsample

        inputs = np.stack([np.asarray(upsample(t, self._input_upsampling)) for t in tiles])
        starts = range(0, len(inputs), self._batch_size)
        parts = [self._sized(inputs[start : start + self._batch_size]) for start in starts]
        return np.concatenate(parts)

    def _sized(self, physical: Images) -> Images:
        """Predict a batch, by way of the generator's own size where that differs."""
        size = self._size_px or physical.shape[1:3]
        if physical.shape[1:3] == tuple(size):
            return self._predict(physical)
        if self._crops:
            return self._by_windows(physical, *size)
        return _resize(self._predict(_resize(physical, size)), physical.shape[1:3])

    def _by_windows(self, physical: Images, height: int, width: int) -> Images:
        total, count = None, np.zeros((*physical.shape[1:3], 1), np.float32)
        for row in window_starts(physical.shape[1], height):
            for column in window_starts(physical.shape[2], width):
                place = (slice(row, row + height), slice(column, column + width))
                part = self._predict(physical[:, *place])
                if total is None:
                    total = np.zeros((*physical.shape[:3], part.shape[-1]), np.float32)
                total[:, *place] += part
                count[place] += 1.0
        return total / count

    def _predict(self, physical: Images) -> Images:
        import tensorflow as tf

        output = self._generator(self._normalisation.input(physical), training=False)
        output = tf.cast(output, tf.float32)  # in mixed precision a module's may be bfloat16
        restored = output if self.normalised else self._normalisation.restore(output)
        return np.asarray(restored, dtype=np.float32)


def window_starts(length: int, window: int) -> list[int]:
    """Where windows begin that cover ``length`` pixels; the last one ends at the border."""
    return sorted({min(start, length - window) for start in range(0, length, window)})


def _resize(images: Images, size: Sequence[int]) -> Images:
    import tensorflow as tf

    return np.asarray(tf.image.resize(images, [int(side) for side in size]), np.float32)
