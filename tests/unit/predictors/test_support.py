"""Bands in common, both ways between the grids, and how far a prediction departs from its input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.contract import Degradation, InputSpec, TargetSpec
from sensor2sensor.dataset.degradation import degrade
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.predictors.bilinear_fit import BandLine, BilinearFit
from sensor2sensor.predictors.departure import departure
from sensor2sensor.predictors.support import matches_of, support_of, why_not

S2 = {"B02": 492.4, "B03": 559.8, "B04": 664.6, "B08": 832.8, "B8A": 864.7}
SIDE, FACTOR = 16, 4


def form(given: dict, wanted: dict, *, grid=(SIDE // FACTOR,) * 2, layout="dense", **others):
    units = {"given_in": "reflectance", "wanted_in": "reflectance"}
    given_in, wanted_in = (others.pop(key, value) for key, value in units.items())
    native = others.pop("native", {})
    bands = tuple(
        float_band(n, given_in, nm).model_copy(update={"native_px": native.get(n, 1)})
        for n, nm in given.items()
    )
    spec = InputSpec(
        layout=layout, bands=bands, dtype="float32", index_dtype="int32", max_pixels=999,
        grid=grid, pixel_m=10.0 * FACTOR,
    )  # fmt: skip
    target = TargetSpec(
        bands=tuple(float_band(n, wanted_in, nm) for n, nm in wanted.items()), dtype="float32"
    )
    asked = {"kind": "paired", "tile_px": SIDE, "resolution_m": 10.0, "factor": float(FACTOR)}
    return Form(name="toy", input=spec, target=target, **{**asked, **others})


def test_bands_meet_by_name_else_by_wavelength_and_the_rest_is_said():
    olci = {"Oa04": 490.0, "Oa06": 560.0, "Oa17": 865.0}
    mixed = form({"B8": 832.8, "B2": 492.4, **olci}, S2)
    names = [(one.target, one.source, one.by) for one in matches_of(mixed)]
    assert names == [(0, 1, "name"), (1, 3, "wavelength"), (3, 0, "name"), (4, 4, "wavelength")]
    facts = support_of(mixed, "x").facts()
    assert facts["left_out"] == ["B04"] and facts["unmeasured"] == []
    assert facts["matched"][1] == {"target": "B03", "input": "Oa06", "by": "wavelength"}
    # Two bands of one sensor lie 32 nm apart and see something else.
    assert matches_of(form({"B8A": 864.7}, {"B08": 832.8})) == ()


def test_one_name_of_bands_that_are_known_to_be_others_is_no_match():
    """Landsat's B05 is near infrared and its B06 short-wave; Sentinel-2 has its B8A there."""
    landsat = {"B04": 654.6, "B05": 864.7, "B06": 1608.9}
    given = form(landsat, {"B04": 664.6, "B05": 704.1, "B06": 740.5, "B8A": 864.7})
    found = [(one.target, one.source, one.by) for one in matches_of(given)]
    assert found == [(0, 0, "name"), (3, 1, "wavelength")]
    assert "no target band" in why_not(form({"B05": 864.7}, {"B05": 704.1}))
    # Where one of them is not known the name is all there is.
    assert [one.by for one in matches_of(form({"B05": None}, {"B05": 704.1}))] == ["name"]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: form({"VV": None}, S2), "no target band .* is in the input"),
        (lambda: form(S2, S2, given_in="DN"), "input is in DN, the target in reflectance"),
        (lambda: form(S2, S2, factor=0.5), "finer"),
        (lambda: form(S2, S2, layout="pixels", grid=None, resolution_m=None), "no size in metres"),
    ],
)
def test_what_cannot_be_held_against_its_input_is_refused_in_one_line(made, why):
    with pytest.raises(ConfigError, match=f"profile 'trust' compares .* {why}") as error:
        support_of(made(), "profile 'trust'")
    assert "\n" not in str(error.value)


def test_of_bands_that_nobody_measured_none_is_judged():
    one = form(S2, S2)
    bands = tuple(b.model_copy(update={"reference": b.name == "B03"}) for b in one.target.bands)
    told = one.model_copy(update={"target": one.target.model_copy(update={"bands": bands})})
    assert support_of(told, "x").judged == [1]
    nobody = tuple(b.model_copy(update={"reference": False}) for b in bands)
    lone = one.model_copy(update={"target": one.target.model_copy(update={"bands": nobody})})
    assert "nobody measured" in why_not(lone)


