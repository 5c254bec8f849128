"""The one way to ask for input: a window of the grid that a prediction is made on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from sensor2sensor.geo.grids import Grid, PixelWindow

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Shift(str):
    """A notice of something in which a scene is of another kind than what a model was trained on.

    What was promised of the model for scenes of that kind does not hold there.
    """


@dataclass(frozen=True)
class Frame:
    """The grid of a prediction: its pixels, and where they lie where that is known.

    Attributes:
        width_px: Columns.
        height_px: Rows.
        transform: ``(a, b, c, d, e, f)`` of GDAL's affine map from (column, row) to the reference
            system; None: a picture without ground.
        crs: ``EPSG:32629``, or WKT; None with ``transform`` None.
    """

    width_px: int
    height_px: int
    transform: tuple[float, float, float, float, float, float] | None = None
    crs: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height_px, self.width_px

    @property
    def full_window(self) -> PixelWindow:
        """The window that covers all of it."""
        return PixelWindow(0, 0, self.width_px, self.height_px)

    def window(self, place: PixelWindow) -> Frame:
        """The grid of a window of it."""
        if self.transform is None:
            return Frame(place.width, place.height)
        a, b, c, d, e, f = self.transform
        corner = (c + a * place.x + b * place.y, f + d * place.x + e * place.y)
        return Frame(place.width, place.height, (a, b, corner[0], d, e, corner[1]), self.crs)


def frame_of(grid: Grid) -> Frame:
    """A north-up grid as a frame."""
    step = grid.resolution_m
    transform = (step, 0.0, grid.ulx_m, 0.0, -step, grid.uly_m)
    return Frame(grid.width_px, grid.height_px, transform, f"EPSG:{grid.epsg}")


@dataclass(frozen=True)
class SceneWindow:
    """What a predictor is given of a window, and what of it is real.

    Attributes:
        record: As the data set holds it; ``target`` is blank and says the size alone. Nothing in it
            is NaN: gaps hold their nearest value, beyond the scene lies its mirror image, or what
            a swath shows there.
        valid: ``[H, W]`` of the target's grid: whether every input band has a value there; beyond
            the scene, of what stands for it.
    """

    record: TileRecord
    valid: Mask


class Scene(Protocol):
    """A product, stack or picture, opened for one :class:`~sensor2sensor.dataset.form.Form`.

    Attributes:
        name: Of the product, for messages and provenance.
        frame: The grid of the prediction.
        align_px: Target pixels of one input pixel: windows begin and end at multiples of it.
        facts: What the output's provenance says of it, plain JSON: product, level, baseline,
            offsets as applied, files with SHA-256 or sizes; its sensing time, where known, as
            ``datetime`` or as ``start_datetime`` and ``end_datetime`` (UTC, ISO 8601).
        notices: Lines the user has to read: level of another kind, offsets that look applied; a
            :class:`Shift` where the model was trained on another kind.
    """

    @property
    def name(self) -> str:
        """For messages and provenance."""

    @property
    def frame(self) -> Frame:
        """The grid of the prediction."""

    @property
    def align_px(self) -> int:
        """Target pixels of one input pixel."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What provenance says of it."""

    @property
    def notices(self) -> Sequence[str]:
        """Lines for the user."""

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        """What lies in a window, which may reach beyond the frame; None: nothing valid in its core.

        Args:
            place: Target pixels, its edges at multiples of ``align_px``.
            halo_px: How much of it at each side is context alone. Within so far of a valid pixel of
                the core the record is the same whatever window it is asked by.
        """

    def truth(self, place: PixelWindow) -> Image | None:
        """``[H, W, Ct]`` of a window within the frame, NaN: none there; None: it is not known."""


@dataclass(frozen=True)
class Another:
    """What a scene that is made of another one has of that.

    Attributes:
        whole: The other scene.
    """

    whole: Scene

    @property
    def name(self) -> str:
        """Of the whole."""
        return self.whole.name

    @property
    def align_px(self) -> int:
        """Of the whole."""
        return self.whole.align_px

    @property
    def notices(self) -> Sequence[str]:
        """Of the whole."""
        return self.whole.notices


@dataclass(frozen=True)
class Cropped(Another):
    """A part of a scene, as a scene: its context is still read from the whole.

    Attributes:
        part: The window of its frame; its edges lie at multiples of ``align_px``.
    """

    part: PixelWindow

    @property
    def frame(self) -> Frame:
        """The grid of the part."""
        return self.whole.frame.window(self.part)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Of the whole, and which part."""
        part = [self.part.x, self.part.y, self.part.width, self.part.height]
        return {**self.whole.facts, "roi_px": part}

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        """As :meth:`Scene.window`."""
        return self.whole.window(self._moved(place), halo_px)

    def truth(self, place: PixelWindow) -> Image | None:
        """As :meth:`Scene.truth`."""
        return self.whole.truth(self._moved(place))

    def _moved(self, place: PixelWindow) -> PixelWindow:
        x, y = place.x + self.part.x, place.y + self.part.y
        return PixelWindow(x, y, place.width, place.height)


def placed(scene: Scene) -> tuple[tuple[int, int], PixelWindow]:
    """Rows and columns of the whole frame, and the window of it that a scene shows."""
    if isinstance(scene, Cropped):
        return scene.whole.frame.shape, scene.part
    return scene.frame.shape, scene.frame.full_window
