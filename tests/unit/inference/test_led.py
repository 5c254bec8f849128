"""Networks and baselines led over a scene: by windows they make what they make in one pass."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.run import PredictOptions, layout_of
from sensor2sensor.inference.scenes.scene import Frame, SceneWindow
from sensor2sensor.inference.strips import Strips
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.predictors.bilinear_fit import BandLine, BilinearFit
from sensor2sensor.predictors.tiling import baseline_tiling, scene_predictor
from tests.fakes_dataset import toy_contract
from tests.unit.inference.arrays import ArrayScene, form, ground

L = keras.layers
FACTOR = 4


def experiment(upsampling: str):
    """Of the arrays' form: its contract is asked for bands and grids alone."""
    config = SimpleNamespace(
        random_crop=False, inference=SimpleNamespace(dropout=False), applied_statistics="train"
    )
    own = FACTOR if upsampling == "none" else 1
    contract = form(FACTOR)
    contract = SimpleNamespace(**dict(contract), input_px=contract.input.grid)
    return SimpleNamespace(
        config=config, contract=contract, TILESIZE=32, IMG_HEIGHT=32, IMG_WIDTH=32,
        INPUT_HEIGHT=32 // own, INPUT_WIDTH=32 // own, BATCH_SIZE=2, INPUT_UPSAMPLING=upsampling,
        normaliser=Plain(toy_contract("toy", "degraded", FACTOR, 32, 0)),
    )  # fmt: skip


class Plain(Normalisation):
    """Values as they are."""

    def __init__(self, contract):
        pass

    elementwise, invertible = True, True

    def input(self, physical):
        return physical

    def restore(self, output):
        return output


def network(upsampling: str, *, halved: bool = False, side: int | None = None):
    image = keras.Input((side, side, 2))
    x = L.Conv2D(6, 3, padding="same", activation="relu")(image)
    if halved:
        x = L.UpSampling2D(2)(L.Conv2D(6, 4, strides=2, padding="same")(x))
    x = L.Conv2D(6, 5, padding="same", activation="relu")(x)
    if upsampling == "none":
        x = L.UpSampling2D(FACTOR, interpolation="bilinear")(x)
    return keras.Model(image, L.Conv2D(2, 3, padding="same")(x))


def image_of(method: Method, scene, **options) -> np.ndarray:
    with closing(
        Strips(method, scene, layout_of(method, scene, PredictOptions(**options)), 2)
    ) as made:
        return np.concatenate([made[number] for number in range(len(made))])


@pytest.mark.parametrize("upsampling", ["nearest", "bicubic", "none"])
@pytest.mark.parametrize(("halved", "side"), [(False, None), (True, None), (False, 32), (True, 32)])
def test_windows_of_a_network_make_what_one_pass_makes(upsampling, halved, side):
    if side is not None and upsampling == "none":
        side //= FACTOR
    exp, scene = experiment(upsampling), ArrayScene(ground(27, 21), FACTOR)
    predictor, tiling = scene_predictor(exp, network(upsampling, halved=halved, side=side))
    assert tiling.halo_px is not None and tiling.align_px % FACTOR == 0
    using = Method("toy", [predictor], form(FACTOR), tiling)
    one_pass = image_of(using, scene, window_px=1000)
    by_windows = image_of(using, scene, window_px=24)
    assert len({(at.width, at.height) for at in scene.asked}) == 2
    np.testing.assert_allclose(by_windows, one_pass, atol=1e-5 * np.abs(one_pass).max())
    without = replace(using, tiling=replace(tiling, halo_px=0))
    assert np.abs(image_of(without, scene, window_px=24) - one_pass).max() > 1e-3


@pytest.mark.parametrize("led_by", ["halo", "windows"])
def test_a_network_is_given_as_many_windows_as_are_asked_for(led_by, monkeypatch):
    exp, scene, given = experiment("nearest"), ArrayScene(ground(24, 24), FACTOR), []
    exp.config.inference.dropout = led_by == "windows"
    predictor, tiling = scene_predictor(exp, network("nearest"))
    assert (tiling.halo_px is None) == exp.config.inference.dropout
    own = predictor._predict
    monkeypatch.setattr(
        predictor, "_predict", lambda images, names: given.append(len(images)) or own(images, names)
    )
    using, size = Method("toy", [predictor], form(FACTOR), tiling), 24 if led_by == "halo" else None
    layout = layout_of(using, scene, PredictOptions(window_px=size))
    with closing(Strips(using, scene, layout, 3)) as made:
        made[0]
    assert max(given) == 3


class Swath:
    """Pixels of 5 target pixels in rows that are turned against the grid, and bend."""

    name, align_px, facts, notices = "swath", 1, {}, ()

    def __init__(self, height: int, width: int) -> None:
        self.frame = Frame(width, height, (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32631")
        rows, columns = np.mgrid[-40.0:80.0, -40.0:80.0]
        x = 52.0 * columns + 14.0 * rows + 0.02 * rows**2
        self.xy = np.stack([x, 49.0 * rows - 11.0 * columns], axis=-1).reshape(-1, 2)
        self.values = np.random.default_rng(0).uniform(0, 1, (len(self.xy), 2)).astype(np.float32)

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow:
        from scipy.spatial import cKDTree

        y, x = np.mgrid[: place.height, : place.width] + 0.5
        at = np.stack([x + place.x, y + place.y], axis=-1) * 10.0
        nearest = cKDTree(self.xy).query(at.reshape(-1, 2))[1]
        used, index = np.unique(nearest, return_inverse=True)
        sides = (place.height, place.width)
        xy = self.xy[used] - 10.0 * np.array([place.x, place.y])
        index = (index.reshape(sides) + 1).astype(np.int32)
        record = TileRecord("a", np.zeros((*sides, 2), np.float32), self.values[used], xy, index)
        return SceneWindow(record, np.ones(sides, bool))


def test_triangles_between_pixels_of_a_swath_are_the_same_in_any_window():
    lines = tuple(BandLine(name, name, 2.0, 0.1, 1.0, 9) for name in ("B02", "B03"))
    scene, made = Swath(60, 55), BilinearFit(lines, (0, 1), 10.0)
    swath = form().model_copy(update={"kind": "sentinel3", "factor": 5.0})
    using = Method("bilinear_fit", [made], swath, baseline_tiling("bilinear_fit", swath))
    whole = image_of(using, scene, window_px=200)
    np.testing.assert_allclose(image_of(using, scene, window_px=24), whole, atol=1e-5)