def tile_of(low: np.ndarray, side: int = SIDE) -> TileRecord:
    return dense_record("t", np.zeros((side, side, 2), np.float32), low.astype(np.float32))


def test_down_is_the_mean_over_each_pixel_and_a_coarser_band_has_its_own():
    names = {"B02": 492.4, "B03": 559.8}
    support = support_of(form(names, names, native={"B03": 2}), "x")
    random = np.random.default_rng(0)
    image = random.normal(0.2, 0.1, (SIDE, SIDE, 2))
    tile = tile_of(random.normal(0.2, 0.1, (4, 4, 2)))
    found = support.down(image, tile)
    assert found.whole.all()
    values = found.values.reshape(4, 4, 2)
    np.testing.assert_allclose(values[..., 0], image[..., 0].reshape(4, 4, 4, 4).mean((1, 3)))
    coarse = image[..., 1].reshape(2, 8, 2, 8).mean((1, 3))
    np.testing.assert_allclose(values[..., 1], coarse.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(support.low(tile), tile.input_dense.reshape(16, 2))
    holed = image.copy()
    holed[5, 5] = np.nan
    part = support.down(holed, tile)
    assert list(np.flatnonzero(~part.whole)) == [0, 1, 4, 5]  # its own pixel is 8 x 8
    assert part.values[5, 0] == pytest.approx(np.nanmean(holed[4:8, 4:8, 0]))


def test_an_input_made_with_a_gaussian_meets_the_same_one_and_cut_blocks_are_left_out():
    names = {"B02": 492.4, "B03": 559.8}
    random = np.random.default_rng(1)
    truth = random.normal(0.2, 0.1, (18, 18, 2)).astype(np.float32)
    for method in ("mean", "mtf"):
        low = degrade(truth, 4, resolution_m=10.0, method=method, mtf_nyquist=0.3)
        tile = TileRecord("t", truth, low.pixels, low.xy, low.index)
        how = Degradation(
            method=method, factor=4, mtf_nyquist=0.3 if method == "mtf" else None, sigma_px=None,
            incomplete_blocks=0, tiles_with_incomplete_blocks=0,
        )  # fmt: skip
        one = form(names, names, layout="pixels", grid=(5, 5), kind="degraded", degradation=how)
        support = support_of(one, "x")
        found = support.down(truth, tile)
        np.testing.assert_allclose(found.values, low.pixels, atol=1e-6)
        # 18 pixels end within the fifth block; a Gaussian of 1.7 blocks looks beyond the edge.
        inner = {"mean": 16, "mtf": 0}[method]
        assert found.whole.sum() >= inner and not found.whole.reshape(5, 5)[-1].any()
        # Repeated pixels give the input back where d is a mean; a Gaussian smooths them once more.
        repeated = low.pixels[low.index - 1].astype(np.float64)
        off = np.abs(support.down(repeated, tile).values - support.low(tile))
        assert (off.max() < 1e-6) == (method == "mean")


def swath(seed: int = 0, side: int = 40):
    """Pixels turned against the grid, in another unit: 100 times the reflectance, and 3 more."""
    random = np.random.default_rng(seed)
    j, i = np.meshgrid(np.arange(-6, 7), np.arange(-6, 7))
    x = side / 2 + 8 * (np.cos(0.3) * j - np.sin(0.3) * i).ravel()
    y = side / 2 + 8 * (np.sin(0.3) * j + np.cos(0.3) * i).ravel()
    near = (x > -6) & (x < side + 6) & (y > -6) & (y < side + 6)
    x, y = x[near], y[near]
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    index = np.argmin((rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2, -1) + 1
    kept = np.unique(index)
    numbers = np.zeros(len(x) + 1, np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    x, y, index = x[kept - 1], y[kept - 1], numbers[index]
    plane = 0.1 + 0.004 * np.stack([x, y], -1)  # linear: interpolated without error
    xy = np.stack([x, y], -1) * 10.0
    pixels = (100 * plane + 3).astype(np.float32)
    target = random.normal(0.2, 0.1, (side, side, 2)).astype(np.float32)
    return TileRecord("s", target, pixels, xy, index.astype(np.int32))


def test_a_swath_is_averaged_by_its_index_on_lines_to_the_targets_unit():
    tile = swath()
    wanted = {"B02": 492.4, "B03": 559.8}
    one = form(
        {"Oa04": 490.0, "Oa06": 560.0}, wanted, layout="pixels", grid=None, kind="sentinel3",
        given_in="radiance", factor=8.0,
    )  # fmt: skip
    support = support_of(one, "x")
    assert support.swath and not support.calibrated
    lines = tuple(
        BandLine(n, s, 0.01, -0.03, 1.0, 9) for n, s in zip(wanted, ("Oa04", "Oa06"), strict=True)
    )
    fitted = support.fitted(BilinearFit(lines, (0, 1), 10.0))
    assert fitted.calibrated
    large = fitted.up(tile)
    rows, columns = np.mgrid[0:40, 0:40] + 0.5
    plane = 0.1 + 0.004 * np.stack([columns, rows], -1)
    inner = slice(10, 30)
    np.testing.assert_allclose(large[inner, inner], plane[inner, inner], atol=1e-5)
    found = fitted.down(plane, tile)
    for number in np.flatnonzero(found.whole):
        here = tile.input_index == number + 1
        np.testing.assert_allclose(found.values[number], plane[here].mean(0))
    # Those at the tile's edge may be cut, and nobody could tell.
    edge = np.unique(np.concatenate([tile.input_index[0], tile.input_index[:, -1]])) - 1
    assert not found.whole[edge].any() and found.whole.sum() > 5
    planted = large.copy()
    planted[18:22, 18:22] += np.indices((4, 4)).sum(0)[..., None] % 2 * 0.1
    shown = departure(fitted, tile, planted)
    lit = np.isin(tile.input_index, np.unique(tile.input_index[18:22, 18:22]))
    assert (shown[lit][:, 0] > 1e-3).all() and (shown[~lit] == 0).all()


@pytest.mark.parametrize("factor", [1, 4])
def test_departure_lights_up_where_texture_was_planted_and_nowhere_else(factor):
    names = {"B02": 492.4, "B03": 559.8}
    small = SIDE // factor
    one = form(names, names, grid=(small, small) if factor > 1 else None, factor=float(factor))
    support = support_of(one, "x")
    tile = tile_of(np.random.default_rng(3).normal(0.2, 0.05, (small, small, 2)))
    large = support.up(tile)
    assert (departure(support, tile, large) == 0).all()
    planted = large.copy()
    board = np.indices((8, 8)).sum(0) % 2 - 0.5
    planted[4:12, 4:12, 0] += 0.2 * board
    found = departure(support, tile, planted)
    lit = np.zeros((SIDE, SIDE), bool)
    lit[4:12, 4:12] = True
    assert (found[~lit] == 0).all()
    # Of a mean of two bands: a board of ±0.1 in one of them has a mean square of 0.01 / 2.
    np.testing.assert_allclose(found[lit][:, 0], np.sqrt(0.01 / 2), rtol=1e-6)
    kind = 2 if factor > 1 else 1  # on one grid all of it is seen by the input's own pixel
    np.testing.assert_allclose(found[lit][:, kind], np.sqrt(0.01 / 2), rtol=1e-6)
    np.testing.assert_allclose(found[lit][:, 3 - kind], 0, atol=1e-7)
    brighter = departure(support, tile, large + 0.05)
    assert (brighter[..., 2] < 1e-6).all()
    own = support.down(large, tile).values - support.low(tile)
    expected = np.maximum(np.abs(own + 0.05) - np.abs(own), 0)
    root = np.sqrt((expected**2).mean(-1)).reshape(small, small)
    np.testing.assert_allclose(brighter[::factor, ::factor, 1], root, atol=1e-7)
    holed = planted.copy()
    holed[0, 0] = np.nan
    shown = departure(support, tile, holed)
    assert np.isnan(shown[0, 0]).all() and np.isfinite(shown[0, 1:]).all()


def test_a_prediction_nearer_to_its_input_than_interpolation_does_not_depart_by_it():
    names = {"B02": 492.4}
    support = support_of(form(names, names), "x")
    tile = tile_of(np.random.default_rng(5).normal(0.2, 0.1, (4, 4, 1)))
    tile = replace(tile, target=tile.target[..., :1])
    steps = support.low(tile) - support.down(support.up(tile), tile).values
    mended = support.up(tile) + steps[support.index(tile) - 1]
    assert np.abs(steps).max() > 0.01
    found = departure(support, tile, mended)
    np.testing.assert_allclose(found, 0, atol=1e-7)
