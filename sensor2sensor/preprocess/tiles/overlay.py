"""The overlay picture of a scene: where its tiles lie, on what, and inside which masks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.tiles.table import TileRow

VERSION = 3  # of the picture; raised when equal tiles are drawn otherwise
FOLDER = "_overlays"  # no inventory's name begins like this: its pictures can never lie here
_WIDTH_IN, _DPI = 10.0, 100
_LISTED = 40  # so many tiles are named beside the picture
_OUTLINES = ("#ffffff", "#ff4fd8")
_MASK = "#3ec7ff"
_TILES = {
    None: ("#ffd400", "tile"),
    True: ("#34e07a", "tile inside a mask"),
    False: ("#ff8a3c", "tile outside the masks"),
}


def overlay_path(
    inventory_dir: Path, inventory: str, selection: str, tile_px: int, scene: int
) -> Path:
    """Where the overlay of a scene lies: a folder for each inventory, selection and tile size."""
    folder = inventory_dir / FOLDER / inventory / selection / str(tile_px)
    return folder / f"{scene}_{tile_px}px.png"


def remove_others(kept: Sequence[Path]) -> None:
    """Remove overlays that lie beside these, and half-written ones."""
    for folder in {path.parent for path in kept}:
        files.sweep(folder)
        for path in sorted(set(folder.glob("*_*px.png")) - set(kept)):
            files.remove(path)


def remove_of(inventory_dir: Path, inventory: str, tile_px: int, scenes: Sequence[int]) -> None:
    """Remove the overlays of scenes whose tiles are gone, whichever selection they came with."""
    parent = inventory_dir / FOLDER / inventory
    for selection in sorted(parent.iterdir()) if parent.is_dir() else []:
        for scene in scenes:
            files.remove(overlay_path(inventory_dir, inventory, selection.name, tile_px, scene))


def drawn_of(asked: str, rows: Sequence[TileRow]) -> str:
    """What a picture shows, for comparison: what was asked of the scene, its tiles in order."""
    shown = [[row.tile, row.sha256, row.as_json()["inside_mask"]] for row in rows]
    return fingerprint([VERSION, asked, shown])


def is_current(path: Path, mark: str) -> bool:
    """Whether a picture is there that shows just this."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return mark.encode() in stream.read(1024)  # text chunks come before the image's


