"""A generator that takes the input on its own grid gets it so: whole, resized, in windows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sensor2sensor.dataset.upsampling import regular_index
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.predictors.model import ModelPredictor, model_predictor
from tests.unit.evaluation import toys
from tests.unit.predictors import pairs

FACTOR = 4


def enlarging(seen):
    """Stands for a super-resolution network: every input pixel four times four."""

    def call(x, training):
        assert training is False
        seen.append(tuple(x.shape))
        return np.asarray(x).repeat(FACTOR, 1).repeat(FACTOR, 2)

    return call


@pytest.fixture(params=["dense", "pixels"])
def tiles(request):
    """Three tiles of 64 pixels whose input has 16, stored in either layout."""
    drawn = np.random.default_rng(0).uniform(0, 0.5, (3, 16, 16, 3)).astype(np.float32)
    index, dense = regular_index(64, 64, FACTOR), request.param == "dense"
    target = np.zeros((64, 64, 3), np.float32)
    return [pairs.tile(image, target, dense=dense, index=index) for image in drawn], drawn


def predictor(seen, size=None, **options):
    normalisation = Normalisation("reflectance", toys.dataset()[1])
    return ModelPredictor(enlarging(seen), normalisation, "none", 2, size, **options)


def test_a_tile_is_predicted_from_the_input_on_its_own_grid(tiles):
    records, drawn = tiles
    seen = []
    got = predictor(seen, (64, 64))(records)
    np.testing.assert_allclose(got, drawn.repeat(FACTOR, 1).repeat(FACTOR, 2), atol=1e-6)
    assert seen == [(2, 16, 16, 3), (1, 16, 16, 3)]


def test_windows_begin_at_whole_input_pixels(tiles):
    records, drawn = tiles
    seen = []
    got = predictor(seen, (48, 32), crops=True)(records[:1])
    # Any window that cut through an input pixel would shift what it shows of the others.
    np.testing.assert_allclose(got[0], drawn[0].repeat(FACTOR, 0).repeat(FACTOR, 1), atol=1e-6)
    assert set(seen) == {(1, 12, 8, 3)} and len(seen) == 4


def test_another_size_is_resized_on_both_grids(tiles):
    records, _ = tiles
    seen = []
    assert predictor(seen, (32, 32))(records).shape == (3, 64, 64, 3)
    assert seen == [(2, 8, 8, 3), (1, 8, 8, 3)]


def test_an_experiment_says_how_its_generator_is_applied(tiles):
    seen = []
    experiment = SimpleNamespace(
        normaliser=Normalisation("reflectance", toys.dataset()[1]), INPUT_UPSAMPLING="none",
        BATCH_SIZE=3, IMG_HEIGHT=64, IMG_WIDTH=32, config=SimpleNamespace(random_crop=True),
        contract=toys.dataset()[1],
    )  # fmt: skip
    made = model_predictor(experiment, enlarging(seen))
    made(tiles[0])
    assert seen == [(3, 16, 8, 3)] * 2
    told = {"input_upsampling": "none", "size_px": [64, 32], "crops": True}
    assert made.describe() == {"method": "trained generator", **told}
