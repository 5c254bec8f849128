"""What our metrics make of blur, shift, contrast, noise and a pattern: one command, with plots.

    python -m benchmarks.metric_sensitivity [--images FILE …] [--band 1] [--out DIR]

Distorts reference patches in known ways and scores the result as a prediction of a factor of 2:
a Gaussian whose MTF at the Nyquist frequency of the input is 0.001 to 0.4, or none, under a shift
of 0 to 2 pixels; contrast shrunk towards 0.1; white noise; a fixed pattern of 4 x 4 pixels. Without
images the patches are generated: edges on a field whose amplitude falls with 1 / f. Images are read
as digital numbers of reflectance (--scale), and only patches without missing pixels are taken.

FRR, FRO, FRU and noise are the restoration rates of profile torchsisr in percent
(docs/superresolution.md); lsd_hf is HF-LSD, the log-spectral distance in dB beyond the Nyquist
frequency of the input: 0 is perfect, and amounts count as much as with FRR.

Writes metric_sensitivity.json and metric_sensitivity.png to --out (default: benchmarks/results).
Returns 1 where the point of it fails: that under a shift of 2 pixels PSNR prefers a blurred image
to the sharp one, and FRR does not. Takes a minute.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.core import files, notices  # noqa: E402 - after the path above

FACTOR, CROP_PX = 2, 4  # what a shift brings in from beyond the border is not scored
MTFS = (0.001, 0.01, 0.1, 0.2, 0.4, None)
SHIFTS_PX = (0.0, 0.5, 1.0, 1.5, 2.0)
SHRUNK = (0.02, 0.05, 0.08, 0.11)
LEVEL = 0.1  # that contrast is shrunk towards
AMOUNTS = (0.001, 0.002, 0.005, 0.01)  # of noise and pattern, in reflectance
METRICS = ("psnr", "rmse", "l1", "ssim", "cc", "scc", "hp_l1", "uiqi", "lsd_hf")
SHOWN = ("psnr", "ssim", "lsd_hf")
RATES = {"frr": "frr", "fro": "fro", "fru": "fru", "noise": "fda_noise"}  # ours, that of fda
Image = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Row:
    """One distortion: its kind, its amount, its shift in pixels, and its scores by name."""

    kind: str
    amount: float | None
    shift_px: float
    scores: Mapping[str, float]


def patches(count: int, side_px: int, seed: int = 0) -> Image:
    """Generated reflectance ``[B, N, N, 1]`` around 0.15: straight edges on a 1 / f field."""
    generator = np.random.default_rng(seed)
    k = np.fft.fftfreq(side_px) * side_px
    radius = np.maximum(np.hypot(k[:, None], k[None, :]), 1.0)
    noise = np.fft.fft2(generator.normal(size=(count, side_px, side_px)))
    field = np.fft.ifft2(noise / radius).real
    field *= 0.05 / field.std(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[:side_px, :side_px] / side_px - 0.5
    for image in field:
        for _ in range(12):
            angle, offset = generator.uniform(0, 2 * np.pi), generator.uniform(-0.5, 0.5)
            beyond = np.cos(angle) * x + np.sin(angle) * y > offset
            image += np.where(beyond, generator.normal(0, 0.02), 0.0)
    return np.asarray((0.15 + field)[..., None], np.float32)


def read(paths: list[Path], band: int, scale: float, side_px: int, count: int) -> Image:
    """Patches of images, spread over each, ``[B, N, N, 1]`` in reflectance."""
    import rasterio

    found = []
    each = -(-count // len(paths))
    for path in paths:
        with rasterio.open(path) as image:
            values, known = image.read(band), image.read_masks(band) > 0
        places = [
            (slice(r, r + side_px), slice(c, c + side_px))
            for r in range(0, values.shape[0] - side_px + 1, side_px)
            for c in range(0, values.shape[1] - side_px + 1, side_px)
        ]
        whole = [place for place in places if known[place].all() and np.ptp(values[place])]
        step = max(len(whole) // each, 1)
        found += [values[place] * scale for place in whole[::step][:each]]
    if not found:
        raise SystemExit(f"no patch of {side_px} x {side_px} pixels without a missing one")
    return np.stack(found)[:count, ..., None].astype(np.float32)


def distortions(
    target: Image, seed: int = 0, shifts_px: Sequence[float] | None = None
) -> Iterator[tuple[str, float | None, float, Image]]:
    """Kind, amount, shift and the distorted patches."""
    from sensor2sensor.pipeline import bicubic, psf

    for mtf in MTFS:
        blurred = target if mtf is None else psf.blur(target, float(psf.sigma_px(mtf, FACTOR)))
        for shift in shifts_px or SHIFTS_PX:
            flow = np.zeros((*target.shape[:3], 2), np.float32)
            flow[..., 1] = shift
            yield "blur", mtf, shift, np.asarray(bicubic.warp(blurred, flow))
    for share in SHRUNK:
        shrunk = LEVEL + (1 - share) * (target - LEVEL)
        yield "contrast", share, 0.0, np.asarray(shrunk, np.float32)
    generator = np.random.default_rng(seed)
    noise = np.asarray(generator.normal(size=target.shape), np.float32)
    tile: Image = generator.normal(size=(4, 4))
    tile -= tile.mean()  # a pattern that only brightens would be an offset
    side = -(-target.shape[1] // 4)
    pattern = np.tile(tile / tile.std(), (side, side))[: target.shape[1], : target.shape[2], None]
    for amount in AMOUNTS:
        yield "noise", amount, 0.0, target + amount * noise
        yield "pattern", amount, 0.0, (target + amount * pattern).astype(np.float32)


def study(
    target: Image,
    seed: int = 0,
    *,
    kinds: Collection[str] | None = None,
    metrics: Sequence[str] | None = None,
    shifts_px: Sequence[float] | None = None,
) -> list[Row]:
    """Score every distortion of the patches ``[B, N, N, 1]``, or some of them.

    Args:
        target: The patches.
        seed: Of noise and pattern.
        kinds: Kinds of distortions; all by default.
        metrics: Metrics besides the rates; :data:`METRICS` by default.
        shifts_px: Shifts of blurred images; :data:`SHIFTS_PX` by default.
    """
    from sensor2sensor.metrics import fda
    from sensor2sensor.pipeline import bicubic, psf

    inside = (slice(None), *[slice(CROP_PX, -CROP_PX)] * 2)
    small = psf.degrade(target, FACTOR, 0.2)
    low = np.asarray(bicubic.resize(small, *target.shape[1:3]))
    of = [fda.level_db(fda.amplitudes(image[inside]).mean(axis=0)) for image in (target, low)]
    rows = []
    for kind, amount, shift, made in distortions(target, seed, shifts_px):
        if kinds is not None and kind not in kinds:
            continue
        level = fda.level_db(fda.amplitudes(made[inside]).mean(axis=0))
        found = {name: float(value[0]) for name, value in fda.rates(of[0], of[1], level).items()}
        scores = _means(target[inside], made[inside], metrics or METRICS) | {
            name: found[own] for name, own in RATES.items()
        }
        rows.append(Row(kind, amount, shift, scores))
    return rows


def _means(target: Image, made: Image, names: Sequence[str]) -> dict[str, float]:
    """Mean over the patches of each metric; infinite where one is perfect."""
    from sensor2sensor.metrics import compute

    ends = [[float(np.quantile(target, 0.001)), float(np.quantile(target, 0.999))]]
    values = compute(target, made, value_ranges=ends, factor=float(FACTOR), names=names)
    return {name: float(np.mean(value)) for name, value in values.items()}


def preferred(rows: list[Row], metric: str, shift_px: float) -> float | None:
    """The MTF of the blur that a metric, of which more is better, likes best; None: no blur."""
    own = [row for row in rows if row.kind == "blur" and row.shift_px == shift_px]
    return max(own, key=lambda row: row.scores[metric]).amount


def plot(rows: list[Row]) -> bytes:
    """A row of panels by metric: blur under each shift, then contrast, noise and pattern."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = (*METRICS, *RATES)
    figure = Figure(figsize=(11, 1.6 * len(names)), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(names), 4, squeeze=False, sharey="row")
    for panels, name in zip(grid, names, strict=True):
        for mtf in MTFS:
            own = [row for row in rows if row.kind == "blur" and row.amount == mtf]
            label = "no blur" if mtf is None else f"MTF {mtf:g}"
            panels[0].plot(SHIFTS_PX, [row.scores[name] for row in own], "o-", label=label, ms=3)
        for axes, kind in zip(panels[1:], ("contrast", "noise", "pattern"), strict=True):
            own = [row for row in rows if row.kind == kind]
            axes.plot([row.amount for row in own], [row.scores[name] for row in own], "o-", ms=3)
        panels[0].set_ylabel(name)
    for axes, title in zip(
        grid[0], ("blur, by shift (px)", "contrast lost", "noise", "pattern"), strict=True
    ):
        axes.set_title(title)
    grid[0][0].legend(fontsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def show(rows: list[Row]) -> None:
    """Print a line for each distortion. FRR has its overshoot and noise beside it."""
    columns = (*(name for name in SHOWN if name in METRICS), *RATES)
    print(f"{'distortion':<12}{'amount':>8}{'shift':>7}" + "".join(f"{c:>11}" for c in columns))
    for row in rows:
        amount = "none" if row.amount is None else f"{row.amount:g}"
        scores = "".join(f"{row.scores[name]:>11.4g}" for name in columns)
        print(f"{row.kind:<12}{amount:>8}{row.shift_px:>7g}{scores}")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    made.add_argument("--images", type=Path, nargs="+", default=[])
    made.add_argument("--band", type=int, default=1)
    made.add_argument("--scale", type=float, default=1e-4)
    made.add_argument("--patches", type=int, default=16)
    made.add_argument("--side", type=int, default=128)
    made.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    return made


def main(argv: list[str] | None = None) -> int:
    """Run the study, print it, write its files; returns the exit code."""
    asked = arguments().parse_args(argv)
    notices.set_level(debug=False)
    notices.load_tensorflow()
    target = patches(asked.patches, asked.side)
    if asked.images:
        target = read(asked.images, asked.band, asked.scale, asked.side, asked.patches)
    rows = study(target)
    show(rows)
    shift = max(SHIFTS_PX)
    liked = {name: preferred(rows, name, shift) for name in ("psnr", "frr")}
    holds = liked["psnr"] is not None and liked["frr"] is None
    told = {name: "no blur" if mtf is None else f"MTF {mtf:g}" for name, mtf in liked.items()}
    print(f"under a shift of {shift:g} px PSNR is highest with {told['psnr']}, FRR with", end=" ")
    print(f"{told['frr']}: {'as it should be shown' if holds else 'NOT what the study is to show'}")
    plain = [vars(row) | {"scores": {n: _plain(v) for n, v in row.scores.items()}} for row in rows]
    content = {"patches": len(target), "side_px": target.shape[1], "preferred": liked}
    asked.out.mkdir(parents=True, exist_ok=True)
    files.write_json(asked.out / "metric_sensitivity.json", {**content, "rows": plain})
    files.write_bytes(asked.out / "metric_sensitivity.png", plot(rows))
    return 0 if holds else 1


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


if __name__ == "__main__":
    sys.exit(main())
