"""A tile of a data set as a scene: what predict would read of it, with nothing around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.upsampling import grid_of, regular_index
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.reading import mirrored, shrunk
from sensor2sensor.inference.scenes.scene import Frame, Image, SceneWindow


@dataclass(frozen=True)
class TileScene:
    """A record, as a scene of its own size.

    Attributes:
        record: The tile.
        form: Of the model.
    """

    record: TileRecord
    form: Form

    @property
    def name(self) -> str:
        """Of the tile."""
        return self.record.name

    @property
    def frame(self) -> Frame:
        """The tile's grid; where it lies on the ground no prediction asks."""
        rows, columns = self.record.target.shape[:2]
        return Frame(columns, rows)

    @property
    def align_px(self) -> int:
        """Target pixels of one input pixel; 1 for a swath."""
        return self._image[1] if self._image is not None else 1

    @property
    def facts(self) -> Mapping[str, Any]:
        """None that a prediction depends on."""
        return {}

    @property
    def notices(self) -> Sequence[str]:
        """None."""
        return ()

    @cached_property
    def _image(self) -> tuple[Image, int] | None:
        """The input on its own regular grid ``[h, w, Ci]`` and its factor; None of a swath."""
        record = self.record
        if record.input_dense is not None:
            return record.input_dense, len(record.target) // len(record.input_dense)
        if self.form.kind == "sentinel3":
            return None
        rows, columns, factor = grid_of(record.input_index)
        return record.input_pixels.reshape(rows, columns, -1), factor

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        """As :meth:`Scene.window`; beyond the tile lies its mirror image."""
        blank = np.zeros((place.height, place.width, self.record.target.shape[-1]), np.float32)
        valid = np.ones(blank.shape[:2], np.bool_)
        if self._image is None:
            return SceneWindow(self._swath(place, blank), valid)
        image, factor = self._image
        own = mirrored(lambda w: image[w.rows, w.columns], shrunk(place, factor), image.shape[:2])
        if self.record.input_dense is not None:
            return SceneWindow(dense_record(self.name, blank, own), valid)
        index = regular_index(place.height, place.width, factor)
        # Centres in pixels of the window: no predictor of a regular grid asks for metres.
        rows, columns = np.divmod(np.arange(own.shape[0] * own.shape[1]), own.shape[1])
        step = factor * (self.form.resolution_m or 1.0)
        xy = (np.stack([columns, rows], axis=1) + 0.5) * step
        pixels = np.ascontiguousarray(own.reshape(-1, own.shape[-1]))
        return SceneWindow(TileRecord(self.name, blank, pixels, xy, index), valid)

    def _swath(self, place: PixelWindow, blank: Image) -> TileRecord:
        index: Any = self.record.input_index
        seen: Any = mirrored(lambda w: index[w.rows, w.columns], place, index.shape)
        step = self.form.resolution_m or 1.0
        xy = self.record.input_xy - np.array([place.x, place.y]) * step
        # Pixels around the tile stay in the table: they are what is interpolated with.
        return replace(self.record, target=blank, input_index=seen, input_xy=xy, extras={})

    def truth(self, place: PixelWindow) -> Image | None:
        """``[H, W, Ct]`` of a window within the tile."""
        return self.record.target[place.rows, place.columns]
