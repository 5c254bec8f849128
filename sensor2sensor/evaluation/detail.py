"""What a mean over bands, sites and frequencies hides, of profile ``torchsisr``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.cross_tables import BAND_SCORES
from sensor2sensor.config.vocabulary import SIMULATED, TORCHSISR, TRUTH
from sensor2sensor.evaluation.lowside import LowSide
from sensor2sensor.evaluation.mosaics import Mosaics
from sensor2sensor.evaluation.spectra import Spectra, plain
from sensor2sensor.predictors.protocol import Images

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

# Of inputs and images on the target's grid: mean and deviation of the flow's length, [B] each.
Motion = Callable[[Images, Images], tuple[npt.NDArray[Any], npt.NDArray[Any]]]
Views = Mapping[str, Sequence["TileRecord"]]
VIEWS = {TRUTH: "real", SIMULATED: SIMULATED}  # by what inputs are called
COLUMNS = ("name", "site", "method", "input", "band", *BAND_SCORES)


class Detail:
    """Scores of every band, spectra of every site, pictures of a few tiles.

    Args:
        contract: The data set's contract.
        low: The input's side.
        bands: Target bands that have a reference, by position.
        compat: ``torchsisr`` prefers the published rings in what is printed; both are kept.
        motion: Of a registration, for the warp statistics.
        tiles: How many will be seen.
    """

    def __init__(
        self,
        contract: DatasetContract,
        low: LowSide,
        bands: Sequence[int],
        compat: str | None,
        motion: Motion | None,
        tiles: int,
    ) -> None:
        from sensor2sensor.metrics.fda import COEFFICIENT, TORCHSISR, WINDOWED

        self._contract, self._low, self._bands = contract, low, list(bands)
        self._names = [band.name for band in contract.target.bands]
        self._known = [self._names[i] for i in bands]
        self._mode = TORCHSISR if compat == TORCHSISR else WINDOWED
        self._spectra = {mode: Spectra(mode) for mode in (WINDOWED, TORCHSISR)}
        self._coefficients = COEFFICIENT
        self._motion = motion
        self._moved: dict[str, list[npt.NDArray[Any]]] = {}
        self.mosaics = Mosaics(contract, tiles)
        self._tiles: list[tuple[str, str]] = []
        self._found: dict[tuple[str, str], list[npt.NDArray[Any]]] = {}
        self._open: set[tuple[str, str]] = set()
        self._inputs: Images = np.zeros(0, np.float32)
        self._target: Images = np.zeros(0, np.float32)
        self._seen: dict[str, Images] = {}

    def begin(self, views: Views, held: Mapping[str, Images], sites: Sequence[str]) -> None:
        """A batch: its tiles by view, its truth of the bands scored, the site of each tile."""
        self._target, self._open = held[TRUTH], set()
        self._seen = {view: self._low.of(tiles) for view, tiles in views.items()}
        side_px, seen = self._target.shape[1:3], self._seen[TRUTH]
        for mode, spectra in self._spectra.items():
            large = self._low.enlarged(seen, side_px, self._coefficients[mode])
            spectra.begin(self._target, large[..., self._bands], sites)
        self.mosaics.begin(views[TRUTH])
        self._tiles += [(t.name, s) for t, s in zip(views[TRUTH], sites, strict=True)]
        if self._motion is not None:
            self._inputs = self._low.whole(views[TRUTH])
            self._measure("target", np.stack([tile.target for tile in views[TRUTH]]))

    def add(self, method: str, guesses: Mapping[str, Images], share: float) -> None:
        """One draw of a method on the batch, ``[B, H, W, Ct]`` by view, and its share."""
        for view, images in guesses.items():
            known = images[..., self._bands]
            scores = np.full((len(images), len(self._names), len(BAND_SCORES)), np.nan)
            scores[:, self._bands, :-1] = self._scores(known)
            scores[..., -1] = self._behind(view, images)
            scores *= share
            parts = self._found.setdefault((method, view), [])
            if (method, view) in self._open:
                parts[-1] += scores
            else:
                parts.append(scores)
                self.mosaics.add(method, VIEWS[view], images)
            self._open.add((method, view))
        for spectra in self._spectra.values():
            spectra.add(method, guesses[TRUTH][..., self._bands], share)
        if self._motion is not None:
            self._measure(method, guesses[TRUTH])

    def _scores(self, images: Images) -> npt.NDArray[Any]:
        """``[B, C, 4]``: each band that has a reference by itself."""
        from sensor2sensor.metrics import compute

        ranges = self._contract.target_ranges()[self._bands]
        names = tuple(BAND_SCORES.values())[:-1]
        found = []
        for c in range(len(self._bands)):
            one = slice(c, c + 1)
            asked: dict[str, Any] = {
                "value_ranges": ranges[one],
                "factor": 1.0,
                "profile": TORCHSISR,
            }
            values = compute(self._target[..., one], images[..., one], names=names, **asked)
            found.append(np.stack([np.asarray(values[name]) for name in names], axis=-1))
        return np.stack(found, axis=1)

    def _behind(self, view: str, images: Images) -> npt.NDArray[Any]:
        """RMSE of each band on the input's side, ``[B, Ct]``: nobody need have measured it."""
        error = self._low.degraded(images).astype(np.float64) - self._seen[view]
        return np.asarray(np.sqrt(np.mean(error**2, axis=(1, 2))))

    def _measure(self, what: str, images: Images) -> None:
        assert self._motion is not None
        mean, std = (np.asarray(m, np.float64) for m in self._motion(self._inputs, images))
        # Two moments are enough: a split of flows does not fit into memory.
        sums = np.array([len(mean), mean.sum(), (std**2 + mean**2).sum()])
        self._moved.setdefault(what, []).append(sums)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """A row per method, input, tile and band, in the order of :data:`COLUMNS`."""
        for (method, view), parts in self._found.items():
            for (name, site), bands in zip(self._tiles, np.concatenate(parts), strict=True):
                for band, values in zip(self._names, bands, strict=True):
                    yield name, site, method, VIEWS[view], band, *(float(v) for v in values)

    def document(self, seed: int) -> dict[str, Any]:
        """All of it but single tiles, for JSON.

        Args:
            seed: Of the bootstrap.
        """
        spectra = {mode: one.result(self._known, seed) for mode, one in self._spectra.items()}
        left_out = [b.name for b in self._contract.target.bands if not b.reference]
        return {
            **self._low.facts,
            "left_out": left_out,
            "mode": self._mode,
            "intervals": self._spectra[self._mode].told(),
            "bands": self._by_band(),
            "sites": self._by_site(),
            "fda": spectra,
            "warp": self._warp(),
        }

    def _by_band(self) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
        """Means over tiles by method, input and band; ``mean`` is that of the bands' means."""
        found: dict[str, dict[str, dict[str, dict[str, float | None]]]] = {}
        for (method, view), parts in self._found.items():
            means = _finite_mean(np.concatenate(parts))
            rows = np.concatenate([means, self._over_bands(means)[None]])
            own = zip([*self._names, "mean"], rows, strict=True)
            found.setdefault(method, {})[VIEWS[view]] = {band: _named(row) for band, row in own}
        return found

    def _by_site(self) -> dict[str, dict[str, Any]]:
        """Tiles of each site, and by method and input the means over them and over bands."""
        sites = np.array([site for _, site in self._tiles])
        found: dict[str, dict[str, Any]] = {}
        for site in dict.fromkeys(sites.tolist()):
            inside = sites == site
            scores: dict[str, dict[str, Any]] = {}
            for (method, view), parts in self._found.items():
                means = self._over_bands(_finite_mean(np.concatenate(parts)[inside]))
                scores.setdefault(method, {})[VIEWS[view]] = _named(means)
            found[site] = {"tiles": int(inside.sum()), "scores": scores}
        return found

    def _over_bands(self, means: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Mean over the bands that have a score: those with a reference, of LR RMSE all."""
        found = means[self._bands].mean(axis=0)
        found[-1] = means[:, -1].mean()
        return np.asarray(found)

    def _warp(self) -> dict[str, dict[str, float]]:
        """Mean and standard deviation of the flow's magnitude, in input pixels; empty without."""
        found = {}
        for what, parts in self._moved.items():
            count, total, squares = np.sum(parts, axis=0)
            mean = total / count
            std = np.sqrt(max(squares / count - mean**2, 0.0))
            found[what] = {"mean": float(mean), "std": float(std)}
        return found


def _finite_mean(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Mean over tiles of the finite values ``[B, C, K]`` -> ``[C, K]``; NaN without any."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    total = np.where(finite, values, 0.0).sum(axis=0)
    found = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, count, out=found, where=count > 0))


def _named(row: npt.NDArray[Any]) -> dict[str, float | None]:
    return {name: plain(value) for name, value in zip(BAND_SCORES, row, strict=True)}
