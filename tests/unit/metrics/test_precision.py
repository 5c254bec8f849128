"""Metrics where digits get lost: calm water, flat snow, bright cloud, holes, single pixels.

Held against the published formulas in NumPy, float64, each window's moments taken about its own
mean. What takes moments in one pass in float32 fails here, as the last test shows.
"""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.metrics import compute, profile_metrics
from tests.unit.metrics import oracles

SIDE, FACTOR, COLOUR = 40, 6.0, (2, 1, 0)
RANGES = np.array([[0.02, 1.0], [0.01, 1.1], [0.0, 1.2]])
TOLERANCE = 1e-6
STANDARD = profile_metrics("standard")


def ground(level, spread, seed):
    """A level that moves by ``spread`` in every band, on the grid of stored numbers or finer."""
    noise = np.random.default_rng(seed).normal(0.0, spread, (SIDE, SIDE, 3))
    return (level + noise).astype(np.float32)


def kinds():
    """Truth and prediction by what they show."""
    water, snow = ground(0.02, 1e-3, 1), ground(0.9, 1e-4, 2)
    cloud = np.minimum(ground(1.2, 0.05, 3), np.float32(1.2))  # where the sensor saturates
    flat = np.full((SIDE, SIDE, 3), 0.9, np.float32)
    spot = flat.copy()
    spot[17, 23] += np.float32(0.01)
    holed = snow.copy()
    holed[5:9, 30:] = np.nan
    holed[20, 3, 1] = np.nan
    shore = snow.copy()
    shore[:, 20:] = ground(0.02, 1e-3, 4)[:, 20:]
    dark = water.copy()
    dark[:20] = 0.0  # a window of zeros is not one whose zeros were rounded
    near = {"water": (water, 1e-3), "snow": (snow, 1e-4), "cloud": (cloud, 0.03)}
    near |= {"holes": (holed, 1e-4), "shore": (shore, 1e-4), "dark": (dark, 1e-3)}
    pairs = {
        name: (truth, (truth + ground(5e-4, spread, 9)).astype(np.float32))
        for name, (truth, spread) in near.items()
    }
    pairs["dark"][1][:20] = 0.0
    pairs["constant"] = flat, flat + np.float32(1e-3)
    pairs["one pixel"] = flat, spot
    pairs["one pixel of the truth"] = spot, flat
    return pairs


PAIRS = kinds()


@pytest.fixture(scope="module")
def scored():
    pairs = [np.stack(side) for side in zip(*PAIRS.values(), strict=True)]
    asked = {"value_ranges": RANGES, "factor": FACTOR, "colour": COLOUR}
    return {name: np.asarray(value) for name, value in compute(*pairs, **asked).items()}


def moments(x, y, weights):
    """Means, variances and covariance of every window without a hole, each about its own mean."""
    size = weights.shape
    a, b = (np.lib.stride_tricks.sliding_window_view(side, size) for side in (x, y))
    whole = np.isfinite(a).all((2, 3)) & np.isfinite(b).all((2, 3))
    a, b = a[whole], b[whole]
    ma, mb = (np.sum(weights * side, (1, 2), keepdims=True) for side in (a, b))
    va, vb = (np.sum(weights * (s - m) ** 2, (1, 2)) for s, m in ((a, ma), (b, mb)))
    return ma[:, 0, 0], mb[:, 0, 0], va, vb, np.sum(weights * (a - ma) * (b - mb), (1, 2))


def uiqi(x, y):
    ma, mb, va, vb, cov = moments(x, y, np.full((8, 8), 1 / 64))
    squares, flat = ma**2 + mb**2, va + vb <= 1e-12 * (ma**2 + mb**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        luminance = np.where(squares > 0, 2 * ma * mb / squares, 1.0)
        return np.mean(luminance * np.where(flat, 1.0, 2 * cov / (va + vb)))


def ssim(x, y):
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    ma, mb, va, vb, cov = moments(x, y, np.outer(line, line) / line.sum() ** 2)
    top = (2 * ma * mb + 1e-4) * (2 * cov + 9e-4)
    return np.mean(top / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))


def correlation(a, b, noise):
    """Pearson, NaN where a side is constant up to the rounding of its float32."""
    keep = np.isfinite(a) & np.isfinite(b)
    sides = a[keep], b[keep]
    if any(np.ptp(side) <= n for side, n in zip(sides, noise, strict=True)):
        return np.nan
    return np.corrcoef(*sides)[0, 1]


