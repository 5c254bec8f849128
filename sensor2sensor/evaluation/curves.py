"""Spectra of profile ``torchsisr`` as pictures: target, input and what the methods made of it."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.evaluation.spectra import INPUT, TARGET

COLUMNS = 4
PANEL_INCH = (3.0, 2.4)
# Target and input in black; Okabe & Ito 2008 for methods, told apart with any vision.
FIXED = {TARGET: ("#000000", "-"), INPUT: ("#000000", (0, (2, 4)))}
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def write_curves(fda: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """``spectra-windowed.png`` and ``spectra-torchsisr.png``; returns the entries of the gallery.

    Args:
        fda: ``cross_sensor.fda`` of an evaluation's JSON.
        folder: The gallery.
    """
    entries = []
    for mode, found in fda.items():
        if found:
            path = folder / f"spectra-{mode}.png"
            files.write_bytes(path, _drawn(found, f"Mean spectra on real inputs, mode {mode}"))
            caption = f"amplitude by frequency in dB of the first ring, mode {mode}"
            entry = {"file": f"{folder.name}/{path.name}", "rank": path.stem, "tile": ""}
            entries.append({**entry, "caption": caption})
    return entries


def _drawn(found: Mapping[str, Any], title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bands = list(found["levels"][TARGET])
    across = min(COLUMNS, len(bands))
    down = math.ceil(len(bands) / across)
    size = (across * PANEL_INCH[0] + 0.4, down * PANEL_INCH[1] + 0.8)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    for axes, band in zip(panels, bands, strict=False):
        _panel(axes, found, band)
    for axes in panels[len(bands) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize=7, frameon=False)
    figure.supxlabel("spatial frequency (1 = Nyquist of the target)", fontsize=9)
    figure.supylabel("10 log10 amplitude (dB of ring 1)", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _panel(axes: Any, found: Mapping[str, Any], band: str) -> None:
    methods = [name for name in found["levels"] if name not in FIXED]
    styles = {name: (COLOURS[i % len(COLOURS)], "-") for i, name in enumerate(methods)}
    # The input last: what restores nothing, as bicubic, lies under its dots and shows between them.
    names = [TARGET, *methods, INPUT]
    for name in names:
        colour, line = {**FIXED, **styles}[name]
        level = np.array(found["levels"][name][band], np.float64)
        if np.isfinite(level).any():  # one flat colour has no detail, and no curve
            style = {"color": colour, "linestyle": line, "linewidth": 1.2}
            axes.plot(found["frequencies"], level, label=name, **style)
    axes.set_title(band, fontsize=9, loc="left", parse_math=False)
    axes.tick_params(labelsize=7)
    axes.grid(color="#E4E4E4", linewidth=0.6)
