"""Tiles of a data set, predicted as whole products are: what intervals are calibrated on and tried.

A tile ends where a scene goes on. Of a network that is led with a halo only the pixels are taken
that have all of it within the tile: there it sees what it sees within a scene, and makes the same
of it. Where the halo leaves too little of a tile, and of blended windows, all of it is taken; then
pixels at its edge have less context, or are blended of fewer windows, than within a scene.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.geo.grids import PixelWindow, up
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.run import PredictOptions, layout_of
from sensor2sensor.inference.scenes.scene import Cropped, Image, Scene
from sensor2sensor.inference.scenes.tile import TileScene
from sensor2sensor.inference.strips import Strips

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord

_LEAST_SHARE = 4  # of a tile's side, a quarter has to be left within the halo


@dataclass(frozen=True)
class Predicted:
    """A tile's prediction beside its truth.

    Attributes:
        name: Of the tile.
        made: ``[h, w, B]``: the bands of the method's file.
        truth: ``[h, w, Ct]``: of the same pixels.
    """

    name: str
    made: Image
    truth: Image


def predicted(method: Method, records: Iterable[TileRecord]) -> Iterator[Predicted]:
    """Predict tiles, as many at a time as the method takes windows.

    Args:
        method: What predicts.
        records: Of the data set that its form is of; in their order.

    Raises:
        ModelContractError: It makes another shape, or what is no number.
    """
    rest = iter(records)
    while group := list(islice(rest, method.batch_size)):
        scenes = [inner(method, TileScene(record, method.form)) for record in group]
        led = [_led(method, scene) for scene in scenes]
        for scene, made in zip(scenes, _made(led), strict=True):
            truth = scene.truth(scene.frame.full_window)
            assert truth is not None, "tiles have one"
            yield Predicted(scene.name, made, truth)


def inner(method: Method, scene: TileScene) -> Scene:
    """What of a tile has the context that it would have within a scene; all of it without a halo.

    Args:
        method: What predicts.
        scene: The tile.
    """
    edge = edge_px(method, scene)
    if not edge:
        return scene
    align = _align(method, scene)
    rows, columns = ((side - 2 * edge) // align * align for side in scene.frame.shape)
    return Cropped(scene, PixelWindow(edge, edge, columns, rows))


def edge_px(method: Method, scene: TileScene) -> int:
    """Pixels at each edge of a tile that are left out."""
    halo = up(method.tiling.halo_px or 0, _align(method, scene))
    side = min(scene.frame.shape)
    return halo if side - 2 * halo >= max(side // _LEAST_SHARE, _align(method, scene)) else 0


def _align(method: Method, scene: TileScene) -> int:
    return math.lcm(method.tiling.align_px, scene.align_px)


def _led(method: Method, scene: Scene) -> Strips:
    return Strips(method, scene, layout_of(method, scene, PredictOptions()), method.batch_size)


def _made(led: list[Strips]) -> Iterator[Image]:
    """The prediction of each; tiles of one window go into one call, as windows of a scene do."""
    if any(len(one.layout.rows) * len(one.layout.columns) > 1 for one in led):
        for one in led:
            yield np.concatenate([one[strip] for strip in range(len(one))])
            one.close()
        return
    windows = [window for one in led for part in one.read(0) for window in part]
    records = [record for _, _, record in windows]
    # In one call: the moments of a batch (inference.norm) are those of as many as in a scene.
    made = [led[0].asked(predictor, records) for predictor in led[0].method.predictors]
    for number, (one, (_, valid, _)) in enumerate(zip(led, windows, strict=True)):
        at, halo = one.layout, one.layout.halo_px
        rows = slice(halo - at.rows[0], halo - at.rows[0] + at.shape[0])
        columns = slice(halo - at.columns[0], halo - at.columns[0] + at.shape[1])
        values = np.stack([image[number, rows, columns] for image in made])
        yield one.finished(values, valid[rows, columns])
