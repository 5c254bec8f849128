"""The registry asks the contract, never a name: what is compared, what may be a model, and how."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.dataset.upsampling import regular_index
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.predictors.entries import TrainSplit
from sensor2sensor.predictors.registry import REGISTRY, baselines, compared, find
from tests.unit.evaluation import toys
from tests.unit.predictors import pairs


def names(contract):
    return [entry.name for entry in compared(contract)]


def without(contract, band="B04"):
    """The same input without one target band."""
    bands = tuple(b for b in contract.input.bands if b.name != band)
    return contract.model_copy(update={"input": contract.input.model_copy(update={"bands": bands})})


def test_existing_data_sets_keep_their_baselines():
    assert names(toys.dataset()[1]) == ["nearest", "bicubic"]
    assert names(toys.dataset("sentinel3")[1]) == ["bilinear_fit"]


def test_a_pair_gets_the_baselines_that_its_input_can_give():
    one_grid = pairs.contract()
    assert names(one_grid) == ["mean_colour", "do_nothing"]
    coarser = pairs.contract(factor=4.0, input={"grid": (16, 16), "max_pixels": 256})
    assert names(coarser) == ["mean_colour", "nearest", "bicubic"]
    table = {"layout": "pixels", "grid": (16, 16), "max_pixels": 256}
    assert names(pairs.contract(factor=4.0, input=table)) == ["mean_colour", "nearest", "bicubic"]
    swath = {"layout": "pixels", "grid": None, "max_pixels": 256}
    assert names(pairs.contract(factor=4.0, input=swath)) == ["mean_colour"]
    assert names(without(one_grid)) == names(without(coarser)) == ["mean_colour"]


def test_reasons_name_what_a_data_set_lacks():
    one_grid, scene = pairs.contract(), toys.dataset("sentinel3")[1]
    assert "on the target's grid already" in find("bicubic").applies(one_grid)
    assert "swath" in find("nearest").applies(scene)
    assert "grid of its own" in find("do_nothing").applies(toys.dataset()[1])
    assert "lacks the target bands B04" in find("do_nothing").applies(without(one_grid))
    assert "no table of native pixels" in find("bilinear_fit").applies(one_grid)
    unsized = scene.model_copy(update={"resolution_m": None})
    assert "no size in metres" in find("bilinear_fit").applies(unsized)
    assert all(find(name).applies(scene) is None for name in ("bilinear_fit", "mean_colour"))
    with pytest.raises(ConfigError, match="no baseline 'bicubik'") as caught:
        find("bicubik")
    assert "nearest: 'bicubic'" in str(caught.value)


def test_doing_nothing_takes_bands_by_name():
    contract = pairs.contract()
    turned = contract.input.model_copy(update={"bands": contract.input.bands[::-1]})
    contract = contract.model_copy(update={"input": turned})
    image = np.arange(64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)
    made = find("do_nothing").make(contract, None)
    got = made([pairs.tile(image, np.zeros_like(image))])
    np.testing.assert_array_equal(got, image[None, ..., ::-1])


def test_a_coarser_pair_on_pixels_of_a_grid_is_interpolated():
    table = {"layout": "pixels", "grid": (16, 16), "max_pixels": 256}
    contract = pairs.contract(factor=4.0, input=table)
    coarse = np.random.default_rng(0).uniform(0, 1, (16, 16, 3)).astype(np.float32)
    target = np.zeros((64, 64, 3), np.float32)
    tile = pairs.tile(coarse, target, dense=False, index=regular_index(64, 64, 4))
    got = find("nearest").make(contract, None)([tile])
    np.testing.assert_array_equal(got[0], coarse.repeat(4, 0).repeat(4, 1))


def test_the_mean_colour_is_that_of_the_tiles_a_model_is_trained_on():
    folder, contract = toys.dataset()
    tiles = list(iterate_tiles(folder, contract, "train"))
    means = np.mean([tile.target.mean((0, 1), dtype=np.float64) for tile in tiles], axis=0)
    whole = find("mean_colour").make(contract, TrainSplit(folder, contract))
    assert [*whole.means.values()] == pytest.approx(means, rel=1e-6)
    kept = [tile for tile in tiles if tile.name.endswith("_notinmask")]
    part = find("mean_colour").make(contract, TrainSplit(folder, contract, "_notinmask"))
    expected = np.mean([tile.target.mean((0, 1), dtype=np.float64) for tile in kept], axis=0)
    assert [*part.means.values()] == pytest.approx(expected, rel=1e-6)
    assert part.means != whole.means
    got = part(tiles[:2])
    assert got.shape == (2, 64, 64, 3) and got.dtype == np.float32
    np.testing.assert_allclose(got[1, 5, 7], expected, rtol=1e-6)
    with pytest.raises(InputError):
        find("mean_colour").make(contract, TrainSplit(folder, contract, "nowhere"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("bicubic", "degraded"), ("mean_colour", "degraded"), ("bilinear_fit", "sentinel3")],
)
def test_a_baseline_is_made_again_from_its_json_bit_for_bit(name, kind):
    folder, contract = toys.dataset(kind)
    made = find(name).make(contract, TrainSplit(folder, contract))
    again = find(name).restore(contract, json.loads(json.dumps(made.describe())))
    assert again == made
    tiles = list(iterate_tiles(folder, contract, "test", limit=2))
    np.testing.assert_array_equal(again(tiles), made(tiles))


def test_a_baseline_can_be_left_out_of_its_own_comparison():
    assert list(baselines(*toys.dataset(), without="bicubic")) == ["nearest"]
    assert list(REGISTRY)[-1] == "bilinear_fit"  # the strongest last
