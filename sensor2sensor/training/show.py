"""A sheet of pairs exactly as a network gets them, with how often each band takes which value."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.seeds import Purpose
from sensor2sensor.dataset.display import View, view
from sensor2sensor.dataset.recordfile import list_records
from sensor2sensor.dataset.statistics import QUANTILES
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.extras import NAME
from sensor2sensor.pipeline.reader import fixed_batches
from sensor2sensor.training.batches import chain_of, reader_options, train_batches

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.dataset.bands import BandSpec

Floats = NDArray[np.float32]

COLUMNS = 4  # pairs in a row
PANEL_INCH = 1.6
BINS = 80
LONGEST_NAME = 34  # letters above a pair
MANY_BANDS = 8  # beyond these a legend is set small and in two columns


@dataclass(frozen=True)
class Pairs:
    """Samples as a network gets them.

    Attributes:
        names: Of their records.
        inputs: ``[N, h, w, Ci]``, normalised.
        targets: ``[N, H, W, Ct]``, normalised.
    """

    names: tuple[str, ...]
    inputs: Floats
    targets: Floats


def draw(
    experiment: Any, environment: Environment, *, split: str, count: int, seed: int | None
) -> Path:
    """Draw the sheet of an experiment.

    Args:
        experiment: With the normalisation of its model.
        environment: Machine settings.
        split: ``train``: drawn and augmented as by the first steps; ``val``: as they are.
        count: Pairs on the sheet, at most all there are.
        seed: Of order and augmentation; None: the experiment's.

    Returns:
        The PNG below the experiment's ``samples``.
    """
    options = reader_options(experiment, environment)
    options = replace(options, seed=options.seed if seed is None else seed)
    pairs = read_pairs(experiment, options, split=split, count=count)
    title = f"{experiment.name}: {len(pairs.names)} pairs of {split}, seed {options.seed}"
    path = Path(experiment.exp_dir) / "samples" / f"show_{split}_seed{options.seed}.png"
    files.write_bytes(path, sheet(pairs, experiment, title))
    return path


def read_pairs(experiment: Any, options: ReaderOptions, *, split: str, count: int) -> Pairs:
    """The first ``count`` samples of a training with these options, or drawn ones of ``val``."""
    place = experiment.dataset_dir, experiment.contract, experiment.normaliser
    sample = experiment.config.sample_val if split == "val" else options.sample
    there = len(list_records(experiment.dataset_dir, split, *options.filters))
    count = min(count, there, sample or there)
    chain = chain_of(experiment) if split == "train" else None
    # What a sample looks like depends on its place in the run, not on the size of the batch; but
    # stages draw for a whole batch.
    size = options.batch_size if chain else min(options.batch_size, count)
    options = replace(options, sample=sample, batch_size=size)
    batches: Any
    if split == "val":
        order = Purpose.ORDER
        batches = fixed_batches(*place, options, split=split, order=order, limit=count, extras=())
    else:
        batches = train_batches(experiment, options, extras=(NAME,), chain=chain)
    found = list(islice(batches, math.ceil(count / options.batch_size)))

    def joined(key: str) -> Any:
        return np.concatenate([batch[key].numpy() for batch in found])[:count]

    names = tuple(name.decode("utf-8") for name in joined(NAME))
    return Pairs(names, joined("input").astype("f4"), joined("target").astype("f4"))


def sheet(pairs: Pairs, experiment: Any, title: str) -> bytes:
    """Pairs beside each other, restored for display, and the histograms of what the network gets.

    Returns:
        The sheet as PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(COLUMNS, len(pairs.names))
    rows = math.ceil(len(pairs.names) / columns)
    width = max(2 * columns * PANEL_INCH, 7.0)
    heights = (rows * (PANEL_INCH + 0.28), 2.9)
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    figure = Figure(figsize=(width, sum(heights) + 0.6), dpi=110, layout=tight)
    # Without pyplot, which would look for a display and keep every figure alive.
    FigureCanvasAgg(figure)
    contract, normaliser = experiment.contract, experiment.normaliser
    views = _input_view(pairs, experiment), _target_view(pairs, experiment)
    told = f"{title}\ninput left ({views[0].label}), target right ({views[1].label})"
    figure.suptitle(told, fontsize=10, parse_math=False)
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=heights).flat
    targets = normaliser.restore(pairs.targets) if normaliser.invertible else pairs.targets
    shown = views[0].picture(pairs.inputs), views[1].picture(np.asarray(targets))
    _draw_pairs(upper, pairs.names, shown, rows, columns)
    left, right = lower.subplots(1, 2)
    kind = experiment.config.normalisation
    bounds = normaliser.bounds
    photos = [side.dtype == "uint8" for side in (contract.input, contract.target)]
    _histogram(left, pairs.inputs, contract.input.bands, views[0], f"input, {kind}", photos[0])
    _histogram(right, pairs.targets, contract.target.bands, views[1], f"target, {kind}", photos[1])
    for end in bounds or ():
        right.axvline(end, color="0.4", linestyle=":", linewidth=1.0)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_pairs(
    figure: Any, names: Sequence[str], shown: tuple[Floats, Floats], rows: int, columns: int
) -> None:
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0.04, hspace=0.06).flat
    for number, (cell, name) in enumerate(zip(cells, names, strict=False)):
        panels = cell.subplots(1, 2)
        for panel, pictures in zip(panels, shown, strict=True):
            # Smoothing would hide the pixels that the sheet is there to show.
            panel.imshow(pictures[number], interpolation="nearest")
            panel.set_axis_off()
        # The end tells patches of one image apart.
        short = name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME + 1 :]}"
        text = panels[0].text(
            0, 1.03, short, transform=panels[0].transAxes, fontsize=7, parse_math=False
        )
        text.set_in_layout(False)  # else a long name would narrow its pictures


