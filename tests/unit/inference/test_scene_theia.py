"""Products of Theia as scenes: what models of SEN2VENuS, and published ones, are given."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.opening import open_scene
from sensor2sensor.inference.scenes.options import SceneOptions
from tests.fakes.theia import CORNER_M, EPSG, ground, write_theia
from tests.unit.inference.forms import degraded, paired

# As the data set names them, and as ESA does.
NAMED = (("B2", "B5", "B11", "B8A"), ("B02", "B05", "B11", "B8A"))
NATIVE = (1, 2, 2, 2)
SIDE, SEED = 48, 3
GAP = (slice(5, 7), slice(0, 3))  # of 20 m


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    return write_theia(tmp_path_factory.mktemp("theia"), side_px=SIDE, seed=SEED, gap=GAP)


@pytest.mark.parametrize("names", NAMED)
def test_values_are_reflectance_on_the_finest_grid(product, names):
    scene = open_scene(product, paired(2, names, native_px=NATIVE), SceneOptions())
    assert scene.frame.transform == (5.0, 0.0, CORNER_M[0], 0.0, -5.0, CORNER_M[1])
    assert (scene.frame.crs, scene.frame.shape, scene.align_px) == (f"EPSG:{EPSG}", (96, 96), 4)
    found = scene.window(scene.frame.full_window)
    for place, band in enumerate(NAMED[0]):
        side = SIDE // NATIVE[place]
        wanted = ground(band, side, SEED).astype(np.float32) / np.float32(10000)
        wanted = wanted.repeat(NATIVE[place], 0).repeat(NATIVE[place], 1)
        there = found.valid[::2, ::2]
        np.testing.assert_array_equal(found.record.input_dense[..., place][there], wanted[there])
    gap = np.zeros((96, 96), bool)
    gap[20:28, 0:12] = True
    np.testing.assert_array_equal(found.valid, ~gap)
    assert np.isfinite(found.record.input_dense).all()
    assert scene.truth(PixelWindow(0, 0, 4, 4)) is None and scene.notices == ()


def test_facts_name_platform_level_and_time(product):
    facts = open_scene(product, paired(2, NAMED[0], native_px=NATIVE), SceneOptions()).facts
    assert (facts["platform"], facts["level"]) == ("S2B", "L2A")
    assert facts["datetime"] == "2019-05-31T10:59:16.927Z"
    assert facts["read_at_m"] == {"B02": 10.0, "B05": 20.0, "B11": 20.0, "B8A": 20.0}


def test_bands_of_20_m_alone_lie_on_their_own_grid(product):
    form = paired(2, ("B05", "B8A"), input_m=20.0)
    scene = open_scene(product, form, SceneOptions())
    assert (scene.frame.shape, scene.frame.transform[0], scene.align_px) == ((48, 48), 10.0, 2)


def test_a_model_of_level_1c_is_warned_and_other_pixels_are_refused(product):
    form = paired(1, ("B02", "B03")).model_copy(update={"level": "L1C"})
    assert "at the surface (L2A)" in open_scene(product, form, SceneOptions()).notices[0]
    with pytest.raises(InputError, match="B2 has pixels of 10 m, 'pairs' takes 20 m"):
        open_scene(product, paired(2, ("B02",), input_m=20.0), SceneOptions())
    with pytest.raises(ProductError, match="has no FRE image of B9"):
        open_scene(product, paired(2, ("B09",)), SceneOptions())


def test_models_of_degraded_bands_have_its_own_pixels_degraded(product):
    scene = open_scene(product, degraded(2), SceneOptions())
    place = PixelWindow(8, 4, 16, 12)
    fine = ground("B3", SIDE, SEED)[4:16, 8:24].astype(np.float32) / np.float32(10000)
    made = scene.window(place).record.input_pixels[:, 1]
    np.testing.assert_allclose(made, fine.reshape(6, 2, 8, 2).mean((1, 3)).ravel(), rtol=1e-6)
    np.testing.assert_array_equal(scene.truth(place)[..., 1], fine)
    with pytest.raises(InputError, match="B5 has pixels of 20 m, 'alt2_toy' takes 10 m"):
        open_scene(product, degraded(2, bands=("B02", "B05")), SceneOptions())


def test_models_of_degraded_bands_take_its_pixels_as_they_are_where_asked(product):
    scene = open_scene(product, degraded(2, pixel_m=5.0), SceneOptions(input_m=10.0))
    record = scene.window(PixelWindow(8, 4, 16, 12)).record
    wanted = ground("B3", SIDE, SEED)[2:8, 4:12].astype(np.float32) / np.float32(10000)
    np.testing.assert_array_equal(record.input_pixels[:, 1], wanted.ravel())
    assert scene.truth(PixelWindow(0, 0, 4, 4)) is None
