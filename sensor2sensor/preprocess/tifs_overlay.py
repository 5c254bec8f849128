"""The overlay picture of a scene: where its tiles lie, on what, and inside which masks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.tifs_records import Row

_OUTLINES = ("#ffffff", "#ff4fd8")
_COLOURS = {None: "#ffd400", "true": "#34e07a", "false": "#ff8a3c"}


def overlay_png(
    image: NDArray[np.float32],
    grid: Grid,
    reduction: int,
    rows: Sequence[Row],
    *,
    outlines: Mapping[str, Any],
    masks: Sequence[Any],
    title: str,
) -> bytes:
    """A PNG of the scene with tiles, footprints and masks; equal input gives equal bytes.

    Args:
        image: overview of the scene ``[h, w]``, NaN for no data.
        grid: the scene's target grid.
        reduction: target pixels per overview pixel.
        rows: of ``tiles.csv``.
        outlines: projected footprints by name; None is left out.
        masks: projected masks.
        title: above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 8.0), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.12, 0.07, 0.85, 0.87))
    _draw_image(axes, image, grid, reduction)
    for mask in masks:
        _draw_outline(axes, mask, colour="#3ec7ff", name="mask")
    for (name, outline), colour in zip(outlines.items(), _OUTLINES, strict=False):
        _draw_outline(axes, outline, colour=colour, name=name)
    _draw_tiles(axes, rows)
    _frame(axes, grid, title)
    buffer = io.BytesIO()
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def stretched(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Image between its 2 and 98 % quantiles, 0..1; NaN stays."""
    known = image[np.isfinite(image)]
    if not known.size:
        return image
    low, high = (float(value) for value in np.quantile(known, (0.02, 0.98)))
    scaled = np.clip((image - low) / max(high - low, 1e-6), 0.0, 1.0)
    return np.asarray(scaled, dtype=np.float32)


def _draw_image(axes: Any, image: NDArray[np.float32], grid: Grid, reduction: int) -> None:
    step = reduction * grid.resolution_m
    height, width = image.shape
    east, south = grid.ulx_m + width * step, grid.uly_m - height * step
    axes.set_facecolor("#202028")
    extent = (grid.ulx_m, east, south, grid.uly_m)
    axes.imshow(stretched(image), cmap="gray", vmin=0.0, vmax=1.0, extent=extent)


def _draw_outline(axes: Any, geometry: Any, *, colour: str, name: str) -> None:
    if geometry is None or geometry.is_empty:
        return
    for number, line in enumerate(_lines(geometry)):
        x, y = np.asarray(line.coords)[:, :2].T
        axes.plot(x, y, color=colour, linewidth=1.2, label=None if number else name)


def _lines(geometry: Any) -> list[Any]:
    if geometry.geom_type == "Polygon":
        return [geometry.exterior, *geometry.interiors]
    return [line for part in getattr(geometry, "geoms", []) for line in _lines(part)]


def _draw_tiles(axes: Any, rows: Sequence[Row]) -> None:
    from matplotlib.patches import Rectangle

    for row in rows:
        size = row["size_px"] * row["resolution_m"]
        corner = (row["ulx_m"], row["uly_m"] - size)
        colour = _COLOURS[row["inside_mask"]]
        axes.add_patch(Rectangle(corner, size, size, fill=False, edgecolor=colour, linewidth=1.4))


def _frame(axes: Any, grid: Grid, title: str) -> None:
    west, south, east, north = grid.bounds
    border = 0.02 * (east - west)
    axes.set_xlim(west - border, east + border)
    axes.set_ylim(south - border, north + border)
    axes.set_title(title, fontsize=8)
    axes.set_xlabel(f"easting in metres (EPSG:{grid.epsg})", fontsize=8)
    axes.set_ylabel("northing in metres", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.ticklabel_format(useOffset=False, style="plain")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        by_name = dict(zip(labels, handles, strict=True))
        axes.legend(by_name.values(), by_name.keys(), loc="upper right", fontsize=7)
