"""Spectra of a split, site by site, and the restoration rates they give with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.clustered import CONFIDENCE
from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.predictors.protocol import Images

Floats = npt.NDArray[np.float64]
FEWEST_SITES = 10  # an interval over fewer speaks of these sites and no others
REPLICATES = 1000
TARGET, INPUT = "target", "input"  # curves beside those of the methods
RATIO = "frr"


class Spectra:
    """Adds up ring amplitudes by site, in one mode.

    Args:
        mode: ``windowed`` or ``torchsisr``.

    Attributes:
        curves: Sums ``[C, rings]`` by curve and site.
        tiles: Tiles by site.
        left_out: Tiles whose target is not finite everywhere, which have no spectrum.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.curves: dict[str, dict[str, Floats]] = {}
        self.tiles: dict[str, int] = {}
        self.left_out = 0
        self._sites: list[str] = []
        self._whole: Any = np.zeros(0, bool)

    def begin(self, target: Images, low: Images, sites: Sequence[str]) -> None:
        """A batch: its target and its enlarged input, ``[B, H, W, C]``, and the site of each."""
        self._whole = np.isfinite(target).all(axis=(1, 2, 3))
        self.left_out += int((~self._whole).sum())
        self._sites = [site for site, whole in zip(sites, self._whole, strict=True) if whole]
        for site in self._sites:
            self.tiles[site] = self.tiles.get(site, 0) + 1
        self.add(TARGET, target)
        self.add(INPUT, low)

    def add(self, curve: str, images: Images, share: float = 1.0) -> None:
        """A batch of one curve, of a method with several draws its share."""
        from sensor2sensor.metrics.fda import amplitudes

        sums = self.curves.setdefault(curve, {})
        found = amplitudes(images[self._whole], self.mode)
        for site, one in zip(self._sites, found, strict=True):
            sums[site] = sums.get(site, 0.0) + share * one

    def result(self, bands: Sequence[str], seed: int) -> dict[str, Any]:
        """Curves and rates with their intervals, as JSON; empty without a tile."""
        from sensor2sensor.metrics.fda import frequencies, level_db

        if not self.tiles:
            return {}
        names, sites = list(self.curves), list(self.tiles)
        sums = np.array([[self.curves[name][site] for name in names] for site in sites])
        counts = np.array([self.tiles[site] for site in sites], np.float64)
        mean = level_db(sums.sum(axis=0) / counts.sum())
        drawn = None
        if len(sites) >= FEWEST_SITES:
            drawn = level_db(_resampled(sums, counts, rng(seed, Purpose.BOOTSTRAP, "fda")))
        return {
            "frequencies": [round(float(f), 6) for f in frequencies(mean.shape[-1])],
            "levels": {name: _by_band(bands, mean[i]) for i, name in enumerate(names)},
            "rates": {
                name: self._rates(bands, mean, drawn, i)
                for i, name in enumerate(names)
                if name not in (TARGET, INPUT)
            },
            "left_out": self.left_out,
        }

    def _rates(
        self, bands: Sequence[str], mean: Floats, drawn: Floats | None, method: int
    ) -> dict[str, dict[str, dict[str, float | None]]]:
        """By band and name: value, low and high end; ``mean`` is that of the bands' values."""
        from sensor2sensor.metrics.fda import RATES, rates, signed_potential

        labels = [*bands, "mean"]
        values = {
            n: _with_mean(v) for n, v in rates(mean[0], mean[1], mean[method], self.mode).items()
        }
        ends: dict[str, Floats] = {}
        if drawn is not None:
            # One set of drawn sites for all curves: FRR compares spectra of the same ground.
            one = rates(drawn[:, 0], drawn[:, 1], drawn[:, method], self.mode)
            ends = {name: _ends(_with_mean(found)) for name, found in one.items()}
            room = _with_mean(signed_potential(drawn[:, 0], drawn[:, 1], self.mode))
            # A ratio to what may be nothing has no interval.
            touches = ~(_ends(room)[0] > 0)
            touches[-1] |= bool(touches[:-1].any())
            ends[RATIO][:, touches] = np.nan
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for b, label in enumerate(labels):
            found[label] = {}
            for name in RATES:
                low, high = ends[name][:, b] if ends else (np.nan, np.nan)
                numbers = {"value": values[name][b], "low": low, "high": high}
                found[label][name] = {key: plain(x) for key, x in numbers.items()}
        return found

    def told(self) -> str:
        """What the intervals are taken over, or why there are none."""
        count = len(self.tiles)
        if count < FEWEST_SITES:
            return f"no interval below {FEWEST_SITES} sites ({count} here)"
        return f"95 % intervals over {count} sites"


def plain(value: Any) -> float | None:
    """For JSON, which holds no NaN and no infinity."""
    return float(value) if np.isfinite(value) else None


def _resampled(sums: Floats, counts: Floats, generator: np.random.Generator) -> Floats:
    """Mean amplitudes of sites drawn with replacement: ``[sites, …]`` -> ``[replicates, …]``."""
    sites = len(counts)
    drawn = generator.integers(0, sites, size=(REPLICATES, sites))
    weights = np.stack([np.bincount(row, minlength=sites) for row in drawn]).astype(np.float64)
    # A ring without a bin is NaN at every site, and stays so.
    means: Floats = np.tensordot(weights, sums, axes=1)
    return means / (weights @ counts).reshape(-1, *[1] * (sums.ndim - 1))


def _with_mean(values: Any) -> Floats:
    """``[..., C]`` and the mean over bands behind them; an undefined band leaves none."""
    return np.concatenate([values, np.mean(values, axis=-1, keepdims=True)], axis=-1)


def _ends(values: Floats) -> Floats:
    """Percentile interval over replicates: ``[replicates, C]`` -> ``[2, C]``; NaN is kept."""
    tail = (1.0 - CONFIDENCE) / 2
    return np.asarray(np.quantile(values, [tail, 1.0 - tail], axis=0), np.float64)


def _by_band(bands: Sequence[str], levels: Floats) -> dict[str, list[float | None]]:
    rows = zip(bands, levels, strict=True)
    return {band: [None if not np.isfinite(x) else round(float(x), 5) for x in row]
            for band, row in rows}  # fmt: skip