def overlay_png(
    image: NDArray[np.uint8],
    grid: Grid,
    rows: Sequence[TileRow],
    *,
    reduction: int,
    outlines: Mapping[str, Any],
    masks: Sequence[Any],
    title: str,
    mark: str,
) -> bytes:
    """A PNG of the scene with its numbered tiles, footprints and masks.

    Equal input gives equal bytes.

    Args:
        image: of the scene as step 30 shows it, red, green, blue and alpha ``[4, h, w]``.
        grid: the scene's target grid.
        rows: of ``tiles.csv``; a tile's number is its place among them.
        reduction: target pixels per overview pixel.
        outlines: projected footprints by name; None is left out.
        masks: projected masks.
        title: above the picture.
        mark: of :func:`drawn_of`, kept in the file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    listed = 0 < len(rows) <= _LISTED
    figure = Figure(figsize=(_WIDTH_IN + 1.8 * listed, _WIDTH_IN + 0.3), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    width = 1.8 / (_WIDTH_IN + 1.8) if listed else 0.0
    axes = figure.add_axes((0.08, 0.092, 0.895 - width, 0.869))
    _frame(axes, grid, title)
    _draw_image(axes, image, grid, reduction)
    for mask in masks:
        _draw_outline(axes, mask, colour=_MASK, name="mask")
    for (name, outline), colour in zip(outlines.items(), _OUTLINES, strict=False):
        _draw_outline(axes, outline, colour=colour, name=f"{name} footprint")
    _draw_tiles(axes, rows)
    if listed:
        _draw_list(figure, rows, 0.985 - width)
    _draw_legend(figure, axes)
    buffer = io.BytesIO()
    canvas.print_png(buffer, metadata={"Software": None, "Comment": mark})
    return buffer.getvalue()


def _draw_image(axes: Any, image: NDArray[np.uint8], grid: Grid, reduction: int) -> None:
    step = reduction * grid.resolution_m
    _, height, width = image.shape
    east, south = grid.ulx_m + width * step, grid.uly_m - height * step
    axes.set_facecolor("#202028")
    if image[3].any():
        shown = np.moveaxis(image, 0, -1)
        axes.imshow(shown, extent=(grid.ulx_m, east, south, grid.uly_m), interpolation="nearest")
        # The last overview pixel may reach beyond the scene.
        _limits(axes, grid)


def _draw_outline(axes: Any, geometry: Any, *, colour: str, name: str) -> None:
    import shapely

    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    shown = shapely.box(west, south, east, north)
    if geometry is None or not geometry.boundary.intersects(shown):
        return  # nothing to see of it, and nothing for the legend to explain
    for number, line in enumerate(_lines(geometry)):
        x, y = np.asarray(line.coords)[:, :2].T
        axes.plot(x, y, color=colour, linewidth=1.4, label=None if number else name)


def _lines(geometry: Any) -> list[Any]:
    if geometry.geom_type == "Polygon":
        return [geometry.exterior, *geometry.interiors]
    return [line for part in getattr(geometry, "geoms", []) for line in _lines(part)]


def _draw_tiles(axes: Any, rows: Sequence[TileRow]) -> None:
    from matplotlib.patches import Rectangle

    named = set()
    for number, row in enumerate(rows, start=1):
        size = row.size_px * row.resolution_m
        corner = (row.ulx_m, row.uly_m - size)
        colour, kind = _TILES[row.inside_mask]
        label = None if kind in named else kind
        named.add(kind)
        for edge, line in (("black", 2.6), (colour, 1.3)):  # seen on ice and on dark water
            axes.add_patch(
                Rectangle(
                    corner, size, size, fill=False, edgecolor=edge, linewidth=line,
                    label=label if edge == colour else None,
                )
            )  # fmt: skip
        _draw_number(axes, number, corner, size, colour)


def _draw_number(
    axes: Any, number: int, corner: tuple[float, float], size: float, colour: str
) -> None:
    """The tile's number in its middle, as large as fits; tiles drawn too small have none."""
    from matplotlib.patheffects import withStroke

    west, east = axes.get_xlim()
    points = size / (east - west) * _WIDTH_IN * 0.84 * 72 / (0.4 + 0.7 * len(str(number)))
    if points < 4.0:
        return
    text = axes.text(
        corner[0] + size / 2, corner[1] + size / 2, str(number), color=colour,
        fontsize=min(points, 11.0), ha="center", va="center_baseline", fontweight="bold",
    )  # fmt: skip
    text.set_path_effects([withStroke(linewidth=2.2, foreground="black")])


def _draw_list(figure: Any, rows: Sequence[TileRow], left: float) -> None:
    """Which file each number is."""
    lines = [f"{number:>3}  {row.x}x{row.y}" for number, row in enumerate(rows, start=1)]
    text = "\n".join(["tile _<x>x<y>", *lines])
    figure.text(left, 0.95, text, fontsize=8, family="monospace", va="top", linespacing=1.35)


def _draw_legend(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        legend = figure.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0.075, 0.005), ncols=len(handles),
            fontsize=9, frameon=True, facecolor="#4a4a55", labelcolor="white", edgecolor="none",
        )  # fmt: skip
        legend.get_frame().set_alpha(1.0)


def _limits(axes: Any, grid: Grid) -> None:
    west, south, east, north = grid.bounds
    border = 0.02 * (east - west)
    axes.set_xlim(west - border, east + border)
    axes.set_ylim(south - border, north + border)


def _frame(axes: Any, grid: Grid, title: str) -> None:
    _limits(axes, grid)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=10, parse_math=False)
    axes.set_xlabel(f"easting in metres (EPSG:{grid.epsg})", fontsize=9)
    axes.set_ylabel("northing in metres", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.locator_params(nbins=7)
