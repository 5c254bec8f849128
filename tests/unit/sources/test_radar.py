"""Radar: limits, the mean over blocks in both domains, and units that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.sources.sen12mscr.radar import (
    LIMITS_DB,
    block_mean,
    in_db,
    measured,
    refuse_other_unit,
)
from tests.real_data import sen12_image


def speckle(side: int = 8) -> np.ndarray:
    """Power of two bands."""
    return np.random.default_rng(side).gamma(4, 0.02, (side, side, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("band", "values", "scaled"),
    [("VV", [-30, -25, -12.5, 0, 5], [0, 0, 1, 2, 2]), ("VH", [-32.5, -16.25, 0], [0, 1, 2])],
)
def test_limits_are_those_of_the_published_scaling(
    band: str, values: list[float], scaled: list[float]
) -> None:
    low, high = LIMITS_DB[band]
    assert 2 * (np.clip(values, low, high) - low) / (high - low) == pytest.approx(scaled)


def test_blocks_of_four() -> None:
    found = block_mean(np.arange(64.0).reshape(8, 8, 1), 4)[..., 0]
    assert np.array_equal(found[::4, ::4], [[13.5, 17.5], [45.5, 49.5]])
    assert np.array_equal(found, found[::4, ::4].repeat(4, axis=0).repeat(4, axis=1))


@pytest.mark.parametrize(("domain", "mean"), [("db", -15.0), ("linear", -12.59637)])
def test_the_mean_of_ten_and_twenty_decibels(domain: str, mean: float) -> None:
    pair = np.array([[-10.0, -20.0], [-10.0, -20.0]])[..., None]
    assert block_mean(pair, 2, domain=domain) == pytest.approx(np.full((2, 2, 1), mean), abs=1e-5)


@pytest.mark.parametrize("domain", ["db", "linear"])
def test_it_is_what_plain_loops_give(domain: str) -> None:
    values = in_db(speckle(12))
    found = block_mean(values, 3, domain=domain)
    assert found.shape == values.shape
    for y in range(12):
        for x in range(12):
            block = values[y // 3 * 3 :, x // 3 * 3 :][:3, :3].reshape(9, 2)
            power = 10 * np.log10(np.mean(10 ** (block / 10), axis=0))
            wanted = block.mean(axis=0) if domain == "db" else power
            assert found[y, x] == pytest.approx(wanted, abs=1e-9)


def test_turns_of_a_whole_patch_commute_with_the_mean() -> None:
    values = in_db(speckle(8))
    assert np.allclose(block_mean(np.rot90(values), 4), np.rot90(block_mean(values, 4)))


def test_power_is_never_below_the_mean_of_decibels() -> None:
    values = sen12_image("s1")
    above = block_mean(values, 4, domain="linear") - block_mean(values, 4)
    assert above.min() >= -1e-9
    assert above.max() == pytest.approx(4.0, abs=0.05)
    assert above.mean(axis=(0, 1)) == pytest.approx((0.38, 0.36), abs=0.005)


@pytest.mark.parametrize("shape", [(6, 8, 2), (8, 6, 2)])
def test_half_a_block_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(DatasetError, match=f"{shape[0]} x {shape[1]} pixels .* of 4 x 4"):
        block_mean(np.zeros(shape), 4)


def test_power_becomes_decibels() -> None:
    found = in_db(np.array([1.0, 0.1, 0.0, np.nan]))
    assert found[:2] == pytest.approx([0, -10])
    assert np.isfinite(found[2]) and found[2] < min(low for low, _ in LIMITS_DB.values())
    assert np.isnan(found[3])


@pytest.mark.parametrize("unit", ["db", "linear"])
def test_the_declared_unit_is_held_against_signs(unit: str) -> None:
    power, decibels = speckle(), in_db(speckle())
    right, wrong = (decibels, power) if unit == "db" else (power, decibels)
    refuse_other_unit(right, unit, "a.tif")
    other = {"db": "linear", "linear": "db"}[unit]
    with pytest.raises(DatasetError, match=f"a.tif: .*; pass --s1-unit {other}$"):
        refuse_other_unit(wrong, unit, "a.tif")


def test_saturated_decibels_are_decibels() -> None:
    refuse_other_unit(sen12_image("s1"), "db", "a.tif")
    refuse_other_unit(np.minimum(in_db(speckle()) + 10, 0), "db", "a.tif")


@pytest.mark.parametrize("unit", ["db", "linear"])
@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_one_value_throughout_is_no_radar(unit: str, value: float) -> None:
    with pytest.raises(DatasetError, match=r"a\.tif: holds no radar"):
        refuse_other_unit(np.full((4, 4, 2), value), unit, "a.tif")
    with pytest.raises(DatasetError, match=r"a\.tif: holds no radar"):
        refuse_other_unit(np.tile(np.array([-25.0, -32.5]), (4, 4, 1)), unit, "a.tif")


@pytest.mark.parametrize("unit", ["db", "linear"])
@pytest.mark.parametrize(("scale", "shift"), [(10, 6500), (100, 0), (1, 150)])
def test_numbers_of_a_scale_that_nobody_said_are_refused(
    unit: str, scale: float, shift: float
) -> None:
    """Decibels as 16-bit integers, in hundredths, as a picture of 8 bits."""
    numbers = in_db(speckle()) * scale + shift
    low, high = f"{numbers.min():g}", f"{numbers.max():g}"
    with pytest.raises(DatasetError, match=f"no radar in dB or power: .* {low} to {high};.* undo"):
        refuse_other_unit(numbers, unit, "a.tif")
    numbers[0, 0] = 36  # one that could be a value does not make it "one value throughout"
    with pytest.raises(DatasetError, match=r"no radar in dB or power|so it is"):
        refuse_other_unit(numbers, unit, "a.tif")


def test_pixels_without_a_number_do_not_count() -> None:
    values = in_db(speckle())
    values[0, 0] = np.nan
    refuse_other_unit(values, "db", "a.tif")


@pytest.mark.parametrize("unit", ["db", "linear"])
@pytest.mark.parametrize("mark", [-99, -9999, -3.4e38, 3.4e38, -np.inf, np.inf, np.nan])
def test_what_no_radar_has_is_no_data(unit: str, mark: float) -> None:
    values = {"db": in_db(speckle()), "linear": speckle()}[unit]
    assert measured(values, unit).all()
    values[2, 3, 1] = mark
    assert np.argwhere(~measured(values, unit)).tolist() == [[2, 3]]
    refuse_other_unit(values, unit, "a.tif")


def test_power_has_no_sign_and_is_zero_in_one_band_alone() -> None:
    values = speckle()
    values[0, 0], values[0, 1, 0], values[0, 2, 1] = 0, -1, 0  # padding, none, below the noise
    assert np.argwhere(~measured(values, "linear")).tolist() == [[0, 0], [0, 1]]
    refuse_other_unit(values, "linear", "a.tif")
    assert measured(in_db(speckle()), "linear").all()  # dB, which is refused for its unit


def test_a_mark_of_no_data_does_not_hide_the_unit() -> None:
    power = speckle()
    power[0, 0] = -9999
    with pytest.raises(DatasetError, match="so it is linear power and no dB"):
        refuse_other_unit(power, "db", "a.tif")
