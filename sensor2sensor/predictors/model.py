"""What predicts images as a predictor of tiles: a trained generator, or an exported one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sensor2sensor.dataset.upsampling import OWN_GRID, grid_of, upsample
from sensor2sensor.predictors.given import Given, given_at_once
from sensor2sensor.predictors.protocol import Images

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord
    from sensor2sensor.pipeline.normalisation import Normalisation


class ModelView(Protocol):
    """The part of ``experiment.Experiment`` that decides how its generator is applied."""

    config: Any
    contract: DatasetContract
    normaliser: Normalisation
    INPUT_UPSAMPLING: str
    BATCH_SIZE: int
    IMG_HEIGHT: int
    IMG_WIDTH: int


class ImagePredictor(ABC):
    """Gives tiles as images to what predicts images, at the size and on the grid that it takes.

    A tile of another size than that is resized to it and back bilinearly, as in training; what was
    trained on crops sees the tile window by window, overlaps averaged, unless it takes the whole
    (:mod:`sensor2sensor.predictors.given`).
    Windows of an input on its own grid begin at whole input pixels.

    Args:
        input_upsampling: ``nearest``, ``bicubic`` or ``none``, as in training.
        batch_size: Tiles per call.
        size_px: Rows and columns that it is given at once; the tile's size by default.
        crops: Whether it was trained on crops (``random_crop``) and not on resized tiles.
        native_px: Of each input band, in pixels of the input's grid; empty: 1 for all.

    Attributes:
        normalised: As of :class:`~sensor2sensor.predictors.protocol.Predictor`.
    """

    normalised = False

    def __init__(
        self,
        input_upsampling: str,
        batch_size: int,
        size_px: tuple[int, int] | None = None,
        *,
        crops: bool = False,
        native_px: Sequence[int] = (),
    ) -> None:
        self._input_upsampling = input_upsampling
        self._batch_size = batch_size
        self._size_px = size_px
        self._crops = crops
        self._native_px = tuple(native_px)

    @abstractmethod
    def _predict(self, physical: Images, names: Sequence[str]) -> Images:
        """``[B, H, W, Ct]`` of ``[B, h, w, Ci]``, physical values; names of the images."""

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        inputs = np.stack([self._input(tile) for tile in tiles])
        out_px = (int(tiles[0].target.shape[0]), int(tiles[0].target.shape[1]))
        starts = range(0, len(inputs), self._batch_size)
        parts = []
        for start in starts:
            part = slice(start, start + self._batch_size)
            names = [tile.name for tile in tiles[part]]
            parts.append(self._sized(inputs[part], out_px, names))
        return np.concatenate(parts)

    def _applied(self) -> dict[str, Any]:
        """How it is applied, as plain JSON."""
        size = None if self._size_px is None else list(self._size_px)
        return {
            "input_upsampling": self._input_upsampling, "size_px": size, "crops": self._crops,
        }  # fmt: skip

    def _input(self, tile: TileRecord) -> Images:
        """A tile's input on the grid the generator takes, ``[H, W, Ci]`` or ``[h, w, Ci]``."""
        if self._input_upsampling != OWN_GRID:
            return np.asarray(upsample(tile, self._input_upsampling, self._native_px))
        if tile.input_dense is not None:
            return tile.input_dense
        rows, columns, _ = grid_of(tile.input_index)
        return tile.input_pixels.reshape(rows, columns, -1)

    def _sized(self, physical: Images, out_px: tuple[int, int], names: Sequence[str]) -> Images:
        """Predict a batch, by way of the generator's own size where that differs.

        Args:
            physical: ``[B, h, w, Ci]``; h and w are those of the tile unless it has its own grid.
            out_px: Rows and columns of the tile.
            names: Of the tiles.
        """
        size = self._size_px or out_px
        if size == out_px:
            return self._predict(physical, names)
        # 1 on the target's grid. An experiment allows no size that cuts through an input pixel.
        factor = out_px[0] // physical.shape[1]
        own = (size[0] // factor, size[1] // factor)
        if self._crops:
            return self._by_windows(physical, own, factor, names)
        return _resize(self._predict(_resize(physical, own), names), out_px)

    def _by_windows(
        self, physical: Images, window: tuple[int, int], factor: int, names: Sequence[str]
    ) -> Images:
        rows, columns = physical.shape[1:3]
        total: Images | None = None
        count: Images = np.zeros((rows * factor, columns * factor, 1), np.float32)
        for row in window_starts(rows, window[0]):
            for column in window_starts(columns, window[1]):
                ends = row + window[0], column + window[1]
                seen = physical[:, row : ends[0], column : ends[1]]
                part = self._predict(seen, [f"{name} {row} {column}" for name in names])
                place = (
                    slice(row * factor, ends[0] * factor),
                    slice(column * factor, ends[1] * factor),
                )
                if total is None:  # how many bands come out the network alone knows
                    total = np.zeros((len(physical), *count.shape[:2], part.shape[-1]), np.float32)
                total[:, *place] += part
                count[place] += 1.0
        assert total is not None, "an image has one window at least"
        return total / count


class ModelPredictor(ImagePredictor):
    """Applies a generator to tiles as it was trained: same upsampling, normalisation and size.

    Args:
        generator: ``keras.Model`` ``[B, H, W, Ci] -> [B, H, W, Ct]``, weights restored; with
            ``input_upsampling`` ``none`` it takes ``[B, h, w, Ci]``. One with a true ``by_name``
            also takes ``names``, one for each image, by which its dropout is drawn.
        normalisation: The one it was trained with.
        input_upsampling: As of :class:`ImagePredictor`, and so what follows it.
        batch_size: The same.
        size_px: The same.
        options: ``crops`` and ``native_px``, the same.

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
        **options: Any,
    ) -> None:
        super().__init__(input_upsampling, batch_size, size_px, **options)
        self._generator = generator
        self._normalisation = normalisation
        self.normalised = not normalisation.invertible

    def describe(self) -> dict[str, Any]:
        """How the generator is applied."""
        return {"method": "trained generator", **self._applied()}

    def _predict(self, physical: Images, names: Sequence[str]) -> Images:
        import tensorflow as tf

        # One that draws has to know for what, so that a prediction is not another one each time.
        drawn = {"names": names} if getattr(self._generator, "by_name", False) else {}
        output = self._generator(self._normalisation.input(physical), training=False, **drawn)
        output = tf.cast(output, tf.float32)  # in mixed precision a module's may be bfloat16
        restored = output if self.normalised else self._normalisation.restore(output)
        return np.asarray(restored, dtype=np.float32)


def model_predictor(
    experiment: ModelView, generator: Any, given: Given | None = None
) -> ModelPredictor:
    """A generator applied to tiles as its experiment trained it.

    Args:
        experiment: The experiment.
        generator: As it is applied.
        given: What it is given at once; None: what its own layers say.
    """
    given = given or given_at_once(experiment, generator)
    return ModelPredictor(
        generator,
        experiment.normaliser,
        experiment.INPUT_UPSAMPLING,
        given.batch_size,
        given.size_px,
        crops=experiment.config.random_crop,
        native_px=[band.native_px for band in experiment.contract.input.bands],
    )


def window_starts(length: int, window: int) -> list[int]:
    """Where windows begin that cover ``length`` pixels; the last one ends at the border."""
    return sorted({min(start, length - window) for start in range(0, length, window)})


def _resize(images: Images, size: Sequence[int]) -> Images:
    import tensorflow as tf

    # tf.data resizes the same way in training: bilinear, half-pixel centres, no antialiasing.
    return np.asarray(tf.image.resize(images, [int(side) for side in size]), np.float32)
