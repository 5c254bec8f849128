"""Sample sheets: the same validation tiles at every step, with the same stretch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.dataset.display import View

FloatArray = NDArray[np.float32]
# An error of this share of the value range is shown as the end of the colour bar.
ERROR_SHARE = 0.2
PANEL_INCH = 2.2


@dataclass(frozen=True)
class SampleRow:
    """One tile of the sheet, physical values.

    Attributes:
        name: The tile's name.
        input: ``[h, w, Ci]``, on the target's grid or its own.
        prediction: ``[H, W, Ct]``.
        truth: ``[H, W, Ct]``.
    """

    name: str
    input: FloatArray
    prediction: FloatArray
    truth: FloatArray


def sheet(
    rows: Sequence[SampleRow], input_view: View, target_view: View, *, title: str, unit: str
) -> bytes:
    """Draw input, prediction, truth and error of each row.

    The error is the mean absolute difference over the target bands, on one fixed colour scale.

    Returns:
        The sheet as PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = 4 * PANEL_INCH + 1.3, len(rows) * (PANEL_INCH + 0.15) + 0.9
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    # Without pyplot, which would look for a display and keep every figure alive.
    FigureCanvasAgg(figure)
    # A $ in the name of an experiment would begin a formula.
    figure.suptitle(title, fontsize=10, parse_math=False)
    axes = figure.subplots(len(rows), 4, squeeze=False)
    limit = ERROR_SHARE * float(np.mean(target_view.high - target_view.low))
    for row, panels in zip(rows, axes, strict=True):
        shown = _draw_row(row, panels, input_view, target_view, limit)
    headings = (
        f"input ({input_view.label})",
        f"prediction ({target_view.label})",
        "truth",
        "error",
    )
    for panel, heading in zip(axes[0], headings, strict=True):
        panel.set_title(heading, fontsize=8)
    bar = figure.colorbar(shown, ax=list(axes[:, 3]), shrink=0.9, aspect=40, extend="max")
    bar.set_label(f"mean absolute error ({unit})", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_row(
    row: SampleRow, panels: Any, input_view: View, target_view: View, limit: float
) -> Any:
    """Fill the four panels of a row; returns the error's image for the colour bar."""
    error = np.mean(np.abs(row.prediction - row.truth), axis=-1)
    # Smoothing would hide the blocks and checkerboards that a sheet is there to show.
    panels[0].imshow(input_view.picture(row.input), interpolation="nearest")
    panels[1].imshow(target_view.picture(row.prediction), interpolation="nearest")
    panels[2].imshow(target_view.picture(row.truth), interpolation="nearest")
    shown = panels[3].imshow(error, vmin=0.0, vmax=limit, cmap="magma", interpolation="nearest")
    for panel in panels:
        panel.set_xticks([])
        panel.set_yticks([])
    panels[0].set_ylabel(row.name, fontsize=6)
    return shown