def _histogram(
    panel: Any, values: Floats, bands: Sequence[BandSpec], shown: View, title: str, photo: bool
) -> None:
    """Share of the pixels of each band in bins that all bands share."""
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    flat = flat[np.isfinite(flat).all(axis=-1)]
    low, high = np.quantile(flat, (0.0005, 0.9995))
    edges = np.linspace(low, max(high, low + 1e-6), BINS + 1)
    if photo and (levels := np.unique(flat)).size > BINS:
        edges = _between_levels(levels, low, high)
    for band, spec, colour in zip(flat.T, bands, _colours(len(bands), shown), strict=True):
        share = np.histogram(band, bins=edges)[0] / len(band)
        panel.stairs(100.0 * share, edges, color=colour, label=spec.name, linewidth=1.2)
    panel.set_title(title, fontsize=9)
    panel.set_xlabel("value as the network gets it", fontsize=8)
    panel.set_ylabel("% of pixels", fontsize=8)
    panel.tick_params(labelsize=7)
    many = len(bands) > MANY_BANDS
    panel.legend(fontsize=5 if many else 7, ncols=2 if many else 1, frameon=False)


def _between_levels(levels: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Edges with equally many stored levels of 8 bits in each bin; else some hold one more."""
    steps = np.diff(levels)
    # Rounding makes levels of its own; jittered pictures have more than 256, and no comb.
    step = float(np.median(steps[steps > 1e-5]))
    count = math.ceil((high - low) / step / BINS) * step
    return np.arange(low - step / 2, high + count, count)


def _colours(count: int, shown: View) -> list[Any]:
    """The bands of the picture in their own colours, the others from violet to yellow."""
    from matplotlib import colormaps

    found: list[Any] = [
        tuple(colour) for colour in colormaps["viridis"](np.linspace(0.0, 0.95, count))
    ]
    if len(set(shown.bands)) == len(shown.bands):
        for band, colour in zip(shown.bands, ("tab:red", "tab:green", "tab:blue"), strict=True):
            found[band] = colour
    return found


def _input_view(pairs: Pairs, experiment: Any) -> View:
    """The stretch of the normalised input: where the ends of the bands' fixed ranges lie."""
    contract, normaliser = experiment.contract, experiment.normaliser
    low, high = np.moveaxis(np.asarray(contract.input_ranges(), np.float32), 1, 0)
    if normaliser.elementwise:
        ends = [np.asarray(normaliser.input(end)) for end in (low, high)]
    else:
        ends = _seen(pairs.inputs)
    photo = contract.input.dtype == "uint8"
    ranges = np.stack(ends, axis=-1)
    return view(contract.input.bands, ranges, contract.colour("input"), photo=photo)


def _target_view(pairs: Pairs, experiment: Any) -> View:
    contract = experiment.contract
    ranges = np.asarray(contract.target_ranges(), np.float32)
    if not experiment.normaliser.invertible:
        ranges = np.stack(_seen(pairs.targets), axis=-1)
    photo = contract.target.dtype == "uint8"
    return view(contract.target.bands, ranges, contract.colour(), photo=photo)


def _seen(values: Floats) -> list[Floats]:
    """The ends of what is shown, band by band: scaled by its own norm, no sample has fixed ones."""
    flat = values.reshape(-1, values.shape[-1])
    return [np.quantile(flat, q, axis=0).astype(np.float32) for q in QUANTILES[:2]]