def scc(x, y):
    kernel = -np.ones((3, 3))
    kernel[1, 1] = 8
    high = [
        np.sum(np.lib.stride_tricks.sliding_window_view(side, (3, 3)) * kernel, (2, 3))
        for side in (x, y)
    ]
    step = 16 * np.finfo(np.float32).eps
    return correlation(*high, [step * np.nanmax(np.abs(side)) for side in (x, y)])


def by_band(metric, x, y):
    return np.mean([metric(x[..., b], y[..., b]) for b in range(x.shape[-1])])


def expected(name, truth, guess):
    """A metric by its formula; None where a hole makes the formula more than a line."""
    x, y = (np.where(np.isfinite(truth).all(-1, keepdims=True), s, np.nan) for s in (truth, guess))
    x, y = x.astype(np.float64), y.astype(np.float64)
    low, span = RANGES[:, 0], RANGES[:, 1] - RANGES[:, 0]
    unit = (x - low) / span, (y - low) / span
    holes, error = np.isnan(x).any(), y - x
    step = 4 * np.finfo(np.float32).eps

    def plain():
        if name == "rmse":
            return np.sqrt(np.nanmean(error**2))
        if name == "l1":
            return np.nanmean(np.abs(error))
        if name == "psnr":
            return -10 * np.log10(np.nanmean((error / span) ** 2))
        if name == "ergas":
            parts = np.nanmean(error**2, (0, 1)) / np.nanmean(x, (0, 1)) ** 2
            return 100 / FACTOR * np.sqrt(parts.mean())
        if name == "sam":
            norms = [np.linalg.norm(side, axis=-1) for side in (x, y)]
            # By the chord: an arc cosine has no digits left near 0.
            with np.errstate(invalid="ignore", divide="ignore"):
                u, v = x / norms[0][..., None], y / norms[1][..., None]
            chord = np.linalg.norm(u - v, axis=-1) / 2
            return np.degrees(np.nanmean(2 * np.arcsin(chord)))
        if name == "cc":
            return by_band(
                lambda a, b: correlation(a, b, [step * np.nanmax(np.abs(s)) for s in (a, b)]), x, y
            )
        return {"ssim": lambda: by_band(ssim, *unit), "uiqi": lambda: by_band(uiqi, x, y)}[name]()

    if name == "scc":
        return by_band(scc, x, y)
    if name in ("hpsi", "lsd_hf", "hp_l1"):
        if holes:
            return None
        if name == "hp_l1":
            return oracles.hp_l1(x, y, RANGES)
        if name == "lsd_hf":
            flat = any(np.ptp(x[..., b]) <= step * x[..., b].max() for b in range(3))
            return np.nan if flat else oracles.lsd_hf(x, y, RANGES, FACTOR)
        seen = [255 * np.clip(side, 0, 1)[..., list(COLOUR)] for side in unit]
        flat = all(np.ptp(side[..., b]) <= step * 255 for side in seen for b in range(3))
        return np.nan if flat else oracles.haarpsi(*seen)
    return plain()


@pytest.mark.parametrize("name", STANDARD)
def test_every_kind_of_ground_keeps_six_digits(name, scored):
    for place, (kind, pair) in enumerate(PAIRS.items()):
        wanted = expected(name, *pair)
        if wanted is not None:
            close = pytest.approx(wanted, rel=TOLERANCE, abs=TOLERANCE, nan_ok=True)
            assert scored[name][place] == close, kind


def test_a_tile_is_scored_alone_whatever_lies_beside_it(scored):
    names = list(PAIRS)[::-1]
    pairs = [np.stack(side) for side in zip(*(PAIRS[n] for n in names), strict=True)]
    asked = {"value_ranges": RANGES, "factor": FACTOR, "colour": COLOUR}
    for name, values in compute(*pairs, **asked).items():
        np.testing.assert_allclose(values[::-1], scored[name], rtol=1e-12, err_msg=name)


def test_one_pass_in_float32_would_not_pass():
    x, y = (side[..., 0] for side in PAIRS["snow"])
    box = [
        np.lib.stride_tricks.sliding_window_view(s, (8, 8)) for s in (x, y, x * x + y * y, x * y)
    ]
    mx, my, squares, product = (side.mean((2, 3), dtype=np.float32) for side in box)
    variances, cov = squares - mx**2 - my**2, product - mx * my
    with np.errstate(invalid="ignore", divide="ignore"):
        one_pass = np.nanmean(4 * cov * mx * my / (variances * (mx**2 + my**2)))
    wanted = uiqi(x.astype(np.float64), y.astype(np.float64))
    assert not abs(one_pass - wanted) < 1000 * TOLERANCE
